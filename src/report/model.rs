//! What a report says, decided before anything is shown: sentences, doubts, pictures, rankings, tables. Values only; the
//! terminal, Markdown, HTML and SVG are views of them.

use serde::Serialize;

use crate::report::scale::Axis;

/// A report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The names of the experiments.
    pub title: String,
    /// How much it is made from, as in `30 trials of 6 cells in 1 run`.
    pub made_of: String,
    /// One for each experiment.
    pub sections: Vec<Section>,
    /// Machines, software and runs.
    pub environment: Vec<DataTable>,
    /// What is missing from the files, and what is odd about them.
    pub remarks: Vec<String>,
}

/// What is said about one experiment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Section {
    /// Its anchor, and the beginning of the names of its figures: lower-case letters, digits, hyphens.
    pub id: String,
    /// The name of the experiment.
    pub experiment: String,
    /// What it was to find out.
    pub question: Option<String>,
    /// What was found.
    pub answer: Answer,
    /// What speaks against it.
    pub trust: Trust,
    /// What was run, where, with what and when: each a heading and a few words.
    pub facts: Vec<(String, String)>,
    /// What a reader sees at a glance.
    pub glance: Glance,
    /// The cells sorted by their result, one ranking for each group of cells that can be compared.
    pub rankings: Vec<Ranking>,
    /// Every cell with everything that is known about its throughput.
    pub cells: CellsTable,
    /// What is folded away.
    pub details: Details,
    /// Where the numbers come from, in a line, for the foot of a figure.
    pub footer: String,
}

impl Section {
    /// Every picture, whether it is folded away or not.
    pub fn figures(&self) -> impl Iterator<Item = &Figure> {
        let glance = self.glance.figures.iter().chain(&self.glance.ratios).chain(&self.glance.more);
        glance.chain(&self.details.latency).chain(&self.details.drift).chain(&self.trust.order)
    }
}

/// What was found: two to four sentences, or one for each group of cells.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Answer {
    /// The first sentence gives the answer.
    pub sentences: Vec<Sentence>,
}

impl Answer {
    /// The sentences, one after the other.
    #[must_use]
    pub fn text(&self) -> String {
        self.sentences.iter().map(Sentence::text).collect::<Vec<_>>().join(" ")
    }
}

/// A sentence, or a point of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sentence {
    /// What it comes down to, which is shown in bold; may be empty.
    pub lead: String,
    /// The rest.
    pub rest: String,
}

impl Sentence {
    /// A sentence without a bold beginning.
    #[must_use]
    pub fn plain(rest: impl Into<String>) -> Self {
        Self { lead: String::new(), rest: rest.into() }
    }

    /// A sentence with one.
    #[must_use]
    pub fn new(lead: impl Into<String>, rest: impl Into<String>) -> Self {
        Self { lead: lead.into(), rest: rest.into() }
    }

    /// As running text.
    #[must_use]
    pub fn text(&self) -> String {
        match (self.lead.as_str(), self.rest.as_str()) {
            ("", rest) => rest.to_owned(),
            (lead, "") => lead.to_owned(),
            (lead, rest) if rest.starts_with([',', '.', ';', ':']) => format!("{lead}{rest}"),
            (lead, rest) => format!("{lead} {rest}"),
        }
    }
}

/// How far the numbers can be trusted.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Trust {
    /// The most serious first, and no more than a reader takes in.
    pub points: Vec<Sentence>,
    /// What is said where there are no points.
    pub otherwise: String,
    /// Each trial in the order of the run, relative to the median of its own cell.
    pub order: Option<Figure>,
}

/// What a reader sees at a glance.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Glance {
    /// Which colour and mark belongs to which series, for all pictures of the section.
    pub key: Vec<Key>,
    /// How to read all of them.
    pub hint: String,
    /// Throughput, latency, CPU time, memory, as far as they are known.
    pub figures: Vec<Figure>,
    /// More of the same, which are folded away where there are several groups of cells.
    pub more: Vec<Figure>,
    /// Where pictures differ in one setting: the ratio of each cell to the same one of the first picture.
    pub ratios: Option<Figure>,
    /// What could not be drawn, and why.
    pub not_drawn: Vec<String>,
}

