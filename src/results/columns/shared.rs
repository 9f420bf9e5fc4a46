//! Columns that more than one table has: what was compared with what, in the same words everywhere.

use crate::analysis::summary::CellSummary;
use crate::experiment::{Amount, Placement, Settings, Warmup};
use crate::protocol::{AppliedPlacement, ServerIdentity};
use crate::record::{ClientLabel, HostLabel, LinkKind, TrialRecord};
use crate::results::columns::{Column, Kind, Value};
use crate::units::Nanos;

/// What the rows of different tables have in common.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    cell: &'a str,
    control_of: Option<&'a str>,
    settings: &'a Settings,
    client_host: &'a HostLabel,
    server_host: &'a HostLabel,
    link: LinkKind,
    server: Option<&'a ServerIdentity>,
    client: Option<&'a ClientLabel>,
}

/// A row that is about one cell.
pub trait AboutCell {
    /// The cell, its settings and who took part.
    fn subject(&self) -> Subject<'_>;
}

impl AboutCell for TrialRecord {
    fn subject(&self) -> Subject<'_> {
        Subject {
            cell: &self.cell,
            control_of: self.control_of.as_deref(),
            settings: &self.settings,
            client_host: &self.client_host,
            server_host: &self.server_host,
            link: self.link,
            server: self.server.as_ref(),
            client: self.client.as_ref(),
        }
    }
}

impl AboutCell for CellSummary {
    fn subject(&self) -> Subject<'_> {
        Subject {
            cell: &self.cell,
            control_of: self.control_of.as_deref(),
            settings: &self.label.settings,
            client_host: &self.label.client_host,
            server_host: &self.label.server_host,
            link: self.label.link,
            server: self.label.server.as_ref(),
            client: self.label.client.as_ref(),
        }
    }
}

/// Which run and which cell.
pub(super) fn identity<Row: AboutCell>() -> Vec<Column<Row>> {
    vec![
        Column::<Row>::text(
            "run_id",
            "The run: when it was started, in UTC, and by which machine.",
            |context, _| (&context.run_id).into(),
        )
        .required(),
        Column::<Row>::text("experiment", "The name of the experiment.", |context, _| {
            (&context.experiment).into()
        })
        .required(),
        Column::<Row>::text(
            "cell",
            "Identity of the combination of settings: the same settings have the same one in every run.",
            |_, row| row.subject().cell.into(),
        )
        .required(),
    ]
}

/// On which machines, and what is between them.
pub(super) fn hosts<Row: AboutCell>() -> Vec<Column<Row>> {
    vec![
        Column::<Row>::text("client_host", "The machine that the client ran on.", |_, row| {
            (&row.subject().client_host.name).into()
        })
        .required(),
        Column::<Row>::text("client_os", "Operating system of the client's machine.", |_, row| (&row.subject().client_host.os).into()),
        Column::<Row>::text("client_arch", "Architecture of the client's machine.", |_, row| (&row.subject().client_host.arch).into()),
        Column::<Row>::text("client_cpu", "CPU, model and number, of the client's machine.", |_, row| (&row.subject().client_host.cpu).into()),
        Column::<Row>::text("server_host", "The machine that the server ran on.", |_, row| {
            (&row.subject().server_host.name).into()
        })
        .required(),
        Column::<Row>::text("server_os", "Operating system of the server's machine.", |_, row| (&row.subject().server_host.os).into()),
        Column::<Row>::text("server_arch", "Architecture of the server's machine.", |_, row| (&row.subject().server_host.arch).into()),
        Column::<Row>::text(
            "link",
            "How the client reached the server: TCP within a machine, a Unix socket, or TCP between machines.",
            |_, row| row.subject().link.to_string().into(),
        )
        .required()
        .one_of(&["loopback", "unix", "network"]),
    ]
}

