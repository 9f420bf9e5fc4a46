//! What a user sees while trials run: one line that is rewritten on a terminal, a line per trial elsewhere.
//!
//! Drawn only between trials: nothing of ours wakes while a trial is measured.

use std::io::Write;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::TalkArgs;
use crate::commands::console;
use crate::experiment::{Factor, Settings, words};
use crate::plan::{Plan, PlannedTrial};
use crate::record::{Status, TrialRecord};

/// The line that is rewritten, if there is one. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// A line on standard error if that is a terminal and the user wants to see one.
    pub(super) fn new(talk: &TalkArgs) -> Self {
        let shown = console::is_terminal() && !talk.quiet && !talk.json_logs;
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template("{bar:24} {pos}/{prefix}{len} {wide_msg}")
            .expect("the template is a constant")
            .progress_chars("━╸ ");
        Self(ProgressBar::with_draw_target(Some(0), target).with_style(style))
    }

    /// Runs `print` while the line is out of the way.
    pub(super) fn suspended<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }
}

/// Follows a run from trial to trial.
#[derive(Debug)]
pub(super) struct Progress {
    bar: Bar,
    /// Whether a line per trial is printed.
    lines: bool,
    /// Whether failures are reported even so.
    failures: bool,
    /// The most there can be, if the precision reached decides.
    total: u64,
    /// Whether there may be fewer.
    open: bool,
    done: u64,
    /// Trials that this session finished, and since when it has been running them.
    finished_here: u32,
    since: Instant,
    /// For the time left before anything was measured.
    estimate: Duration,
    /// The factors that vary beside mode and workers.
    others: Vec<Factor>,
}

impl Progress {
    /// `done` of the plan's trials need nothing more.
    pub(super) fn new(bar: Bar, talk: &TalkArgs, plan: &Plan<'_>, done: u64) -> Self {
        let total = plan.trial_count();
        let named = |factor: &Factor| !matches!(factor, Factor::Mode | Factor::Workers);
        let open = plan.least_blocks() < plan.blocks();
        bar.0.set_length(total);
        bar.0.set_prefix(up_to(open));
        bar.0.set_position(done);
        let plain = bar.0.is_hidden() && !talk.quiet && !talk.json_logs;
        Self {
            bar,
            lines: plain,
            failures: !talk.quiet && !talk.json_logs,
            total,
            open,
            done,
            finished_here: 0,
            since: Instant::now(),
            estimate: plan.estimate(plan.blocks()).duration(),
            others: plan.varying().into_iter().filter(named).collect(),
        }
    }

    /// What tells a trial from others: mode, workers, whatever else varies, the repetition, and whether it is the control's.
    fn name(&self, settings: &Settings, repetition: u32, control: bool) -> String {
        // What is not set needs no word here.
        let others = self.others.iter().filter_map(|factor| Some(format!(" {}", factor.get(settings)?)));
        let control = if control { " (control)" } else { "" };
        let others = others.collect::<String>();
        format!("{} ×{}{others} #{repetition}{control}", settings.mode, settings.workers)
    }

    /// A mode is being prepared, which may take long the first time.
    pub(super) fn prepares(&self, mode: &str, command: &[String]) {
        if !command.is_empty() {
            self.bar.0.set_message(format!("preparing {mode}: {}", words(command)));
            self.bar.0.tick();
        }
    }

    /// Runs `print` while the line is out of the way.
    pub(super) fn suspended<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspended(print)
    }

    /// No trial is done after all.
    pub(super) fn start_over(&mut self) {
        self.done = 0;
        self.bar.0.set_position(0);
    }

    /// Trials begin: time counts from here.
    pub(super) fn begin(&mut self) {
        self.since = Instant::now();
    }

    pub(super) fn attempt_begins(&self, trial: &PlannedTrial, attempt: u32) {
        let again = if attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
        let name = self.name(&trial.cell.settings, trial.repetition, trial.cell.control_of.is_some());
        self.bar.0.set_message(format!("{name}{again} · {}", self.left()));
        self.bar.0.tick();
    }

    pub(super) fn attempt_ended(&mut self, record: &TrialRecord, again: bool) {
        let interrupted = record.status == Status::Interrupted;
        if !again && !interrupted {
            self.done += 1;
            self.finished_here += 1;
            self.bar.0.set_position(self.done);
        }
        let told = if record.status == Status::Ok { self.lines } else { self.failures };
        if told {
            let text = self.line(record, again);
            // Nobody is left to be told if this fails.
            let _ = self.bar.suspended(|| writeln!(anstream::stderr(), "{text}"));
        }
    }

    /// Takes the line away.
    pub(super) fn end(&self) {
        self.bar.0.finish_and_clear();
    }

    fn line(&self, record: &TrialRecord, again: bool) -> String {
        let what = self.name(&record.settings, record.repetition, record.control_of.is_some());
        let outcome = match (&record.measured, &record.error) {
            (Some(measured), _) => {
                let noun = record.settings.workload.kind.workload().noun;
                let unit = if noun == "operations" { "ops" } else { noun };
                format!("ok  {:.0} {unit}/s{}", measured.ops_per_s(), flags(record))
            }
            (None, error) => {
                let error = error.as_deref().unwrap_or("no reason is known");
                let next = if again { " (trying again)" } else { "" };
                format!("{}: {error}{next}", record.status)
            }
        };
        let width = self.total.to_string().len();
        let up_to = up_to(self.open);
        format!("[{:>width$}/{up_to}{}] {what:<24} {outcome} · {}", self.done, self.total, self.left())
    }

    /// How much time is left, from what this session's trials took; from the plan before there were any.
    ///
    /// In shuffled blocks the trials done are a fair sample of those to come, so their mean is an honest guess.
    fn left(&self) -> String {
        let to_do = (self.total - self.done) as f64;
        let each = if self.finished_here == 0 {
            self.estimate.as_secs_f64() / self.total as f64
        } else {
            self.since.elapsed().as_secs_f64() / f64::from(self.finished_here)
        };
        if to_do == 0.0 {
            return "none left".to_owned();
        }
        let about = if self.open { "at most" } else { "about" };
        format!("{about} {} left", rough(Duration::from_secs_f64((to_do * each).min(1e15))))
    }
}

/// What precedes a number of trials that need not all be carried out.
const fn up_to(open: bool) -> &'static str {
    if open { "≤" } else { "" }
}

fn flags(record: &TrialRecord) -> String {
    record.flags.iter().map(|flag| format!(" [{}]", flag.word())).collect()
}

/// A duration as people say it: `45s`, `12m 5s`, `3h 20m`, `6d 4h`.
pub(super) fn rough(duration: Duration) -> String {
    let secs = duration.as_secs();
    let (days, hours, minutes) = (secs / 86_400, secs / 3_600 % 24, secs / 60 % 60);
    match secs {
        0 => "1s".to_owned(),
        1..60 => format!("{secs}s"),
        60..3_600 => format!("{minutes}m {}s", secs % 60),
        3_600..86_400 => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::rough;

    #[test]
    fn durations_are_said_as_people_say_them() {
        let said: Vec<String> =
            [0, 45, 725, 12_000, 532_800].map(|secs| rough(Duration::from_secs(secs))).into();
        assert_eq!(said, ["1s", "45s", "12m 5s", "3h 20m", "6d 4h"]);
    }
}
