//! Names at the ends of lines. At the right edge they are pushed apart, with leaders; a line that ends early has its name at
//! the nearby place that is farthest from all other lines.

use std::fmt::Write;

use super::Dress;
use super::frame::{Frame, TEXT};
use super::text::{round, shortened, text, width};
use crate::report::model::{Figure, Panel, Series};
use crate::report::palette::{colour, shape};

/// From one name to the next.
const GAP: f64 = 13.5;

/// The most room that is needed between a name and what is drawn.
const ROOM: f64 = 7.0;

/// A named line: its last place, and all places that other lines' names must avoid.
struct Line<'p> {
    series: &'p Series,
    points: Vec<(f64, f64)>,
    end: (f64, f64),
}

pub(super) fn labels(out: &mut String, figure: &Figure, panel: &Panel, frame: &Frame, dress: Dress) {
    let place = |x: f64, y: f64| (frame.x(&figure.x, x), frame.y(figure, y));
    let lines: Vec<Line<'_>> = panel
        .series
        .iter()
        .filter(|series| series.is_named)
        .filter_map(|series| {
            let marks: Vec<(f64, f64)> =
                series.pieces.iter().flatten().map(|mark| place(mark.x, mark.y)).collect();
            let end = *marks.last()?;
            Some(Line { series, points: between(&marks), end })
        })
        .collect();
    if lines.len() < 2 {
        return;
    }
    let last = lines.iter().map(|line| line.end.0).fold(0.0, f64::max);
    let is_last = |line: &&Line<'_>| line.end.0 > last - 1.0;
    let mut ends: Vec<&Line<'_>> = lines.iter().filter(is_last).collect();
    ends.sort_by(|a, b| a.end.1.total_cmp(&b.end.1));
    let wanted: Vec<f64> = ends.iter().map(|line| line.end.1).collect();
    let heights = pushed_apart(&wanted, (frame.top, frame.bottom));
    let x = frame.right + 8.0;
    for (line, y) in ends.iter().zip(heights) {
        let leader = format!("M{} {}L{} {}", round(line.end.0 + 3.0), round(line.end.1), round(x), round(y));
        name(out, line.series, (x + 5.0, y), Some(&leader), frame.width - x - 12.0, dress);
    }
    let mut taken: Vec<Field> = Vec::new();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| !is_last(line)) {
        // Everything that the name must not cover: the other lines, and its own line except for its end.
        let is_seen = |point: &(f64, f64)| (point.0 - line.end.0).hypot(point.1 - line.end.1) > 10.0;
        let own = line.points.iter().copied().filter(is_seen);
        let others = lines.iter().enumerate().filter(|(other, _)| *other != at);
        let others = others.flat_map(|(_, other)| other.points.iter().copied());
        let hollow = panel.series.iter().filter(|series| series.hollow).flat_map(|series| &series.dots);
        let hollow = hollow.map(|dot| place(dot.0, dot.1));
        let drawn: Vec<(f64, f64)> = own.chain(others).chain(hollow).collect();
        let long = width(&line.series.name, TEXT) + 12.0;
        let candidates = places(line, long).into_iter().filter(|place| place.is_within(frame));
        let free = candidates.filter(|place| taken.iter().all(|other| !place.touches(other)));
        // Far enough from what is drawn, and as near to the end of its own line as possible.
        let merit = |place: &Field| {
            let room = drawn.iter().map(|point| place.distance(*point)).fold(f64::INFINITY, f64::min);
            2.5 * room.min(ROOM) - 0.25 * place.distance(line.end)
        };
        let Some(best) = free.max_by(|a, b| merit(a).total_cmp(&merit(b))) else { continue };
        let mark = (best.left + 5.0, best.middle());
        let is_far = best.distance(line.end) > 9.0;
        let to = if best.left > line.end.0 { best.left } else { best.right.min(line.end.0).max(best.left) };
        let leader = format!("M{} {}L{} {}", round(line.end.0), round(line.end.1), round(to), round(mark.1));
        name(out, line.series, mark, is_far.then_some(leader.as_str()), f64::INFINITY, dress);
        taken.push(best);
    }
}

