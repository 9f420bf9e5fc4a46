//! The files of `drivers`, inside this program, so that an experiment can include them wherever the program is installed:
//! `include = ["builtin:python"]`. Only their contents; a host unpacks them with [`crate::host::shipped`].

use std::collections::BTreeMap;
use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use super::source::{Directory, Source};

/// What the path of an include begins with if it names a file of this program.
pub(super) const PREFIX: &str = "builtin:";

/// A file of `drivers`.
#[derive(Clone, Copy, Debug)]
pub struct ShippedFile {
    /// Its path from that directory.
    pub name: &'static str,
    /// All of it.
    pub bytes: &'static [u8],
}

macro_rules! embedded {
    ($($name:literal)*) => {
        &[$(ShippedFile { name: $name, bytes: include_bytes!(concat!("../../drivers/", $name)) },)*]
    };
}

/// Every file of `drivers`, in the order of their names; a test compares the list with the directory.
pub static FILES: &[ShippedFile] = embedded! {
    "broker.toml"
    "broker/arq_tasks.py"
    "broker/arq_tasks.py.lock"
    "broker/celery_tasks.py"
    "broker/celery_tasks.py.lock"
    "broker/course.py"
    "broker/dramatiq_tasks.py"
    "broker/dramatiq_tasks.py.lock"
    "broker/huey_tasks.py"
    "broker/huey_tasks.py.lock"
    "broker/kit.py"
    "broker/node/alarm.mjs"
    "broker/node/bee_queue.mjs"
    "broker/node/body.mjs"
    "broker/node/bullmq.mjs"
    "broker/node/crew.mjs"
    "broker/node/driver.mjs"
    "broker/node/marks.mjs"
    "broker/node/package-lock.json"
    "broker/node/package.json"
    "broker/node/stage.mjs"
    "broker/node/trail.mjs"
    "broker/node/worker.mjs"
    "broker/phase.py"
    "broker/producers.py"
    "broker/programs.py"
    "broker/rq_tasks.py"
    "broker/rq_tasks.py.lock"
    "broker/ruby/driver.rb"
    "broker/ruby/phase.rb"
    "broker/ruby/prepare"
    "broker/ruby/programs.rb"
    "broker/ruby/shared.rb"
    "broker/ruby/task.rb"
    "broker/taskiq_tasks.py"
    "broker/taskiq_tasks.py.lock"
    "c.toml"
    "c/Makefile"
    "c/commands.c"
    "c/driver.h"
    "c/hiredis.c"
    "c/queue.c"
    "go.toml"
    "go/go.mod"
    "go/go.sum"
    "go/main.go"
    "go/prepare"
    "go/protocol.go"
    "load-generators.toml"
    "node.toml"
    "node/channels.mjs"
    "node/driver.mjs"
    "node/exchange.mjs"
    "node/glide.mjs"
    "node/glide/package-lock.json"
    "node/glide/package.json"
    "node/input.mjs"
    "node/ioredis.mjs"
    "node/latency.mjs"
    "node/node_redis.mjs"
    "node/pace.mjs"
    "node/package-lock.json"
    "node/package.json"
    "node/phase.mjs"
    "node/prepare"
    "node/protocol.mjs"
    "node/queue.mjs"
    "node/script.mjs"
    "node/space.mjs"
    "node/tally.mjs"
    "node/task.mjs"
    "node/text.mjs"
    "php.toml"
    "php/phpredis.php"
    "php/prepare"
    "php/tally.php"
    "python.toml"
    "python/aioredis_py.py"
    "python/aioredis_uvloop_py.py"
    "python/coredis_py.py"
    "python/glide_py.py"
    "python/harness.py"
    "python/prepare.sh"
    "python/prepare_below_3_10.sh"
    "python/redis_py.py"
    "ruby.toml"
    "ruby/prepare"
    "ruby/redis_client.rb"
    "ruby/tally.rb"
    "servers.toml"
    "servers/prepare"
};

