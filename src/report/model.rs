//! What a report says, decided before anything is drawn: sections, sentences, figures, tables. Only values.

use serde::Serialize;

use crate::report::scale::Axis;

/// A report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The names of the experiments.
    pub title: String,
    /// How much of what it is made of.
    pub made_of: String,
    /// One for each experiment.
    pub sections: Vec<Section>,
    /// Machines, software and runs.
    pub environment: Vec<DataTable>,
    /// What is missing from the files, and what is odd about them.
    pub remarks: Vec<String>,
}

/// What is said of one experiment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Section {
    /// Its anchor, and the beginning of the names of its figures: lower-case letters, digits, hyphens.
    pub id: String,
    /// The name of the experiment.
    pub experiment: String,
    /// What it was to find out.
    pub question: Option<String>,
    /// The settings that all its cells share.
    pub everywhere: String,
    /// What was found.
    pub answer: Answer,
    /// What is drawn.
    pub figures: Vec<Figure>,
    /// What could not be drawn, and why.
    pub not_drawn: Vec<String>,
    /// The table of the article, with intervals.
    pub table: DataTable,
    /// What a reader must know before quoting anything.
    pub notes: Vec<Note>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// A sentence for each group of cells that can be compared.
    pub findings: Vec<String>,
    /// For each series, where it is highest.
    pub peaks: Option<DataTable>,
    /// Of each cell whose operations were due at a rate, how long they took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latencies: Option<DataTable>,
    /// Where pictures differ in one setting, each cell beside the same one of the first picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<DataTable>,
    /// How it was judged.
    pub rule: String,
}

/// What a reader must know.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Note {
    /// The word in the table, such as `client-bound`.
    pub word: String,
    /// What it means, and how often it was seen.
    pub meaning: String,
    /// Where.
    pub cells: String,
}

/// A table for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DataTable {
    /// What it shows.
    pub caption: String,
    /// Names of the columns, and whether they hold numbers.
    pub columns: Vec<(String, bool)>,
    /// As many fields as columns.
    pub rows: Vec<Vec<String>>,
}

impl DataTable {
    /// A table without rows.
    #[must_use]
    pub fn new(caption: &str, columns: &[(&str, bool)]) -> Self {
        let columns = columns.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect();
        Self { caption: caption.to_owned(), columns, rows: Vec::new() }
    }

    /// The same without the columns that say nothing in any row.
    #[must_use]
    pub fn without_empty_columns(mut self) -> Self {
        for column in (0..self.columns.len()).rev() {
            if self.rows.iter().all(|row| row[column].is_empty()) {
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
    /// A row for each cell.
    Strips,
}

/// A figure: panels that share their axes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Its anchor and the name of its files.
    pub id: String,
    /// What it shows.
    pub title: String,
    /// How to read it.
    pub caption: String,
    /// Curves or strips.
    pub kind: Kind,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis; of strips only its label is used.
    pub y: Axis,
    /// Side by side.
    pub panels: Vec<Panel>,
    /// The same in numbers.
    pub table: DataTable,
}

/// One picture of a figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Panel {
    /// What is the same in all of it; empty where there is only one.
    pub title: String,
    /// Names of the rows of strips, from the top; empty for curves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<String>,
    /// At most [`LOOKS`](crate::report::palette::LOOKS).
    pub series: Vec<Series>,
}

/// What has one colour.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// Which colour, shape and dashes.
    pub look: usize,
    /// Marks; each piece is joined by a line of its own. The marks of strips are not joined.
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
    /// What it says when it is pointed at or focused.
    pub says: String,
}