/// The mark and the name of a series; `x` is the middle of the mark.
fn name(
    out: &mut String,
    series: &Series,
    (x, y): (f64, f64),
    leader: Option<&str>,
    room: f64,
    dress: Dress,
) {
    let paint = colour(series.look);
    let dressed = match dress {
        Dress::Page => format!(" class=\"s c{0} lb\" data-s=\"{0}\" aria-hidden=\"true\"", series.look),
        Dress::Alone => format!(" stroke=\"{paint}\" fill=\"{paint}\""),
    };
    let _ = write!(out, "<g{dressed}>");
    if let Some(leader) = leader {
        let dressed = dress.or("lead", "fill=\"none\" stroke-width=\"0.8\" stroke-opacity=\"0.6\"");
        let _ = write!(out, "<path d=\"{leader}\"{dressed}/>");
    }
    let _ = write!(
        out,
        "<path d=\"{}\" stroke=\"none\" transform=\"translate({} {}) scale(0.8)\"/></g>",
        shape(series.look),
        round(x),
        round(y)
    );
    text(out, (x + 7.0, y + 4.0), "start", TEXT, &shortened(&series.name, room, TEXT), dress, "name halo");
}

/// Heights as near to the wanted ones, which ascend, as the gap between them allows, within these bounds.
fn pushed_apart(wanted: &[f64], (top, bottom): (f64, f64)) -> Vec<f64> {
    // Clusters of names that touch: the sum of their wanted heights, each less its offset within the cluster, and how many
    // there are.
    let mut clusters: Vec<(f64, usize)> = Vec::new();
    let begin = |(sum, n): (f64, usize)| sum / n as f64;
    for &height in wanted {
        clusters.push((height, 1));
        while let [.., before, after] = clusters.as_slice() {
            if begin(*before) + GAP * before.1 as f64 <= begin(*after) {
                break;
            }
            let (before, after) = (*before, *after);
            let shift = GAP * before.1 as f64 * after.1 as f64;
            clusters.truncate(clusters.len() - 2);
            clusters.push((before.0 + after.0 - shift, before.1 + after.1));
        }
    }
    let mut heights: Vec<f64> = Vec::new();
    for cluster in clusters {
        let last = (cluster.1 - 1) as f64 * GAP;
        let first = begin(cluster).min(bottom - last).max(top);
        let first = heights.last().map_or(first, |before| first.max(before + GAP));
        heights.extend((0..cluster.1).map(|at| first + at as f64 * GAP));
    }
    heights
}

/// Points along a line, close enough that no name fits between them.
fn between(marks: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = marks.to_vec();
    for pair in marks.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let steps = ((b.0 - a.0).abs().max((b.1 - a.1).abs()) / 6.0).ceil() as usize;
        points.extend((1..steps).map(|step| {
            let share = step as f64 / steps as f64;
            (a.0 + (b.0 - a.0) * share, a.1 + (b.1 - a.1) * share)
        }));
    }
    points
}

/// Where a name may be placed.
#[derive(Clone, Copy)]
struct Field {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Field {
    fn middle(&self) -> f64 {
        f64::midpoint(self.top, self.bottom)
    }

    fn is_within(&self, frame: &Frame) -> bool {
        self.left >= frame.left
            && self.right <= frame.right + 4.0
            && self.top >= 0.0
            && self.bottom <= frame.bottom
    }

    fn touches(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn distance(&self, (x, y): (f64, f64)) -> f64 {
        let (dx, dy) =
            ((self.left - x).max(x - self.right).max(0.0), (self.top - y).max(y - self.bottom).max(0.0));
        dx.hypot(dy)
    }
}

/// Places around the end of a line, the first of them right after it.
fn places(line: &Line<'_>, long: f64) -> Vec<Field> {
    let half = GAP / 2.0;
    let (x, y) = line.end;
    let lefts =
        [6.0].into_iter().chain((0..=12).map(|step| -long - 24.0 + f64::from(step) * (long + 60.0) / 12.0));
    let rises = || (-10..=10).map(|step| f64::from(step) * 6.0);
    let around = |left: f64, rise: f64| Field {
        left: x + left,
        right: x + left + long,
        top: y + rise - half,
        bottom: y + rise + half,
    };
    lefts.flat_map(|left| rises().map(move |rise| around(left, rise))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_touch_are_pushed_apart_around_their_middle() {
        assert_eq!(pushed_apart(&[10.0, 100.0], (0.0, 200.0)), [10.0, 100.0]);
        assert_eq!(pushed_apart(&[50.0, 50.0], (0.0, 200.0)), [50.0 - GAP / 2.0, 50.0 + GAP / 2.0]);
        let three = pushed_apart(&[2.0, 2.0, 60.0], (0.0, 200.0));
        assert_eq!((three[0], three[1] - three[0], three[2]), (0.0, GAP, 60.0));
    }
}
