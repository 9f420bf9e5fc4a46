//! The dots of one row of a ranking, and the axis above them. The same row also gives what they show as numbers.

use std::fmt::Write;

use super::text::{escape, round};
use crate::report::model::Spot;
use crate::report::palette::shape;
use crate::report::scale::Axis;

/// The width of the column on a desktop screen.
const WIDTH: f64 = 250.0;
const MARGIN: f64 = 6.0;

/// From one lane to the next.
const LANE: f64 = 15.0;

fn place(axis: &Axis, value: f64) -> f64 {
    round(MARGIN + axis.fraction(value) * (WIDTH - 2.0 * MARGIN))
}

fn grid(axis: &Axis, height: f64) -> String {
    let lines: String =
        axis.ticks(5).iter().map(|(value, _)| format!("M{} 0V{height}", place(axis, *value))).collect();
    format!("<path class=\"grid\" d=\"{lines}\"/>")
}

/// A lane for each cell: trials, interval, median. Of two cells, the first is drawn hollow.
#[must_use]
pub fn strip(axis: &Axis, lanes: &[(&[f64], Spot)], look: usize) -> String {
    let height = LANE * lanes.len() as f64 + 5.0;
    let mut out = format!(
        "<svg class=\"strip s c{look}\" aria-hidden=\"true\" viewBox=\"0 0 {WIDTH} {height}\">{}",
        grid(axis, height)
    );
    for (at, (dots, mark)) in lanes.iter().enumerate() {
        let y = round(LANE * (at as f64 + 0.5) + 2.5);
        let dots: String = dots
            .iter()
            .filter(|value| value.is_finite())
            .map(|value| format!("M{} {y}h0", place(axis, *value)))
            .collect();
        if !dots.is_empty() {
            let _ = write!(out, "<path class=\"d\" d=\"{dots}\"/>");
        }
        let Some((median, interval)) = *mark else { continue };
        if let Some((low, high)) = interval {
            let _ =
                write!(out, "<path class=\"bar\" d=\"M{} {y}H{}\"/>", place(axis, low), place(axis, high));
        }
        let class = if lanes.len() > 1 && at == 0 { " class=\"o\"" } else { "" };
        let _ = write!(
            out,
            "<path{class} d=\"{}\" transform=\"translate({} {y})\"/>",
            shape(look),
            place(axis, median)
        );
    }
    out + "</svg>"
}

/// The ticks above all strips of a ranking.
#[must_use]
pub fn strip_axis(axis: &Axis) -> String {
    let mut out = format!("<svg class=\"strip\" aria-hidden=\"true\" viewBox=\"0 0 {WIDTH} 16\">");
    for (value, label) in axis.ticks(5) {
        let x = place(axis, value).clamp(10.0, WIDTH - 12.0);
        let _ = write!(
            out,
            "<text class=\"tick\" x=\"{x}\" y=\"11\" text-anchor=\"middle\" font-size=\"10.5\">{}</text>",
            escape(&label)
        );
    }
    out + "</svg>"
}
