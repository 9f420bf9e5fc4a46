//! Which trial begins next. Pure decisions: what is taken from the plan, which trials wait, and for what.
//!
//! Trials that share a host never overlap, and begin in the order of the plan, so that on every host a shuffled block stays
//! a shuffled block. Trials on disjoint hosts run in parallel. Only a host that is away changes the order: trials that need
//! it wait, and the others go on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tokio::time::Instant;

use crate::plan::PlannedTrial;

/// How many trials may wait for their hosts. A host that none of this many trials needs stays idle; in return, memory use is
/// bounded for any plan.
const MOST_WAITING: usize = 10_000;

/// A trial to be executed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Task {
    pub(super) trial: PlannedTrial,
    /// The number of its next attempt, from 1.
    pub(super) attempt: u32,
    /// The number of its last one.
    pub(super) last: u32,
    /// After a failed attempt: the time before which it must not begin.
    pub(super) not_before: Option<Instant>,
}

/// What to do now.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// This trial has its hosts to itself.
    Begin(Box<Task>),
    /// Nothing can begin before a trial ends, or before this moment if there is one.
    Wait(Option<Instant>),
}

/// The trials that wait, and the hosts that are busy.
pub(super) struct Schedule<I> {
    /// In the order of the plan.
    coming: std::iter::Fuse<I>,
    waiting: VecDeque<(Task, Vec<usize>)>,
    numbers: BTreeMap<String, usize>,
    busy: Vec<bool>,
}

impl<I: Iterator<Item = Task>> Schedule<I> {
    /// `coming` are the trials in the order of the plan, `hosts` all the hosts that they need.
    pub(super) fn new(hosts: &BTreeSet<String>, coming: I) -> Self {
        let numbers: BTreeMap<String, usize> = hosts.iter().cloned().zip(0..).collect();
        let busy = vec![false; numbers.len()];
        Self { coming: coming.fuse(), waiting: VecDeque::new(), numbers, busy }
    }

    /// What can begin now. `away` returns the time until which a host should not be tried.
    pub(super) fn next(&mut self, now: Instant, away: impl Fn(&str) -> Option<Instant>) -> Next {
        let until: Vec<Option<Instant>> =
            self.numbers.keys().map(|host| away(host).filter(|&until| until > now)).collect();
        // Hosts that are busy, or that a trial earlier in the order is waiting for.
        let mut held = self.busy.clone();
        let mut wake: Option<Instant> = None;
        let mut at = 0;
        while held.contains(&false) {
            if at == self.waiting.len() {
                if at == MOST_WAITING {
                    break;
                }
                let Some(task) = self.coming.next() else { break };
                let hosts = task.trial.cell.settings.hosts.all().map(|host| self.numbers[host]).collect();
                self.waiting.push_back((task, hosts));
            }
            let (task, hosts) = &self.waiting[at];
            let mut absent = hosts.iter().filter(|&&host| until[host].is_some()).peekable();
            if absent.peek().is_some() {
                for &host in absent {
                    held[host] = true;
                    wake = sooner(wake, until[host]);
                }
            } else if hosts.iter().any(|&host| held[host]) || task.not_before.is_some_and(|time| time > now) {
                if !hosts.iter().any(|&host| held[host]) {
                    wake = sooner(wake, task.not_before);
                }
                hosts.iter().for_each(|&host| held[host] = true);
            } else {
                hosts.iter().for_each(|&host| self.busy[host] = true);
                let (task, _) = self.waiting.remove(at).expect("it was looked at");
                return Next::Begin(Box::new(task));
            }
            at += 1;
        }
        Next::Wait(wake)
    }

    /// An attempt is over: its hosts are free. `again` is the trial to be tried again, if any.
    pub(super) fn ended(&mut self, trial: &PlannedTrial, again: Option<Task>) {
        let hosts: Vec<usize> = trial.cell.settings.hosts.all().map(|host| self.numbers[host]).collect();
        hosts.iter().for_each(|&host| self.busy[host] = false);
        if let Some(task) = again {
            let at = self.waiting.partition_point(|(other, _)| other.trial.position < trial.position);
            self.waiting.insert(at, (task, hosts));
        }
    }
}

