//! Latency histograms and their text form: encode, decode, merge, summarise. Pure.
//!
//! All histograms here have three significant digits and count nanoseconds from 1; they grow as needed.
//! What [`decode`] reads may come from anybody's driver, so it trusts nothing: it is written out by hand because the
//! `hdrhistogram` crate allocates whatever a header asks for.

use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::read::ZlibDecoder;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};

use crate::protocol::Latency;
use crate::record::LatencySummary;

/// Significant digits of every histogram.
const DIGITS: u8 = 3;

/// A new histogram has its slots up to this value (one minute) from the start, so that recording does not allocate.
const USUAL_MAX_NS: u64 = 60_000_000_000;

/// Nothing takes longer than this (146 years); a larger value is a mistake.
const MAX_NS: u64 = 1 << 62;

/// An encoded histogram with every slot in use is smaller than this, whatever its digits.
const MAX_ENCODED_BYTES: usize = 32 * 1024 * 1024;

/// More buckets than three significant digits can tell apart below [`MAX_NS`].
const MAX_BUCKETS: usize = 64 * 1024;

/// The first word of the HDR histogram formats; the second lowest nibble is a word size that nobody uses.
const V2_COOKIE: u32 = 0x1c84_9303;
const V2_DEFLATE_COOKIE: u32 = 0x1c84_9304;
const COOKIE_MASK: u32 = !0xf0;

/// Why a text is not a latency histogram.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LatencyError {
    /// Not base64.
    #[error("the latency histogram is not base64: {0}")]
    Base64(String),
    /// Base64, but not one of the two formats.
    #[error("the latency histogram is neither HDR V2 nor HDR V2 with DEFLATE")]
    Format,
    /// It ends before it is complete, or does not inflate.
    #[error("the latency histogram is cut off or damaged: {0}")]
    Damaged(String),
    /// Larger than any histogram can be.
    #[error("the latency histogram is larger than {} MiB", MAX_ENCODED_BYTES / 1024 / 1024)]
    TooLarge,
    /// A setting in the header that is not accepted.
    #[error("the latency histogram has {what} {value}; {wanted}")]
    Header {
        /// The setting.
        what: &'static str,
        /// Its value.
        value: String,
        /// What is accepted.
        wanted: &'static str,
    },
    /// Counts whose sum does not fit, or an impossible latency.
    #[error("the latency histogram has impossible contents: {0}")]
    Impossible(&'static str),
    /// The pairs are not sorted by their lower bound.
    #[error("latency buckets are not in ascending order: {0} ns is followed by {1} ns")]
    Unsorted(u64, u64),
}

/// An empty histogram.
#[must_use]
pub fn empty() -> Histogram<u64> {
    let mut histogram =
        Histogram::new_with_bounds(1, USUAL_MAX_NS, DIGITS).expect("these bounds are valid ones");
    histogram.auto(true);
    histogram
}

/// Adds all that `from` counts to `into`.
pub fn merge(into: &mut Histogram<u64>, from: &Histogram<u64>) {
    into.add(from).expect("a histogram that grows takes every other");
}

/// The text form: V2 with DEFLATE, in base64.
#[must_use]
pub fn encode(histogram: &Histogram<u64>) -> Latency {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new()
        .serialize(histogram, &mut bytes)
        .expect("counts are below 2^63 and a vector takes every byte");
    Latency::Hdr(BASE64.encode(bytes))
}

/// Reads any of the forms that a driver may print.
///
/// # Errors
/// See [`LatencyError`]. Needs no more memory than the histogram and its text.
pub fn decode(latency: &Latency) -> Result<Histogram<u64>, LatencyError> {
    match latency {
        Latency::Hdr(text) => decode_hdr(text),
        Latency::Buckets(pairs) => decode_buckets(pairs),
    }
}

/// Mean and the usual quantiles. Of an empty histogram everything is 0.
#[must_use]
pub fn summary(histogram: &Histogram<u64>) -> LatencySummary {
    LatencySummary {
        mean_ns: histogram.mean(),
        p50_ns: quantile(histogram, 0.5),
        p90_ns: quantile(histogram, 0.9),
        p99_ns: quantile(histogram, 0.99),
        p999_ns: quantile(histogram, 0.999),
        max_ns: quantile(histogram, 1.0),
    }
}

