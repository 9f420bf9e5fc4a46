//! Reaches an agent on a host: by the host's own command or, if that does not lead to an agent of this version, by a program
//! that is uploaded to it.

use std::path::Path;

use tokio::sync::mpsc;
use tracing::info;

use crate::experiment::{HostSpec, Transport};
use crate::host::client::{AgentClient, CallError, ConnectError};
use crate::host::transport::agent_command;
use crate::host::upload::{Builds, UploadError, bring};
use crate::protocol::{AgentErrorKind, Notice, Welcome};

/// A connection to an agent.
#[derive(Debug)]
pub struct Reached {
    /// The connection.
    pub client: AgentClient,
    /// What the agent said of itself and its machine.
    pub welcome: Welcome,
    /// Where this program is on the host, if it was uploaded.
    pub brought: Option<String>,
}

/// Why there is no connection to an agent of this version.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// There is none, and an upload was not tried.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// There is none, and the upload failed.
    #[error("{connect}; {upload}")]
    Upload {
        /// Why there is none.
        connect: Box<ConnectError>,
        /// Why the upload failed.
        upload: UploadError,
    },
}

impl ReachError {
    /// Whether an agent is there and says that another run has its host.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        let Self::Connect(ConnectError::Greeting { source: CallError::Agent(error), .. }) = self else {
            return false;
        };
        error.kind == AgentErrorKind::InUse
    }
}

/// Reaches an agent. `here` is this program; `brought` is where it is on the host, if it was uploaded before. `holder` is what
/// the host's lock is to say about us, and what the agent says unasked goes to `notices`.
///
/// # Errors
/// See [`ReachError`].
pub async fn reach(
    host: &str,
    spec: &HostSpec,
    here: &Path,
    builds: &Builds,
    brought: Option<String>,
    holder: &str,
    notices: &mpsc::UnboundedSender<Notice>,
) -> Result<Reached, ReachError> {
    let connect = async |spec: &HostSpec| {
        let command = agent_command(spec, here);
        AgentClient::connect(host, command, spec.connect_timeout, holder.to_owned(), notices.clone()).await
    };
    let with = |path: &String| HostSpec { agent: Some(path.clone()), ..spec.clone() };
    let before = brought.as_ref().map_or_else(|| spec.clone(), with);
    let error = match connect(&before).await {
        Ok((client, welcome)) => return Ok(Reached { client, welcome, brought }),
        Err(error) => error,
    };
    if !lacks_program(&error, &spec.transport) {
        return Err(error.into());
    }
    info!(host, %error, "no agent of this version");
    let path = match bring(host, spec, builds).await {
        Ok(path) => path,
        Err(UploadError::Unreachable) => return Err(error.into()),
        Err(upload) => return Err(ReachError::Upload { connect: error.into(), upload }),
    };
    let (client, welcome) = connect(&with(&path)).await?;
    Ok(Reached { client, welcome, brought: Some(path) })
}

/// Whether the host may have been reached but lacks this program, or has it in another version.
fn lacks_program(error: &ConnectError, transport: &Transport) -> bool {
    match (transport, error) {
        (Transport::Local, _) | (_, ConnectError::Spawn { .. } | ConnectError::Silent { .. }) => false,
        // What ssh itself says when it gets nowhere (ssh(1)).
        (Transport::Ssh { .. }, ConnectError::Greeting { code: Some(255), .. }) => false,
        // An agent that is there says no: to this version of the protocol, or because its host is in use.
        (_, ConnectError::Greeting { source: CallError::Agent(error), .. }) => {
            error.kind == AgentErrorKind::Protocol
        }
        (_, ConnectError::Greeting { .. }) => true,
        (_, ConnectError::Version { .. } | ConnectError::Program { .. }) => true,
    }
}
