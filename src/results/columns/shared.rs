//! Columns that more than one table has: which run, cell, machines, server and client, in the same words everywhere.

use crate::analysis::summary::CellSummary;
use crate::experiment::{Factor, Placement, Settings};
use crate::protocol::{AppliedPlacement, ServerIdentity};
use crate::record::{ClientLabel, HostLabel, LinkKind, TrialRecord};
use crate::results::columns::{Column, Context, Value};
use crate::setting;
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
    /// The cell, its settings and its participants.
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

/// On which machines, and over what link.
pub(super) fn hosts<Row: AboutCell>() -> Vec<Column<Row>> {
    vec![
        Column::<Row>::text("client_host", "The machine that the client ran on.", |_, row| {
            (&row.subject().client_host.name).into()
        })
        .required(),
        Column::<Row>::text("client_os", "Operating system of the client's machine.", |_, row| {
            (&row.subject().client_host.os).into()
        }),
        Column::<Row>::text("client_arch", "Architecture of the client's machine.", |_, row| {
            (&row.subject().client_host.arch).into()
        }),
        Column::<Row>::text("client_cpu", "CPU, model and number, of the client's machine.", |_, row| {
            (&row.subject().client_host.cpu).into()
        }),
        Column::<Row>::text("server_host", "The machine that the server ran on.", |_, row| {
            (&row.subject().server_host.name).into()
        })
        .required(),
        Column::<Row>::text("server_os", "Operating system of the server's machine.", |_, row| {
            (&row.subject().server_host.os).into()
        }),
        Column::<Row>::text("server_arch", "Architecture of the server's machine.", |_, row| {
            (&row.subject().server_host.arch).into()
        }),
        recorded("link", |row: &Row| row.subject().link.to_string().into()),
    ]
}

/// Which server and which client, and how many of the latter.
pub(super) fn parties<Row: AboutCell>() -> Vec<Column<Row>> {
    vec![
        setting("server"),
        Column::<Row>::text("server_version", "What the server said it is.", |_, row| {
            row.subject().server.map(ServerIdentity::to_string).into()
        }),
        setting("mode"),
        Column::<Row>::text("client", "Client library and version.", |_, row| {
            row.subject().client.map(|client| &client.client).into()
        }),
        Column::<Row>::text("client_runtime", "What the client library runs on.", |_, row| {
            row.subject().client.map(|client| &client.runtime).into()
        }),
        setting("workload"),
        setting("workers_asked"),
        Column::<Row>::integer("workers", "Concurrent workers that were really used.", |_, row| {
            row.subject().client.map(|client| client.workers).into()
        }),
    ]
}

/// What each operation carries, and when it is due.
pub(super) fn load<Row: AboutCell>() -> Vec<Column<Row>> {
    ["value_bytes", "pipeline", "rate"].into_iter().map(setting).collect()
}

/// Where client and server ran within their machines.
pub(super) fn placement<Row: AboutCell>() -> Column<Row> {
    recorded("placement", |row: &Row| {
        let subject = row.subject();
        placed(&subject.settings.placement, subject.client.map(|client| &client.placement)).into()
    })
}

fn placed(asked: &Placement, applied: Option<&AppliedPlacement>) -> String {
    let word = match asked {
        Placement::Free if matches!(applied, None | Some(AppliedPlacement::Free)) => {
            return "free".to_owned();
        }
        // The file asks for it on a host, not in the cell.
        Placement::Free => "pinned",
        Placement::SameCore => "same-core",
        Placement::SeparateCpus => "separate-cpus",
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

/// The server's CPU, and the other settings in which a cell may differ from its neighbour.
pub(super) fn other_settings<Row: AboutCell>() -> Vec<Column<Row>> {
    let settings = [
        "hosts",
        "operations_asked",
        "duration_asked_s",
        "verify",
        "split",
        "server_args",
        "server_lifetime",
        "warmup_operations",
        "warmup_s",
    ];
    let cpu =
        Column::<Row>::text("server_cpu", "CPU, model and number, of the server's machine.", |_, row| {
            (&row.subject().server_host.cpu).into()
        });
    std::iter::once(cpu).chain(settings.into_iter().map(setting)).collect()
}

/// The settings that tables of earlier versions did not have, which stand at the end.
pub(super) fn own_settings<Row: AboutCell>() -> Vec<Column<Row>> {
    let own = Factor::columns().filter(|(factor, column)| factor.is_own() && !LATER.contains(&column.name));
    own.map(|(_, column)| setting(column.name)).collect()
}

/// Settings that were added after columns of another kind, and stand behind those.
const LATER: [&str; 3] = ["body", "results", "processes"];

/// Their columns.
pub(super) fn later_settings<Row: AboutCell>() -> Vec<Column<Row>> {
    LATER.into_iter().map(setting).collect()
}

/// A column of a setting, by its name.
fn setting<Row: AboutCell>(name: &'static str) -> Column<Row> {
    let (factor, column) = defined(name);
    described(column, move |_, row: &Row| factor.datum(column, row.subject().settings).into())
}

/// A column of a setting about which the record knows more than what was asked for.
fn recorded<Row: AboutCell>(
    name: &'static str,
    value: impl for<'a> Fn(&'a Row) -> Value<'a> + Send + Sync + 'static,
) -> Column<Row> {
    described(defined(name).1, move |_, row| value(row))
}

fn defined(name: &str) -> (Factor, &'static setting::Column) {
    Factor::columns().find(|(_, column)| column.name == name).expect("a setting has this column")
}

fn described<Row>(
    column: &'static setting::Column,
    value: impl for<'a> Fn(&'a Context, &'a Row) -> Value<'a> + Send + Sync + 'static,
) -> Column<Row> {
    Column {
        unit: column.unit,
        required: column.required,
        one_of: column.one_of,
        ..Column::new(column.name, column.kind.into(), column.meaning, value)
    }
}

/// Whether the row is about the control of the experiment.
pub(super) fn control<Row: AboutCell>() -> Column<Row> {
    Column::<Row>::text(
        "control_of",
        "The cell that this one repeats as a control, which shows by how much two identical cells differ; missing in all \
         other rows.",
        |_, row| row.subject().control_of.into(),
    )
}

/// Nanoseconds as microseconds.
pub(in crate::results) fn micros(nanos: u64) -> f64 {
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
        assert_eq!(placed(&Placement::SeparateCpus, Some(&pinned)), "separate-cpus server=1 client=0+2");
        assert_eq!(placed(&cpus, Some(&pinned)), "cpus server=1 client=0+2");
        assert_eq!(placed(&Placement::Free, Some(&pinned)), "pinned server=1 client=0+2");
        assert_eq!(placed(&Placement::Free, Some(&refused)), "pinned (not applied)");
        assert_eq!(placed(&Placement::SameCore, Some(&remote)), "same-core client=3");
        assert_eq!(placed(&Placement::SameCore, Some(&refused)), "same-core (not applied)");
        assert_eq!(placed(&Placement::SameCore, None), "same-core (not reached)");
    }
}
