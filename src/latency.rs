//! Latency histograms on the wire: encode, decode, summarise. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};

use crate::protocol::Latency;
use crate::record::LatencySummary;

/// What is wrong with a histogram that somebody else wrote.
#[derive(Debug, thiserror::Error)]
#[error("not a latency histogram: {0}")]
pub struct LatencyError(String);

/// Reads a histogram in either of its forms.
///
/// # Errors
/// When the text is no base64 or holds no histogram.
pub fn decode(latency: &Latency) -> Result<Histogram<u64>, LatencyError> {
    match latency {
        Latency::Hdr(text) => {
            let bytes = STANDARD.decode(text).map_err(|error| LatencyError(error.to_string()))?;
            Deserializer::new()
                .deserialize(&mut bytes.as_slice())
                .map_err(|error| LatencyError(error.to_string()))
        }
        Latency::Buckets(pairs) => {
            let mut histogram = Histogram::new(3).expect("three significant digits are allowed");
            for &(nanos, count) in pairs {
                histogram.record_n(nanos, count).map_err(|error| LatencyError(error.to_string()))?;
            }
            Ok(histogram)
        }
    }
}

/// Writes a histogram as V2 with DEFLATE, in base64.
#[must_use]
pub fn encode(histogram: &Histogram<u64>) -> Latency {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(histogram, &mut bytes).expect("writing to memory does not fail");
    Latency::Hdr(STANDARD.encode(bytes))
}

/// Mean, the usual quantiles and the largest value.
#[must_use]
pub fn summary(histogram: &Histogram<u64>) -> LatencySummary {
    LatencySummary {
        mean_ns: histogram.mean(),
        p50_ns: histogram.value_at_quantile(0.5),
        p90_ns: histogram.value_at_quantile(0.9),
        p99_ns: histogram.value_at_quantile(0.99),
        p999_ns: histogram.value_at_quantile(0.999),
        max_ns: histogram.max(),
    }
}
