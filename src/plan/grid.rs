//! One matrix as numbers: places in a grid, counted by algebra and decoded one at a time.

use std::collections::BTreeMap;

use crate::experiment::{Factor, Matrix, Settings};

/// One matrix as numbers. A *place* is a combination of levels, excluded or not, numbered from 0 with the last
/// axis varying fastest.
#[derive(Debug)]
pub(super) struct Grid<'e> {
    matrix: &'e Matrix,
    /// One box for each exclude.
    boxes: Vec<Box>,
}

/// Some levels of some axes: for each axis, which levels lie inside, or `None` where all do.
#[derive(Debug)]
struct Box(Vec<Option<Vec<bool>>>);

impl Box {
    fn contains(&self, axis: usize, level: usize) -> bool {
        self.0[axis].as_ref().is_none_or(|inside| inside[level])
    }
}

/// A level that an axis is held at while cells are counted: index of the axis, index of the level.
pub(super) type Held = (usize, usize);

impl<'e> Grid<'e> {
    pub(super) fn new(matrix: &'e Matrix) -> Self {
        let boxes = matrix
            .exclude
            .iter()
            .map(|exclude| {
                let inside = |factor: Factor| exclude.levels.iter().find(|(f, _)| *f == factor);
                Box(matrix
                    .axes
                    .iter()
                    .map(|axis| {
                        inside(axis.factor).map(|(_, excluded)| {
                            axis.levels.iter().map(|level| excluded.contains(level)).collect()
                        })
                    })
                    .collect())
            })
            .collect();
        Self { matrix, boxes }
    }

    /// Number of places, saturating.
    pub(super) fn places(&self) -> u64 {
        self.sizes().fold(1, u64::saturating_mul)
    }

    fn sizes(&self) -> impl Iterator<Item = u64> + '_ {
        self.matrix.axes.iter().map(|axis| axis.levels.len() as u64)
    }

    /// Number of cells that are not excluded, with some axes held at one level.
    ///
    /// Goes down the axes and, on each, takes levels that lie in the same boxes together; so the cost depends on
    /// the number of excludes and never on the number of cells.
    pub(super) fn count(&self, held: &[Held]) -> u64 {
        let all: Vec<usize> = (0..self.boxes.len()).collect();
        self.count_from(0, &all, held)
    }

    fn count_from(&self, axis: usize, boxes: &[usize], held: &[Held]) -> u64 {
        let levels = |axis: usize| match held.iter().find(|(a, _)| *a == axis) {
            Some(&(_, level)) => level..level + 1,
            None => 0..self.matrix.axes[axis].levels.len(),
        };
        let axes = self.matrix.axes.len();
        if boxes.is_empty() {
            return (axis..axes).map(|axis| levels(axis).len() as u64).fold(1, u64::saturating_mul);
        }
        if axis == axes {
            return 0;
        }
        let mut alike: BTreeMap<Vec<usize>, u64> = BTreeMap::new();
        for level in levels(axis) {
            let still = boxes.iter().copied().filter(|&b| self.boxes[b].contains(axis, level)).collect();
            *alike.entry(still).or_default() += 1;
        }
        alike
            .into_iter()
            .map(|(boxes, levels)| levels.saturating_mul(self.count_from(axis + 1, &boxes, held)))
            .fold(0, u64::saturating_add)
    }

    /// The settings at a place, or `None` if it is excluded.
    pub(super) fn settings(&self, mut place: u64) -> Option<Settings> {
        let mut levels = vec![0; self.matrix.axes.len()];
        for (level, axis) in levels.iter_mut().zip(&self.matrix.axes).rev() {
            let size = axis.levels.len() as u64;
            *level = (place % size) as usize;
            place /= size;
        }
        let excluded = self
            .boxes
            .iter()
            .any(|exclude| levels.iter().enumerate().all(|(axis, &level)| exclude.contains(axis, level)));
        if excluded {
            return None;
        }
        let mut settings = self.matrix.base.clone();
        for (axis, &level) in self.matrix.axes.iter().zip(&levels) {
            axis.levels[level].apply(&mut settings);
        }
        Some(settings)
    }

    /// Every combination of the levels of `factors` that occurs in a cell, with the number of its cells; other
    /// factors stand at their base.
    pub(super) fn project(&self, factors: &[Factor]) -> Vec<(Settings, u64)> {
        let mut found: Vec<(Settings, Vec<Held>)> = vec![(self.matrix.base.clone(), Vec::new())];
        for (index, axis) in self.matrix.axes.iter().enumerate() {
            if !factors.contains(&axis.factor) {
                continue;
            }
            found = found
                .iter()
                .flat_map(|(settings, held)| {
                    axis.levels.iter().enumerate().map(move |(level, value)| {
                        let mut settings = settings.clone();
                        value.apply(&mut settings);
                        (settings, [held.as_slice(), &[(index, level)]].concat())
                    })
                })
                .collect();
        }
        found
            .into_iter()
            .map(|(settings, held)| (settings, self.count(&held)))
            .filter(|(_, cells)| *cells > 0)
            .collect()
    }
}
