//! The numbers of a trial besides its throughput and its latencies: what an operation cost, and how a library handled its
//! tasks. Each is defined once: its column, its meaning, and how it follows from what was measured; tables, summaries and
//! comparisons are folds over the list.

use super::{LatencySummary, MarkTraffic, Measured};
use crate::protocol::Counter;
use crate::units::Nanos;

/// A number of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// CPU time of the client.
    ClientCpu,
    /// CPU time of the server.
    ServerCpu,
    /// Bytes between client and server.
    NetworkBytes,
    /// Calls that the server counted.
    ServerCalls,
    /// Peak memory of the client.
    ClientMemory,
    /// How fast tasks are handed over.
    Enqueued,
    /// Median of the time until a task begins.
    StartP50,
    /// 99th percentile of the same.
    StartP99,
    /// CPU time of the processes that hand tasks over.
    ProducerCpu,
    /// CPU time of the processes that execute them.
    WorkerCpu,
    /// Peak memory of the processes that execute tasks.
    WorkerMemory,
    /// Time until a worker that was just started begins its first task.
    ColdStart,
}

/// What kind of number it is: how it is worded, and which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuantityKind {
    /// Larger is faster.
    Throughput,
    /// Smaller is faster.
    Latency,
    /// Smaller is less.
    Cost,
}

/// Everything there is to know about one.
#[derive(Debug)]
pub struct Definition {
    /// The header of its column; ends in its unit where there is one.
    pub column: &'static str,
    /// What kind of number it is.
    pub kind: QuantityKind,
    /// The unit in words, for a description of the table.
    pub unit: Option<&'static str>,
    /// The same for the heading of a column of a comparison.
    pub short_unit: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// Its value in a trial; `None` where the system or the mode does not report it.
    pub of: fn(&Measured) -> Option<f64>,
}

impl Quantity {
    /// All of them, in the order in which tables have them.
    pub const ALL: [Self; 12] = [
        Self::ClientCpu,
        Self::ServerCpu,
        Self::NetworkBytes,
        Self::ServerCalls,
        Self::ClientMemory,
        Self::Enqueued,
        Self::StartP50,
        Self::StartP99,
        Self::ProducerCpu,
        Self::WorkerCpu,
        Self::WorkerMemory,
        Self::ColdStart,
    ];

    /// Those of a task-queue library, whose columns came later than the others.
    pub const OF_TASKS: [Self; 7] = [
        Self::Enqueued,
        Self::StartP50,
        Self::StartP99,
        Self::ProducerCpu,
        Self::WorkerCpu,
        Self::WorkerMemory,
        Self::ColdStart,
    ];

