//! Which flags say that a trial was disturbed, and how large a share of such trials on a side rules out a verdict.
//!
//! These are the flags that a comparison has to know about.

use crate::analysis::metric::Metric;
use crate::analysis::samples::Trial;
use crate::record::Flag;

/// More than this share of a side's trials is too much.
pub const TOLERATED: f64 = 0.2;

/// A flag that casts doubt on the number of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// Other programs used the client's machine.
    BackgroundLoad,
    /// The hypervisor took CPU time.
    CpuSteal,
    /// Open loop: the client fell behind its schedule.
    BehindSchedule,
    /// Two clocks disagree about the elapsed time.
    ClockDisagrees,
    /// The placement could not be applied.
    NotPlaced,
    /// Not all clients worked all the time.
    UnevenClients,
    /// The latencies do not fit the throughput.
    LatencyDoubtful,
    /// Somebody else talked to the server.
    OtherClients,
}

impl Doubt {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::BackgroundLoad,
        Self::CpuSteal,
        Self::BehindSchedule,
        Self::ClockDisagrees,
        Self::NotPlaced,
        Self::UnevenClients,
        Self::LatencyDoubtful,
        Self::OtherClients,
    ];

    /// The flag that raises it.
    #[must_use]
    pub const fn flag(self) -> Flag {
        match self {
            Self::BackgroundLoad => Flag::BackgroundLoad,
            Self::CpuSteal => Flag::CpuSteal,
            Self::BehindSchedule => Flag::BehindSchedule,
            Self::ClockDisagrees => Flag::ClockDisagrees,
            Self::NotPlaced => Flag::NotPlaced,
            Self::UnevenClients => Flag::UnevenClients,
            Self::LatencyDoubtful => Flag::LatencyDoubtful,
            Self::OtherClients => Flag::OtherClients,
        }
    }

    /// The word in the column `flags`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        self.flag().word()
    }

    /// The doubt that a flag raises, if any.
    #[must_use]
    pub fn of(flag: Flag) -> Option<Self> {
        Self::ALL.into_iter().find(|doubt| doubt.flag() == flag)
    }

    /// Whether it says something about this metric.
    #[must_use]
    pub const fn concerns(self, metric: Metric) -> bool {
        !matches!(self, Self::LatencyDoubtful) || metric.is_latency()
    }

    /// Whether it comes from outside what is compared. A client that falls behind its schedule may be the very slowdown that is
    /// being looked for: that is a warning, and does not rule out a verdict.
    #[must_use]
    pub const fn disturbs(self) -> bool {
        !matches!(self, Self::BehindSchedule)
    }

    /// Whether the number itself may be wrong. A side with such numbers never wins, not even within one run.
    #[must_use]
    pub const fn voids(self) -> bool {
        matches!(self, Self::ClockDisagrees | Self::LatencyDoubtful)
    }
}

/// The doubts of one trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Doubts(u8);

impl Doubts {
    /// Adds one.
    pub const fn insert(&mut self, doubt: Doubt) {
        self.0 |= 1 << doubt as u8;
    }

    /// Whether this one is among them.
    #[must_use]
    pub const fn contains(self, doubt: Doubt) -> bool {
        self.0 & (1 << doubt as u8) != 0
    }
}

/// How many trials of a side there are, and how many of them are in doubt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doubted {
    /// Trials.
    pub n: usize,
    /// Those with a doubt that [disturbs](Doubt::disturbs).
    pub disturbed: usize,
    /// Those with a doubt that [voids](Doubt::voids) the number.
    pub void: usize,
    /// How many trials have each doubt.
    pub by_doubt: Vec<(Doubt, usize)>,
}

impl Doubted {
    /// Counts those trials that have the metric, and the doubts that concern it.
    #[must_use]
    pub fn of(trials: &[Trial], metric: Metric) -> Self {
        let doubts: Vec<Doubts> =
            trials.iter().filter(|trial| metric.of(trial).is_some()).map(|trial| trial.doubts).collect();
        let with = |is: fn(Doubt) -> bool| {
            let counts = |doubts: &&Doubts| {
                Doubt::ALL
                    .into_iter()
                    .any(|doubt| is(doubt) && doubt.concerns(metric) && doubts.contains(doubt))
            };
            doubts.iter().filter(counts).count()
        };
        let each = |doubt: Doubt| (doubt, doubts.iter().filter(|doubts| doubts.contains(doubt)).count());
        let concerned = Doubt::ALL.into_iter().filter(|doubt| doubt.concerns(metric));
        Self {
            n: doubts.len(),
            disturbed: with(Doubt::disturbs),
            void: with(Doubt::voids),
            by_doubt: concerned.map(each).filter(|(_, trials)| *trials > 0).collect(),
        }
    }

    /// How many trials have this doubt.
    #[must_use]
    pub fn with(&self, doubt: Doubt) -> usize {
        self.by_doubt.iter().find(|(other, _)| *other == doubt).map_or(0, |(_, trials)| *trials)
    }

    /// Whether too many were disturbed to compare them with trials of another run.
    #[must_use]
    pub fn is_disturbed(&self) -> bool {
        self.is_too_much(self.disturbed)
    }

    /// Whether too many numbers may be wrong to call them better than others.
    #[must_use]
    pub fn is_void(&self) -> bool {
        self.is_too_much(self.void)
    }

    fn is_too_much(&self, trials: usize) -> bool {
        trials as f64 > TOLERATED * self.n as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::samples::Latencies;

    fn trials(n: usize, doubted: usize, doubt: Doubt) -> Vec<Trial> {
        let mut trials = vec![Trial { latency: Some(Latencies::default()), ..Trial::default() }; n];
        trials[..doubted].iter_mut().for_each(|trial| trial.doubts.insert(doubt));
        trials
    }

    #[test]
    fn more_than_a_fifth_of_the_trials_is_too_much() {
        let is_disturbed = |doubted| {
            Doubted::of(&trials(10, doubted, Doubt::BackgroundLoad), Metric::OpsPerS).is_disturbed()
        };
        assert_eq!([0, 1, 2, 3, 10].map(is_disturbed), [false, false, false, true, true]);
        assert!(!Doubted::of(&[], Metric::OpsPerS).is_disturbed());
    }

    #[test]
    fn a_doubt_about_latencies_is_none_about_throughput() {
        let trials = trials(5, 5, Doubt::LatencyDoubtful);
        assert_eq!(Doubted::of(&trials, Metric::OpsPerS), Doubted { n: 5, ..Doubted::default() });
        assert!(Doubted::of(&trials, Metric::LatencyP99).is_void());
    }

    #[test]
    fn each_doubt_is_found_by_its_flag_and_kept_apart_from_the_others() {
        for doubt in Doubt::ALL {
            assert_eq!(Doubt::of(doubt.flag()), Some(doubt));
            let mut doubts = Doubts::default();
            doubts.insert(doubt);
            assert_eq!(Doubt::ALL.into_iter().filter(|other| doubts.contains(*other)).count(), 1);
            assert!(doubts.contains(doubt));
        }
        assert_eq!(Doubt::of(Flag::ClientBound), None);
    }
}