/// The latency, in nanoseconds, that a share of `q` (0 to 1) of all operations did not exceed; 0 is the smallest
/// latency and 1 the largest.
#[must_use]
pub fn quantile(histogram: &Histogram<u64>, q: f64) -> u64 {
    if q <= 0.0 { histogram.min() } else { histogram.value_at_quantile(q) }
}

fn decode_buckets(pairs: &[(u64, u64)]) -> Result<Histogram<u64>, LatencyError> {
    if pairs.len() > MAX_BUCKETS {
        return Err(LatencyError::Impossible("more buckets than three significant digits can tell apart"));
    }
    if let Some(pair) = pairs.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
        return Err(LatencyError::Unsorted(pair[0].0, pair[1].0));
    }
    let mut tally = Tally::new();
    for &(lower_bound, count) in pairs {
        tally.add(lower_bound, count)?;
    }
    Ok(tally.histogram)
}

fn decode_hdr(text: &str) -> Result<Histogram<u64>, LatencyError> {
    // Four characters are three bytes.
    if text.len() / 4 * 3 > MAX_ENCODED_BYTES {
        return Err(LatencyError::TooLarge);
    }
    let bytes = BASE64.decode(text.trim()).map_err(|error| LatencyError::Base64(error.to_string()))?;
    let mut input = Input(&bytes);
    match input.u32()? & COOKIE_MASK {
        V2_COOKIE => decode_v2(input),
        V2_DEFLATE_COOKIE => {
            let length = input.u32()? as usize;
            let inflated = inflate(input.take(length)?)?;
            let mut input = Input(&inflated);
            if input.u32()? & COOKIE_MASK != V2_COOKIE {
                return Err(LatencyError::Format);
            }
            decode_v2(input)
        }
        _ => Err(LatencyError::Format),
    }
}

fn inflate(bytes: &[u8]) -> Result<Vec<u8>, LatencyError> {
    let mut inflated = Vec::new();
    ZlibDecoder::new(bytes)
        .take(MAX_ENCODED_BYTES as u64 + 1)
        .read_to_end(&mut inflated)
        .map_err(|error| LatencyError::Damaged(error.to_string()))?;
    if inflated.len() > MAX_ENCODED_BYTES { Err(LatencyError::TooLarge) } else { Ok(inflated) }
}

/// Reads what follows the cookie of a V2 histogram.
///
/// Source: <https://github.com/HdrHistogram/HdrHistogram>, `AbstractHistogram.encodeIntoByteBuffer`.
fn decode_v2(mut input: Input<'_>) -> Result<Histogram<u64>, LatencyError> {
    let length = input.u32()? as usize;
    let offset = input.u32()?;
    if offset != 0 {
        return Err(header("the normalizing index offset", &offset, "only 0 is accepted"));
    }
    let digits = input.u32()?;
    if !(3..=5).contains(&digits) {
        return Err(header("the number of significant digits", &digits, "3, 4 or 5 are accepted"));
    }
    let lowest = input.u64()?;
    if !(1..=1000).contains(&lowest) {
        return Err(header("the lowest discernible value", &lowest, "1 to 1000 nanoseconds are accepted"));
    }
    // The highest trackable value says how much to allocate; the counts themselves say as much.
    input.u64()?;
    let ratio = f64::from_bits(input.u64()?);
    if ratio != 1.0 {
        return Err(header("the integer-to-double ratio", &ratio, "only 1 is accepted"));
    }

    let slots = Slots::new(digits, lowest);
    let mut counts = Input(input.take(length)?);
    let mut tally = Tally::new();
    let mut slot: u64 = 0;
    while !counts.0.is_empty() {
        let number = counts.zig_zag()?;
        let skipped = match u64::try_from(number) {
            Ok(0) => 1,
            Ok(count) => {
                tally.add(slots.lowest_value(slot).ok_or(TOO_LONG)?, count)?;
                1
            }
            // A negative number is a run of empty slots.
            Err(_) => number.unsigned_abs(),
        };
        slot = slot.checked_add(skipped).ok_or(TOO_LONG)?;
    }
    Ok(tally.histogram)
}

