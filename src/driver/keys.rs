//! The key and the value of an operation, formatted into buffers that are used over and over.

/// A value of a given size holds this many decimal digits of the index; the rest is filler.
const VALUE_DIGITS: usize = 12;

/// Where the key and the value of one operation at a time are kept.
pub(super) struct Pair {
    index: u64,
    /// The stem and the decimal index.
    key: Vec<u8>,
    stem: usize,
    /// Filler that ends in the low-order digits of the index; absent when the value is the index itself, which
    /// stands in the key already.
    value: Option<Vec<u8>>,
}

impl Pair {
    /// Keys are `<stem><index>`. Values have `value_bytes` bytes that depend on the stem and the seed, so that no two
    /// workers store the same, and at the end the low-order digits of the index; or else they are the decimal index.
    pub(super) fn new(stem: &str, value_bytes: Option<u32>, seed: u64) -> Self {
        let mut key = stem.as_bytes().to_vec();
        key.push(b'0');
        let mut pair = Self {
            index: 0,
            key,
            stem: stem.len(),
            value: value_bytes.map(|bytes| filler(stem, bytes as usize, seed)),
        };
        pair.write_value_digits();
        pair
    }

    /// Keys and values of a [`KeySpace`](crate::protocol::KeySpace), whoever works on it.
    pub(super) fn of_space(prefix: &str, value_bytes: Option<u32>) -> Self {
        let value = value_bytes.map(|bytes| vec![b'0'; bytes as usize]);
        let mut pair = Self { value, ..Self::new(prefix, None, 0) };
        pair.write_value_digits();
        pair
    }

    /// Goes to another operation.
    pub(super) fn set(&mut self, index: u64) {
        if index == self.index {
            return;
        }
        self.index = index;
        self.key.truncate(self.stem);
        self.key.extend_from_slice(itoa::Buffer::new().format(index).as_bytes());
        self.write_value_digits();
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    pub(super) fn value(&self) -> &[u8] {
        self.value.as_deref().unwrap_or(&self.key[self.stem..])
    }

    fn write_value_digits(&mut self) {
        let Some(value) = &mut self.value else { return };
        let mut rest = self.index;
        for digit in value.iter_mut().rev().take(VALUE_DIGITS) {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }
}

/// Letters that look random: a server that compresses would find nothing to gain in real data either.
fn filler(stem: &str, bytes: usize, seed: u64) -> Vec<u8> {
    // SplitMix64 (Steele, Lea, Flood 2014), started from an FNV-1a hash of the stem: 8 letters a step, no dependency.
    let mut state = stem.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut letters = Vec::with_capacity(bytes + 7);
    while letters.len() < bytes {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        letters.extend((word ^ (word >> 31)).to_le_bytes().map(|byte| b'a' + byte % 26));
    }
    letters.truncate(bytes);
    letters
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::KeySpace;

    fn shown(pair: &Pair) -> (&str, &str) {
        (str::from_utf8(pair.key()).unwrap(), str::from_utf8(pair.value()).unwrap())
    }

    #[test]
    fn without_a_size_the_value_is_the_decimal_index() {
        let mut pair = Pair::new("t1:7:", None, 0);
        assert_eq!(shown(&pair), ("t1:7:0", "0"));
        pair.set(1_234);
        assert_eq!(shown(&pair), ("t1:7:1234", "1234"));
        pair.set(5);
        assert_eq!(shown(&pair), ("t1:7:5", "5"));
    }

    #[test]
    fn a_value_has_exactly_the_bytes_asked_for_and_ends_in_its_index() {
        for bytes in [0, 1, 3, 12, 13, 16, 1000] {
            let mut pair = Pair::new("k", Some(bytes), 1);
            pair.set(98_765);
            assert_eq!(pair.value().len(), bytes as usize);
            let digits = format!("{:012}", 98_765);
            let shared = (bytes as usize).min(12);
            assert!(pair.value().ends_with(&digits.as_bytes()[12 - shared..]), "{bytes}");
        }
    }

    #[test]
    fn the_same_operation_has_the_same_value_however_it_is_come_to() {
        let (mut up, mut down) = (Pair::new("k", Some(20), 1), Pair::new("k", Some(20), 1));
        up.set(9);
        down.set(123_456);
        down.set(9);
        assert_eq!(shown(&up), shown(&down));
    }

    #[test]
    fn keys_and_values_of_a_space_are_those_that_were_put_there() {
        for value_bytes in [None, Some(0), Some(2), Some(5), Some(40)] {
            let space = KeySpace { prefix: "t:".to_owned(), keys: 2_000, value_bytes };
            let mut pair = Pair::of_space("t:", value_bytes);
            for index in [0, 7, 1_234] {
                pair.set(index);
                assert_eq!(shown(&pair), (space.key(index).as_str(), space.value(index).as_str()));
            }
        }
    }

    #[test]
    fn workers_and_seeds_have_values_of_their_own() {
        let value = |stem, seed| Pair::new(stem, Some(16), seed).value().to_vec();
        assert_ne!(value("k:1:", 1), value("k:2:", 1));
        assert_ne!(value("k:1:", 1), value("k:1:", 2));
        assert_eq!(value("k:1:", 1), value("k:1:", 1));
    }
}
