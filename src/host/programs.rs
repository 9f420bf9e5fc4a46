//! Where programs are, and which ones.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

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

/// The hash of a file, in hexadecimal digits.
///
/// # Errors
/// When it cannot be read.
pub fn sha256(file: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut file = File::open(file)?;
    let mut piece = vec![0; 1 << 16];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hex(hash)),
            length => hash.update(&piece[..length]),
        }
    }
}

/// A hash in hexadecimal digits.
#[must_use]
pub fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
