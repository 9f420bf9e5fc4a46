//! One matrix as numbers: places, counted by algebra and decoded one at a time.

use crate::experiment::grid::{self, Budget};
use crate::experiment::{Factor, Matrix, Settings};

/// One matrix as numbers. A *place* is a combination of levels, excluded or not, numbered from 0 with the last
/// axis varying fastest.
#[derive(Debug)]
pub(super) struct Grid<'e> {
    matrix: &'e Matrix,
    cells: grid::Grid,
}

/// A level that an axis is held at while cells are counted: index of the axis, index of the level.
type Held = (usize, u32);

impl<'e> Grid<'e> {
    pub(super) fn new(matrix: &'e Matrix) -> Self {
        Self { matrix, cells: matrix.grid() }
    }

    /// Number of places, saturating.
    pub(super) fn places(&self) -> u64 {
        self.cells.sizes.iter().fold(1, |places, &size| places.saturating_mul(size as u64))
    }

    /// Number of cells that are not excluded, saturating.
    pub(super) fn count(&self) -> u64 {
        self.count_with(&[])
    }

    /// The same with some axes held at one level.
    fn count_with(&self, held: &[Held]) -> u64 {
        let mut region = self.cells.whole();
        for &(axis, level) in held {
            region[axis] = vec![level];
        }
        // All of them were counted within a budget when the file was read; counting a part takes no longer.
        let count = self.cells.count(region, &mut Budget::unlimited());
        count.map_or(u64::MAX, |count| u64::try_from(count).unwrap_or(u64::MAX))
    }

    /// The settings at a place, or `None` if it is excluded.
    pub(super) fn settings(&self, mut place: u64) -> Option<Settings> {
        let mut levels = vec![0; self.matrix.axes.len()];
        for (level, &size) in levels.iter_mut().zip(&self.cells.sizes).rev() {
            *level = (place % size as u64) as u32;
            place /= size as u64;
        }
        if self.cells.is_excluded(&levels) {
            return None;
        }
        let mut settings = self.matrix.base.clone();
        for (axis, &level) in self.matrix.axes.iter().zip(&levels) {
            axis.factor.set(&mut settings, axis.levels[level as usize].clone());
        }
        settings.complete();
        Some(settings)
    }

    /// Every combination of the levels of `factors` that occurs in a cell, with the number of its cells; other factors keep
    /// their base level.
    pub(super) fn project(&self, factors: &[Factor]) -> Vec<(Settings, u64)> {
        let mut found: Vec<(Settings, Vec<Held>)> = vec![(self.matrix.base.clone(), Vec::new())];
        for (index, axis) in self.matrix.axes.iter().enumerate() {
            if !factors.contains(&axis.factor) {
                continue;
            }
            found = found
                .iter()
                .flat_map(|(settings, held)| {
                    (0..).zip(&axis.levels).map(move |(level, value)| {
                        let mut settings = settings.clone();
                        axis.factor.set(&mut settings, value.clone());
                        (settings, [held.as_slice(), &[(index, level)]].concat())
                    })
                })
                .collect();
        }
        found
            .into_iter()
            .map(|(settings, held)| (settings, self.count_with(&held)))
            .filter(|(_, cells)| *cells > 0)
            .collect()
    }
}
