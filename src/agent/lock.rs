//! The lock that keeps two coordinators from measuring on one host at the same time.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::protocol::{AgentError, AgentErrorKind};

/// Holds a host until it is dropped or the process dies. The file stays: removing it would let two hold it.
#[derive(Debug)]
pub(super) struct HostLock {
    _file: File,
}

/// What stands in the file, for the message that others get.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    pid: u32,
    holder: String,
    since: jiff::Timestamp,
}

impl HostLock {
    /// Takes the host for `holder`, the name of a run.
    ///
    /// # Errors
    /// `Unavailable`, with the name of who has it.
    pub(super) fn take(path: &Path, holder: &str) -> Result<Self, AgentError> {
        let unavailable = |message: String| AgentError::new(AgentErrorKind::Unavailable, message);
        let broken =
            |error: io::Error| unavailable(format!("cannot lock this host with {}: {error}", path.display()));
        let mut file = open(path).map_err(broken)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(unavailable(in_use(&mut file))),
            Err(TryLockError::Error(error)) => return Err(broken(error)),
        }
        let me = Holder { pid: std::process::id(), holder: holder.to_owned(), since: jiff::Timestamp::now() };
        let write = |file: &mut File| -> io::Result<()> {
            file.set_len(0)?;
            file.rewind()?;
            serde_json::to_writer(&mut *file, &me)?;
            file.write_all(b"\n")
        };
        write(&mut file).map_err(broken)?;
        Ok(Self { _file: file })
    }
}

/// Opens the file for reading and writing, whoever created it, and never follows a link.
///
/// It is created only where there is none: Linux (`fs.protected_regular`) refuses O_CREAT on somebody else's file in
/// a directory such as `/tmp`, even if everybody may write to it.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    // A pipe under that name must not hold us up.
    options.read(true).write(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let file = match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            match options.clone().create_new(true).mode(0o666).open(path) {
                Ok(file) => {
                    // The umask took away what other users need to lock it.
                    file.set_permissions(Permissions::from_mode(0o666))?;
                    file
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.open(path)?,
                Err(error) => return Err(error),
            }
        }
        opened => opened?,
    };
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a regular file")) }
}

/// Another user may have written anything there: it is cut short and cleaned before it is shown.
fn in_use(file: &mut File) -> String {
    let mut text = String::new();
    let holder = file
        .take(4096)
        .read_to_string(&mut text)
        .ok()
        .and_then(|_| serde_json::from_str::<Holder>(&text).ok());
    match holder {
        Some(Holder { pid, holder, since }) => {
            let holder: String = holder.chars().filter(|c| !c.is_control()).take(100).collect();
            format!("host is in use by {holder} (pid {pid}, since {since:.0})")
        }
        None => "host is in use by somebody who has not said who it is".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_has_the_host() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("lock");
        let first = HostLock::take(&path, "sweep\u{1b}[31m").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
        let error = HostLock::take(&path, "other").unwrap_err();
        assert_eq!(error.kind, AgentErrorKind::Unavailable);
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"pid \d+, since [-0-9T:]+Z", "pid PID, since THEN");
        settings
            .bind(|| insta::assert_snapshot!(error, @"host is in use by sweep[31m (pid PID, since THEN)"));
        drop(first);
        HostLock::take(&path, "other").unwrap();
    }

    #[test]
    fn a_link_is_not_followed() {
        let tmp = tempfile::tempdir().unwrap();
        let (precious, link) = (tmp.path().join("precious"), tmp.path().join("lock"));
        std::fs::write(&precious, "data").unwrap();
        std::os::unix::fs::symlink(&precious, &link).unwrap();
        assert!(HostLock::take(&link, "run").is_err());
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "data");
    }
}