/// Which server and which client, and how many of it.
pub(super) fn parties<Row: AboutCell>() -> Vec<Column<Row>> {
    vec![
        Column::<Row>::text("server", "The server's name in the experiment's file.", |_, row| {
            (&row.subject().settings.server).into()
        })
        .required(),
        Column::<Row>::text("server_version", "What the server said it is.", |_, row| {
            row.subject().server.map(|server| format!("{} {}", server.name, server.version)).into()
        }),
        Column::<Row>::text("mode", "The way of talking to the server.", |_, row| {
            (&row.subject().settings.mode).into()
        })
        .required(),
        Column::<Row>::text("client", "Client library and version.", |_, row| {
            row.subject().client.map(|client| &client.client).into()
        }),
        Column::<Row>::text("client_runtime", "What the client library runs on.", |_, row| {
            row.subject().client.map(|client| &client.runtime).into()
        }),
        Column::<Row>::text(
            "workload",
            "What one operation is; set-get: a SET followed by a GET of the same key.",
            |_, row| row.subject().settings.workload.kind.to_string().into(),
        )
        .required(),
        Column::<Row>::integer("workers_asked", "Concurrent workers that the file asks for.", |_, row| {
            row.subject().settings.workers.into()
        })
        .required(),
        Column::<Row>::integer("workers", "Concurrent workers that were really used.", |_, row| {
            row.subject().client.map(|client| client.workers).into()
        }),
    ]
}

/// What each operation carries, and when it is due.
pub(super) fn load<Row: AboutCell>() -> Vec<Column<Row>> {
    vec![
        Column::<Row>::integer(
            "value_bytes",
            "Size of each value; missing where the value is the decimal index of the operation.",
            |_, row| row.subject().settings.workload.value_bytes.into(),
        )
        .unit("bytes"),
        Column::<Row>::integer("pipeline", "Operations that share a round trip.", |_, row| {
            row.subject().settings.workload.pipeline.into()
        })
        .required(),
        Column::<Row>::integer(
            "rate",
            "Operations per second that were due, over all workers (open loop); missing where the client went as fast as \
             it could (closed loop).",
            |_, row| row.subject().settings.workload.rate.into(),
        )
        .unit("operations/s"),
    ]
}

/// Where client and server ran within their machines.
pub(super) fn placement<Row: AboutCell>() -> Column<Row> {
    Column::<Row>::text(
        "placement",
        "What was asked for and the CPUs that server and client were bound to, each on its own host; `pinned` where \
         the host's table says so; `(not applied)` where the system cannot bind, `(not reached)` where the attempt ended before.",
        |_, row| {
            let subject = row.subject();
            placed(&subject.settings.placement, subject.client.map(|client| &client.placement)).into()
        },
    )
    .required()
}

fn placed(asked: &Placement, applied: Option<&AppliedPlacement>) -> String {
    let word = match asked {
        Placement::Free if matches!(applied, None | Some(AppliedPlacement::Free)) => {
            return "free".to_owned();
        }
        // The file says it of a host and not of the cell.
        Placement::Free => "pinned",
        Placement::SameCore => "same-core",
        Placement::Split => "split",
        Placement::Cpus { .. } => "cpus",
    };
    match applied {
        Some(AppliedPlacement::Pinned { server, client }) => {
            let mut text = word.to_owned();
            for (role, cpus) in [("server", server), ("client", client)] {
                if !cpus.is_empty() {
                    let cpus: Vec<String> = cpus.iter().map(u32::to_string).collect();
                    text.push_str(&format!(" {role}={}", cpus.join("+")));
                }
            }
            text
        }
        Some(AppliedPlacement::Free | AppliedPlacement::NotApplied { .. }) => format!("{word} (not applied)"),
        None => format!("{word} (not reached)"),
    }
}

