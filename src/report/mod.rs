//! Turns what was found into text for readers. Does no I/O: the caller decides where a text goes.
//!
//! [`build`] decides what a report says; [`terminal`], [`markdown`], [`html`], [`svg`] and [`png`] show it.

pub mod answer;
pub mod caveats;
pub mod cells;
pub mod cells_table;
pub mod compare;
pub mod compare_data;
pub mod details;
pub mod environment;
pub mod facet_contrast;
pub mod facets;
pub mod facts;
pub mod first_block;
pub mod gate;
pub mod glance;
pub mod heat;
pub mod html;
pub mod judge;
pub mod levels;
pub mod looks;
pub mod machines;
pub mod markdown;
pub mod measure;
pub mod model;
pub mod numbers;
mod open_loop;
pub mod palette;
#[cfg(feature = "png")]
pub mod png;
pub mod ranking;
pub mod scale;
pub mod sides;
pub mod svg;
pub mod terminal;
pub mod trust;
pub mod words;

use std::collections::HashSet;

use crate::analysis::samples::{Sample, Samples};
use crate::report::facets::Layout;
use crate::report::looks::Looks;
use crate::report::model::{Details, Note, Report, Section, Sentence};
use crate::report::numbers::{count, list};
use crate::results::provenance::Provenance;
use crate::results::rebuild::Rebuilt;
use crate::results::sidecar_files::{Curve, SidecarFiles};

/// Decides what a report on these trials says.
#[must_use]
pub fn build(samples: &Samples, sidecars: &[SidecarFiles]) -> Report {
    let mut names: Vec<&str> = Vec::new();
    for sample in &samples.samples {
        let name = sample.label.get("experiment").unwrap_or("no experiment");
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut ids = HashSet::new();
    let sections =
        names.iter().map(|name| section(name, fresh_id(name, &mut ids), samples, sidecars)).collect();
    let trials: usize = samples.samples.iter().map(|sample| sample.trials.len()).sum();
    let failed: usize = samples.samples.iter().map(|sample| sample.failures.len()).sum();
    let mut made_of = format!(
        "{} of {} in {}",
        count(trials, "trial"),
        count(samples.samples.len(), "cell"),
        count(samples.runs.len(), "run")
    );
    if failed > 0 {
        made_of += &format!("; {} did not end well", count(failed, "attempt"));
    }
    let mut remarks = samples.remarks.clone();
    remarks.extend(sidecars.iter().flat_map(|files| files.remarks.clone()));
    let title = if names.is_empty() {
        "No trials".to_owned()
    } else {
        list(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), 6)
    };
    Report { title, made_of, sections, environment: environment::environment(samples, sidecars), remarks }
}

/// The same for a run whose tables were just made. Its attempts are in memory, so no table is read back.
#[must_use]
pub fn of_run(rebuilt: &Rebuilt, question: Option<String>) -> Report {
    let files = SidecarFiles {
        experiment: Some(rebuilt.provenance.experiment.clone()),
        question,
        provenance: Some(rebuilt.provenance.clone()),
        curves: rebuilt.curves.clone(),
        remarks: Vec::new(),
    };
    build(&rebuilt.samples, &[files])
}

