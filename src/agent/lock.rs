//! The lock that keeps two coordinators of one user from measuring on one host at the same time.
//!
//! Anyone who can open a file can hold its lock. So it lies where only this user can create, open or replace files, and what
//! others may have put in its place is never opened. Runs of different users are not kept apart.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::protocol::{AgentError, AgentErrorKind};
use crate::untrusted::{NAME, excerpt};

/// Where the lock of a host is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockPlace {
    /// Nowhere: nothing is to be locked.
    Nowhere,
    /// In this file.
    File(PathBuf),
    /// In a file that has the host's name, since several hosts may share a directory.
    Directories {
        /// The directory for temporary files that the environment names. If it belongs to this user alone it counts as a host
        /// of its own, and the lock is there and nowhere else.
        tmp: Option<PathBuf>,
        /// Directories of this user, in each of which there is a lock: not every session of a user knows the same ones.
        own: Vec<PathBuf>,
    },
}

/// Holds a host until it is dropped or the process dies. The files stay: removing one would let two hold it.
#[derive(Debug)]
pub(super) struct HostLock {
    _files: Vec<File>,
}

/// The contents of the file, for the message that others get.
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
    /// `InUse`, with the name of its holder; `Unavailable` where nothing can be locked.
    pub(super) fn take(place: &LockPlace, holder: &str) -> Result<Self, AgentError> {
        let directories = match place {
            LockPlace::Nowhere => return Ok(Self { _files: Vec::new() }),
            LockPlace::File(path) => {
                let file = lock(path, holder)?;
                return file
                    .map(|file| Self { _files: vec![file] })
                    .map_err(|error| unavailable(format!("cannot lock this host with {error}")));
            }
            LockPlace::Directories { tmp: Some(tmp), .. } if is_private(tmp).is_ok() => vec![tmp],
            LockPlace::Directories { own, .. } => own.iter().collect(),
        };
        let name = file_name(&rustix::system::uname().nodename().to_string_lossy());
        let (mut files, mut obstacles) = (Vec::new(), Vec::new());
        for directory in directories {
            let locked = match make_private(directory) {
                Ok(()) => lock(&directory.join(&name), holder)?,
                Err(error) => Err(format!("{}: {error}", directory.display())),
            };
            match locked {
                Ok(file) => files.push(file),
                Err(obstacle) => obstacles.push(obstacle),
            }
        }
        if files.is_empty() {
            let tried = if obstacles.is_empty() {
                "neither XDG_RUNTIME_DIR, XDG_STATE_HOME nor HOME names a directory".to_owned()
            } else {
                obstacles.join("; ")
            };
            return Err(unavailable(format!(
                "cannot lock this host, so that no second run of this user disturbs it: {tried}; set HOME to a directory \
                 that belongs to this user alone"
            )));
        }
        for obstacle in obstacles {
            tracing::info!("the lock of this host is not in every place: {obstacle}");
        }
        Ok(Self { _files: files })
    }
}

/// Locks a file. The inner error is an obstacle, and says at which file.
fn lock(path: &Path, holder: &str) -> Result<Result<File, String>, AgentError> {
    let obstacle = |error: io::Error| Ok(Err(format!("{}: {error}", path.display())));
    let mut file = match open(path) {
        Ok(file) => file,
        Err(error) => return obstacle(error),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(AgentError::new(AgentErrorKind::InUse, in_use(&mut file)));
        }
        Err(TryLockError::Error(error)) => return obstacle(error),
    }
    let me = Holder { pid: std::process::id(), holder: holder.to_owned(), since: jiff::Timestamp::now() };
    let write = |file: &mut File| -> io::Result<()> {
        file.set_len(0)?;
        file.rewind()?;
        serde_json::to_writer(&mut *file, &me)?;
        file.write_all(b"\n")
    };
    match write(&mut file) {
        Ok(()) => Ok(Ok(file)),
        Err(error) => obstacle(error),
    }
}

