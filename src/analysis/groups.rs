//! Tells trials that fall into two far-apart groups from trials that merely scatter or drift.
//!
//! Unpinned processes make such groups: the scheduler puts client and server on one core or on two, and throughput
//! differs tenfold. A mean or a median of such a cell describes nothing that ever happened.

/// The upper group must begin at this multiple of the end of the lower one, or more.
pub const FACTOR: f64 = 1.5;

/// The gap between the groups must be this multiple of the spread within them, or more.
pub const CONTRAST: f64 = 2.0;

/// The same where one value between the groups is left out. Evenly spaced values reach 2.
pub const CONTRAST_WITHOUT_ONE: f64 = 4.0;

/// With at least this many values, one that is far from all others is an outlier and not a group.
pub const ONE_IS_A_GROUP_BELOW: usize = 5;

/// A group holds at least this share of all values.
pub const SHARE: f64 = 0.1;

/// Two far-apart groups of positive values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TwoGroups {
    /// Values in the lower group.
    pub lower: usize,
    /// Values in the upper group.
    pub upper: usize,
    /// The median of the upper group over that of the lower one.
    pub factor: f64,
}

/// The two groups that `values` fall into, if they do.
///
/// The rule: sort the values and cut them at the widest gap between neighbours, measured as a ratio (the difference
/// of the logarithms). They are two groups if the gap is at least [`FACTOR`] and at least [`CONTRAST`] times the spread
/// of the wider group. The spread of a group is twice the mean distance to its median, as logarithms: for two values
/// the distance between them, for none or one 0. A mean and not a range, because a trial in the middle of which the
/// scheduler changes its mind lies between the groups and would hide them.
///
/// With five values or more, a group holds at least two of them and a tenth of all ([`SHARE`]), and only cuts that leave that
/// many on either side count: a single trial far from the others says nothing about them, and their median stands. With fewer
/// values one is enough for a group, since nothing tells which of them is the odd one out.
///
/// Where that finds none, and there are five values or more, it is tried again without one value: first without one of
/// those between the groups, then without the smallest or the largest. A single trial that changed sides halfway, or that
/// lies far outside, must not hide the groups. They must be [`CONTRAST_WITHOUT_ONE`] times their spread apart then, and
/// the one left out belongs to neither.
///
/// So one of three trials at a tenth of the others is enough, and so are two trials that differ by half. Three or more evenly
/// spaced values are never two groups, and neither are values within a factor of 1.5.
///
/// The order of the values and their unit do not matter. A value that is not positive and finite makes no groups.
#[must_use]
pub fn two_groups(values: &[f64]) -> Option<TwoGroups> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    if !sorted.iter().all(|value| value.is_finite() && *value > 0.0) {
        return None;
    }
    let least = least(sorted.len());
    let whole = widest(&sorted, least, CONTRAST);
    if whole.is_some() || sorted.len() < ONE_IS_A_GROUP_BELOW {
        return whole;
    }
    (least..sorted.len() - least)
        .find_map(|between| apart(&sorted[..between], &sorted[between + 1..], CONTRAST_WITHOUT_ONE))
        .or_else(|| widest(&sorted[1..], least, CONTRAST_WITHOUT_ONE))
        .or_else(|| widest(&sorted[..sorted.len() - 1], least, CONTRAST_WITHOUT_ONE))
}

/// The smallest number of `n` values that makes a group.
fn least(n: usize) -> usize {
    if n < ONE_IS_A_GROUP_BELOW { 1 } else { ((n as f64 * SHARE).ceil() as usize).max(2) }
}

/// The two groups on either side of the widest gap that has `least` values or more on both sides.
fn widest(sorted: &[f64], least: usize, contrast: f64) -> Option<TwoGroups> {
    let gap = |cut: usize| sorted[cut] / sorted[cut - 1];
    let cuts = least..(sorted.len() + 1).saturating_sub(least);
    let cut = cuts.max_by(|&a, &b| gap(a).total_cmp(&gap(b)))?;
    apart(&sorted[..cut], &sorted[cut..], contrast)
}

/// These two groups, if they are far enough apart. Both are sorted, and neither is empty.
fn apart(lower: &[f64], upper: &[f64], contrast: f64) -> Option<TwoGroups> {
    let gap = upper[0] / lower[lower.len() - 1];
    // Evaluated second, because the spread has to look at every value.
    let is_apart = || gap.ln() >= contrast * spread(lower).max(spread(upper));
    (gap >= FACTOR && is_apart()).then(|| TwoGroups {
        lower: lower.len(),
        upper: upper.len(),
        factor: middle(upper) / middle(lower),
    })
}

/// Twice the mean distance of the logarithms to their median.
fn spread(sorted: &[f64]) -> f64 {
    let middle = middle(sorted);
    let distances: f64 = sorted.iter().map(|value| (value / middle).ln().abs()).sum();
    2.0 * distances / sorted.len() as f64
}

