//! For more series than there are colours: all of them at all places on the horizontal axis, as a table in which higher
//! cells are darker.

use crate::report::cells::{Cell, nouns};
use crate::report::facets::Layout;
use crate::report::judge::highest;
use crate::report::looks::{By, Looks};
use crate::report::model::{Heat, HeatRow};
use crate::report::numbers::short;

/// How many shades there are.
pub const SHADES: usize = 10;

/// A table for each group of cells that has too many series for one colour each.
#[must_use]
pub fn heat(cells: &[Cell<'_>], layout: &Layout, looks: &Looks) -> Vec<Heat> {
    if looks.by != By::Highest {
        return Vec::new();
    }
    cells.chunk_by(|a, b| a.facet == b.facet).filter_map(|facet| one(facet, layout)).collect()
}

fn one(facet: &[Cell<'_>], layout: &Layout) -> Option<Heat> {
    let medians = || facet.iter().filter_map(Cell::median);
    let (low, high) = (medians().fold(f64::INFINITY, f64::min), medians().fold(0.0, f64::max));
    if high <= 0.0 {
        return None;
    }
    // Equal ratios are equal steps.
    let shade = |median: f64| {
        let share = if high > low { (median / low).ln() / (high / low).ln() } else { 1.0 };
        ((share * (SHADES - 1) as f64).round() as usize).min(SHADES - 1)
    };
    let mut series: Vec<&[Cell<'_>]> = facet.chunk_by(|a, b| a.series == b.series).collect();
    let peak = |series: &[Cell<'_>]| highest(series.iter()).and_then(Cell::median).unwrap_or(0.0);
    series.sort_by(|a, b| peak(b).total_cmp(&peak(a)));
    let row = |series: &&[Cell<'_>]| HeatRow {
        name: series[0].series.clone(),
        fields: layout
            .x_levels
            .iter()
            .map(|x| {
                let cell = series.iter().find(|cell| cell.x.total_cmp(x).is_eq())?;
                cell.median().map(|median| (short_of(median), shade(median)))
            })
            .collect(),
    };
    Some(Heat {
        title: facet[0].facet.clone(),
        caption: format!("Median, {}/s, against {}; the darker, the higher", nouns(facet), layout.x_label()),
        columns: layout.x_levels.iter().map(|x| short(*x)).collect(),
        rows: series.iter().map(row).collect(),
    })
}

/// Three digits of a median.
fn short_of(median: f64) -> String {
    let power = 10_f64.powi(2 - median.log10().floor() as i32);
    short((median * power).round() / power)
}
