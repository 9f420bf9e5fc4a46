//! Uploads this program to a host that does not have this version: a static build, into the user's cache there, under the name
//! of its checksum. What is there already is not sent again. Linux on x86-64 and on 64-bit ARM.

use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time::timeout;
use tracing::info;

use crate::experiment::HostSpec;
use crate::host::client::MOST_NOISE;
use crate::host::secrets::{self, excerpt};
use crate::host::transport::command_on;
use crate::units::Nanos;
use crate::untrusted::SENTENCE;

/// How long all of it may take.
const WITHIN: Duration = Duration::from_secs(300);

/// What runs on the host. It says what the host is, reads the checksum of the build for it, and says `send` if it has no file
/// with that checksum, upon which it reads the build from its input; finally it says the path. Everything it says begins with
/// [`OURS`], since a shell's start-up file may greet. The build goes to the first directory that this user has and may write
/// to: a service has no home. One line, because a shell that hands it to `sh` may know no others, and without exclamation
/// marks, which some shells take for history.
const RECEIVE: &str = "set -eu; echo \"orchestrate: $(uname -sm)\"; read -r sum; umask 077; dir=; \
    for base in \"${XDG_CACHE_HOME:-}\" \"${HOME:+$HOME/.cache}\" \"${TMPDIR:-/tmp}/orchestrate-cache-$(id -u)\"; do \
    if [ -n \"$base\" ] && mkdir -p \"$base/orchestrate\" 2>/dev/null && [ -O \"$base/orchestrate\" ] && \
    [ -w \"$base/orchestrate\" ]; then dir=$base/orchestrate; break; fi; done; \
    if [ -z \"$dir\" ]; then echo \"no directory for it: neither XDG_CACHE_HOME nor HOME nor TMPDIR leads to one that is \
    writable\" >&2; exit 1; fi; file=$dir/orchestrate-$sum; \
    if [ -x \"$file\" ]; then echo \"orchestrate: have $file\"; exit; fi; \
    new=$(mktemp \"$dir/new.XXXXXX\"); trap \"rm -f \\\"$new\\\"\" EXIT; \
    echo \"orchestrate: send\"; cat > \"$new\"; set -- $(sha256sum \"$new\"); \
    if [ \"$1\" = \"$sum\" ]; then chmod 700 \"$new\"; mv \"$new\" \"$file\"; echo \"orchestrate: have $file\"; \
    else echo damaged in transit >&2; exit 1; fi";

/// What every line of [`RECEIVE`] begins with.
const OURS: &str = "orchestrate: ";

/// Where static builds of this program are: files such as `orchestrate-0.1.0-linux-x86_64`.
#[derive(Clone, Debug, Default)]
pub struct Builds {
    directories: Vec<PathBuf>,
}

/// An architecture for which there can be a build, as Linux itself calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Machine {
    X86_64,
    Aarch64,
}

/// Why this program was not uploaded to a host.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// No command at all runs there, so what the agent's command said is the better reason.
    #[error("no command runs there")]
    Unreachable,
    /// There is no static build for its system.
    #[error(
        "this program can be brought to Linux on x86-64 and arm64, and this host is {system}: install orchestrate {} \
         there (`cargo install --path . --locked` in its source) and name it with `agent = \"PATH\"`",
        env!("CARGO_PKG_VERSION")
    )]
    System {
        /// What `uname -sm` says there.
        system: String,
    },
    /// There could be one, but there is not.
    #[error("no {name} to upload in {directories}: `make agents` builds it")]
    NoBuild {
        /// The file's name.
        name: String,
        /// Where it was looked for.
        directories: String,
    },
    /// It could not be stored.
    #[error("bringing {name} failed: {reason}")]
    Failed {
        /// The file's name.
        name: String,
        /// What came back.
        reason: String,
    },
}

impl Builds {
    /// Builds in these directories; the first that has one for a host is used.
    #[must_use]
    pub const fn new(directories: Vec<PathBuf>) -> Self {
        Self { directories }
    }

    fn find(&self, machine: Machine) -> Result<(String, PathBuf), UploadError> {
        let name = format!("orchestrate-{}-linux-{machine}", env!("CARGO_PKG_VERSION"));
        let mut paths = self.directories.iter().map(|directory| directory.join(&name));
        match paths.find(|path| path.is_file()) {
            Some(path) => Ok((name, path)),
            None => {
                let shown: Vec<_> = self.directories.iter().map(|path| path.display().to_string()).collect();
                Err(UploadError::NoBuild { name, directories: shown.join(" or ") })
            }
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        })
    }
}