/// The upper of the two middle values of an even number: it stays exact under a change of unit, and the mean distance
/// is the same to either.
fn middle(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_of_three_trials_on_the_other_side_of_the_coin_is_enough() {
        for values in [[8_000.0, 70_000.0, 66_000.0], [70_000.0, 8_000.0, 9_500.0]] {
            let groups = two_groups(&values).unwrap();
            assert_eq!(groups.lower + groups.upper, 3);
            assert!(groups.factor > 6.0, "{groups:?}");
        }
    }

    #[test]
    fn every_fall_of_a_ten_to_one_coin_is_seen_unless_all_fell_alike_or_all_but_one() {
        for n in 2..=6_usize {
            for tosses in 1..(1_u32 << n) - 1 {
                let values: Vec<f64> = (0..n)
                    .map(|i| {
                        let side = if tosses & (1 << i) == 0 { 7_000.0 } else { 70_000.0 };
                        side * (1.0 + 0.05 * i as f64)
                    })
                    .collect();
                let fewer = tosses.count_ones().min(n as u32 - tosses.count_ones());
                assert_eq!(two_groups(&values).is_some(), n < 5 || fewer > 1, "{values:?}");
            }
        }
    }

    #[test]
    fn one_outlier_is_no_second_group() {
        for outlier in [1.0, 90.0, 10_000.0] {
            for n in [5, 10, 30] {
                let mut values: Vec<f64> = (0..n - 1).map(|i| 999.0 + f64::from(i) / 10.0).collect();
                values.push(outlier);
                assert_eq!(two_groups(&values), None, "{values:?}");
            }
        }
    }

    #[test]
    fn a_group_holds_a_tenth_of_the_trials() {
        let with = |few: usize| [vec![100.0; few], vec![1000.0; 30 - few]].concat();
        assert_eq!(two_groups(&with(2)), None);
        assert_eq!(two_groups(&with(3)).map(|groups| (groups.lower, groups.upper)), Some((3, 27)));
        assert_eq!(two_groups(&with(27)).map(|groups| (groups.lower, groups.upper)), Some((27, 3)));
    }

    #[test]
    fn an_outlier_does_not_hide_the_groups() {
        for values in
            [[1.0, 70.0, 71.0, 72.0, 700.0, 705.0, 710.0], [70.0, 71.0, 72.0, 700.0, 705.0, 710.0, 90_000.0]]
        {
            let groups = two_groups(&values).unwrap();
            assert_eq!((groups.lower, groups.upper), (3, 3), "{values:?}");
        }
    }

    #[test]
    fn a_trial_that_changed_sides_halfway_does_not_hide_the_groups() {
        let groups = two_groups(&[8.0, 8.1, 7.9, 25.0, 70.0, 71.0, 69.0, 70.0, 72.0]).unwrap();
        assert_eq!((groups.lower, groups.upper), (3, 6));
    }

    #[test]
    fn nor_does_it_among_five() {
        for values in [
            [7.0, 7.1, 20.0, 70.0, 71.0],
            [7.0, 7.0, 25.0, 70.0, 70.0],
            [7.0, 8.0, 20.0, 66.0, 70.0],
            [5.9, 5.9, 18.0, 78.0, 78.0],
        ] {
            let groups = two_groups(&values).unwrap();
            assert_eq!((groups.lower, groups.upper), (2, 2), "{values:?}");
        }
    }

    #[test]
    fn a_drift_is_not_two_groups() {
        assert_eq!(two_groups(&[10.0, 20.0, 30.0]), None);
        assert_eq!(two_groups(&[10.0, 20.0, 40.0, 80.0]), None);
        assert_eq!(two_groups(&[40.0, 36.0, 32.0, 28.0, 24.0, 20.0]), None);
    }

    #[test]
    fn a_plain_spread_of_a_tenth_is_not_two_groups() {
        assert_eq!(two_groups(&[95.0, 105.0]), None);
        assert_eq!(two_groups(&[90.0, 91.0, 110.0, 109.0, 90.5]), None);
        assert_eq!(two_groups(&[100.0; 5]), None);
    }

    #[test]
    fn the_articles_trials_are_one_group() {
        assert_eq!(two_groups(&[17853.57, 16403.31, 17291.44, 17700.03, 17012.9]), None);
    }

    #[test]
    fn nothing_follows_from_too_few_values_or_from_none_at_all() {
        assert_eq!(two_groups(&[]), None);
        assert_eq!(two_groups(&[5.0]), None);
        assert_eq!(two_groups(&[0.0, 5.0]), None);
        assert_eq!(two_groups(&[f64::NAN, 5.0]), None);
    }

    fn throughputs() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(1.0_f64..1e6, 0..12)
    }

    proptest! {
        #[test]
        fn order_does_not_matter(
            (values, shuffled) in throughputs().prop_flat_map(|v| (Just(v.clone()), Just(v).prop_shuffle()))
        ) {
            prop_assert_eq!(two_groups(&values), two_groups(&shuffled));
        }

        /// Powers of two, because with them no digit is lost and equality is exact.
        #[test]
        fn the_unit_does_not_matter(values in throughputs(), exponent in -20..20_i32) {
            let scaled: Vec<f64> = values.iter().map(|value| value * 2.0_f64.powi(exponent)).collect();
            prop_assert_eq!(two_groups(&values), two_groups(&scaled));
        }

        #[test]
        fn values_within_a_factor_of_one_and_a_half_are_one_group(
            values in prop::collection::vec(100.0_f64..149.0, 0..12)
        ) {
            prop_assert_eq!(two_groups(&values), None);
        }

        #[test]
        fn evenly_spaced_values_are_one_group(n in 3..12_u32, ratio in 1.0_f64..3.0) {
            let values: Vec<f64> = (0..n).map(|i| ratio.powi(i32::try_from(i).unwrap())).collect();
            prop_assert_eq!(two_groups(&values), None);
        }
    }
}
