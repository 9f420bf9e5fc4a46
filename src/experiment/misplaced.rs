//! Where a key in the wrong table belongs.

use std::sync::LazyLock;

use super::diagnose::{closest, suggest};
use super::file::{Host, Mode, Run, Server};
use super::given;
use super::schema::keys;

/// What to do about an unknown key of a table, whose keys are `known`.
pub(super) fn help(table: &str, key: &str, known: &[&str]) -> String {
    if let Some((outer, inner)) = key.split_once('.')
        && given::has_key(Some(outer), inner)
    {
        return format!("without quotation marks: {key} = …");
    }
    // A typo comes first, unless the key itself exists elsewhere.
    let homes = homes(table, key);
    if homes.is_empty() || closest(key, known.iter().copied()).is_some_and(|near| near == key) {
        return suggest(key, "the keys here are", known.iter().copied());
    }
    format!("`{key}` belongs {}", homes.join(", or "))
}

/// What to do about a value of the wrong type, where the key is easily taken for another one.
pub(super) fn help_with_type(key: &str) -> Option<String> {
    if key == "matrix" {
        return Some("a matrix begins with [[matrix]], in double brackets".to_owned());
    }
    if let Some((family @ ("server" | "host" | "mode"), name)) = key.split_once('.')
        && !name.contains('.')
    {
        return Some(format!("each {family} has a table of its own with a name: [{family}.NAME]"));
    }
    let inner = key.strip_prefix("matrix.")?;
    let plural = format!("{inner}s");
    given::has_key(None, &plural)
        .then(|| format!("to name one or several, write `{plural}`; `{inner}` is a table of settings"))
}

/// The places where a key may stand, other than this table.
fn homes(table: &str, key: &str) -> Vec<String> {
    let mut homes = Vec::new();
    if table == "matrix" {
        let tables = ["workload", "server", "mode", "run"].into_iter();
        homes.extend(
            tables
                .filter(|inner| given::has_key(Some(inner), key))
                .map(|inner| format!("in [{inner}], or is written `{inner}.{key}` here")),
        );
    } else {
        homes.extend(given::has_key(None, key).then(|| "in [[matrix]]".to_owned()));
    }
    if homes.is_empty() {
        let in_workload = table != "workload" && given::has_key(Some("workload"), key);
        homes.extend(in_workload.then(|| "in [workload]".to_owned()));
        homes.extend((table != "run" && has("run", key)).then(|| "in [run]".to_owned()));
    }
    if homes.is_empty() {
        let named = ["server", "host", "mode"].into_iter();
        let named = named.filter(|family| !table.starts_with(family) && has(family, key));
        homes.extend(named.map(|family| format!("in [{family}.NAME]")));
    }
    homes
}

/// Keys of the tables that are structs of the file.
static KEYS: LazyLock<[(&str, Vec<String>); 4]> = LazyLock::new(|| {
    [("run", keys::<Run>()), ("server", keys::<Server>()), ("host", keys::<Host>()), ("mode", keys::<Mode>())]
});

fn has(table: &str, key: &str) -> bool {
    KEYS.iter().any(|(name, keys)| *name == table && keys.iter().any(|known| known == key))
}