impl Machine {
    /// Reads what `uname -sm` says; `None` if there is no build for it.
    fn of(uname: &str) -> Option<Self> {
        match uname.trim() {
            "Linux x86_64" => Some(Self::X86_64),
            "Linux aarch64" => Some(Self::Aarch64),
            _ => None,
        }
    }
}

/// Makes sure that a host has this program in its user's cache. Comes back with its path there.
///
/// # Errors
/// See [`UploadError`].
pub(super) async fn bring(host: &str, spec: &HostSpec, builds: &Builds) -> Result<String, UploadError> {
    let mut receiver = command_on(&spec.transport, &["sh", "-c", RECEIVE]);
    receiver.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    secrets::withhold_from(receiver.as_std_mut());
    let mut receiver =
        receiver.process_group(0).kill_on_drop(true).spawn().map_err(|_| UploadError::Unreachable)?;
    let (Some(input), Some(output), Some(mut errors)) =
        (receiver.stdin.take(), receiver.stdout.take(), receiver.stderr.take())
    else {
        unreachable!("all three are piped");
    };
    let mut said = String::new();
    let brought = timeout(WITHIN, async {
        // What it says is short, and read to the end only where it failed.
        tokio::join!(
            hand_over(host, input, output, builds, spec.connect_timeout),
            errors.read_to_string(&mut said)
        )
        .0
    });
    match brought.await {
        Ok(Err(UploadError::Failed { name, reason })) => {
            let last = said.lines().rfind(|line| !line.trim().is_empty());
            Err(UploadError::Failed { name, reason: last.map_or(reason, |last| excerpt(last, SENTENCE)) })
        }
        Ok(brought) => brought,
        Err(_) => Err(UploadError::Failed {
            name: "this program".to_owned(),
            reason: format!("it took longer than {} s", WITHIN.as_secs()),
        }),
    }
}

/// The conversation with the other end.
async fn hand_over(
    host: &str,
    input: ChildStdin,
    output: ChildStdout,
    builds: &Builds,
    within: Nanos,
) -> Result<String, UploadError> {
    let mut lines = BufReader::new(output).lines();
    let uname = match timeout(within.duration(), ours(&mut lines)).await {
        Ok(said) => said.ok().flatten().ok_or(UploadError::Unreachable)?,
        Err(_) => {
            let reason = format!("nothing answered there within {within}");
            return Err(UploadError::Failed { name: "this program".to_owned(), reason });
        }
    };
    let machine =
        Machine::of(&uname).ok_or_else(|| UploadError::System { system: excerpt(uname.trim(), SENTENCE) })?;
    let (name, path) = builds.find(machine)?;
    let failed = |reason: String| UploadError::Failed { name: name.clone(), reason };
    let build =
        std::fs::read(&path).map_err(|error| failed(format!("cannot read {}: {error}", path.display())))?;
    let sum: String = Sha256::digest(&build).iter().map(|byte| format!("{byte:02x}")).collect();
    let broken = |error: std::io::Error| failed(error.to_string());
    let mut input = Some(input);
    if let Some(input) = &mut input {
        input.write_all(format!("{sum}\n").as_bytes()).await.map_err(broken)?;
    }
    while let Some(line) = ours(&mut lines).await.map_err(broken)? {
        if let Some(path) = line.strip_prefix("have ") {
            return Ok(path.to_owned());
        }
        // The end of its input is the end of the build.
        if line == "send"
            && let Some(mut input) = input.take()
        {
            info!(host, name, bytes = build.len(), "bringing this program");
            input.write_all(&build).await.map_err(broken)?;
        }
    }
    Err(failed("the host said no more".to_owned()))
}

/// The next line of [`RECEIVE`]; what others print in between is skipped, up to a limit.
async fn ours(lines: &mut Lines<BufReader<ChildStdout>>) -> std::io::Result<Option<String>> {
    for _ in 0..=MOST_NOISE {
        match lines.next_line().await? {
            Some(line) => {
                if let Some(said) = line.strip_prefix(OURS) {
                    return Ok(Some(said.to_owned()));
                }
            }
            None => break,
        }
    }
    Ok(None)
}
