//! Whatever happens to a run, nothing is lost, nothing is counted twice, nothing is left, and nothing of others is touched.
//!
//! Each case starts the real program on a small experiment, does something bad to it at a random moment, gives the same command
//! until it is complete, and then looks at everything that was promised. The short forms run with the suite. `make torture` runs
//! the long one, as long as it is told to:
//!
//! | variable | |
//! |---|---|
//! | `TORTURE_MINUTES` | when no further case begins; 60 |
//! | `TORTURE_KILLS`, `_STOPS`, `_DISKS`, `_TRUNCATIONS`, `_CLOCKS`, `_REMOVALS`, `_PORTS`, `_PAIRS` | how many of a kind; 1000, 200, 200, every byte of the last records, 100, 100, 20, 50 |
//! | `TORTURE_JOBS` | cases side by side; one more than there are processors |
//! | `TORTURE_SEED` | the seed that a run printed |
//! | `TORTURE_CASE` | the one case of that seed that is to be repeated, such as `17:KILLS` |
//! | `TORTURE_EVERY_BYTE` | if set, journals are cut off at one byte after the other, and not at random |

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
mod waiting;

#[cfg(test)]
mod forms {
    use crate::faults::{Kind, PLANNED, completed};
    use crate::invariants::{Wrongs, complete, someone_left};
    use crate::place::Foreigner;
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

    /// A check that finds nothing may be one that cannot find anything.
    #[test]
    fn the_checks_find_what_they_look_for() {
        let mut foreigner = Foreigner::start();
        let whole = completed(&foreigner);
        let run = whole.journal().unwrap().parent().unwrap().to_owned();
        let journal = std::fs::read_to_string(run.join("journal.jsonl")).unwrap();
        let table = std::fs::read_to_string(run.join("trials.csv")).unwrap();
        let examine = |foreigner: &mut Foreigner| {
            let mut wrongs = Wrongs::default();
            let outcome = complete(&whole, PLANNED, foreigner, &mut wrongs);
            let Wrongs { lost, doubled, left, touched } = wrongs;
            (outcome.err().unwrap_or_default(), [lost, doubled, left, touched].map(|count| count > 0))
        };
        assert_eq!(examine(&mut foreigner), (String::new(), [false; 4]));

        // A trial that is not there, with and without its row.
        let line = journal.lines().find(|line| line.starts_with("{\"trial\"")).unwrap();
        let without = journal.replacen(&format!("{line}\n"), "", 1);
        std::fs::write(run.join("journal.jsonl"), &without).unwrap();
        assert!(examine(&mut foreigner).1[0]);
        // One that is there twice, as two attempts and as one.
        let again = line.replacen("\"attempt\":1", "\"attempt\":2", 1);
        for extra in [again.as_str(), line] {
            std::fs::write(run.join("journal.jsonl"), format!("{journal}{extra}\n")).unwrap();
            assert!(examine(&mut foreigner).1[1]);
        }
        // An end that is missing.
        let end = journal.lines().last().unwrap();
        std::fs::write(run.join("journal.jsonl"), journal.replacen(&format!("{end}\n"), "", 1)).unwrap();
        assert!(examine(&mut foreigner).0.contains("does not end"));
        std::fs::write(run.join("journal.jsonl"), &journal).unwrap();
        // A row that is not there.
        let row = table.lines().last().unwrap();
        std::fs::write(run.join("trials.csv"), table.replacen(&format!("{row}\n"), "", 1)).unwrap();
        assert!(examine(&mut foreigner).1[0]);
        std::fs::write(run.join("trials.csv"), &table).unwrap();
        // Files and directories that nobody promised.
        for path in [run.join(".trials.csv.a1B2c3"), whole.sandbox.path().join("results/torture/x/.lock")] {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            assert!(examine(&mut foreigner).1[2], "{}", path.display());
            std::fs::remove_file(&path).unwrap();
        }
        std::fs::remove_dir(whole.sandbox.path().join("results/torture/x")).unwrap();
        let directory = whole.sandbox.path().join("tmp/orchestrate-a1B2c3");
        std::fs::create_dir(&directory).unwrap();
        assert!(examine(&mut foreigner).1[2]);
        std::fs::remove_dir(&directory).unwrap();
        // Keys of others that are gone or changed, and keys that nobody told of.
        for (command, what) in [
            ("DEL theirs:s3", [false, false, false, true]),
            ("SET theirs:s3 value3", [false; 4]),
            ("RPUSH theirs:l4 more", [false, false, false, true]),
            ("RPOP theirs:l4", [false; 4]),
            ("SET orchestrate:new x", [false, false, true, false]),
        ] {
            foreigner.command(command);
            assert_eq!(examine(&mut foreigner).1, what, "{command}");
        }
        // Keys that somebody was told of.
        std::fs::write(
            whole.sandbox.path().join("output"),
            "keys that begin with `orchestrate:t:` may be left",
        )
        .unwrap();
        foreigner.command("SET orchestrate:t:1 x");
        assert_eq!(examine(&mut foreigner), (String::new(), [false; 4]));
        // A process that works on. Its directory is in the place, and it ends with its input.
        let mut cat = std::process::Command::new("cat");
        let mut left =
            cat.current_dir(whole.sandbox.path()).stdin(std::process::Stdio::piped()).spawn().unwrap();
        assert!(someone_left(&whole, std::time::Duration::from_millis(10)).is_err());
        drop(left.stdin.take());
        left.wait().unwrap();
        assert_eq!(examine(&mut foreigner), (String::new(), [false; 4]));
    }

    #[test]
    #[ignore = "as long as it is told to: `make torture`"]
    fn long() {
        let tally = torture(&Wanted::from_the_environment());
        println!("{tally}");
        tally.expect_nothing_wrong();
    }
}
