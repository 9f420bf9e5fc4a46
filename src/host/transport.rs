//! The way to an agent: the command whose standard input and output lead to one.

use std::path::Path;

use tokio::process::Command;

use crate::experiment::{HostSpec, Transport};

/// A host cannot be reached in the way that the file asks for.
#[derive(Debug, thiserror::Error)]
#[error("host `{host}`: transport `{transport}` is not available in this version: only `local` is")]
pub struct TransportError {
    host: String,
    transport: &'static str,
}

/// The command that, once started, is an agent on `host`. `agent` is this program.
///
/// # Errors
/// If the transport is not available.
pub fn agent_command(host: &str, spec: &HostSpec, agent: &Path) -> Result<Command, TransportError> {
    let transport = match &spec.transport {
        Transport::Local => {
            let mut command = Command::new(agent);
            command.arg("agent");
            return Ok(command);
        }
        Transport::Ssh { .. } => "ssh",
        Transport::Slurm { .. } => "slurm",
        Transport::Command { .. } => "command",
    };
    Err(TransportError { host: host.to_owned(), transport })
}
