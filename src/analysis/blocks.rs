//! Which blocks of a run were disturbed. Every cell has one trial in each block, so what touches many cells of one block is
//! the machine and not a cell.

use std::collections::BTreeMap;

use crate::analysis::interval::median_of;

/// A trial is low if it lies below its cell's median by more than this share of it.
pub const LOW: f64 = 0.1;

/// A block is disturbed if more than this share of its trials are low.
pub const DISTURBED: f64 = 0.1;

/// With fewer cells nothing is said about a block, and with fewer trials nothing about a cell.
pub const LEAST: usize = 3;

/// The blocks of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocks {
    /// How many of the trials of each block are low, and how many there are.
    pub low: BTreeMap<u32, (usize, usize)>,
    /// The disturbed ones, ascending.
    pub disturbed: Vec<u32>,
}

/// Counts low trials block by block. Each cell is given by its trials that ended well: block and throughput.
#[must_use]
pub fn blocks<'a>(cells: impl IntoIterator<Item = &'a [(u32, f64)]>) -> Blocks {
    let mut low: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
    for cell in cells {
        if cell.len() < LEAST {
            continue;
        }
        let median = median_of(cell.iter().map(|(_, value)| *value).collect());
        for (block, value) in cell {
            let entry = low.entry(*block).or_default();
            entry.0 += usize::from(*value < median * (1.0 - LOW));
            entry.1 += 1;
        }
    }
    let is_disturbed =
        |(_, (few, all)): &(&u32, &(usize, usize))| *all >= LEAST && *few as f64 > DISTURBED * *all as f64;
    let disturbed = if low.len() < 2 {
        Vec::new()
    } else {
        low.iter().filter(is_disturbed).map(|(block, _)| *block).collect()
    };
    Blocks { low, disturbed }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten cells with five blocks each, `low` of which are a fifth below the others in the second block.
    fn run(low: usize) -> Vec<Vec<(u32, f64)>> {
        let cell = |cell: usize| {
            let value =
                move |block: u32| if block == 2 && cell < low { 80.0 } else { 100.0 + f64::from(block) };
            (1..=5).map(move |block| (block, value(block))).collect()
        };
        (0..10).map(cell).collect()
    }

    #[test]
    fn a_block_is_disturbed_if_more_than_a_tenth_of_its_trials_are_low() {
        let of = |low: usize| blocks(run(low).iter().map(Vec::as_slice));
        assert_eq!(of(1).disturbed, [0; 0]);
        assert_eq!(of(2).disturbed, [2]);
        assert_eq!(of(2).low[&2], (2, 10));
    }

    #[test]
    fn of_one_block_or_of_two_cells_nothing_is_said() {
        let one: Vec<Vec<(u32, f64)>> = vec![vec![(1, 1.0), (1, 9.0), (1, 9.0)]; 5];
        assert!(blocks(one.iter().map(Vec::as_slice)).disturbed.is_empty());
        assert!(blocks(run(2)[..2].iter().map(Vec::as_slice)).disturbed.is_empty());
    }
}