/// The server's CPU, and the other settings that a cell may differ in from its neighbour.
pub(super) fn other_settings<Row: AboutCell>() -> Vec<Column<Row>> {
    vec![
        Column::<Row>::text("server_cpu", "CPU, model and number, of the server's machine.", |_, row| {
            (&row.subject().server_host.cpu).into()
        }),
        Column::<Row>::text(
            "hosts",
            "Client and server host by their names in the experiment's file; one name if they are the same.",
            |_, row| row.subject().settings.hosts.to_string().into(),
        )
        .required(),
        Column::<Row>::integer(
            "operations_asked",
            "Operations that the file asks for, over all workers; missing where it asks for a duration.",
            |_, row| match row.subject().settings.workload.amount {
                Amount::Operations(operations) => operations.into(),
                Amount::Duration(_) => Value::Missing,
            },
        ),
        Column::<Row>::number(
            "duration_asked_s",
            "Duration that the file asks for; missing where it asks for operations.",
            |_, row| match row.subject().settings.workload.amount {
                Amount::Operations(_) => Value::Missing,
                Amount::Duration(duration) => duration.as_secs_f64().into(),
            },
        )
        .unit("s"),
        Column::<Row>::new(
            "verify",
            Kind::Boolean,
            "Whether every GET had to return what its SET stored.",
            |_, row| row.subject().settings.workload.verify.into(),
        )
        .required(),
        Column::<Row>::text("split", "How operations were shared among workers.", |_, row| {
            row.subject().settings.workload.split.to_string().into()
        })
        .required()
        .one_of(&["even", "divisor"]),
        Column::<Row>::text(
            "server_args",
            "Arguments in place of the server's own, as a JSON list; missing where it had its own.",
            |_, row| row.subject().settings.server_args.as_deref().map(json).into(),
        ),
        Column::<Row>::text(
            "server_lifetime",
            "In place of the server's own lifetime; missing where it had its own.",
            |_, row| row.subject().settings.lifetime.map(|lifetime| lifetime.to_string()).into(),
        )
        .one_of(&["run", "trial"]),
        Column::<Row>::integer(
            "warmup_operations",
            "Operations before the measured part; missing where a duration was asked for.",
            |_, row| match row.subject().settings.warmup {
                Warmup::Operations(operations) => operations.into(),
                Warmup::Duration(_) => Value::Missing,
            },
        ),
        Column::<Row>::number(
            "warmup_s",
            "Duration of what was done before the measured part; missing where operations were asked for.",
            |_, row| match row.subject().settings.warmup {
                Warmup::Operations(_) => Value::Missing,
                Warmup::Duration(duration) => duration.as_secs_f64().into(),
            },
        )
        .unit("s"),
    ]
}

/// Whether the row is about the control of the experiment.
pub(super) fn control<Row: AboutCell>() -> Column<Row> {
    Column::<Row>::text(
        "control_of",
        "The cell that this one repeats, to see by how much two cells differ that are the same; missing in all rows but \
         those of the experiment's control.",
        |_, row| row.subject().control_of.into(),
    )
}

/// A list of arguments in which an empty one can still be seen.
fn json(args: &[String]) -> String {
    serde_json::to_string(args).expect("a list of strings is always JSON")
}

/// Nanoseconds as microseconds.
pub(super) fn micros(nanos: u64) -> f64 {
    Nanos(nanos).as_micros_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placement_says_what_was_applied_and_not_only_what_was_asked_for() {
        let pinned = AppliedPlacement::Pinned { server: vec![1], client: vec![0, 2] };
        let remote = AppliedPlacement::Pinned { server: vec![], client: vec![3] };
        let refused = AppliedPlacement::NotApplied { reason: "macOS".to_owned() };
        let cpus = Placement::Cpus { server: vec![1], client: vec![0, 2] };
        assert_eq!(placed(&Placement::Free, Some(&AppliedPlacement::Free)), "free");
        assert_eq!(placed(&Placement::Free, None), "free");
        assert_eq!(placed(&Placement::Split, Some(&pinned)), "split server=1 client=0+2");
        assert_eq!(placed(&cpus, Some(&pinned)), "cpus server=1 client=0+2");
        assert_eq!(placed(&Placement::Free, Some(&pinned)), "pinned server=1 client=0+2");
        assert_eq!(placed(&Placement::Free, Some(&refused)), "pinned (not applied)");
        assert_eq!(placed(&Placement::SameCore, Some(&remote)), "same-core client=3");
        assert_eq!(placed(&Placement::SameCore, Some(&refused)), "same-core (not applied)");
        assert_eq!(placed(&Placement::SameCore, None), "same-core (not reached)");
    }

    #[test]
    fn an_empty_argument_of_a_server_can_be_seen() {
        assert_eq!(json(&["--save".to_owned(), String::new()]), r#"["--save",""]"#);
    }
}
