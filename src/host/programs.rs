//! Where programs are.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Looks a program up as a shell would: on `path` (directories separated by colons), or where it is if its name has a
/// slash. `None` if it is not there or may not be executed.
#[must_use]
pub fn find(program: &OsStr, path: &OsStr) -> Option<PathBuf> {
    let is_there =
        |path: &Path| path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
    if program.as_encoded_bytes().contains(&b'/') {
        return Some(PathBuf::from(program)).filter(|path| is_there(path));
    }
    std::env::split_paths(path).map(|directory| directory.join(program)).find(|path| is_there(path))
}