fn section(name: &str, id: String, samples: &Samples, sidecars: &[SidecarFiles]) -> Section {
    let is_of = |sample: &&Sample| sample.label.get("experiment").unwrap_or("no experiment") == name;
    // A control repeats another cell and does not compete with it; it would also make a picture of its own.
    let (controls, here): (Vec<&Sample>, Vec<&Sample>) =
        samples.samples.iter().filter(is_of).partition(|sample| sample.is_control());
    let one = machines::one_machine(&here, samples);
    let here: Vec<&Sample> = one.as_ref().map_or(here, |(kept, _)| kept.iter().collect());
    let layout = Layout::of(&here);
    let about: Vec<&SidecarFiles> =
        sidecars.iter().filter(|files| files.experiment.as_deref() == Some(name)).collect();
    let session = about.iter().filter_map(|files| files.provenance.as_ref()?.sessions.last()).next_back();
    let modes = session.map(|session| session.modes.clone()).unwrap_or_default();
    let curves: Vec<&Curve> =
        sidecars.iter().flat_map(|b| &b.curves).filter(|curve| curve.experiment == name).collect();
    let cells = cells::cells(&here, &layout, &modes);
    let looks = Looks::of(&cells, glance::is_lines(&cells, &layout));
    let contrast = facet_contrast::facet_contrast(&cells, &layout);
    let mut notes = caveats::notes(&cells);
    let first_block = first_block::notes(&here, samples);
    notes.extend(first_block.clone());
    notes.extend(controls.iter().filter_map(|control| caveats::control(control, &cells)));
    notes.extend(skipped(&about));
    let of_machines = one.iter().map(|(_, said)| said.clone());
    let beforehand = unfinished(&about).into_iter().chain(of_machines).collect();
    let intervals = cells.iter().filter(|cell| cell.interval.is_some()).count();
    // Where only the runs of one machine are shown, what is said about machines is about that one.
    let runs: HashSet<u32> =
        cells.iter().flat_map(|cell| &cell.sample.trials).map(|trial| trial.run).collect();
    let is_shown = |files: &&SidecarFiles| {
        let run = files.provenance.as_ref().map(|provenance| &provenance.run_id);
        run.is_none_or(|run| {
            let of = samples.runs.iter().position(|known| known == run);
            of.is_none_or(|of| one.is_none() || runs.contains(&(of as u32)))
        })
    };
    let shown: Vec<&SidecarFiles> = about.iter().copied().filter(is_shown).collect();
    Section {
        experiment: name.to_owned(),
        question: about.iter().find_map(|files| files.question.clone()),
        answer: answer::answer(&cells, &layout, contrast.as_ref()),
        trust: trust::trust(&id, &cells, beforehand, first_block.first().map(|note| note.meaning.clone())),
        facts: facts::facts(&cells, &layout, &shown),
        glance: glance::glance(&id, &cells, &layout, &looks, contrast.as_ref()),
        rankings: ranking::rankings(&cells, &layout, &looks),
        cells: cells_table::cells_table(&cells, &layout, &looks),
        details: Details {
            heat: heat::heat(&cells, &layout, &looks),
            latency: details::latency(&id, &cells, &curves, &looks),
            costs: details::costs(&cells),
            beside: contrast.as_ref().map(|contrast| contrast.table(&cells)),
            differs: details::differs(&cells),
            drift: details::drift(&id, &cells, &samples.runs),
            rule: answer::rule(intervals, contrast.is_some()),
            notes,
            everywhere: layout.everywhere.clone(),
        },
        footer: facts::footer(name, &cells, &shown),
        id,
    }
}

/// Runs of which not every trial was carried out. A run that goes on is one of them.
fn unfinished(about: &[&SidecarFiles]) -> Option<Sentence> {
    let runs = about.iter().filter_map(|files| files.provenance.as_ref());
    let open: Vec<&Provenance> = runs.filter(|run| !run.is_complete()).collect();
    match open.as_slice() {
        [] => None,
        [run] => {
            let planned = run.sessions.last().map_or(0, |session| session.planned_trials);
            Some(Sentence::new(
                "Unfinished:",
                format!(
                    "not all of the {planned} trials of run {} were carried out. The same command continues it.",
                    run.run_id
                ),
            ))
        }
        several => {
            let names: Vec<String> = several.iter().map(|run| run.run_id.clone()).collect();
            let runs = count(several.len(), "run");
            Some(Sentence::new(
                "Unfinished:",
                format!("not all trials of {runs} were carried out ({}).", list(&names, 3)),
            ))
        }
    }
}

/// Modes whose trials were left out, each named once.
fn skipped(about: &[&SidecarFiles]) -> Vec<Note> {
    let sessions = about.iter().filter_map(|files| files.provenance.as_ref()).flat_map(|p| &p.sessions);
    let mut notes: Vec<Note> = Vec::new();
    for skipped in sessions.flat_map(|session| &session.skipped) {
        let note = Note {
            word: "skipped".to_owned(),
            meaning: skipped.clone(),
            cells: String::new(),
            is_of_run: true,
        };
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes
}

/// An anchor that no other section has.
fn fresh_id(name: &str, taken: &mut HashSet<String>) -> String {
    let slug: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(60)
        .collect();
    let slug = if slug.trim_matches('-').is_empty() { "experiment" } else { slug.trim_matches('-') };
    let mut id = format!("e-{slug}");
    let mut next = 2;
    while !taken.insert(id.clone()) {
        id = format!("e-{slug}-{next}");
        next += 1;
    }
    id
}