    /// Everything there is to know about it.
    #[must_use]
    pub const fn definition(self) -> &'static Definition {
        match self {
            Self::ClientCpu => &Definition {
                column: "client_cpu_us_per_op",
                kind: QuantityKind::Cost,
                unit: Some("µs"),
                short_unit: "µs",
                meaning: "CPU time of the client per operation.",
                of: |measured| measured.each(measured.client_cpu_ns?.as_micros_f64()),
            },
            Self::ServerCpu => &Definition {
                column: "server_cpu_us_per_op",
                kind: QuantityKind::Cost,
                unit: Some("µs"),
                short_unit: "µs",
                meaning: "CPU time of the server per operation.",
                of: |measured| {
                    let server = &measured.server;
                    server.tells(Counter::Cpu).then(|| measured.each(server.cpu_ns.as_micros_f64()))?
                },
            },
            Self::NetworkBytes => &Definition {
                column: "network_bytes_per_op",
                kind: QuantityKind::Cost,
                unit: Some("bytes"),
                short_unit: "bytes",
                meaning: "Bytes that the server received and sent per operation, by its own count; for tasks, without those \
                          of their marks.",
                of: |measured| {
                    let server = &measured.server;
                    let all = server.received_bytes? + server.sent_bytes?;
                    measured.each(all.saturating_sub(measured.marks().bytes) as f64)
                },
            },
            Self::ServerCalls => &Definition {
                column: "server_calls_per_op",
                kind: QuantityKind::Cost,
                unit: None,
                short_unit: "calls",
                meaning: "Calls of all commands per operation, as counted by the server; for tasks, without their marks.",
                of: |measured| {
                    let server = &measured.server;
                    let all: u64 = server.commands.values().map(|command| command.calls).sum();
                    let all = server.tells(Counter::Calls).then_some(all)?;
                    measured.each(all.saturating_sub(measured.marks().calls) as f64)
                },
            },
            Self::ClientMemory => &Definition {
                column: "client_peak_rss_bytes",
                kind: QuantityKind::Cost,
                unit: Some("bytes"),
                short_unit: "bytes",
                meaning: "Peak resident memory of the client.",
                of: |measured| Some(measured.client_peak_rss_bytes as f64),
            },
            Self::Enqueued => &Definition {
                column: "enqueued_per_s",
                kind: QuantityKind::Throughput,
                unit: Some("tasks/s"),
                short_unit: "tasks/s",
                meaning: "Tasks that all producers together can hand over in a second, by the time that handing over took them.",
                of: |measured| {
                    let tasks = measured.tasks.as_ref()?;
                    let producers = f64::from(tasks.producers) / tasks.enqueue_ns.as_secs_f64();
                    Some(measured.operations as f64 * producers).filter(|rate| rate.is_finite())
                },
            },
            Self::StartP50 => &Definition {
                column: "start_latency_p50_us",
                kind: QuantityKind::Latency,
                unit: Some("µs"),
                short_unit: "µs",
                meaning: "Median of the time from when a task was handed over until a worker began it.",
                of: |measured| measured.start(|summary| summary.p50_ns),
            },
            Self::StartP99 => &Definition {
                column: "start_latency_p99_us",
                kind: QuantityKind::Latency,
                unit: Some("µs"),
                short_unit: "µs",
                meaning: "99th percentile of the same.",
                of: |measured| measured.start(|summary| summary.p99_ns),
            },
            Self::ProducerCpu => &Definition {
                column: "producer_cpu_us_per_op",
                kind: QuantityKind::Cost,
                unit: Some("µs"),
                short_unit: "µs",
                meaning: "CPU time for each task of the processes that hand tasks over.",
                of: |measured| {
                    let workers = measured.tasks.as_ref()?.workers.as_ref()?.cpu_ns?;
                    let producers = measured.client_cpu_ns?.0.saturating_sub(workers.0);
                    measured.each(Nanos(producers).as_micros_f64())
                },
            },
            Self::WorkerCpu => &Definition {
                column: "worker_cpu_us_per_op",
                kind: QuantityKind::Cost,
                unit: Some("µs"),
                short_unit: "µs",
                meaning: "CPU time for each task of the processes that execute tasks, marks included.",
                of: |measured| {
                    let workers = measured.tasks.as_ref()?.workers.as_ref()?;
                    measured.each(workers.cpu_ns?.as_micros_f64())
                },
            },
            Self::WorkerMemory => &Definition {
                column: "worker_peak_rss_bytes",
                kind: QuantityKind::Cost,
                unit: Some("bytes"),
                short_unit: "bytes",
                meaning: "Sum of the peaks of resident memory of the processes that execute tasks; what they share counts for each.",
                of: |measured| Some(measured.tasks.as_ref()?.workers.as_ref()?.peak_rss_bytes? as f64),
            },
            Self::ColdStart => &Definition {
                column: "cold_start_s",
                kind: QuantityKind::Latency,
                unit: Some("s"),
                short_unit: "s",
                meaning: "From the start of the library's worker program until it began its first task, which was waiting; before \
                          the measured part.",
                of: |measured| Some(measured.tasks.as_ref()?.cold_start_ns?.as_secs_f64()),
            },
        }
    }
}

/// All quantities of a trial, or a summary of each over several; NaN where one is not known. A million trials are held in
/// memory, and most of them have only half of these.
#[derive(Clone, Copy, Debug)]
pub struct Quantities([f64; Quantity::ALL.len()]);

