//! What a driver is made of: the files that decide what it does, each with its hash, so that a driver that was edited is
//! not taken for the one that began a run.
//!
//! The rule, which `docs/protocols.md` explains to authors of drivers: every word of the command that is a file and, next to
//! each of these in the same directory, the files with the same extension (the modules that it imports) and the lock files. A
//! program that is looked up on PATH counts only if no other word is a file: otherwise it is the interpreter of that file,
//! whose version the client reports. Directories are not searched, and hidden files are not read.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::host::programs::{self, hex, sha256};
use crate::protocol::DriverFiles;

/// Names of files that pin what a driver imports, in addition to all that end in `.lock`.
const LOCKS: [&str; 4] = ["package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "go.sum"];

/// What the driver that `argv` starts in `directory` is made of; programs are looked up on `path`. A file that cannot be
/// read is left out.
pub(super) fn driver_files(argv: &[String], directory: &str, path: &OsStr) -> DriverFiles {
    let directory = Path::new(directory);
    let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
    for (index, word) in argv.iter().enumerate() {
        if index == 0 && !word.contains('/') {
            continue;
        }
        // Such as `--config=settings.json`.
        let value = word.split_once('=').map(|(_, value)| value);
        for name in [Some(word.as_str()), value].into_iter().flatten() {
            let file = directory.join(name);
            if !name.is_empty() && file.is_file() {
                add_neighbours(name, &file, &mut found);
                found.insert(name.to_owned(), file);
            }
        }
    }
    if found.is_empty()
        && let Some(program) = argv.first()
        && let Some(file) = programs::find(program.as_ref(), path)
    {
        found.insert(program.clone(), file);
    }
    let files: BTreeMap<String, String> =
        found.into_iter().filter_map(|(name, file)| Some((name, sha256(&file).ok()?))).collect();
    let mut all = Sha256::new();
    for (name, hash) in &files {
        // As `sha256sum` prints it.
        all.update(format!("{hash}  {name}\n"));
    }
    DriverFiles { sha256: hex(all), files }
}

/// The modules and the lock files in the directory of a file, under the names that they would have in the command.
fn add_neighbours(name: &str, file: &Path, found: &mut BTreeMap<String, PathBuf>) {
    let Some(entries) = file.parent().and_then(|directory| directory.read_dir().ok()) else { return };
    for entry in entries.flatten() {
        let neighbour = entry.path();
        let Some(called) = neighbour.file_name().and_then(OsStr::to_str) else { continue };
        let is_module = file.extension().is_some() && neighbour.extension() == file.extension();
        if !called.starts_with('.') && (is_module || is_lock(called)) && neighbour.is_file() {
            let name = Path::new(name).with_file_name(called).display().to_string();
            found.insert(name, neighbour);
        }
    }
}

fn is_lock(name: &str) -> bool {
    LOCKS.contains(&name)
        || name.ends_with(".lock")
        || name.starts_with("requirements") && name.ends_with(".txt")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Which files a command is made of, in a directory with a client in Python and one in JavaScript.
    fn names(argv: &[&str]) -> Vec<String> {
        let place = tempfile::tempdir().unwrap();
        for directory in ["py", "js/node_modules"] {
            fs::create_dir_all(place.path().join(directory)).unwrap();
        }
        for file in [
            "py/client.py",
            "py/harness.py",
            "py/client.py.lock",
            "py/requirements-dev.txt",
            "py/notes.txt",
            "py/.hidden.py",
            "js/client.mjs",
            "js/protocol.mjs",
            "js/package-lock.json",
            "js/package.json",
            "js/node_modules/other.mjs",
            "settings.json",
        ] {
            fs::write(place.path().join(file), file).unwrap();
        }
        let argv: Vec<String> = argv.iter().map(|&word| word.to_owned()).collect();
        let path = std::env::var_os("PATH").unwrap_or_default();
        driver_files(&argv, place.path().to_str().unwrap(), &path).files.into_keys().collect()
    }

    #[test]
    fn a_driver_is_made_of_its_script_the_modules_beside_it_and_what_pins_them() {
        let python = ["py/client.py", "py/client.py.lock", "py/harness.py", "py/requirements-dev.txt"];
        assert_eq!(names(&["uv", "run", "--script", "py/client.py", "sync"]), python);
        assert_eq!(names(&["py/client.py"]), python);
        let node = ["js/client.mjs", "js/package-lock.json", "js/protocol.mjs"];
        assert_eq!(names(&["node", "js/client.mjs", "--pipe"]), node);
        assert_eq!(names(&["sh", "--config=settings.json", "--", "js"]), ["settings.json"]);
    }

    #[test]
    fn a_program_on_path_counts_where_it_is_all_that_there_is() {
        assert_eq!(names(&["sh", "-c", "exit"]), ["sh"]);
        assert_eq!(names(&["no-such-program-anywhere"]), [""; 0]);
    }

    #[test]
    fn the_hash_is_that_of_contents_and_names_and_not_of_the_place() {
        let of = |text: &str, name: &str| {
            let place = tempfile::tempdir().unwrap();
            fs::write(place.path().join(name), text).unwrap();
            driver_files(&[format!("./{name}")], place.path().to_str().unwrap(), OsStr::new("")).sha256
        };
        assert_eq!(of("a", "client.py"), of("a", "client.py"));
        assert_ne!(of("a", "client.py"), of("b", "client.py"));
        assert_ne!(of("a", "client.py"), of("a", "other.py"));
    }
}
