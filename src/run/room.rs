//! Whether a server accepts as many clients as its trials have. A run that finds out in its last cell has wasted the rest.

use crate::protocol::{AgentError, AgentErrorKind, ServerUp};

/// Connections besides those of the workers: the agent's own, those that delete keys or measure the round-trip time, and
/// those of the last trial that the server has not closed yet.
const SPARE: u64 = 64;
/// How many clients a server accepts by default (`maxclients`).
const DEFAULT: u64 = 10_000;

/// The arguments that a server of ours needs in addition to accept this many workers; none if its default is enough, or if
/// the file sets the limit itself.
pub(super) fn more_clients(args: &[String], workers: u32) -> Vec<String> {
    let needed = u64::from(workers) + SPARE;
    let says = |arg: &String| {
        arg.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("--maxclients"))
    };
    if needed <= DEFAULT || args.iter().any(says) {
        return Vec::new();
    }
    vec!["--maxclients".to_owned(), needed.to_string()]
}

/// Refuses a server that does not accept this many workers in addition to the clients that it already has. `own` is whether
/// we started it.
pub(super) fn check(up: &ServerUp, workers: u32, own: bool) -> Result<(), AgentError> {
    let Some(clients) = up.clients else { return Ok(()) };
    // The agent's own connection is among those that are counted, and is needed.
    let free = clients.most.saturating_sub(clients.connected);
    if free >= u64::from(workers) {
        return Ok(());
    }
    let mend = if own {
        "raise `--maxclients` in its `args` and the limit of open files there (`ulimit -n`)"
    } else {
        "raise `maxclients` there (`CONFIG SET maxclients`, and its limit of open files)"
    };
    let message = format!(
        "it accepts at most {} clients and already has {}, which leaves no room for {workers} workers; {mend}, or ask for \
         fewer workers",
        clients.most, clients.connected
    );
    Err(AgentError::new(AgentErrorKind::Unavailable, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_ours_is_told_to_take_more_clients_only_where_its_default_is_not_enough() {
        let args = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        assert_eq!(more_clients(&args(&["--save", ""]), 9_936), args(&[]));
        assert_eq!(more_clients(&args(&["--save", ""]), 9_937), args(&["--maxclients", "10001"]));
        assert_eq!(more_clients(&args(&["--MaxClients", "20000"]), 10_000), args(&[]));
    }
}
