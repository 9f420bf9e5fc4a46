//! `progress.csv`: a row for each part of a trial that ended well, where its client reported its progress.

use crate::record::TrialRecord;
use crate::results::columns::Column;

/// A part of a trial.
#[derive(Clone, Debug)]
pub struct PartRow {
    trial: String,
    attempt: u32,
    /// From 1.
    part: usize,
    operations: u64,
    /// Of each part.
    seconds: f64,
}

impl PartRow {
    /// The rows of a trial; none if nothing is known of its parts.
    pub fn of(record: &TrialRecord) -> impl Iterator<Item = Self> {
        let measured = record.measured.as_ref();
        let progress = measured.and_then(|measured| measured.progress.as_deref()).unwrap_or_default();
        let elapsed = measured.map_or(0.0, |measured| measured.elapsed_ns.as_secs_f64());
        progress.iter().zip(1..).map(move |(&operations, part)| Self {
            trial: format!("{}-{}", record.cell, record.repetition),
            attempt: record.attempt,
            part,
            operations,
            seconds: elapsed / progress.len() as f64,
        })
    }
}

type PartColumn = Column<PartRow>;

/// The columns in their order.
#[must_use]
pub fn columns() -> Vec<PartColumn> {
    vec![
        PartColumn::text("run_id", "The run, as in trials.csv.", |context, _| (&context.run_id).into())
            .required(),
        PartColumn::text("trial", "The cell and the repetition, as in trials.csv.", |_, row| {
            (&row.trial).into()
        })
        .required(),
        PartColumn::integer("attempt", "Which attempt at the trial, as in trials.csv.", |_, row| {
            row.attempt.into()
        })
        .required(),
        PartColumn::integer(
            "part",
            "Which of the parts of equal length of the elapsed time, from 1.",
            |_, row| row.part.into(),
        )
        .required(),
        PartColumn::number("end_s", "When the part ended, since the first request.", |_, row| {
            (row.seconds * row.part as f64).into()
        })
        .unit("s")
        .required(),
        PartColumn::integer("operations", "Operations whose last reply came within the part.", |_, row| {
            row.operations.into()
        })
        .required(),
        PartColumn::number("ops_per_s", "These operations divided by the length of the part.", |_, row| {
            (row.operations as f64 / row.seconds).into()
        })
        .unit("operations/s")
        .required(),
    ]
}
