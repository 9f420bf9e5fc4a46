//! Questions about the cells of a matrix, answered without walking through them: a matrix of six factors can have more cells
//! than there is time for, but only so many levels and exclusions. Knows only indices, no factors. The code that reads a file
//! and the code that plans its trials both ask here.

/// The levels that remain on each axis, by sorted indices. A cell is in the region if each of its levels is.
pub(crate) type Region = Vec<Vec<u32>>;

/// Axes, by their lengths, and what is excluded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grid {
    pub(crate) sizes: Vec<usize>,
    pub(crate) excludes: Vec<Cut>,
}

/// Matches the cells that have one of these levels on each of these axes; levels are sorted.
pub(crate) type Cut = Vec<(usize, Vec<u32>)>;

/// The exclusions overlap in so many ways that the question is not answered in reasonable time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooTangled;

/// How many levels may still be looked at, over all questions about one file. Hostile exclusions alone exhaust it.
#[derive(Debug)]
pub(crate) struct Budget(pub(crate) u64);

impl Budget {
    /// For questions that are known to be answerable.
    pub(crate) const fn unlimited() -> Self {
        Self(u64::MAX)
    }

    fn spend(&mut self, levels: usize) -> Result<(), TooTangled> {
        self.0 = self.0.checked_sub(levels as u64 + 1).ok_or(TooTangled)?;
        Ok(())
    }
}

impl Grid {
    /// All cells, excluded ones too.
    pub(crate) fn whole(&self) -> Region {
        self.sizes.iter().map(|&size| (0..size as u32).collect()).collect()
    }

    /// A cell of the region that is not excluded.
    pub(crate) fn find(&self, region: Region, budget: &mut Budget) -> Result<Option<Vec<u32>>, TooTangled> {
        let mut found = None;
        remainder(region, &self.excludes, budget, &mut |piece| {
            found = Some(piece.iter().map(|levels| levels[0]).collect());
            false
        })?;
        Ok(found)
    }

    /// Whether the cell with these levels is excluded.
    pub(crate) fn is_excluded(&self, cell: &[u32]) -> bool {
        let matches = |cut: &Cut| cut.iter().all(|(axis, levels)| levels.binary_search(&cell[*axis]).is_ok());
        self.excludes.iter().any(matches)
    }

    /// How many cells of the region are not excluded. Saturates.
    pub(crate) fn count(&self, region: Region, budget: &mut Budget) -> Result<u128, TooTangled> {
        let mut count: u128 = 0;
        remainder(region, &self.excludes, budget, &mut |piece| {
            let cells = piece.iter().fold(1u128, |cells, levels| cells.saturating_mul(levels.len() as u128));
            count = count.saturating_add(cells);
            true
        })?;
        Ok(count)
    }
}

/// Shows every part of a region that no cut matches; the parts are disjoint. Ends when `visit` says false, and then
/// returns false.
///
/// A cut that meets the region divides it: for each of the cut's axes the part outside the cut on that axis, and
/// inside on those before; what is inside on all of them is gone.
fn remainder(
    mut region: Region,
    cuts: &[Cut],
    budget: &mut Budget,
    visit: &mut dyn FnMut(&Region) -> bool,
) -> Result<bool, TooTangled> {
    if region.iter().any(Vec::is_empty) {
        return Ok(true);
    }
    for (i, cut) in cuts.iter().enumerate() {
        budget.spend(cut.iter().map(|(_, levels)| levels.len()).sum())?;
        if !cut.iter().all(|(axis, levels)| meets(&region[*axis], levels)) {
            continue;
        }
        for (axis, levels) in cut {
            let (inside, outside): (Vec<u32>, Vec<u32>) =
                region[*axis].iter().copied().partition(|level| levels.binary_search(level).is_ok());
            if !outside.is_empty() {
                let mut piece = region.clone();
                budget.spend(piece.iter().map(Vec::len).sum())?;
                piece[*axis] = outside;
                if !remainder(piece, &cuts[i + 1..], budget, visit)? {
                    return Ok(false);
                }
            }
            region[*axis] = inside;
        }
        return Ok(true);
    }
    Ok(visit(&region))
}

/// Whether two sorted lists have an element in common.
fn meets(a: &[u32], b: &[u32]) -> bool {
    let (few, many) = if a.len() < b.len() { (a, b) } else { (b, a) };
    few.iter().any(|level| many.binary_search(level).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cells(sizes: &[usize]) -> Vec<Vec<u32>> {
        sizes.iter().fold(vec![vec![]], |cells, &size| {
            let extend =
                |cell: Vec<u32>| (0..size as u32).map(move |level| [cell.clone(), vec![level]].concat());
            cells.into_iter().flat_map(extend).collect()
        })
    }

    proptest! {
        #[test]
        fn counting_by_regions_is_counting_cell_by_cell(
            sizes in prop::collection::vec(1usize..4, 1..4),
            picks in prop::collection::vec(prop::collection::vec((0usize..4, prop::collection::btree_set(0u32..4, 1..3)), 1..3), 0..6),
        ) {
            let excludes: Vec<Cut> = picks
                .into_iter()
                .map(|cut| {
                    let cut = cut.into_iter().map(|(axis, levels)| (axis % sizes.len(), levels.into_iter().collect()));
                    cut.collect::<std::collections::BTreeMap<usize, Vec<u32>>>().into_iter().collect()
                })
                .collect();
            let grid = Grid { sizes: sizes.clone(), excludes };
            let left: Vec<_> = cells(&sizes).into_iter().filter(|cell| !grid.is_excluded(cell)).collect();
            let mut budget = Budget(1_000_000);
            prop_assert_eq!(grid.count(grid.whole(), &mut budget), Ok(left.len() as u128));
            for (axis, &size) in sizes.iter().enumerate() {
                for level in 0..size as u32 {
                    let mut region = grid.whole();
                    region[axis] = vec![level];
                    let held = left.iter().filter(|cell| cell[axis] == level).count();
                    prop_assert_eq!(grid.count(region, &mut budget), Ok(held as u128));
                }
            }
            let found = grid.find(grid.whole(), &mut budget).expect("enough budget");
            prop_assert_eq!(found.is_some(), !left.is_empty());
            if let Some(cell) = found {
                prop_assert!(left.contains(&cell));
            }
        }
    }

    #[test]
    fn a_question_that_takes_too_long_is_given_up() {
        let cut = |i: u32| (0..10).map(|axis| (axis, vec![i % 7, 7 + i % 3])).collect::<Cut>();
        let excludes = (0..200).map(cut).collect();
        let grid = Grid { sizes: vec![10; 10], excludes };
        assert_eq!(grid.count(grid.whole(), &mut Budget(100)), Err(TooTangled));
    }
}
