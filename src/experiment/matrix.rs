//! One `[[matrix]]`: its factors, with the defaults of those not given, and its exclusions as cuts of the grid.

use std::collections::{BTreeMap, HashMap};

use super::axes::{DraftAxis, axes, place};
use super::deserialize::Damage;
use super::diagnose::{Findings, Place};
use super::given::Factors;
use super::grid::{Cut, Grid};
use super::spanned::{At, Table};
use super::tables::Names;
use super::{Axis, Exclude, Factor, Level, Matrix, Settings};
use crate::units::Nanos;

/// A list of more exclusions than this is better written as another matrix.
const MOST_EXCLUDES: usize = 1_000;

/// What the cells of every matrix have in common before any level is applied.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) settings: Settings,
    /// The same, factor by factor, without those that are not set.
    pub(super) levels: BTreeMap<Factor, Level>,
    /// Where the file says so; a default has no place.
    pub(super) places: BTreeMap<Factor, Place>,
    /// How long one trial may take, and where the file says so.
    pub(super) timeout: (Nanos, Option<Place>),
}

/// A matrix with the places of everything in it.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) place: Place,
    base: &'a Base,
    pub(super) axes: Vec<DraftAxis>,
    excludes: Vec<Exclude>,
    pub(super) grid: Grid,
}

/// The levels that a factor has in a matrix, whether it is an axis or not.
pub(super) struct Column<'a> {
    pub(super) factor: Factor,
    pub(super) axis: Option<usize>,
    /// `None` where a setting without a default is not set.
    pub(super) levels: Vec<Option<&'a Level>>,
}

impl Column<'_> {
    /// The key and the value that name a level in the file.
    pub(super) fn in_file(&self, level: usize) -> Option<(String, String)> {
        let level = self.levels[level]?;
        Some((self.factor.key_of(level), level.in_file()))
    }
}

impl<'a> Draft<'a> {
    /// Reads matrix number `index`. `None` if something is wrong with it, which is noted or was already.
    pub(super) fn new(
        findings: &mut Findings,
        table: &At<Table<Factors<true>>>,
        names: &Names<'_>,
        base: &'a Base,
        (damage, index): (&Damage, usize),
    ) -> Option<Self> {
        let before = findings.len();
        let damaged = damage.affects(&format!("matrix.{index}"));
        let damaged_part = |part: &str| damaged && damage.affects(&format!("matrix.{index}.{part}"));
        let damaged_exclude = |_: &str| damaged_part("exclude");
        let here = place(&table.span);
        let mut matrix = axes(findings, names, &damaged_part, &table.value.given);
        let names_modes = table.value.given.iter().any(|given| given.factor == Factor::Mode);
        if !names_modes && !damaged {
            let default = names.builtin.modes.iter().filter(|mode| mode.by_default);
            let levels: Vec<_> = default.map(|mode| Level::Name(mode.name.to_owned())).collect();
            if levels.is_empty() {
                findings.error(&here, "this matrix names no modes");
            }
            matrix.insert(
                0,
                DraftAxis {
                    factor: Factor::Mode,
                    place: here.clone(),
                    places: vec![here.clone(); levels.len()],
                    levels,
                },
            );
        }
        let sound = findings.len() == before && !damaged;
        let (mut excludes, mut cuts) = (Vec::new(), Vec::new());
        if let Some(list) = &table.value.exclude {
            if list.value.len() > MOST_EXCLUDES {
                findings
                    .error(&place(&list.span), format!("`exclude` has more than {MOST_EXCLUDES} entries"));
                return None;
            }
            for entry in &list.value {
                let entry_axes = axes(findings, names, &damaged_exclude, &entry.value.given);
                // Whether a level is missing can only be said if none is missing because of another error.
                if sound && let Some((exclude, cut)) = exclusion(findings, entry, &entry_axes, &matrix) {
                    excludes.push(exclude);
                    cuts.push(cut);
                }
            }
        }
        let grid = Grid { sizes: matrix.iter().map(|axis| axis.levels.len()).collect(), excludes: cuts };
        (findings.len() == before && !damaged).then_some(Self {
            place: here,
            base,
            axes: matrix,
            excludes,
            grid,
        })
    }

    pub(super) fn column(&self, factor: Factor) -> Column<'_> {
        let axis = self.axes.iter().position(|axis| axis.factor == factor);
        let levels = match axis {
            Some(axis) => self.axes[axis].levels.iter().map(Some).collect(),
            None => vec![self.base.levels.get(&factor)],
        };
        Column { factor, axis, levels }
    }

    /// How many levels a factor has.
    pub(super) fn count(&self, factor: Factor) -> usize {
        self.axes.iter().find(|axis| axis.factor == factor).map_or(1, |axis| axis.levels.len())
    }

    /// Where the file says this level of a column; the matrix itself if it is a default.
    pub(super) fn place_of(&self, column: &Column<'_>, level: usize) -> &Place {
        match column.axis {
            Some(axis) => &self.axes[axis].places[level],
            None => self.base.places.get(&column.factor).unwrap_or(&self.place),
        }
    }

    pub(super) fn timeout(&self) -> &(Nanos, Option<Place>) {
        &self.base.timeout
    }

    /// The matrix without its places.
    pub(super) fn finish(self) -> Matrix {
        let axes = self.axes.into_iter().map(|axis| Axis { factor: axis.factor, levels: axis.levels });
        let axes: Vec<Axis> = axes.collect();
        let mut base = self.base.settings.clone();
        // There is no mode to begin with; that of the first cell is as good as any.
        if let Some(mode) = axes.iter().find(|axis| axis.factor == Factor::Mode) {
            Factor::Mode.set(&mut base, mode.levels[0].clone());
        }
        Matrix { base, axes, exclude: self.excludes }
    }
}

/// An exclusion, if every factor and level in it is one of the matrix.
fn exclusion(
    findings: &mut Findings,
    entry: &At<Table<Factors<false>>>,
    given: &[DraftAxis],
    axes: &[DraftAxis],
) -> Option<(Exclude, Cut)> {
    let before = findings.len();
    if given.is_empty() {
        findings.error(&place(&entry.span), "an exclusion that names nothing would leave nothing");
        return None;
    }
    let (mut levels, mut cut) = (Vec::new(), Cut::new());
    for part in given {
        let name = part.factor.name();
        let Some(axis) = axes.iter().position(|axis| axis.factor == part.factor) else {
            let varied: Vec<_> = axes.iter().map(|axis| format!("`{}`", axis.factor.name())).collect();
            findings
                .error(
                    &part.place,
                    format!("this exclusion matches nothing: the matrix does not list `{name}`"),
                )
                .help(format!("the factors of this matrix are {}", varied.join(", ")));
            continue;
        };
        let known: HashMap<&Level, u32> = axes[axis].levels.iter().zip(0..).collect();
        let mut indices = Vec::new();
        for (level, here) in part.levels.iter().zip(&part.places) {
            match known.get(level) {
                Some(&index) => indices.push(index),
                None => {
                    let all: Vec<_> =
                        axes[axis].levels.iter().take(30).map(|level| format!("`{level}`")).collect();
                    findings
                        .error(
                            here,
                            format!("this exclusion matches nothing: no cell has the level `{level}`"),
                        )
                        .help(format!("the levels of `{name}` in this matrix are {}", all.join(", ")));
                }
            }
        }
        indices.sort_unstable();
        levels.push((part.factor, part.levels.clone()));
        cut.push((axis, indices));
    }
    (findings.len() == before).then_some((Exclude { levels }, cut))
}
