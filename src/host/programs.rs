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

/// Why the program at this path cannot be started, as far as its file tells.
#[must_use]
pub fn obstacle(path: &Path) -> Option<String> {
    let shown = path.display();
    if !path.exists() {
        return Some(format!("there is no program {shown}"));
    }
    if !path.is_file() {
        return Some(format!("{shown} is not a program but a directory or the like"));
    }
    if rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_err() {
        return Some(format!("{shown} is not executable: `chmod +x {shown}` makes it so"));
    }
    let interpreter = interpreter(path)?;
    (!interpreter.exists())
        .then(|| format!("{shown} names an interpreter that does not exist: {}", interpreter.display()))
}

/// What the first line of a script names, if it begins with `#!`.
fn interpreter(script: &Path) -> Option<PathBuf> {
    let mut first = Vec::new();
    // Linux reads no more of it.
    File::open(script).ok()?.take(256).read_to_end(&mut first).ok()?;
    let line = first.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    line.split_whitespace().next().map(PathBuf::from)
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

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_obstacle_is_named_with_its_cure() {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("driver");
        let said = || obstacle(&script).map(|said| said.replace(&script.display().to_string(), "PATH"));
        assert_eq!(said().unwrap(), "there is no program PATH");
        fs::write(&script, "#!/no/such/python -u\n").unwrap();
        assert_eq!(said().unwrap(), "PATH is not executable: `chmod +x PATH` makes it so");
        fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
        assert_eq!(said().unwrap(), "PATH names an interpreter that does not exist: /no/such/python");
        fs::write(&script, "#!/bin/sh\n").unwrap();
        assert_eq!(said(), None);
    }
}