/// An entry of the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Key {
    /// Which series or group it belongs to.
    pub name: String,
    /// Which colour, shape and dashes.
    pub look: usize,
}

/// All series at all places on the horizontal axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Heat {
    /// What its cells have in common; empty if there is only one group.
    pub title: String,
    /// What the numbers are.
    pub caption: String,
    /// The places on the axis.
    pub columns: Vec<String>,
    /// The highest first.
    pub rows: Vec<HeatRow>,
}

/// A series of a [`Heat`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeatRow {
    /// The series.
    pub name: String,
    /// One for each column: the number, and how dark it is; absent where nothing may be quoted.
    pub fields: Vec<Option<(String, usize)>>,
}

/// What is folded away.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Details {
    /// For more series than there are colours.
    pub heat: Vec<Heat>,
    /// Quantiles of latency.
    pub latency: Option<Figure>,
    /// What an operation costs.
    pub costs: Option<DataTable>,
    /// The same cells on different machines or servers, side by side.
    pub beside: Option<DataTable>,
    /// What clients do differently from what was asked for.
    pub differs: Option<DataTable>,
    /// Throughput against the position in the plan.
    pub drift: Option<Figure>,
    /// How it was judged.
    pub rule: String,
    /// All warnings with their meaning.
    pub notes: Vec<Note>,
    /// The settings that all its cells share.
    pub everywhere: String,
}

/// What a reader must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The words in the tables, such as `client CPU saturated`.
    pub word: String,
    /// What it means, and how often it occurred.
    pub meaning: String,
    /// Where.
    pub cells: String,
    /// Whether it is about the run as a whole, and so has no mark in a row.
    pub is_of_run: bool,
}

/// The series of a group of cells, best first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranking {
    /// What its cells have in common; empty if there is only one group.
    pub title: String,
    /// What was found in it, where there are several groups.
    pub finding: String,
    /// How it is sorted and read.
    pub caption: String,
    /// What heads the column of results, with its unit.
    pub result: String,
    /// What heads the column of places on the horizontal axis; empty if they are all the same.
    pub at: String,
    /// The axis of the dots.
    pub axis: Axis,
    /// Rows that are tied stand together.
    pub groups: Vec<Group>,
}

/// Rows of a ranking that belong together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// Such as `Places 2 and 3: not separated`; empty for a row that stands alone.
    pub heading: String,
    /// At least one.
    pub rows: Vec<RankRow>,
}

/// A series in a ranking.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RankRow {
    /// Such as `2–3`; empty if it is not ranked.
    pub place: String,
    /// The series.
    pub name: String,
    /// What it runs on.
    pub about: String,
    /// Its colour.
    pub look: usize,
    /// A line for each place on the horizontal axis that is shown.
    pub lanes: Vec<Lane>,
}

/// One cell in a row of a ranking. Unknown values are `–`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lane {
    /// Where on the horizontal axis.
    pub at: String,
    /// The places of the same series whose intervals overlap with that of this one.
    pub tied: String,
    /// Whether this is the cell by which the series is ranked.
    pub is_best: bool,
    /// The median of the result.
    pub median: String,
    /// Its interval.
    pub interval: String,
    /// The ratio of its median to that of the first in the ranking.
    pub ratio: String,
    /// The interval of that ratio.
    pub ratio_interval: String,
    /// Latencies, CPU times and memory: as many as [`MEASURES`].
    pub measures: Vec<String>,
    /// The values by which columns can be sorted: the result and the measures.
    pub keys: Vec<Option<f64>>,
    /// Each trial, thinned.
    pub dots: Vec<f64>,
    /// Median and interval as numbers.
    pub mark: Spot,
    /// In words, with how many trials.
    pub warnings: Vec<String>,
}

/// What heads the columns of [`Lane::measures`], with their units.
pub const MEASURES: [&str; 5] =
    ["p50, µs", "p99, µs", "client CPU, µs/op", "server CPU, µs/op", "memory, MiB"];

/// Every cell, in the order of the file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CellsTable {
    /// What the numbers are.
    pub caption: String,
    /// Names of the columns, whether they hold numbers, and how soon a narrow view may leave them out.
    pub columns: Vec<CellsColumn>,
    /// One field for each column, and the warnings of the row.
    pub rows: Vec<CellsRow>,
    /// The numbers of the rows, best first; a view without room for all shows the first ones of these.
    pub best_first: Vec<usize>,
    /// The axis of the trials.
    pub axis: Axis,
}

