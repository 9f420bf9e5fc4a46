//! Unpacks the driver files that are inside this program, into the cache of this user, once for each set of files. Changes
//! nothing else there.

use std::cell::OnceCell;
use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::experiment::shipped::{FILES, ShippedFile, identity};

/// The driver files of this program on this host: unpacked when they are first asked for.
#[derive(Debug)]
pub struct Shipped {
    cache: Option<PathBuf>,
    unpacked: OnceCell<PathBuf>,
}

/// Why they are unavailable.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// There is no place for them.
    #[error(
        "no directory to unpack the built-in drivers into: neither XDG_CACHE_HOME nor HOME is an absolute path"
    )]
    NoCache,
    /// They could not be written there.
    #[error(
        "failed to unpack the built-in drivers into {}: {reason}; another directory can be named in XDG_CACHE_HOME",
        .directory.display()
    )]
    Failed {
        /// Where to.
        directory: PathBuf,
        /// What came back.
        reason: io::Error,
    },
}

impl Shipped {
    /// Files below `cache`, such as `~/.cache`.
    #[must_use]
    pub const fn new(cache: Option<PathBuf>) -> Self {
        Self { cache, unpacked: OnceCell::new() }
    }

    /// The directory that has these files, and has them as they are in this program: what is missing or was changed is
    /// written anew. Costs nothing from the second time on.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn directory(&self) -> Result<&Path, UnpackError> {
        if let Some(directory) = self.unpacked.get() {
            return Ok(directory);
        }
        let cache = self.cache.as_deref().ok_or(UnpackError::NoCache)?;
        let directory = place(cache);
        unpack(&directory).map_err(|reason| UnpackError::Failed { directory: directory.clone(), reason })?;
        Ok(self.unpacked.get_or_init(|| directory))
    }
}

/// Where files go: to a directory that is named after them, so that another version of this program has its own.
fn place(cache: &Path) -> PathBuf {
    cache.join("orchestrate").join(format!("drivers-{}", &identity()[..16]))
}

/// Each file appears under its name when it is complete, and is the same whoever writes it: so two programs may do this at
/// the same time.
fn unpack(directory: &Path) -> io::Result<()> {
    create(directory)?;
    let data = fs::symlink_metadata(directory)?;
    if data.uid() != rustix::process::geteuid().as_raw() || data.mode() & 0o022 != 0 {
        // Anyone else who may write there decides what is run.
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "other users may write there"));
    }
    for ShippedFile { name, bytes } in FILES {
        let path = directory.join(name);
        if fs::read(&path).is_ok_and(|present| present == *bytes) {
            continue;
        }
        let parent = path.parent().unwrap_or(directory);
        create(parent)?;
        // Hidden files are not part of what a driver is made of.
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(parent)?;
        file.write_all(bytes)?;
        file.persist(&path)?;
    }
    Ok(())
}

/// Nobody else has to read it.
fn create(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::thread;

    use super::*;

    /// Every file below a directory, by its path from there.
    fn files(directory: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut left = vec![directory.to_owned()];
        while let Some(next) = left.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    left.push(path);
                } else {
                    found.push(path.strip_prefix(directory).unwrap().display().to_string());
                }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn the_files_are_unpacked_once_and_for_this_user_alone() {
        let cache = tempfile::tempdir().unwrap();
        let cache = cache.path().join("cache");
        let shipped = Shipped::new(Some(cache.clone()));
        let directory = shipped.directory().unwrap();
        let mut expected: Vec<&str> = FILES.iter().map(|file| file.name).collect();
        expected.sort_unstable();
        assert_eq!(files(directory), expected);
        for made in [&cache, &cache.join("orchestrate"), directory] {
            assert_eq!(fs::metadata(made).unwrap().mode() & 0o777, 0o700, "{}", made.display());
        }
        let file = directory.join("python/harness.py");
        let before = fs::metadata(&file).unwrap().ino();
        let again = Shipped::new(Some(cache));
        assert_eq!(again.directory().unwrap(), directory);
        assert_eq!(fs::metadata(&file).unwrap().ino(), before, "what is there is left alone");
    }

    #[test]
    fn what_was_changed_or_lost_is_written_anew_and_what_was_made_there_stays() {
        let cache = tempfile::tempdir().unwrap();
        let unpacked = || Shipped::new(Some(cache.path().to_owned()));
        let first = unpacked();
        let directory = first.directory().unwrap();
        fs::write(directory.join("python/harness.py"), "raise SystemExit").unwrap();
        fs::remove_dir_all(directory.join("c")).unwrap();
        fs::create_dir_all(directory.join("node/node_modules")).unwrap();
        fs::write(directory.join("node/node_modules/made.mjs"), "").unwrap();
        unpacked().directory().unwrap();
        for file in FILES {
            assert!(fs::read(directory.join(file.name)).unwrap() == file.bytes, "{}", file.name);
        }
        assert!(directory.join("node/node_modules/made.mjs").exists());
    }

    #[test]
    fn many_may_unpack_at_the_same_time() {
        let cache = tempfile::tempdir().unwrap();
        thread::scope(|scope| {
            let unpack = || {
                let shipped = Shipped::new(Some(cache.path().to_owned()));
                let directory = shipped.directory().unwrap();
                for file in FILES {
                    assert!(fs::read(directory.join(file.name)).unwrap() == file.bytes, "{}", file.name);
                }
            };
            for _ in 0..8 {
                scope.spawn(unpack);
            }
        });
        assert_eq!(files(&place(cache.path())).len(), FILES.len(), "nothing temporary stays");
    }

    #[test]
    fn a_directory_where_others_may_write_is_refused() {
        let cache = tempfile::tempdir().unwrap();
        let directory = place(cache.path());
        fs::create_dir_all(&directory).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
        let error = Shipped::new(Some(cache.path().to_owned())).directory().unwrap_err().to_string();
        assert!(error.contains("other users may write there"), "{error}");
        assert!(matches!(Shipped::new(None).directory(), Err(UnpackError::NoCache)));
    }
}
