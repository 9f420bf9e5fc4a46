//! `orchestrate agent`: serves on this host until its input ends. A coordinator starts it.

use crate::agent::{Options, serve};
use crate::cli::AgentArgs;
use crate::commands::{Exit, Failure};

pub(super) fn agent(_args: AgentArgs) -> Result<Exit, Failure> {
    let _ = (Options::default, serve);
    todo!()
}