impl Default for Quantities {
    /// Nothing is known.
    fn default() -> Self {
        Self([f64::NAN; Quantity::ALL.len()])
    }
}

impl PartialEq for Quantities {
    /// Equal if the same quantities are known in both, with the same values.
    fn eq(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(one, other)| one == other || one.is_nan() && other.is_nan())
    }
}

impl Quantities {
    /// Those of a trial.
    #[must_use]
    pub fn of(measured: &Measured) -> Self {
        Self(Quantity::ALL.map(|quantity| (quantity.definition().of)(measured).unwrap_or(f64::NAN)))
    }

    /// What a function returns for each.
    ///
    /// # Errors
    /// The first one that the function returns.
    pub fn try_from_each<E>(mut value: impl FnMut(Quantity) -> Result<Option<f64>, E>) -> Result<Self, E> {
        let mut all = Self::default();
        for (slot, quantity) in all.0.iter_mut().zip(Quantity::ALL) {
            *slot = value(quantity)?.unwrap_or(f64::NAN);
        }
        Ok(all)
    }

    /// One of them; `None` where it is not known.
    #[must_use]
    pub const fn get(&self, quantity: Quantity) -> Option<f64> {
        let value = self.0[quantity as usize];
        if value.is_nan() { None } else { Some(value) }
    }

    /// For each quantity, what a function makes of its values in those trials that have it; unknown if none has.
    #[must_use]
    pub fn over(several: &[Self], summary: impl Fn(Vec<f64>) -> f64) -> Self {
        Self(Quantity::ALL.map(|quantity| {
            let told: Vec<f64> = several.iter().filter_map(|one| one.get(quantity)).collect();
            if told.is_empty() { f64::NAN } else { summary(told) }
        }))
    }
}

impl Measured {
    fn each(&self, amount: f64) -> Option<f64> {
        Some(amount / self.operations as f64).filter(|each| each.is_finite())
    }

    fn start(&self, quantile: fn(&LatencySummary) -> u64) -> Option<f64> {
        let summary = self.tasks.as_ref()?.start_summary.as_ref()?;
        Some(Nanos(quantile(summary)).as_micros_f64())
    }

    /// The part of the traffic that the marks of tasks account for.
    fn marks(&self) -> MarkTraffic {
        self.tasks.as_ref().and_then(|tasks| tasks.marks).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_place_and_a_column_of_its_own() {
        let columns: std::collections::BTreeSet<_> =
            Quantity::ALL.iter().map(|quantity| quantity.definition().column).collect();
        assert_eq!(columns.len(), Quantity::ALL.len());
        for (place, quantity) in Quantity::ALL.into_iter().enumerate() {
            assert_eq!(quantity as usize, place);
        }
        assert_eq!(Quantity::ALL[Quantity::ALL.len() - Quantity::OF_TASKS.len()..], Quantity::OF_TASKS);
    }

    #[test]
    fn what_is_not_known_equals_only_what_is_not_known() {
        let of = |value| Quantities::try_from_each::<()>(|_| Ok(value)).unwrap();
        assert_eq!(of(None), Quantities::default());
        assert_eq!(of(Some(1.0)), of(Some(1.0)));
        assert_ne!(of(Some(1.0)), of(None));
        assert_ne!(of(None), of(Some(0.0)));
    }

    #[test]
    fn a_summary_is_over_those_trials_that_tell() {
        let of = |value| {
            Quantities::try_from_each::<()>(|quantity| {
                Ok((quantity == Quantity::ServerCalls).then_some(value).flatten())
            })
        };
        let several = [of(Some(1.0)).unwrap(), of(None).unwrap(), of(Some(3.0)).unwrap()];
        let sum = Quantities::over(&several, |told| told.iter().sum());
        assert_eq!((sum.get(Quantity::ServerCalls), sum.get(Quantity::ClientCpu)), (Some(4.0), None));
    }
}
