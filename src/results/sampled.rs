//! The attempts of a journal as a reader of `trials.csv` would find them, without reading that file: what a run shows at its
//! end is the same as what is later made from its tables.

use std::collections::HashMap;

use crate::analysis::doubt::{Doubt, Doubts};
use crate::analysis::samples::{Failure, LABELS, Label, Latencies, Samples, Trial};
use crate::analysis::summary::CellSummary;
use crate::protocol::ServerIdentity;
use crate::record::{ClientLabel, HostLabel, LatencySummary, LinkKind, Quantities, TrialRecord};
use crate::results::columns::shared::micros;
use crate::results::columns::{Column, Context, trials};
use crate::results::csv::print;
use crate::results::read::ReadError;
use crate::results::read::collect::Gathered;
use crate::results::read::table::Rows;
use crate::results::sidecar_files::Curve;

/// Collects attempts in the order of the journal.
pub(super) struct Sampler {
    /// The columns of [`LABELS`], in their order.
    columns: Vec<Column<TrialRecord>>,
    rows: Rows,
    /// The label of the last attempt at each cell: most have the same as the one before.
    last: HashMap<String, (Party, u32)>,
}

/// What the label of an attempt depends on, besides its cell.
#[derive(PartialEq)]
struct Party {
    client_host: HostLabel,
    server_host: HostLabel,
    link: LinkKind,
    server: Option<ServerIdentity>,
    client: Option<ClientLabel>,
    driver_sha256: Option<String>,
}

impl Party {
    fn of(record: &TrialRecord) -> Self {
        Self {
            client_host: record.client_host.clone(),
            server_host: record.server_host.clone(),
            link: record.link,
            server: record.server.clone(),
            client: record.client.clone(),
            driver_sha256: record.driver_sha256.clone(),
        }
    }

    fn is_of(&self, record: &TrialRecord) -> bool {
        self.client_host == record.client_host
            && self.server_host == record.server_host
            && self.link == record.link
            && self.server == record.server
            && self.client == record.client
            && self.driver_sha256 == record.driver_sha256
    }
}

impl Sampler {
    pub(super) fn new() -> Self {
        let mut all: HashMap<&'static str, Column<TrialRecord>> =
            trials::columns().into_iter().map(|column| (column.name, column)).collect();
        let column = |name: &&'static str| all.remove(*name).expect("every label is a column of trials.csv");
        Self { columns: LABELS.iter().map(column).collect(), rows: Rows::default(), last: HashMap::new() }
    }

    pub(super) fn add(&mut self, context: &Context, record: &TrialRecord) {
        let label = self.label(context, record);
        let Some(measured) = &record.measured else {
            let error = record.error.as_deref().map(trials::one_line).unwrap_or_default();
            let failure = Failure { run: 0, repetition: record.repetition, status: record.status, error };
            self.rows.failures.push((label, record.attempt, failure));
            return;
        };
        let mut doubts = Doubts::default();
        record.flags.iter().filter_map(|flag| Doubt::of(*flag)).for_each(|doubt| doubts.insert(doubt));
        let trial = Trial {
            run: 0,
            repetition: record.repetition,
            position: record.position,
            started_at_us: record.started_at.as_microsecond(),
            ops_per_s: measured.ops_per_s(),
            latency: measured.latency_summary.as_ref().map(latencies),
            quantities: Quantities::of(measured),
            rtt_us: record.rtt_us,
            flags: record.flags.clone(),
            doubts,
        };
        self.rows.trials.push((label, trial));
    }

    /// The number of the attempt's label.
    fn label(&mut self, context: &Context, record: &TrialRecord) -> u32 {
        if let Some((party, label)) = self.last.get(&record.cell)
            && party.is_of(record)
        {
            return *label;
        }
        let text = |column: &Column<TrialRecord>| {
            let mut text = String::new();
            print(&(column.value)(context, record), &mut text);
            text
        };
        let label = self.rows.labels.len() as u32;
        self.rows.labels.push(Label { values: self.columns.iter().map(text).collect() });
        self.last.insert(record.cell.clone(), (Party::of(record), label));
        label
    }

    /// Everything that was added.
    ///
    /// # Errors
    /// When one trial was recorded in two different ways.
    pub(super) fn finish(mut self, context: &Context) -> Result<Samples, ReadError> {
        self.rows.runs = vec![context.run_id.clone()];
        let mut gathered = Gathered::default();
        gathered.add(self.rows);
        gathered.finish()
    }
}

fn latencies(summary: &LatencySummary) -> Latencies {
    Latencies {
        mean_us: summary.mean_ns / 1e3,
        p50_us: micros(summary.p50_ns),
        p90_us: micros(summary.p90_ns),
        p99_us: micros(summary.p99_ns),
        p999_us: micros(summary.p999_ns),
        max_us: micros(summary.max_ns),
    }
}

/// The quantiles of latency of each cell that has them.
pub(super) fn curves(context: &Context, cells: &[CellSummary]) -> Vec<Curve> {
    let curve = |cell: &CellSummary| {
        let profile = cell.latency.as_ref()?;
        Some(Curve {
            run_id: context.run_id.clone(),
            experiment: context.experiment.clone(),
            cell: cell.cell.clone(),
            client_host: cell.label.client_host.name.clone(),
            server_host: cell.label.server_host.name.clone(),
            points: profile.quantiles.iter().map(|&(quantile, nanos)| (quantile, micros(nanos))).collect(),
            count: profile.count,
        })
    };
    cells.iter().filter_map(curve).collect()
}
