//! How many cases of which kind there are to be, who carries them out, and what came of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::faults::{Done, Kind, case};
use crate::place::Foreigner;

/// What is to be done.
pub(crate) struct Wanted {
    /// Faults of each kind.
    counts: Vec<(Kind, usize)>,
    until: Option<Instant>,
    jobs: usize,
    seed: u64,
    only: Option<(usize, Kind)>,
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

impl Wanted {
    pub(crate) fn of(counts: &[(Kind, usize)]) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Self {
            counts: counts.to_vec(),
            until: None,
            // The suite runs several of these beside each other.
            jobs: 1,
            seed: number("TORTURE_SEED").unwrap_or(now.as_micros() as u64),
            only: std::env::var("TORTURE_CASE").ok().map(|case| {
                let parts = case.split_once(':').and_then(|(number, kind)| {
                    let kind = Kind::ALL.into_iter().find(|known| known.name() == kind)?;
                    Some((number.parse().ok()?, kind))
                });
                parts.unwrap_or_else(|| panic!("TORTURE_CASE={case} is no case such as 17:KILLS"))
            }),
        }
    }

    pub(crate) fn from_the_environment() -> Self {
        let counts = Kind::ALL.map(|kind| {
            let named = number(&format!("TORTURE_{}", kind.name())).map(|count| count as usize);
            (kind, named.unwrap_or(kind.usual()))
        });
        let minutes = number("TORTURE_MINUTES").unwrap_or(60);
        // Most of a case is waiting.
        let jobs = std::thread::available_parallelism().map_or(1, usize::from) + 1;
        Self {
            until: Some(Instant::now() + Duration::from_secs(60 * minutes)),
            jobs: number("TORTURE_JOBS").map_or(jobs, |jobs| jobs as usize),
            ..Self::of(&counts)
        }
    }
}

/// What was done, and what was wrong.
#[derive(Default)]
pub(crate) struct Tally {
    seed: u64,
    pub(crate) done: Done,
    /// Begun.
    cases: BTreeMap<&'static str, usize>,
    running: BTreeMap<&'static str, usize>,
    wrong: Vec<String>,
    took: Duration,
}

/// Carries out case after case, kind by kind in turn, until there are enough faults of every kind or time is over.
pub(crate) fn torture(wanted: &Wanted) -> Tally {
    let begun = Instant::now();
    let tally = Mutex::new(Tally { seed: wanted.seed, ..Tally::default() });
    let next = AtomicUsize::new(wanted.only.map_or(0, |(number, _)| number));
    println!("torture: TORTURE_SEED={}", wanted.seed);
    std::thread::scope(|scope| {
        for _ in 0..wanted.jobs {
            scope.spawn(|| {
                let mut foreigner = Foreigner::start();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let over = wanted.until.is_some_and(|until| Instant::now() > until);
                    if over || wanted.only.is_some_and(|(only, _)| number > only) {
                        break;
                    }
                    // The kind of which the largest share is missing, so that all of them are done at the same time.
                    let (kind, index) = {
                        let mut tally = tally.lock().unwrap();
                        let share = |&(kind, count): &(Kind, usize)| {
                            let done =
                                tally.done.of(kind) + tally.running.get(kind.name()).copied().unwrap_or(0);
                            (done < count).then(|| (done * 1_000_000 / count, kind))
                        };
                        let next = wanted.counts.iter().filter_map(share).min_by_key(|(share, _)| *share);
                        let next = wanted.only.map(|(_, kind)| kind).or(next.map(|(_, kind)| kind));
                        let Some(kind) = next else { break };
                        *tally.running.entry(kind.name()).or_default() += 1;
                        let begun = tally.cases.entry(kind.name()).or_default();
                        *begun += 1;
                        (kind, *begun - 1)
                    };
                    let rng = ChaCha8Rng::seed_from_u64(wanted.seed.wrapping_add(number as u64));
                    let (done, outcome) = case(kind, index, rng, &mut foreigner);
                    let mut tally = tally.lock().unwrap();
                    *tally.running.entry(kind.name()).or_default() -= 1;
                    tally.done += done;
                    if let Err(wrong) = outcome {
                        let wrong = format!("TORTURE_CASE={number}:{}: {wrong}", kind.name());
                        eprintln!("torture: {wrong}");
                        tally.wrong.push(wrong);
                    }
                    let cases: usize = tally.cases.values().sum();
                    if wanted.until.is_some() && cases.is_multiple_of(50) {
                        eprintln!("torture: {cases} cases, {} wrong: {}", tally.wrong.len(), tally.done);
                    }
                }
            });
        }
    });
    let mut tally = tally.into_inner().unwrap();
    tally.took = begun.elapsed();
    tally
}

impl Tally {
    pub(crate) fn expect_nothing_wrong(&self) {
        assert!(
            self.wrong.is_empty(),
            "{} cases of TORTURE_SEED={} went wrong:\n{}",
            self.wrong.len(),
            self.seed,
            self.wrong.join("\n")
        );
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cases: Vec<_> = self.cases.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        writeln!(
            f,
            "torture: TORTURE_SEED={}, {:.0} s, cases: {}",
            self.seed,
            self.took.as_secs_f64(),
            cases.join(", ")
        )?;
        writeln!(f, "torture: {}", self.done)?;
        write!(f, "torture: {} cases went wrong", self.wrong.len())
    }
}
