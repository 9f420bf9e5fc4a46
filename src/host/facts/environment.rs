//! Which environment variables matter to somebody who repeats a run: those by which runtimes, allocators and the loader change
//! how drivers and servers run. Pure, and never shows a secret.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// What the names of such variables begin with.
const PREFIXES: [&str; 11] =
    ["PYTHON", "PYPY", "UV_", "NODE_", "RUST_", "TOKIO_", "RAYON_", "MALLOC_", "LD_", "OMP_", "JAVA_"];

/// And those that are known by their whole name.
const NAMES: [&str; 15] = [
    "GLIBC_TUNABLES",
    "JDK_JAVA_OPTIONS",
    "_JAVA_OPTIONS",
    "GOGC",
    "GOMAXPROCS",
    "GOMEMLIMIT",
    "GODEBUG",
    "GOTRACEBACK",
    "DYLD_INSERT_LIBRARIES",
    "DYLD_LIBRARY_PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "JEMALLOC_CONF",
];

/// What is a secret, or near one, in a name or in a value.
const SECRETS: [&str; 7] = ["token", "passw", "secret", "key", "credential", "auth", "username"];

/// Those of `variables` that matter. A variable whose name suggests a secret is left out; a value that suggests one becomes
/// `…`, and so does whatever stands before the `@` of an address.
#[must_use]
pub fn environment(variables: impl IntoIterator<Item = (OsString, OsString)>) -> BTreeMap<String, String> {
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.to_string_lossy().into()))
    };
    let matters = |(name, _): &(String, String)| {
        (NAMES.contains(&name.as_str()) || PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
            && !is_secret(name)
    };
    let all = variables.into_iter().filter_map(text).filter(matters);
    all.map(|(name, value)| (name, shown(value))).collect()
}

fn is_secret(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    SECRETS.iter().any(|secret| text.contains(secret))
}

fn shown(value: String) -> String {
    // Such as `https://me:hunter2@packages.example.org/simple`.
    let has_user = value.contains("://") && value.contains('@');
    if has_user || is_secret(&value) { "…".to_owned() } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Vec<(String, String)> {
        environment(variables.iter().map(|&(name, value)| (name.into(), value.into()))).into_iter().collect()
    }

    #[test]
    fn what_changes_how_programs_run_is_kept_and_nothing_else() {
        let kept =
            [("GLIBC_TUNABLES", "glibc.malloc.arena_max=1"), ("LANG", "C.UTF-8"), ("PYTHONHASHSEED", "0")];
        let owned = kept.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(
            of(&[&kept[..], &[("HOME", "/root"), ("GOOGLE_PROJECT", "x"), ("LANGUAGE", "de")]].concat()),
            owned
        );
    }

    #[test]
    fn no_secret_is_kept_whether_it_is_in_the_name_or_in_the_value() {
        let secrets = [
            ("NODE_AUTH_TOKEN", "hunter2"),
            ("UV_INDEX_PRIVATE_PASSWORD", "hunter2"),
            ("RUST_API_KEY", "hunter2"),
            ("UV_INDEX_URL", "https://me:hunter2@example.org/simple"),
            ("UV_EXTRA_INDEX_URL", "https://hunter2@example.org/simple"),
            ("JAVA_TOOL_OPTIONS", "-Djavax.net.ssl.keyStorePassword=hunter2"),
        ];
        let kept = of(&secrets);
        assert_eq!(kept.len(), 3);
        assert!(kept.iter().all(|(_, value)| value == "…"), "{kept:?}");
    }
}