const TOO_LONG: LatencyError = LatencyError::Impossible("a latency of more than 146 years");

fn header(what: &'static str, value: &impl ToString, wanted: &'static str) -> LatencyError {
    LatencyError::Header { what, value: value.to_string(), wanted }
}

/// Which values a slot of a foreign histogram stands for.
struct Slots {
    /// Values below `1 << unit` nanoseconds are not distinguished.
    unit: u32,
    /// The first bucket has `2 << half` slots, every other one `1 << half`, each twice as wide as before.
    half: u32,
}

impl Slots {
    fn new(digits: u32, lowest: u64) -> Self {
        let single_steps = 2 * 10_u32.pow(digits);
        Self { unit: lowest.ilog2(), half: single_steps.next_power_of_two().ilog2() - 1 }
    }

    /// The smallest value in a slot; `None` if it is beyond [`MAX_NS`].
    fn lowest_value(&self, slot: u64) -> Option<u64> {
        let half = 1_u64 << self.half;
        let (step, doublings) =
            if slot < 2 * half { (slot, 0) } else { (slot % half + half, slot / half - 1) };
        let shift = doublings.checked_add(u64::from(self.unit)).filter(|&shift| shift < 62)?;
        // `step` has at most 18 bits, and the product is wanted only if it is no larger than 2^62.
        u64::try_from(u128::from(step) << shift).ok().filter(|&value| value <= MAX_NS)
    }
}

/// A histogram whose counts are checked as they come.
struct Tally {
    histogram: Histogram<u64>,
    total: u64,
}

impl Tally {
    fn new() -> Self {
        Self { histogram: empty(), total: 0 }
    }

    fn add(&mut self, value: u64, count: u64) -> Result<(), LatencyError> {
        if value > MAX_NS {
            return Err(TOO_LONG);
        }
        // Up to i64::MAX a count can be encoded again.
        self.total = self
            .total
            .checked_add(count)
            .filter(|&total| total <= i64::MAX as u64)
            .ok_or(LatencyError::Impossible("more operations than can be counted"))?;
        if count > 0 {
            self.histogram.record_n(value, count).expect("a histogram that grows takes every value");
        }
        Ok(())
    }
}