/// A column of [`CellsTable`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CellsColumn {
    /// What heads it.
    pub name: String,
    /// Whether its fields are right-aligned.
    pub number: bool,
    /// The higher, the earlier it is left out; 0 for a column that never is.
    pub spare: u8,
}

/// A row of [`CellsTable`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CellsRow {
    /// One for each column.
    pub fields: Vec<String>,
    /// The words of its [`Note`]s, each with the trials it applies to.
    pub warnings: Vec<Warning>,
    /// Its colour.
    pub look: usize,
    /// Throughput of each trial, thinned.
    pub dots: Vec<f64>,
    /// Median and interval as numbers.
    pub mark: Spot,
}

/// A median and its interval, where they may be quoted.
pub type Spot = Option<(f64, Option<(f64, f64)>)>;

/// Something to know of a cell before it is quoted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// The words of its note.
    pub word: String,
    /// How many of how many trials it applies to; absent where it is about the cell.
    pub trials: Option<(usize, usize)>,
}

impl Warning {
    /// In words, with how many trials; if it is all of them, the number is left out.
    #[must_use]
    pub fn text(&self) -> String {
        match self.trials {
            Some((some, all)) if some < all => format!("{}: {some} of {all}", self.word),
            _ => self.word.clone(),
        }
    }
}

/// A table for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DataTable {
    /// What it shows.
    pub caption: String,
    /// Names of the columns, and whether they hold numbers.
    pub columns: Vec<(String, bool)>,
    /// One field for each column.
    pub rows: Vec<Vec<String>>,
}

impl DataTable {
    /// A table without rows.
    #[must_use]
    pub fn new(caption: &str, columns: &[(&str, bool)]) -> Self {
        let columns = columns.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect();
        Self { caption: caption.to_owned(), columns, rows: Vec::new() }
    }

    /// The same without the columns that are empty or uninformative in every row.
    #[must_use]
    pub fn without_empty_columns(mut self) -> Self {
        for column in (0..self.columns.len()).rev() {
            if self.rows.iter().all(|row| row[column].is_empty() || row[column] == "–") {
                self.columns.remove(column);
                for row in &mut self.rows {
                    row.remove(column);
                }
            }
        }
        self
    }
}

/// What the vertical axis of a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A number: curves.
    Curves,
    /// A row for each series or cell.
    Strips,
}

/// A figure: panels that share their axes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Its anchor and the name of its files.
    pub id: String,
    /// What it shows.
    pub title: String,
    /// Its unit and its scale.
    pub unit: String,
    /// How to read it, where it stands alone.
    pub caption: String,
    /// Curves or strips.
    pub kind: Kind,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis; unused for strips.
    pub y: Axis,
    /// A value that is drawn as a line across: along y for strips, along x for curves.
    pub reference: Option<f64>,
    /// Side by side.
    pub panels: Vec<Panel>,
}

/// One picture of a figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Panel {
    /// What is the same throughout it; empty where there is only one.
    pub title: String,
    /// Names of the rows of strips, from the top; empty for curves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<String>,
    /// The series, each with a colour.
    pub series: Vec<Series>,
}

/// What is drawn in one colour.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    /// What the picture calls it.
    pub name: String,
    /// Which colour, shape and dashes.
    pub look: usize,
    /// Drawn hollow: in strips the marks of the first of two levels, in curves the dots of a cell that may not be quoted.
    pub hollow: bool,
    /// Whether the name stands at the end of the line.
    pub is_named: bool,
    /// Marks; each piece is joined by its own line. The marks of strips are not joined.
    pub pieces: Vec<Vec<Mark>>,
    /// Single observations: x and y.
    pub dots: Vec<(f64, f64)>,
}

/// A value that a reader may ask about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mark {
    /// Where, on the horizontal axis.
    pub x: f64,
    /// Where, on the vertical axis; the number of the row in strips.
    pub y: f64,
    /// The interval: along y for curves, along x for strips.
    pub interval: Option<(f64, f64)>,
    /// The text shown when it is pointed at or focused.
    pub says: String,
    /// A name next to the mark.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
}
