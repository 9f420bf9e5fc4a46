//! A seeded shuffle that is computed place by place and never stored.
//!
//! The swap-or-not shuffle of V. T. Hoang, B. Morris and P. Rogaway, "An Enciphering Scheme Based on a Card Shuffle"
//! (CRYPTO 2012): in each round a random number pairs up the cards, and a coin for each pair says whether its two
//! cards change places. It works on any number of cards, so it needs no cycle walking, and a million trials are
//! listed in the memory of one. Round numbers come from ChaCha8, the coins from the finalizer of SplitMix64.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The paper asks for about 6 lg n rounds; 2^20 cells need 120, and beyond that nobody can tell the difference.
const ROUNDS: usize = 128;

/// A random permutation of `0..n`; the same for the same seed and block on every platform, for ever.
#[derive(Debug)]
pub struct Permutation {
    n: u64,
    /// For each round the number that pairs up the cards, below `n`, and the salt of its coins.
    rounds: Vec<(u64, u64)>,
}

impl Permutation {
    /// The permutation of `0..n` that belongs to a seed and the number of a block.
    #[must_use]
    pub fn new(seed: u64, block: u64, n: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&block.to_le_bytes());
        let mut random = ChaCha8Rng::from_seed(key);
        let rounds = (0..ROUNDS).map(|_| (random.next_u64() % n.max(1), random.next_u64())).collect();
        Self { n, rounds }
    }

    /// Which card lies at place `k`.
    ///
    /// # Panics
    /// If `k` is not a place of the permutation.
    #[must_use]
    pub fn at(&self, k: u64) -> u64 {
        assert!(k < self.n, "place {k} of a permutation of {}", self.n);
        self.rounds.iter().fold(k, |card, &(pairing, salt)| {
            let partner = if pairing >= card { pairing - card } else { pairing + (self.n - card) };
            if coin(salt, card.max(partner)) { partner } else { card }
        })
    }
}

/// SplitMix64's finalizer (S. Vigna's public-domain constants): every bit of the input changes half of the output.
fn coin(salt: u64, card: u64) -> bool {
    let mut z = salt.wrapping_add(card.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) & 1 == 1
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::Permutation;

    proptest! {
        #[test]
        fn every_place_holds_another_card(seed: u64, block in 1_u64..9, n in 1_u64..400) {
            let shuffle = Permutation::new(seed, block, n);
            let cards: BTreeSet<u64> = (0..n).map(|k| shuffle.at(k)).collect();
            prop_assert_eq!(cards.len() as u64, n);
            prop_assert!(cards.iter().all(|&card| card < n));
        }
    }

    #[test]
    fn all_orders_of_four_cells_are_equally_likely() {
        let mut seen: BTreeMap<Vec<u64>, f64> = BTreeMap::new();
        let (n, expected) = (24_000, 1_000.0);
        for seed in 0..n {
            let shuffle = Permutation::new(seed, 1, 4);
            *seen.entry((0..4).map(|k| shuffle.at(k)).collect()).or_default() += 1.0;
        }
        let chi2: f64 = seen.values().map(|count| (count - expected) * (count - expected) / expected).sum();
        assert_eq!(seen.len(), 24);
        // The 99.9% point of chi-squared with 23 degrees of freedom; the seeds are fixed, so this cannot be flaky.
        assert!(chi2 < 49.73, "chi-squared {chi2}");
    }

    #[test]
    fn the_order_of_a_seed_never_changes() {
        let shuffle = Permutation::new(20_170_309, 1, 10);
        let order: Vec<u64> = (0..10).map(|k| shuffle.at(k)).collect();
        insta::assert_compact_debug_snapshot!(order, @"[9, 0, 2, 6, 8, 4, 5, 7, 3, 1]");
    }

    #[test]
    fn the_largest_plan_still_has_an_order() {
        let n = 1 << 53;
        let shuffle = Permutation::new(7, 3, n);
        assert!([0, 1, n / 2, n - 1].iter().all(|&k| shuffle.at(k) < n));
    }
}
