//! Checks which of a plan's needs its hosts meet. Measures nothing.

use std::collections::BTreeMap;

use crate::experiment::words;
use crate::plan::Plan;
use crate::protocol::HostFacts;
use crate::run::Equipment;
use crate::run::agents::Agents;

/// What was found on the hosts.
#[derive(Debug, Default)]
pub struct Preflight {
    /// Hosts that answered, by their names in the file.
    pub hosts: BTreeMap<String, HostFacts>,
    /// What was looked for, host by host.
    pub checks: Vec<Check>,
}

/// One thing that was looked for.
#[derive(Debug)]
pub struct Check {
    /// The host's name in the file.
    pub host: String,
    /// What is there, or why it is not.
    pub found: Result<String, String>,
    /// Whether the plan can do without.
    pub optional: bool,
}

/// Connects to every host of a plan, starts every server, measures the round-trip time between hosts, and looks for the
/// program of every client. Goes on where something is missing, prepares no mode, and stops everything that it started.
pub async fn preflight(plan: &Plan<'_>, equipment: Equipment) -> Preflight {
    let agents = Agents::new(plan, equipment);
    let mut preflight = Preflight::default();
    for host in plan.hosts() {
        match agents.reach(&host).await {
            Ok(()) => {
                preflight.hosts.insert(host.clone(), HostFacts::clone(&agents.facts(&host)));
            }
            Err(error) => {
                preflight.checks.push(Check { host, found: Err(error.to_string()), optional: false });
            }
        }
    }
    for needed in plan.servers() {
        if !needed.hosts.all().all(|host| preflight.hosts.contains_key(host)) {
            continue;
        }
        let which = match &needed.args {
            Some(args) => format!("server `{}` with {}", needed.server, words(args)),
            None => format!("server `{}`", needed.server),
        };
        let found = match agents.meet(&needed).await {
            Err(error) => Err(format!("{which}: {error}")),
            Ok((up, ways)) => {
                let ways =
                    ways.iter().map(|(client, time)| format!(", {time} there and back from `{client}`"));
                Ok(format!(
                    "{which}: {} {}{}{}",
                    up.identity.name,
                    up.identity.version,
                    up.clients
                        .map_or_else(String::new, |clients| format!(", takes {} clients", clients.most)),
                    ways.collect::<String>()
                ))
            }
        };
        preflight.checks.push(Check { host: needed.hosts.server, found, optional: false });
    }
    for (host, mode) in plan.modes() {
        let Some(spec) = plan.experiment().modes.get(&mode) else { continue };
        if !preflight.hosts.contains_key(&host) {
            continue;
        }
        let found = match agents.prepare(&host, &mode, spec, Vec::new()).await {
            Ok(_) => Ok(format!("mode `{mode}`: its program was found")),
            Err(error) => Err(format!("mode `{mode}`: {error}")),
        };
        preflight.checks.push(Check { host, found, optional: spec.optional });
    }
    agents.shutdown().await;
    preflight
}
