//! Whether the first block of a run differed from the rest, over all its cells together.
//!
//! A cell has only one trial in the first block, which says nothing by itself. But what is cold or settles at the beginning
//! (byte code that is not yet compiled, files that are not yet in memory, clock rates) affects all cells at once: if the first
//! block were like the others, about half of the cells would be faster in it.

use statrs::distribution::{Binomial, DiscreteCDF};

use crate::analysis::interval::median_of;

/// With fewer cells nothing is said.
pub const MIN_CELLS: usize = 5;

/// A cell with fewer repetitions does not take part.
pub const MIN_REPETITIONS: usize = 3;

/// A run with an ordinary first block is flagged less often than this.
pub const LEVEL: f64 = 0.01;

/// A first block that differs by no more than this does not matter.
pub const MATTERS: f64 = 0.02;

/// How the first block of a run compares with the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FirstBlock {
    /// Cells that were looked at.
    pub cells: usize,
    /// How many of them were slower in the first block than in the others.
    pub slower: usize,
    /// And faster. The two differ from `cells` by those that were equally fast.
    pub faster: usize,
    /// Throughput in the first block divided by the median of the cell's other blocks: the median over cells.
    pub ratio: f64,
    /// The two-sided p-value of the exact sign test over cells.
    pub p: f64,
}

impl FirstBlock {
    /// Whether a reader should be warned: the difference is neither chance nor small.
    #[must_use]
    pub fn matters(&self) -> bool {
        self.p < LEVEL && (self.ratio - 1.0).abs() > MATTERS
    }
}

/// Compares the first block of one run with the others. Each cell is given by its trials that ended well: repetition and
/// throughput. `None` with fewer than [`MIN_CELLS`] cells that have a first block and [`MIN_REPETITIONS`].
///
/// The sign test takes cells as independent. Within a block they follow each other, so a disturbance of some length affects
/// several; the test only says that it was the first block that was affected, not why.
#[must_use]
pub fn first_block<'a>(cells: impl IntoIterator<Item = &'a [(u32, f64)]>) -> Option<FirstBlock> {
    let ratios: Vec<f64> = cells.into_iter().filter_map(ratio).collect();
    if ratios.len() < MIN_CELLS {
        return None;
    }
    let slower = ratios.iter().filter(|&&ratio| ratio < 1.0).count();
    let faster = ratios.iter().filter(|&&ratio| ratio > 1.0).count();
    Some(FirstBlock {
        cells: ratios.len(),
        slower,
        faster,
        ratio: median_of(ratios),
        p: sign_test(slower, faster),
    })
}

/// The first block of a cell beside its others.
fn ratio(trials: &[(u32, f64)]) -> Option<f64> {
    let first = trials.iter().find(|(repetition, _)| *repetition == 1)?.1;
    let others: Vec<f64> =
        trials.iter().filter(|(repetition, _)| *repetition != 1).map(|(_, value)| *value).collect();
    if others.len() + 1 < MIN_REPETITIONS {
        return None;
    }
    let ratio = first / median_of(others);
    ratio.is_finite().then_some(ratio)
}

/// How likely it is that signs are at least as one-sided as these, if both are equally likely.
fn sign_test(one: usize, other: usize) -> f64 {
    let fewer = one.min(other) as u64;
    let fair = Binomial::new(0.5, (one + other) as u64).expect("a half is a probability");
    (2.0 * fair.cdf(fewer)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cells of five blocks, the first of which has these ratios to the others.
    fn of(ratios: &[f64]) -> Option<FirstBlock> {
        let cells: Vec<Vec<(u32, f64)>> = ratios
            .iter()
            .map(|ratio| vec![(2, 90.0), (1, 100.0 * ratio), (3, 100.0), (4, 100.0), (5, 120.0)])
            .collect();
        first_block(cells.iter().map(Vec::as_slice))
    }

    #[test]
    fn a_first_block_that_is_slower_in_nearly_all_cells_matters() {
        let mut ratios = [0.9; 18];
        ratios[7] = 1.1;
        let found = of(&ratios).unwrap();
        assert_eq!((found.cells, found.slower, found.faster), (18, 17, 1));
        assert!((found.ratio - 0.9).abs() < 1e-12);
        // 2 × (1 + 18) ÷ 2¹⁸
        assert!((found.p - 38.0 / 262_144.0).abs() < 1e-12, "{}", found.p);
        assert!(found.matters());
        assert!(of(&[1.1; 18]).unwrap().matters(), "and so does one that is faster");
    }

    #[test]
    fn what_is_small_or_may_be_chance_does_not_matter() {
        assert!(!of(&[0.985; 18]).unwrap().matters());
        let mixed: Vec<f64> = (0..18).map(|cell| [0.8, 0.9, 1.3][cell % 3]).collect();
        assert!(!of(&mixed).unwrap().matters());
        assert_eq!(of(&[1.0; 9]).map(|found| (found.slower, found.faster, found.p)), Some((0, 0, 1.0)));
    }

    #[test]
    fn too_few_cells_or_repetitions_say_nothing() {
        assert_eq!(of(&[0.5; 4]), None);
        let two: Vec<(u32, f64)> = vec![(1, 1.0), (2, 2.0)];
        assert_eq!(first_block([two.as_slice(); 9]), None);
        let without_first: Vec<(u32, f64)> = vec![(2, 1.0), (3, 2.0), (4, 2.0)];
        assert_eq!(first_block([without_first.as_slice(); 9]), None);
    }
}