/// The file that `include = ["builtin:NAME"]` names.
#[must_use]
pub fn builtin(name: &str) -> Option<Source> {
    let (_, file) = tables().find(|(known, _)| *known == name)?;
    let (name, bytes) = (format!("{PREFIX}{name}"), file.bytes.to_vec());
    Some(Source { name, directory: Directory::Builtin, bytes })
}

/// The names that an include may have after its prefix, each with its file.
pub(super) fn tables() -> impl Iterator<Item = (&'static str, &'static ShippedFile)> + Clone {
    let table = |file: &'static ShippedFile| Some((file.name.strip_suffix(".toml")?, file));
    FILES.iter().filter_map(table).filter(|(name, _)| !name.contains('/'))
}

/// The file of each mode and server, by the word before the name in the header of its table, and the name.
static FILE_OF: LazyLock<BTreeMap<(&str, &str), &str>> = LazyLock::new(|| {
    let of = |family| {
        tables()
            .flat_map(move |(name, file)| named_in(family, file).map(move |table| ((family, table), name)))
    };
    of("mode").chain(of("server")).collect()
});

/// The name, after the prefix, of the file that has a mode or a server of this name, if there is one. `family` is the word
/// before the name in the header of its table.
#[must_use]
pub(super) fn shipped_in(family: &str, name: &str) -> Option<&'static str> {
    FILE_OF.get(&(family, name)).copied()
}

/// The names of all modes or servers in these files.
pub(super) fn names(family: &str) -> impl Iterator<Item = &str> {
    FILE_OF.keys().filter(move |(of, _)| *of == family).map(|(_, name)| *name)
}

/// What to include for each of these files, and the modes and servers that this brings.
pub fn includes() -> impl Iterator<Item = (String, Vec<&'static str>)> {
    tables().map(|(name, file)| {
        (format!("{PREFIX}{name}"), named_in("mode", file).chain(named_in("server", file)).collect())
    })
}

/// Each table begins with a line of its own, `[FAMILY.NAME]`.
fn named_in(family: &'static str, file: &'static ShippedFile) -> impl Iterator<Item = &'static str> {
    let text = str::from_utf8(file.bytes).unwrap_or_default();
    text.lines().filter_map(move |line| {
        line.trim().strip_prefix('[')?.strip_prefix(family)?.strip_prefix('.')?.strip_suffix(']')
    })
}

/// The SHA-256 of all files and their names, in hexadecimal digits: two programs with the same one have the same files.
#[must_use]
pub fn identity() -> &'static str {
    static IDENTITY: LazyLock<String> = LazyLock::new(|| {
        let mut all = Sha256::new();
        for ShippedFile { name, bytes } in FILES {
            for part in [name.as_bytes(), bytes] {
                all.update((part.len() as u64).to_le_bytes());
                all.update(part);
            }
        }
        all.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    });
    &IDENTITY
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;
    use std::process::Command;

    use super::*;

    #[test]
    fn every_file_of_drivers_is_in_the_program() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let listed = Command::new("git").args(["ls-files", "drivers"]).current_dir(root).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let names = listed.lines().filter_map(|name| name.strip_prefix("drivers/"));
        let expected: BTreeSet<&str> = names.filter(|name| !name.ends_with(".gitignore")).collect();
        assert!(expected.len() > 50, "git lists only {} files", expected.len());
        let embedded: Vec<&str> = FILES.iter().map(|file| file.name).collect();
        assert_eq!(embedded, Vec::from_iter(expected));
    }

    #[test]
    fn the_file_of_every_shipped_mode_and_server_is_known() {
        let mut found = BTreeMap::new();
        for (name, file) in tables() {
            let table: toml::Table = str::from_utf8(file.bytes).unwrap().parse().unwrap();
            for family in ["mode", "server"] {
                for named in table.get(family).into_iter().flat_map(|named| named.as_table().unwrap().keys())
                {
                    assert_eq!(shipped_in(family, named), Some(name), "{family} {named}");
                    *found.entry(family).or_insert(0) += 1;
                }
            }
        }
        assert!(found["mode"] > 20 && found["server"] == 3, "{found:?}");
        assert_eq!(shipped_in("mode", "sync"), None);
    }
}
