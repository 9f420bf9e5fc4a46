//! Trials as a report finds them.

use orchestrate::analysis::samples::{LABELS, Label, Sample, Samples, Trial};
use orchestrate::report::model::{Ranking, Report, Section};
use orchestrate::report::{self, svg};

/// A cell of an experiment with these trials.
pub(crate) fn cell(mode: &str, workers: u32, values: &[f64]) -> Sample {
    let workers = workers.to_string();
    let value = |name: &&str| match *name {
        "experiment" => "small".to_owned(),
        "cell" => format!("{mode}-{workers}"),
        "mode" => mode.to_owned(),
        "workers_asked" | "workers" => workers.clone(),
        "client_host" | "server_host" => "here".to_owned(),
        "server" => "redis".to_owned(),
        _ => String::new(),
    };
    let trials = (1..).zip(values).map(|(repetition, ops_per_s)| Trial {
        repetition,
        position: repetition.into(),
        ops_per_s: *ops_per_s,
        ..Trial::default()
    });
    Sample {
        label: Label { values: LABELS.iter().map(value).collect() },
        trials: trials.collect(),
        ..Sample::default()
    }
}

/// The same cell with other labels.
pub(crate) fn with(mut cell: Sample, labels: &[(&str, &str)]) -> Sample {
    for (column, value) in labels {
        let at = LABELS.iter().position(|label| label == column).expect("it is a column");
        (*value).clone_into(&mut cell.label.values[at]);
    }
    cell
}

pub(crate) fn samples(cells: Vec<Sample>) -> Samples {
    Samples { runs: vec!["run-1".to_owned()], samples: cells, remarks: Vec::new() }
}

pub(crate) fn report(cells: Vec<Sample>) -> Report {
    report::build(&samples(cells), &[])
}

pub(crate) fn section(cells: Vec<Sample>) -> Section {
    report(cells).sections.remove(0)
}

pub(crate) fn answer(cells: Vec<Sample>) -> String {
    section(cells).answer.text()
}

pub(crate) const SLOW: [f64; 6] = [1000.0, 1010.0, 1020.0, 1015.0, 1005.0, 1012.0];
pub(crate) const FAST: [f64; 6] = [2000.0, 2010.0, 2020.0, 2015.0, 2005.0, 2012.0];
pub(crate) const ALIKE: [f64; 6] = [2001.0, 2011.0, 2021.0, 2016.0, 2004.0, 2013.0];

/// Place and name of each row of a ranking.
pub(crate) fn names(ranking: &Ranking) -> Vec<String> {
    let rows = ranking.groups.iter().flat_map(|group| &group.rows);
    rows.map(|row| format!("{} {}", row.place, row.name)).collect()
}

/// Every figure as it is written for an article.
pub(crate) fn articles(report: &Report) -> Vec<String> {
    let of = |section: &Section| -> Vec<String> {
        let article = |figure| svg::article(figure, &section.glance.key, &section.footer);
        section.figures().map(article).collect()
    };
    report.sections.iter().flat_map(of).collect()
}