fn sooner(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::experiment::{Builtin, Experiment, Source, parse};
    use crate::plan::Plan;

    /// Trials in the order of the file, one for each entry of `hosts`: `"a"`, `"a>b"` for a pair.
    fn experiment(hosts: &[&str]) -> Experiment {
        let tables: String = ["a", "b", "c", "d"]
            .map(|name| format!("[host.{name}]\ntransport = 'local'\naddress = '127.0.0.1'\n"))
            .concat();
        let hosts: Vec<String> = hosts
            .iter()
            .map(|pair| match pair.split_once('>') {
                Some((client, server)) => format!("{{ client = '{client}', server = '{server}' }}"),
                None => format!("'{pair}'"),
            })
            .collect();
        let text = format!(
            "name = 'x'\n{tables}[mode.m]\ncommand = ['m']\n[[matrix]]\nhosts = [{}]\nmodes = 'm'\n[run]\norder = 'sequential'\nrepetitions = 2\n",
            hosts.join(", ")
        );
        let source = Source {
            name: "x.toml".to_owned(),
            directory: std::path::PathBuf::from(".").into(),
            bytes: text.into_bytes(),
        };
        parse(&source, &[], &Builtin { modes: &[], absent: &[] }).unwrap()
    }

    /// Plays a schedule: begins trials until nothing more can begin; then the oldest running one ends.
    fn play(hosts: &[&str], away: &str) -> Vec<String> {
        let experiment = experiment(hosts);
        let plan = Plan::new(&experiment);
        let tasks = plan.trials().map(|trial| Task { trial, attempt: 1, last: 1, not_before: None });
        let mut schedule = Schedule::new(&plan.hosts(), tasks);
        let now = Instant::now();
        let until = |host: &str| (host == away).then(|| now + Duration::from_secs(1));
        let (mut told, mut running) = (Vec::new(), VecDeque::new());
        loop {
            match schedule.next(now, until) {
                Next::Begin(task) => {
                    told.push(format!("{}#{}", task.trial.cell.settings.hosts, task.trial.repetition));
                    running.push_back(task.trial);
                }
                Next::Wait(wake) => {
                    let Some(trial) = running.pop_front() else {
                        assert_eq!(wake.is_some(), !away.is_empty());
                        return told;
                    };
                    told.push("|".to_owned());
                    schedule.ended(&trial, None);
                }
            }
        }
    }

    #[test]
    fn trials_on_one_host_run_one_after_the_other_in_the_order_of_the_plan() {
        assert_eq!(play(&["a"], ""), ["a#1", "|", "a#2", "|"]);
    }

    #[test]
    fn trials_on_disjoint_hosts_run_side_by_side() {
        assert_eq!(play(&["a", "b"], ""), ["a#1", "b#1", "|", "a#2", "|", "b#2", "|", "|"]);
        assert_eq!(play(&["a>b", "c>d"], "")[..2], ["a → b#1", "c → d#1"]);
    }

    #[test]
    fn nobody_overtakes_who_waits_for_the_same_host() {
        // The pair waits for a; b is free, but the pair comes before b's own trial.
        assert_eq!(play(&["a", "a>b", "b"], "")[..4], ["a#1", "|", "a → b#1", "|"]);
    }

    #[test]
    fn a_host_that_is_away_holds_up_only_those_that_need_it() {
        assert_eq!(play(&["a>b", "b", "c"], "a"), ["b#1", "c#1", "|", "b#2", "|", "c#2", "|", "|"]);
    }

    #[test]
    fn a_trial_that_is_tried_again_keeps_its_place() {
        let experiment = experiment(&["a"]);
        let plan = Plan::new(&experiment);
        let tasks = plan.trials().map(|trial| Task { trial, attempt: 1, last: 2, not_before: None });
        let mut schedule = Schedule::new(&plan.hosts(), tasks);
        let now = Instant::now();
        let Next::Begin(task) = schedule.next(now, |_| None) else { panic!("nothing begins") };
        let later = now + Duration::from_secs(1);
        let again = Task { attempt: 2, not_before: Some(later), ..(*task).clone() };
        schedule.ended(&task.trial, Some(again.clone()));
        assert_eq!(schedule.next(now, |_| None), Next::Wait(Some(later)));
        assert_eq!(schedule.next(later, |_| None), Next::Begin(Box::new(again)));
    }

    #[test]
    fn a_plan_of_any_length_is_not_read_far_ahead() {
        let experiment = experiment(&["a", "b"]);
        let plan = Plan::new(&experiment);
        let first = plan.trials().next().unwrap();
        let mut taken = 0_usize;
        let endless = std::iter::repeat_with(|| {
            taken += 1;
            Task { trial: first.clone(), attempt: 1, last: 1, not_before: None }
        });
        let mut schedule = Schedule::new(&plan.hosts(), endless);
        assert!(matches!(schedule.next(Instant::now(), |_| None), Next::Begin(_)));
        assert_eq!(schedule.next(Instant::now(), |_| None), Next::Wait(None));
        drop(schedule);
        assert_eq!(taken, MOST_WAITING + 1);
    }
}
