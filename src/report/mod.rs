//! What was found becomes text for readers. Does no I/O: whoever asks for a text decides where it goes.
//!
//! [`build`] decides what a report says; [`html`], [`markdown`], [`draw`] and [`png`] show it.

pub mod against;
pub mod compare;
pub mod compare_data;
pub mod answer;
pub mod cells;
pub mod draw;
pub mod environment;
pub mod facets;
pub mod figures;
pub mod gate;
pub mod first_block;
pub mod html;
pub mod markdown;
pub mod model;
pub mod notes;
pub mod numbers;
mod open_loop;
pub mod palette;
#[cfg(feature = "png")]
pub mod png;
pub mod scale;
pub mod table;

use std::collections::HashSet;

use crate::analysis::samples::{Sample, Samples};
use crate::report::facets::Layout;
use crate::report::model::{Report, Section};
use crate::report::numbers::{count, list};
use crate::results::beside::{Beside, Curve};

/// Decides what a report on these trials says.
#[must_use]
pub fn build(samples: &Samples, beside: &[Beside]) -> Report {
    let mut names: Vec<&str> = Vec::new();
    for sample in &samples.samples {
        let name = sample.label.get("experiment").unwrap_or("no experiment");
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut ids = HashSet::new();
    let sections =
        names.iter().map(|name| section(name, fresh_id(name, &mut ids), samples, beside)).collect();
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
    remarks.extend(beside.iter().flat_map(|beside| beside.remarks.clone()));
    let title = if names.is_empty() {
        "No trials".to_owned()
    } else {
        list(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), 6)
    };
    Report { title, made_of, sections, environment: environment::environment(samples, beside), remarks }
}

fn section(name: &str, id: String, samples: &Samples, beside: &[Beside]) -> Section {
    let is_of = |sample: &&Sample| sample.label.get("experiment").unwrap_or("no experiment") == name;
    // A control repeats another cell: it is no rival of it, and would make a panel of its own.
    let (controls, samples_here): (Vec<&Sample>, Vec<&Sample>) =
        samples.samples.iter().filter(is_of).partition(|sample| sample.is_control());
    let layout = Layout::of(&samples_here);
    let about: Vec<&Beside> =
        beside.iter().filter(|beside| beside.experiment.as_deref() == Some(name)).collect();
    let session = about.iter().filter_map(|beside| beside.provenance.as_ref()?.sessions.last()).next_back();
    let modes = session.map(|session| session.modes.clone()).unwrap_or_default();
    let curves: Vec<&Curve> =
        beside.iter().flat_map(|b| &b.curves).filter(|curve| curve.experiment == name).collect();
    let cells = cells::cells(&samples_here, &layout, &modes);
    let drawn = figures::figures(&id, &cells, &layout, &samples.runs, &curves);
    let mut notes = notes::notes(&cells);
    notes.extend(first_block::notes(&samples_here, samples));
    notes.extend(controls.iter().filter_map(|control| notes::control(control, &cells)));
    for skipped in
        about.iter().filter_map(|b| b.provenance.as_ref()).flat_map(|p| &p.sessions).flat_map(|s| &s.skipped)
    {
        let note = model::Note { word: "skipped".to_owned(), meaning: skipped.clone(), cells: String::new() };
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    Section {
        id,
        experiment: name.to_owned(),
        question: about.iter().find_map(|beside| beside.question.clone()),
        answer: answer::answer(&cells, &layout),
        figures: drawn.figures,
        not_drawn: drawn.not_drawn,
        table: notes::table(&cells, if layout.x == "workers_asked" { "Workers" } else { layout.x_label() }),
        notes,
        everywhere: layout.everywhere,
    }
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
