//! The targets of `fuzz/`, with seeds from this repository that were changed at random: as many as a test may take, or as
//! `MUTATIONS` says. What went wrong is printed with the seed of its change.

// `cfg(test)` tells clippy that helpers in here are test code too.
#[cfg(test)]
mod mutations;
#[cfg(test)]
#[path = "../../fuzz/seeds.rs"]
#[expect(unreachable_pub, reason = "the programs that are fuzzed use them, too")]
mod seeds;
#[cfg(test)]
#[path = "../../fuzz/targets.rs"]
#[expect(unreachable_pub, reason = "the programs that are fuzzed use them, too")]
mod targets;
