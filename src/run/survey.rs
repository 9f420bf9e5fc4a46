//! What the hosts of a plan have of what it needs. Measures nothing.

use std::collections::BTreeMap;

use crate::experiment::words;
use crate::host::client::CallError;
use crate::plan::Plan;
use crate::protocol::{HostFacts, ModePrepare};
use crate::run::Equipment;
use crate::run::fleet::{Fleet, PREPARE_WITHIN, is_network, program};

/// What was found on the hosts.
#[derive(Debug, Default)]
pub struct Survey {
    /// Hosts that answered, by their names in the file.
    pub hosts: BTreeMap<String, HostFacts>,
    /// What was looked for, host by host.
    pub sights: Vec<Sight>,
}

/// One thing that was looked for.
#[derive(Debug)]
pub struct Sight {
    /// The host's name in the file.
    pub host: String,
    /// What is there, or why it is not.
    pub found: Result<String, String>,
    /// Whether the plan can do without.
    pub optional: bool,
}

/// Reaches every host of a plan, starts every server, measures every way between two hosts, and looks for the program
/// of every client. Goes on where something is missing, prepares no mode, and stops all that it started.
pub async fn survey(plan: &Plan<'_>, equipment: Equipment) -> Survey {
    let mut fleet = Fleet::new(plan.experiment(), equipment);
    let mut survey = Survey::default();
    for host in plan.hosts() {
        match fleet.reach(&host).await {
            Ok(()) => {
                survey.hosts.insert(host.clone(), fleet.facts(&host).clone());
            }
            Err(error) => {
                survey.sights.push(Sight { host, found: Err(error.to_string()), optional: false });
            }
        }
    }
    for needed in plan.servers() {
        let (host, client) = (&needed.hosts.server, &needed.hosts.client);
        if !(survey.hosts.contains_key(host) && survey.hosts.contains_key(client)) {
            continue;
        }
        let args = needed.args.as_deref();
        let which = match args {
            Some(args) => format!("server `{}` with {}", needed.server, words(args)),
            None => format!("server `{}`", needed.server),
        };
        let up = fleet.start(&needed.hosts, &needed.server, args, false).await;
        let found = match up {
            Err(error) => Err(format!("{which}: {error}")),
            Ok(up) => {
                let identity = format!("{which}: {} {}", up.identity.name, up.identity.version);
                if is_network(&needed.hosts) {
                    let round_trip = fleet.round_trip(client, &up.endpoint).await;
                    round_trip
                        .map(|time| format!("{identity}, {time} there and back from `{client}`"))
                        .map_err(|error| format!("{which}: {error}"))
                } else {
                    Ok(identity)
                }
            }
        };
        survey.sights.push(Sight { host: host.clone(), found, optional: false });
    }
    for (host, mode) in plan.modes() {
        let Some(spec) = plan.experiment().modes.get(&mode) else { continue };
        if !survey.hosts.contains_key(&host) {
            continue;
        }
        let call = ModePrepare {
            mode: mode.clone(),
            program: program(Some(spec)),
            prepare: Vec::new(),
            timeout: PREPARE_WITHIN,
        };
        let found = fleet.call(&host, call).await;
        let found = found
            .map(|()| format!("mode `{mode}`: its program is there"))
            .map_err(|error: CallError| format!("mode `{mode}`: {error}"));
        survey.sights.push(Sight { host, found, optional: spec.optional });
    }
    fleet.disband().await;
    survey
}
