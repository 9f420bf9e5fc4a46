//! To be written.
use crate::{protocol::Latency, record::LatencySummary};
use hdrhistogram::Histogram;
pub fn decode(_: &Latency) -> Result<Histogram<u64>, String> {
    unreachable!()
}
pub fn encode(_: &Histogram<u64>) -> Latency {
    unreachable!()
}
pub fn summary(_: &Histogram<u64>) -> LatencySummary {
    unreachable!()
}
