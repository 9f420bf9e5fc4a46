//! The way to an agent: the command whose standard input and output lead to one.

use std::path::Path;

use tokio::process::Command;

use crate::experiment::{HostSpec, Transport};

/// What the agent is called where the file names none.
const AGENT: &str = "orchestrate";

/// What is asked of OpenSSH beyond the user's own configuration, which stays in force for all else. Nobody is there to
/// type a password; and a link that is cut must be noticed before the agent's lease ends.
const SSH_OPTIONS: [&str; 5] =
    ["-T", "-oBatchMode=yes", "-oConnectTimeout=20", "-oServerAliveInterval=5", "-oServerAliveCountMax=4"];

/// The command that, once started, is an agent on a host. `here` is this program, for hosts that are this machine.
pub(super) fn agent_command(spec: &HostSpec, here: &Path) -> Command {
    match (&spec.agent, &spec.transport) {
        (None, Transport::Local) => {
            let mut command = Command::new(here);
            command.arg("agent");
            command
        }
        (agent, transport) => command_on(transport, &[agent.as_deref().unwrap_or(AGENT), "agent"]),
    }
}

/// The command that, once started, is a program on a host: `words` are its command line there and never empty.
pub(super) fn command_on(transport: &Transport, words: &[&str]) -> Command {
    let mut command;
    match transport {
        Transport::Local => {
            command = Command::new(words[0]);
            command.args(&words[1..]);
        }
        Transport::Ssh { target } => {
            command = Command::new("ssh");
            // ssh joins the words of a command with blanks and gives them to a shell.
            command.args(SSH_OPTIONS).args(["--", target]).args(words.iter().map(|word| shell_word(word)));
        }
        Transport::Slurm { options } => {
            command = Command::new("srun");
            command.args(["--ntasks=1", "--quiet"]).args(options).arg("--").args(words);
        }
        Transport::Command { prefix } => {
            command = Command::new(&prefix[0]);
            command.args(&prefix[1..]).args(words);
        }
    }
    command
}

/// A word as a POSIX shell reads it back. A `~/` at its start stays the home directory there.
fn shell_word(word: &str) -> String {
    let (home, rest) = match word.strip_prefix("~/") {
        Some(rest) => ("~/", rest),
        None => ("", word),
    };
    format!("{home}'{}'", rest.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    fn argv(transport: Transport, agent: Option<&str>) -> String {
        let spec = HostSpec { agent: agent.map(str::to_owned), ..HostSpec::new(transport) };
        let command = agent_command(&spec, Path::new("/here/orchestrate"));
        let command = command.as_std();
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_transport_ends_in_the_agents_own_command() {
        let ssh = || Transport::Ssh { target: "me@far".to_owned() };
        assert_eq!(argv(Transport::Local, None), "/here/orchestrate agent");
        assert!(argv(ssh(), None).ends_with(" -- me@far 'orchestrate' 'agent'"));
        assert!(argv(ssh(), Some("~/b in/o'k")).ends_with(r" -- me@far ~/'b in/o'\''k' 'agent'"));
        let slurm = Transport::Slurm { options: vec!["--nodelist=n1".to_owned()] };
        assert_eq!(argv(slurm, None), "srun --ntasks=1 --quiet --nodelist=n1 -- orchestrate agent");
        let prefix = ["docker", "exec", "-i", "box"].map(str::to_owned).to_vec();
        assert_eq!(argv(Transport::Command { prefix }, Some("/o")), "docker exec -i box /o agent");
    }
}
