//! The whole way from files to an [`Experiment`]: what was read, what it means, and what is wrong with it, all at once.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::DeTable;

use super::axes::{DraftAxis, axes, only_one, place};
use super::constraints::CellChecks;
use super::deserialize::{Document, read};
use super::diagnose::{Diagnostics, Findings};
use super::file::{self, File, Included};
use super::given::{Factors, Form, Given};
use super::grid::Budget;
use super::literals::{RepetitionsForm, Until};
use super::matrix::{Base, Draft};
use super::source::{Source, resolved_text};
use super::spanned::{At, Many};
use super::tables::{Names, TablesOf, is_safe_name, rule_for};
use super::{Builtin, Experiment, Factor, Labels, Order, Repetitions, RunSpec, Settings};
use crate::setting::Scalar;
use crate::units::{Nanos, without_comma};
use crate::untrusted::lines;

/// More tables than this are better written as lists.
const MOST_MATRICES: usize = 200;

/// Levels that may be looked at in all questions about cells; about a second.
const BUDGET: u64 = 50_000_000;

/// Reads an experiment file together with the files it includes, which are given in the order of
/// [`includes`](super::includes). `builtin` are the modes that need no table.
///
/// # Errors
/// Everything that is wrong with the files, each with its place. Broken syntax hides what depends on meaning: that is
/// said only of files that can be read.
pub fn parse(main: &Source, included: &[Source], builtin: &Builtin<'_>) -> Result<Experiment, Diagnostics> {
    let mut findings = Findings::new(std::iter::once(main).chain(included));
    let document: Document<File> = read(&mut findings, 0, main);
    let parts: Vec<Document<Included>> =
        included.iter().zip(1..).map(|(source, index)| read(&mut findings, index, source)).collect();
    let legible = !document.damage.is_total() && !parts.iter().any(|part| part.damage.is_total());
    let experiment = legible.then(|| {
        let mut files = vec![TablesOf {
            source: 0,
            directory: &main.directory,
            damage: &document.damage,
            servers: &document.content.server,
            hosts: &document.content.host,
            modes: &document.content.mode,
        }];
        files.extend(included.iter().zip(&parts).zip(1..).map(|((source, part), index)| TablesOf {
            source: index,
            directory: &source.directory,
            damage: &part.damage,
            servers: &part.content.server,
            hosts: &part.content.host,
            modes: &part.content.mode,
        }));
        let names = Names::new(&mut findings, &files, builtin);
        if let (Some(include), false) = (&document.content.include, included.is_empty()) {
            joinable(&mut findings, include, main, included);
        }
        experiment(&mut findings, &document, names)
    });
    findings.into_result()?;
    Ok(experiment.flatten().expect("an experiment without an error is complete"))
}

/// What is kept of a run must be one text; tables written inline cannot be continued by those of another file.
fn joinable(findings: &mut Findings, include: &At<Vec<At<String>>>, main: &Source, included: &[Source]) {
    if findings.len() == 0 && DeTable::parse(&resolved_text(main, included)).is_err() {
        findings
            .error(&place(&include.span), "the included tables cannot be joined to those of this file")
            .help("write modes, servers and hosts under headers such as [mode.NAME], not inline");
    }
}

fn experiment(findings: &mut Findings, document: &Document<File>, names: Names<'_>) -> Option<Experiment> {
    let Document { content: file, damage } = document;
    let before = findings.len();
    let name = name(findings, file.name.as_ref(), damage.affects("name"));
    let base = base(findings, file, &names);
    let run = run(findings, file.run.as_ref().map(|run| &*run.value));
    if file.matrix.is_empty() && !damage.affects("matrix") {
        findings
            .error_in(0, "no [[matrix]]: nothing to run")
            .help("a table [[matrix]] alone runs every mode of redis-rs once with one worker");
    }
    if file.matrix.len() > MOST_MATRICES {
        let place = place(&file.matrix[MOST_MATRICES].span);
        findings.error(&place, format!("more than {MOST_MATRICES} [[matrix]] tables"));
        return None;
    }
    let common = damage.affects("workload") || damage.affects("run") || findings.len() != before;
    let mut drafts = Vec::new();
    for (i, table) in file.matrix.iter().enumerate() {
        given_twice(findings, file, &table.value);
        drafts.extend(Draft::new(findings, table, &names, &base, (damage, i)));
    }
    // What the cells have in common is wrong, and so would be every cell.
    if !common {
        let mut checks = CellChecks { findings, names: &names, budget: Budget(BUDGET) };
        let mut cells: u128 = 0;
        for draft in &drafts {
            cells = cells.saturating_add(checks.matrix(draft));
        }
        checks.duplicates(&drafts);
        if let Some(first) = drafts.first() {
            checks.trials(cells + u128::from(run.control), run.repetitions.most(), &first.place);
        }
    }
    Some(Experiment {
        name: name?,
        question: file.question.as_ref().map(|question| lines(&question.value).into_owned()),
        matrices: drafts.into_iter().map(Draft::finish).collect(),
        servers: names.servers,
        hosts: names.hosts,
        modes: names.modes,
        run,
    })
}