/// Bytes that are still to be read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], LatencyError> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or_else(|| LatencyError::Damaged("it ends too early".to_owned()))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], LatencyError> {
        Ok(self.take(N)?.try_into().expect("as many bytes were taken"))
    }

    fn u32(&mut self) -> Result<u32, LatencyError> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, LatencyError> {
        self.array().map(u64::from_be_bytes)
    }

    /// A signed number in the format's own variant of LEB128: seven bits a byte, but a ninth byte has eight.
    fn zig_zag(&mut self) -> Result<i64, LatencyError> {
        let mut number: u64 = 0;
        for position in 0..9 {
            let [byte] = self.array()?;
            let (bits, more) = if position == 8 { (byte, false) } else { (byte & 0x7f, byte >= 0x80) };
            number |= u64::from(bits) << (7 * position);
            if !more {
                break;
            }
        }
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::V2Serializer;
    use proptest::prelude::*;

    use super::*;

    /// What the public format's own implementation writes without compression.
    fn v2(histogram: &Histogram<u64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(histogram, &mut bytes).unwrap();
        bytes
    }

    fn decode_bytes(bytes: &[u8]) -> Result<Histogram<u64>, LatencyError> {
        decode(&Latency::Hdr(BASE64.encode(bytes)))
    }

    /// Lower bound and count of every slot that is not empty.
    fn counts(histogram: &Histogram<u64>) -> Vec<(u64, u64)> {
        let slots = histogram.iter_recorded();
        slots.map(|s| (histogram.lowest_equivalent(s.value_iterated_to()), s.count_at_value())).collect()
    }

    fn hundred() -> Histogram<u64> {
        let mut histogram = empty();
        for n in 1..=100 {
            histogram.record(n * 1_000_000).unwrap();
        }
        histogram
    }

    #[test]
    fn a_summary_tells_mean_and_quantiles_to_three_digits() {
        let summary = summary(&hundred());
        let close = |got: u64, wanted: f64| (got as f64 / wanted - 1.0).abs() < 0.001;
        assert!((summary.mean_ns / 50.5e6 - 1.0).abs() < 0.001, "{summary:?}");
        assert!(close(summary.p50_ns, 50e6), "{summary:?}");
        assert!(close(summary.p90_ns, 90e6), "{summary:?}");
        assert!(close(summary.p99_ns, 99e6), "{summary:?}");
        assert!(close(summary.p999_ns, 100e6), "{summary:?}");
        assert!(close(summary.max_ns, 100e6), "{summary:?}");
        assert!(close(quantile(&hundred(), 0.0), 1e6));
    }

    #[test]
    fn an_empty_histogram_is_encoded_and_summarised_like_any_other() {
        let decoded = decode(&encode(&empty())).unwrap();
        assert!(decoded.is_empty());
        assert_eq!(summary(&decoded).max_ns, 0);
    }

    #[test]
    fn a_histogram_of_the_public_format_is_read() {
        // 1 µs, 2 µs twice and 3 ms as Python's hdrhistogram 0.10.8 writes them, and the same before DEFLATE.
        let deflated = "HISTFAAAACt4nJNpmSzMwMDAxQABzFCaEch0M9ixgMH+A0TgPD/TWX6Ws8sZmQCOuAeM";
        let plain = "HISTEwAAAAoAAAAAAAAAAwAAAAAAAAABAAADRjC4oAA/8AAAAAAAAM8PAs0PBM2nAQI=";
        for text in [plain, deflated] {
            let decoded = decode(&Latency::Hdr(text.to_owned())).unwrap();
            assert_eq!(counts(&decoded), [(1_000, 1), (2_000, 2), (2_998_272, 1)]);
        }
    }

    #[test]
    fn buckets_are_read_as_what_they_count() {
        let decoded = decode(&Latency::Buckets(vec![(0, 1), (1_000, 2), (2_500_000, 3)])).unwrap();
        assert_eq!(decoded.len(), 6);
        assert_eq!(decoded.count_at(1_000), 2);
        assert_eq!(decoded.min(), 0);
    }

    #[test]
    fn merged_histograms_count_all_that_their_parts_do() {
        let mut merged = hundred();
        let mut other = empty();
        other.record_n(3 * USUAL_MAX_NS, 7).unwrap();
        merge(&mut merged, &other);
        assert_eq!(merged.len(), 107);
        assert!(quantile(&merged, 1.0) >= 3 * USUAL_MAX_NS);
    }

    #[test]
    fn finer_and_coarser_histograms_of_others_are_read_in_their_own_steps() {
        for (lowest, digits) in [(1, 3), (1, 5), (1000, 3), (700, 4)] {
            let mut theirs = Histogram::<u64>::new_with_bounds(lowest, USUAL_MAX_NS, digits).unwrap();
            for value in [5_000, 123_456, 987_654_321, 59_999_999_999] {
                theirs.record(value).unwrap();
                let ours = decode_bytes(&v2(&theirs)).unwrap();
                let (got, wanted) = (ours.max() as f64, value as f64);
                assert!((got / wanted - 1.0).abs() < 0.11, "{lowest} {digits} {value}: {got}");
                assert_eq!(ours.len(), theirs.len());
            }
        }
    }

    #[test]
    fn what_a_hostile_header_asks_for_is_refused_with_its_reason() {
        let with = |offset: usize, bytes: &[u8]| {
            let mut changed = v2(&hundred());
            changed[offset..offset + bytes.len()].copy_from_slice(bytes);
            decode_bytes(&changed).unwrap_err().to_string()
        };
        insta::assert_snapshot!(with(0, &[1, 2, 3, 4]), @"the latency histogram is neither HDR V2 nor HDR V2 with DEFLATE");
        insta::assert_snapshot!(with(4, &u32::MAX.to_be_bytes()), @"the latency histogram is cut off or damaged: it ends too early");
        insta::assert_snapshot!(with(8, &1_u32.to_be_bytes()), @"the latency histogram has the normalizing index offset 1; only 0 is accepted");
        insta::assert_snapshot!(with(12, &99_u32.to_be_bytes()), @"the latency histogram has the number of significant digits 99; 3, 4 or 5 are accepted");
        insta::assert_snapshot!(with(16, &0_u64.to_be_bytes()), @"the latency histogram has the lowest discernible value 0; 1 to 1000 nanoseconds are accepted");
        insta::assert_snapshot!(with(32, &2_f64.to_be_bytes()), @"the latency histogram has the integer-to-double ratio 2; only 1 is accepted");
        // The highest trackable value is what others would allocate for; here it has no consequence.
        let mut endless = v2(&hundred());
        endless[24..32].copy_from_slice(&u64::MAX.to_be_bytes());
        assert_eq!(counts(&decode_bytes(&endless).unwrap()), counts(&hundred()));
    }

    #[test]
    fn counts_that_cannot_be_are_refused() {
        let with_counts = |counts: &[u8]| {
            let mut bytes = v2(&empty())[..40].to_vec();
            bytes[4..8].copy_from_slice(&(counts.len() as u32).to_be_bytes());
            bytes.extend_from_slice(counts);
            decode_bytes(&bytes).unwrap_err()
        };
        let largest = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(
            with_counts(&[largest, largest].concat()),
            LatencyError::Impossible("more operations than can be counted")
        );
        // The longest run of empty slots (i64::MIN), and then a count.
        assert_eq!(with_counts(&[&[0xff; 9][..], &[2]].concat()), TOO_LONG);
        assert_eq!(with_counts(&[0x80]), LatencyError::Damaged("it ends too early".to_owned()));
    }

    #[test]
    fn a_small_text_that_inflates_without_end_is_refused() {
        use std::io::Write as _;
        let mut bomb = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        let zeros = vec![0; 1024 * 1024];
        for _ in 0..33 {
            bomb.write_all(&zeros).unwrap();
        }
        let bomb = bomb.finish().unwrap();
        let mut bytes = (V2_DEFLATE_COOKIE | 0x10).to_be_bytes().to_vec();
        bytes.extend_from_slice(&(bomb.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&bomb);
        assert_eq!(decode_bytes(&bytes).unwrap_err(), LatencyError::TooLarge);
    }

    #[test]
    fn buckets_that_contradict_themselves_are_refused() {
        let error = |pairs: &[(u64, u64)]| decode(&Latency::Buckets(pairs.to_vec())).unwrap_err();
        assert_eq!(error(&[(5, 1), (5, 1)]), LatencyError::Unsorted(5, 5));
        assert_eq!(error(&[(u64::MAX, 1)]), TOO_LONG);
        assert_eq!(
            error(&[(1, u64::MAX), (2, 1)]),
            LatencyError::Impossible("more operations than can be counted")
        );
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_unchanged(values in prop::collection::vec((0..=MAX_NS, 1_u64..1 << 40), 0..200)) {
            let mut histogram = empty();
            for (value, count) in values {
                histogram.record_n(value, count).unwrap();
            }
            prop_assert_eq!(counts(&decode(&encode(&histogram)).unwrap()), counts(&histogram));
            prop_assert_eq!(counts(&decode_bytes(&v2(&histogram)).unwrap()), counts(&histogram));
        }

        #[test]
        fn any_text_is_decoded_or_refused_and_never_panics(text in ".{0,200}") {
            let _ = decode(&Latency::Hdr(text));
        }

        #[test]
        fn a_damaged_histogram_is_decoded_or_refused_and_never_panics(
            position in 0_usize..200, byte: u8, length in 0_usize..400,
        ) {
            for mut bytes in [v2(&hundred()), {
                let Latency::Hdr(text) = encode(&hundred()) else { unreachable!() };
                BASE64.decode(text).unwrap()
            }] {
                let position = position % bytes.len();
                bytes[position] = byte;
                bytes.truncate(length);
                let _ = decode_bytes(&bytes);
            }
        }
    }
}
