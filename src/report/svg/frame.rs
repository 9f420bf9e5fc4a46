//! How large a picture is, and where in it a value lies.

use super::Form;
use super::text::{name_lines, width};
use crate::report::model::{Figure, Kind, Panel};
use crate::report::scale::Axis;

/// The size of the text of ticks and names.
pub(super) const TEXT: f64 = 11.5;

/// From one line of a name to the next.
pub(super) const LINE: f64 = 13.0;

/// How many ticks there may be along y.
pub(super) const Y_TICKS: usize = 6;

pub(super) struct Frame {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    /// The name of each row of strips, in lines.
    pub(super) names: Vec<Vec<String>>,
    /// From one row of strips to the next.
    row: f64,
}

impl Frame {
    pub(super) fn of(figure: &Figure, panel: &Panel, form: Form) -> Self {
        let width_of = |form| if form == Form::Wide { 760.0 } else { 372.0 };
        let full = width_of(form);
        match figure.kind {
            Kind::Curves => {
                let ticks = figure.y.ticks(Y_TICKS);
                let left = ticks.iter().map(|(_, name)| width(name, TEXT)).fold(14.0, f64::max) + 10.0;
                let names = panel.series.iter().filter(|series| series.is_named);
                let longest = names.map(|series| width(&series.name, TEXT)).fold(0.0, f64::max);
                let margin = if longest > 0.0 { (longest + 30.0).min(full * 0.3) } else { 12.0 };
                let height = match (form, panel.series.iter().any(|series| series.is_named)) {
                    (Form::Wide, true) => 470.0,
                    (Form::Wide, false) => 260.0,
                    (Form::Narrow, true) => 208.0,
                    (Form::Narrow, false) => 178.0,
                };
                let foot = if figure.x.label.is_empty() { 22.0 } else { 34.0 };
                Self {
                    width: full,
                    height,
                    left,
                    right: full - margin,
                    top: 8.0,
                    bottom: height - foot,
                    names: Vec::new(),
                    row: 0.0,
                }
            }
            Kind::Strips => {
                let names: Vec<Vec<String>> =
                    panel.rows.iter().map(|row| name_lines(row, full * 0.46 - 8.0, TEXT)).collect();
                let widest = names.iter().flatten().map(|line| width(line, TEXT)).fold(0.0, f64::max);
                let lines = names.iter().map(Vec::len).max().unwrap_or_default();
                let left = (widest + 14.0).min(full * 0.46);
                let has_names = panel
                    .series
                    .iter()
                    .any(|series| series.pieces.iter().flatten().any(|m| !m.name.is_empty()));
                let has_lanes = panel
                    .series
                    .iter()
                    .flat_map(|series| series.pieces.iter().flatten())
                    .any(|mark| mark.y.fract().abs() > 0.01);
                let row = match (has_names, has_lanes) {
                    (true, _) => 38.0,
                    (false, true) => 24.0,
                    (false, false) => 18.0_f64,
                };
                let row = row.max(LINE * lines as f64 + 5.0);
                let bottom = 8.0 + row * panel.rows.len() as f64;
                Self {
                    width: full,
                    height: bottom + 22.0,
                    left,
                    right: full - 16.0,
                    top: 8.0,
                    bottom,
                    names,
                    row,
                }
            }
        }
    }

    pub(super) fn x(&self, axis: &Axis, value: f64) -> f64 {
        self.left + axis.fraction(value) * (self.right - self.left)
    }

    pub(super) fn y(&self, figure: &Figure, value: f64) -> f64 {
        match figure.kind {
            Kind::Curves => self.bottom + figure.y.fraction(value) * (self.top - self.bottom),
            Kind::Strips => self.top + self.row * (value + 0.5),
        }
    }
}