fn name(findings: &mut Findings, name: Option<&At<String>>, damaged: bool) -> Option<String> {
    let Some(name) = name else {
        if !damaged {
            findings
                .error_in(0, "the experiment has no name")
                .help("write name = \"…\" at the top; results go to results/<name>/");
        }
        return None;
    };
    if !is_safe_name(&name.value) {
        findings
            .error(&place(&name.span), "not a valid name for an experiment")
            .label("results go to a directory of this name")
            .help(rule_for(&name.value));
        return None;
    }
    Some(name.value.clone())
}

/// A matrix that varies a setting by one key where [workload] gives it by another.
fn given_twice(findings: &mut Findings, file: &File, matrix: &Factors<true>) {
    let Some(workload) = &file.workload else { return };
    for first in &workload.value.given {
        let other_key = |second: &&Given| second.factor == first.factor && second.key.name != first.key.name;
        if let Some(second) = matrix.given.iter().find(other_key) {
            only_one(findings, first, second);
        }
    }
}

/// The settings of every cell before any level is applied.
fn base(findings: &mut Findings, file: &File, names: &Names<'_>) -> Base {
    let mut base = Base {
        settings: Settings::defaults(),
        levels: BTreeMap::new(),
        places: BTreeMap::new(),
        timeout: (Nanos::from_secs(60), None),
    };
    let mut given: Vec<Given> = Vec::new();
    if let Some(At { value: table, .. }) = &file.workload {
        given.extend(table.given.iter().cloned());
    }
    if let Some(At { value: table, .. }) = &file.run {
        let placement = table.placement.clone().map(|at| at.map(|form| Form::Placements(Many::One(form))));
        let warmup = table.warmup.clone().map(|at| at.map(|form| Form::Warmups(Many::One(form))));
        for (factor, form) in [(Factor::Placement, placement), (Factor::Warmup, warmup)] {
            given.extend(form.map(|form| Given { factor, key: &factor.setting().keys[0], form }));
        }
        if let Some(At { value: time, span }) = &table.timeout {
            if time.0 == Nanos(0) {
                findings.error(&place(span), "no trial can end within no time");
            }
            base.timeout = (time.0, Some(place(span)));
        }
    }
    // What has one value is an axis of one level.
    for DraftAxis { factor, place, levels, .. } in axes(findings, names, &|_| true, &given) {
        for level in levels {
            factor.set(&mut base.settings, level);
        }
        base.places.insert(factor, place);
    }
    let levels = Factor::ALL.iter().filter_map(|&factor| Some((factor, factor.get(&base.settings)?)));
    base.levels = levels.collect();
    base
}

fn run(findings: &mut Findings, table: Option<&file::Run>) -> RunSpec {
    let default = file::Run::default();
    let table = table.unwrap_or(&default);
    RunSpec {
        repetitions: table
            .repetitions
            .as_ref()
            .and_then(|form| repetitions(findings, form))
            .unwrap_or(Repetitions::Fixed(5)),
        order: table.order.as_ref().map_or(Order::ShuffledBlocks, |order| order.value),
        seed: table.seed.as_ref().map_or(20_170_309, |seed| seed.value),
        timeout: table.timeout.as_ref().map_or(Nanos::from_secs(60), |timeout| timeout.value.0),
        retries: table.retries.as_ref().map_or(1, |retries| {
            if retries.value > MOST_RETRIES {
                findings.error(&place(&retries.span), format!("`retries` is at most {MOST_RETRIES}"));
            }
            retries.value.min(MOST_RETRIES)
        }),
        control: table.control.as_ref().is_some_and(|control| control.value),
        labels: labels(findings, &table.labels),
    }
}

fn labels(findings: &mut Findings, table: &BTreeMap<String, At<Scalar>>) -> Labels {
    let mut labels = Labels::default();
    for (name, value) in table {
        if let Err(error) = labels.set(name, &value.value.to_string()) {
            findings.error(&place(&value.span), error.to_string());
        }
    }
    labels
}

/// A trial that failed so often will not succeed.
const MOST_RETRIES: u32 = 1000;

fn repetitions(findings: &mut Findings, form: &At<RepetitionsForm>) -> Option<Repetitions> {
    match &form.value {
        RepetitionsForm::Fixed(n) => match u32::try_from(*n) {
            Ok(n @ 1..) => Some(Repetitions::Fixed(n)),
            _ => {
                findings.error(&place(&form.span), "`repetitions` must be from 1 to 4294967295");
                None
            }
        },
        RepetitionsForm::Until(until) => repetitions_until(findings, until),
    }
}

fn repetitions_until(findings: &mut Findings, until: &Until) -> Option<Repetitions> {
    let before = findings.len();
    let mut wrong = |span: &Range<usize>, message: &str| {
        findings.error(&place(span), message);
    };
    let (min, max) = (until.min.value, until.max.value);
    if min == 0 {
        wrong(&until.min.span, "`min` is at least 1");
    }
    if min > max {
        wrong(&until.max.span, "`max` is smaller than `min`");
    }
    if let Err(why) = without_comma(&until.until.value) {
        wrong(&until.until.span, &why);
        return None;
    }
    let percent = until.until.value.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    match percent {
        Some(percent) if percent > 0.0 && percent < 100.0 => {
            (findings.len() == before).then_some(Repetitions::Until { min, max, precision: percent / 100.0 })
        }
        _ => {
            wrong(&until.until.span, "`until` is a percentage between 0% and 100%, such as \"2%\"");
            None
        }
    }
}
