//! Whatever happens to a run, nothing is lost, nothing is counted twice, nothing is left, and nothing of others is touched.
//!
//! Each case starts the real program on a small experiment, does something bad to it at a random moment, gives the same command
//! until it is complete, and then looks at everything that was promised. The short forms run with the suite. `make torture` runs
//! the long one, as long as it is told to:
//!
//! | variable | |
//! |---|---|
//! | `TORTURE_MINUTES` | when no further case begins; 20 |
//! | `TORTURE_KILLS`, `_STOPS`, `_DISKS`, `_TRUNCATIONS`, `_CLOCKS`, `_REMOVALS`, `_PORTS`, `_PAIRS` | how many of a kind; 1000, 200, 200, every byte of the last records, 100, 100, 20, 50 |
//! | `TORTURE_JOBS` | cases side by side; one for each processor |
//! | `TORTURE_SEED` | the seed that a run printed |
//! | `TORTURE_CASE` | the one case of that seed that is to be repeated |

#![cfg(target_os = "linux")]

#[cfg(test)]
mod faults;
#[cfg(test)]
mod invariants;
#[cfg(test)]
mod place;
#[cfg(test)]
mod tally;

#[cfg(test)]
mod forms {
    use crate::faults::Kind;
    use crate::tally::{Wanted, torture};

    fn some(kind: Kind, count: usize) {
        let tally = torture(&Wanted::of(&[(kind, count)]));
        tally.expect_nothing_wrong();
    }

    #[test]
    fn killed_processes_cost_nothing_but_time() {
        some(Kind::Kill, 10);
    }

    #[test]
    fn stopped_and_interrupted_processes_cost_nothing_but_time() {
        some(Kind::Stop, 6);
    }

    #[test]
    fn full_disks_cost_nothing_but_time() {
        some(Kind::Disk, 8);
    }

    #[test]
    fn a_journal_that_is_cut_off_costs_the_record_that_was_cut() {
        some(Kind::Truncation, 12);
    }

    #[test]
    fn steps_of_the_clock_cost_nothing() {
        some(Kind::Clock, 4);
    }

    #[test]
    fn files_that_are_taken_away_are_noticed() {
        some(Kind::Removal, 8);
    }

    #[test]
    fn ports_that_others_have_are_passed_over_or_named() {
        some(Kind::Ports, 2);
    }

    #[test]
    fn two_coordinators_at_once_do_the_work_of_one() {
        some(Kind::Pair, 4);
    }

    #[test]
    #[ignore = "as long as it is told to: `make torture`"]
    fn long() {
        let tally = torture(&Wanted::from_the_environment());
        println!("{tally}");
        tally.expect_nothing_wrong();
    }
}
