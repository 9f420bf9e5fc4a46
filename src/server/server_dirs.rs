//! The directory in which an agent's servers live: with a short name, accessible only to us, and removed with the agent.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const PREFIX: &str = "orchestrate-";
const LOCK: &str = "lock";
/// The name of every server's Unix socket in its own directory.
pub(super) const SOCKET: &str = "socket";

/// The address of a Unix socket has at most 104 bytes on BSD and macOS, 108 on Linux, including its final NUL. Of these, our
/// own names need `/orchestrate-abcdef/12345/socket`.
const LONGEST: usize = 103 - 32;

/// A directory with mode 0700 that contains a lock, which shows that its agent is alive. Removed on drop.
#[derive(Debug)]
pub(super) struct ServerDirs {
    directory: tempfile::TempDir,
    servers: u32,
    /// Held as long as this program lives, however it ends.
    _lock: File,
}

impl ServerDirs {
    /// Creates a directory below `tmp`, or below `/tmp` if that name is too long for a socket.
    pub(super) fn create(tmp: &Path) -> io::Result<Self> {
        Self::create_in(place(tmp))
    }

    /// A directory for the data of a server, below one that its command line names. That one may hold anything: nothing else
    /// in it is touched, except what dead agents left behind.
    pub(super) fn for_data(parent: &Path) -> io::Result<Self> {
        sweep_in(parent);
        Self::create_in(parent)
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    fn create_in(tmp: &Path) -> io::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(tmp)?;
        // The lock gets its name only once it is held, so that nobody takes a new directory for an abandoned one.
        let newborn = directory.path().join("lock.new");
        let lock = File::create(&newborn)?;
        lock.try_lock()?;
        fs::rename(newborn, directory.path().join(LOCK))?;
        Ok(Self { directory, servers: 0, _lock: lock })
    }

    /// A new directory for one server process.
    pub(super) fn for_a_server(&mut self) -> io::Result<ServerDirectory> {
        self.servers += 1;
        let path = self.directory.path().join(self.servers.to_string());
        fs::create_dir(&path)?;
        Ok(ServerDirectory(path))
    }
}

/// The parent of our directories: `tmp`, or `/tmp` if that name is too long for a socket.
fn place(tmp: &Path) -> &Path {
    if tmp.as_os_str().len() > LONGEST { Path::new("/tmp") } else { tmp }
}

/// One server's directory; removed on drop.
#[derive(Debug)]
pub(super) struct ServerDirectory(PathBuf);

impl ServerDirectory {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ServerDirectory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!("cannot remove {}: {error}", self.0.display());
        }
    }
}

/// Removes the directories of agents that died before they could do so, and stops the servers that they left running (there
/// are some only where no parent-death signal exists).
pub(super) fn sweep(tmp: &Path) {
    sweep_in(place(tmp));
}

fn sweep_in(tmp: &Path) {
    let Ok(entries) = fs::read_dir(tmp) else { return };
    let me = rustix::process::geteuid().as_raw();
    for entry in entries.flatten() {
        let path = entry.path();
        let named = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        // `DirEntry::metadata` does not follow links.
        let is_ours = |data: fs::Metadata| data.is_dir() && data.uid() == me && data.mode() & 0o022 == 0;
        if !named || !entry.metadata().is_ok_and(is_ours) {
            continue;
        }
        let Ok(lock) = File::open(path.join(LOCK)) else { continue };
        if lock.try_lock().is_ok() {
            tracing::info!("removing {}, which a dead agent left behind", path.display());
            stop_servers_in(&path);
            if let Err(error) = fs::remove_dir_all(&path) {
                tracing::warn!("cannot remove {}: {error}", path.display());
            }
        }
    }
}

/// Asks over their sockets, because the process number that a dead agent wrote down may belong to another process by now.
fn stop_servers_in(dirs: &Path) {
    for server in fs::read_dir(dirs).into_iter().flatten().flatten() {
        let Ok(mut stream) = UnixStream::connect(server.path().join(SOCKET)) else { continue };
        let _ = stream.set_write_timeout(Some(Duration::from_secs(1)));
        let _ = stream.write_all(b"SHUTDOWN NOSAVE\r\n");
        // It answers by closing the connection.
        let deadline = Instant::now() + Duration::from_secs(2);
        let mut reply = [0; 64];
        let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
        while Instant::now() < deadline && matches!(io::Read::read(&mut stream, &mut reply), Ok(1..)) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_of_a_dead_agent_is_swept_and_that_of_a_living_one_is_not() {
        let tmp = tempfile::tempdir().unwrap();
        let alive = ServerDirs::create(tmp.path()).unwrap();
        let dead = tmp.path().join("orchestrate-dead");
        fs::create_dir_all(dead.join("1")).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        let stranger = tmp.path().join("orchestrate-notes");
        fs::create_dir(&stranger).unwrap();
        let link = tmp.path().join("orchestrate-link");
        std::os::unix::fs::symlink(&stranger, &link).unwrap();
        sweep(tmp.path());
        assert!(alive.directory.path().exists());
        assert!(!dead.exists());
        assert!(stranger.exists() && link.exists(), "what has no lock of ours is not ours");
    }

    #[test]
    fn a_home_is_ours_alone_and_short_enough_for_a_socket() {
        let tmp = tempfile::tempdir().unwrap();
        let long = tmp.path().join("x".repeat(100));
        fs::create_dir(&long).unwrap();
        let mut dirs = ServerDirs::create(&long).unwrap();
        let directory = dirs.for_a_server().unwrap();
        assert!(directory.path().join(SOCKET).as_os_str().len() < 104);
        let mode = fs::metadata(dirs.directory.path()).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700);
        let path = dirs.directory.path().to_owned();
        drop(directory);
        drop(dirs);
        assert!(!path.exists());
    }
}