/// Opens a file of this user for reading and writing, or creates it; never follows a link, and never waits for a pipe.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    let data = file.metadata()?;
    if !data.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    if data.uid() != me() {
        return Err(io::Error::other("it belongs to another user"));
    }
    if data.mode() & 0o077 != 0 {
        // Others who can open it could hold its lock.
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

/// Creates a directory if there is none, and makes sure that nobody else can put anything there.
fn make_private(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    is_private(directory)
}

/// Whether a directory is one where only this user can make or replace files.
fn is_private(directory: &Path) -> io::Result<()> {
    // A link is judged as what it is, which is not a directory.
    let data = fs::symlink_metadata(directory)?;
    let refuse = |why| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    if !data.is_dir() {
        return refuse("it is not a directory");
    }
    if data.uid() != me() {
        return refuse("it belongs to another user");
    }
    if data.mode() & 0o022 != 0 {
        return refuse("other users may write there");
    }
    Ok(())
}

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Such as `orchestrate-mercury.lock`.
fn file_name(host: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '_' { c } else { '-' };
    let host: String = host.chars().take(64).map(allowed).collect();
    format!("orchestrate-{host}.lock")
}

fn unavailable(message: String) -> AgentError {
    AgentError::new(AgentErrorKind::Unavailable, message)
}

fn in_use(file: &mut File) -> String {
    let mut text = String::new();
    let holder = file
        .take(4096)
        .read_to_string(&mut text)
        .ok()
        .and_then(|_| serde_json::from_str::<Holder>(&text).ok());
    match holder {
        Some(Holder { pid, holder, since }) => {
            format!("host is in use by {} (pid {pid}, since {since:.0})", excerpt(&holder, NAME))
        }
        None => "host is in use; the holder of its lock has not given a name".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn directories(tmp: Option<&Path>, own: &[&Path]) -> LockPlace {
        LockPlace::Directories {
            tmp: tmp.map(Path::to_owned),
            own: own.iter().map(|path| path.to_path_buf()).collect(),
        }
    }

    fn refusal(place: &LockPlace) -> String {
        let error = HostLock::take(place, "run").unwrap_err();
        assert_eq!(error.kind, AgentErrorKind::Unavailable);
        error.message
    }

    fn files(directory: &Path) -> Vec<PathBuf> {
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn the_second_is_told_who_has_the_host() {
        let tmp = tempfile::tempdir().unwrap();
        let place = LockPlace::File(tmp.path().join("lock"));
        let first = HostLock::take(&place, "sweep\u{1b}[31m").unwrap();
        let error = HostLock::take(&place, "other").unwrap_err();
        assert_eq!(error.kind, AgentErrorKind::InUse);
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"pid \d+, since [-0-9T:]+Z", "pid PID, since THEN");
        settings
            .bind(|| insta::assert_snapshot!(error, @"host is in use by sweep [31m (pid PID, since THEN)"));
        drop(first);
        HostLock::take(&place, "other").unwrap();
    }

    #[test]
    fn a_lock_is_made_where_only_this_user_can_open_or_replace_it() {
        let tmp = tempfile::tempdir().unwrap();
        let own = tmp.path().join("state/orchestrate");
        let _lock = HostLock::take(&directories(None, &[&own]), "run").unwrap();
        let [file] = &files(&own)[..] else { panic!("one file") };
        assert_eq!(fs::metadata(file).unwrap().mode() & 0o777, 0o600);
        for made in [&own, &tmp.path().join("state")] {
            assert_eq!(fs::metadata(made).unwrap().mode() & 0o777, 0o700, "{}", made.display());
        }
        // The name tells hosts apart that share a home directory.
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        assert_eq!(file.file_name().unwrap().to_str().unwrap(), file_name(&host));
        assert_eq!(file_name("a/../b c"), "orchestrate-a-..-b-c.lock");
    }

    #[test]
    fn a_file_that_others_could_open_is_closed_to_them() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("lock");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        let _lock = HostLock::take(&LockPlace::File(path.clone()), "run").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_session_that_knows_only_one_of_the_places_excludes_one_that_knows_both() {
        let tmp = tempfile::tempdir().unwrap();
        let (runtime, state) = (tmp.path().join("runtime"), tmp.path().join("state"));
        let both = directories(None, &[&runtime, &state]);
        for alone in [&runtime, &state] {
            let lock = HostLock::take(&both, "first").unwrap();
            let alone = directories(None, &[alone]);
            assert_eq!(HostLock::take(&alone, "second").unwrap_err().kind, AgentErrorKind::InUse);
            drop(lock);
            let _lock = HostLock::take(&alone, "first").unwrap();
            assert_eq!(HostLock::take(&both, "second").unwrap_err().kind, AgentErrorKind::InUse);
        }
    }

    #[test]
    fn a_temporary_directory_of_ones_own_is_a_host_of_its_own_and_a_shared_one_is_not() {
        let tmp = tempfile::tempdir().unwrap();
        let (mine, shared, state) =
            (tmp.path().join("mine"), tmp.path().join("shared"), tmp.path().join("state"));
        fs::create_dir(&mine).unwrap();
        fs::create_dir(&shared).unwrap();
        fs::set_permissions(&shared, Permissions::from_mode(0o1777)).unwrap();
        let _state = HostLock::take(&directories(None, &[&state]), "first").unwrap();
        let _mine = HostLock::take(&directories(Some(&mine), &[&state]), "second").unwrap();
        let error = HostLock::take(&directories(Some(&shared), &[&state]), "third").unwrap_err();
        assert_eq!(error.kind, AgentErrorKind::InUse);
        assert_eq!((files(&mine).len(), files(&shared).len()), (1, 0));
    }

    #[test]
    fn what_others_may_have_put_there_is_neither_followed_nor_waited_for() {
        let tmp = tempfile::tempdir().unwrap();
        let (precious, link, pipe) =
            (tmp.path().join("precious"), tmp.path().join("link"), tmp.path().join("pipe"));
        fs::write(&precious, "data").unwrap();
        symlink(&precious, &link).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        assert!(refusal(&LockPlace::File(link)).contains("link"));
        assert!(refusal(&LockPlace::File(pipe)).contains("it is not a regular file"));
        assert_eq!(fs::read_to_string(&precious).unwrap(), "data");

        let (open, linked) = (tmp.path().join("open"), tmp.path().join("linked"));
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        let real = tmp.path().join("real");
        fs::create_dir(&real).unwrap();
        symlink(&real, &linked).unwrap();
        let said = refusal(&directories(None, &[&open, &linked]));
        assert!(
            said.contains("other users may write there") && said.contains("it is not a directory"),
            "{said}"
        );
        assert!(files(&open).is_empty() && files(&real).is_empty());
        assert!(refusal(&directories(None, &[])).contains("set HOME"));
        // One good place is enough.
        HostLock::take(&directories(None, &[&open, &real]), "run").unwrap();
    }
}
