//! Grid, ticks and names of axes. Units are written above a picture, not in it.

use std::fmt::Write;

use super::Dress;
use super::frame::{Frame, LINE, TEXT, Y_TICKS};
use super::text::{round, text, width};
use crate::report::model::{Figure, Kind};

const GRID: &str = "stroke=\"#e3e3e3\"";
const BASE: &str = "stroke=\"#888888\"";

pub(super) fn axes(out: &mut String, figure: &Figure, frame: &Frame, dress: Dress) {
    out.push_str(if dress == Dress::Page { "<g aria-hidden=\"true\">" } else { "<g>" });
    let is_strips = figure.kind == Kind::Strips;
    let (mut grid, mut ticks) = (String::new(), Vec::new());
    for (value, label) in figure.x.ticks(if frame.width > 500.0 { 10 } else { 6 }) {
        let x = frame.x(&figure.x, value);
        if is_strips {
            let _ = write!(grid, "M{} {}V{}", round(x), round(frame.top), round(frame.bottom));
        }
        ticks.push((x, label));
    }
    if !is_strips {
        for (value, label) in figure.y.ticks(Y_TICKS) {
            let y = frame.y(figure, value);
            let _ = write!(grid, "M{} {}H{}", round(frame.left), round(y), round(frame.right));
            text(out, (frame.left - 6.0, y + 4.0), "end", TEXT, &label, dress, "tick");
        }
    }
    let _ = write!(out, "<path d=\"{grid}\"{}/>", dress.or("grid", GRID));
    if is_strips {
        for (i, lines) in frame.names.iter().enumerate() {
            let first = frame.y(figure, i as f64) + 4.0 - LINE * (lines.len() as f64 - 1.0) / 2.0;
            for (line, words) in lines.iter().enumerate() {
                text(out, (0.0, first + LINE * line as f64), "start", TEXT, words, dress, "name");
            }
        }
    }
    for (x, label) in apart(&ticks) {
        text(out, (x, frame.bottom + 15.0), "middle", TEXT, &label, dress, "tick");
    }
    let (left, right, bottom) = (round(frame.left), round(frame.right), round(frame.bottom));
    let _ = write!(out, "<path d=\"M{left} {bottom}H{right}\"{}/>", dress.or("base", BASE));
    if let Some(reference) = figure.reference {
        let path = if is_strips {
            format!("M{} {}V{bottom}", round(frame.x(&figure.x, reference)), round(frame.top))
        } else {
            format!("M{left} {}H{right}", round(frame.y(figure, reference)))
        };
        let _ = write!(out, "<path d=\"{path}\"{}/>", dress.or("base", BASE));
    }
    if !is_strips && !figure.x.label.is_empty() {
        text(out, (frame.right, frame.bottom + 29.0), "end", TEXT, &figure.x.label, dress, "tick");
    }
    out.push_str("</g>");
}

/// Ticks whose labels do not touch: the first and the last one, and as many of those between as fit.
fn apart(ticks: &[(f64, String)]) -> Vec<(f64, String)> {
    let half = |tick: &(f64, String)| width(&tick.1, TEXT) / 2.0;
    let touches = |a: &(f64, String), b: &(f64, String)| (a.0 - b.0).abs() < half(a) + half(b) + 5.0;
    let Some((last, others)) = ticks.split_last() else { return Vec::new() };
    let mut kept: Vec<(f64, String)> = Vec::new();
    for tick in others {
        let is_free = kept.last().is_none_or(|before| !touches(before, tick));
        if is_free && (kept.is_empty() || !touches(tick, last)) {
            kept.push(tick.clone());
        }
    }
    if kept.last().is_none_or(|before| !touches(before, last)) {
        kept.push(last.clone());
    }
    kept
}
