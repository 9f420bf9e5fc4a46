//! Which key of a filled key space an operation is about, and whether it reads or writes.
//!
//! The answer is a function of the worker and of the operation's index, so that it can be asked for again when the reply is
//! there, and the same job does the same whatever the mode.

use rand::TryRng;
use rand_distr::{Distribution as _, Zipf};

use super::failure::Failure;
use crate::protocol::{FailureKind, JobWorkload};
use crate::setting::Factor;

/// The choices of one worker in one phase.
pub(super) struct Space {
    keys: u64,
    /// Below this a random number makes a read; absent: all are reads.
    reads: Option<u64>,
    distribution: Distribution,
    seed: u64,
}

enum Distribution {
    Uniform,
    Zipf(Zipf<f64>),
    /// From this key on.
    Sequential(u64),
}

impl Space {
    /// That of worker `number` of `workers`; `None` if the workload has no keys beforehand.
    ///
    /// # Errors
    /// If the job does not say what the workload needs.
    pub(super) fn new(
        workload: &JobWorkload,
        (number, workers): (u32, u32),
        seed: u64,
    ) -> Result<Option<Self>, Failure> {
        let keys = workload.keys_beforehand();
        if keys == 0 {
            return Ok(None);
        }
        let lacks = |setting: &str| Failure::new(FailureKind::Protocol, format!("the job lacks {setting}"));
        let reads = workload.own.share(Factor::Reads).ok_or_else(|| lacks("reads"))?;
        let distribution = match workload.own.word(Factor::Distribution) {
            Some("uniform") => Distribution::Uniform,
            Some("zipf") => Distribution::Zipf(
                Zipf::new(keys as f64, 1.0).expect("there is a key, and the exponent is 1"),
            ),
            // Workers do not follow on each other's heels.
            Some("sequential") => Distribution::Sequential(
                (u128::from(number) * u128::from(keys) / u128::from(workers.max(1))) as u64,
            ),
            _ => return Err(lacks("distribution")),
        };
        // 2^64 does not fit in 64 bits.
        let reads = (reads < 1.0).then(|| (reads * 2.0_f64.powi(64)) as u64);
        // Seeds of workers must not be those of the next trial.
        let seed = Stream(seed ^ u64::from(number).rotate_left(32)).next();
        Ok(Some(Self { keys, reads, distribution, seed }))
    }

    /// The index of the key of an operation, and whether it reads.
    pub(super) fn choose(&self, operation: u64) -> (u64, bool) {
        let mut stream = Stream(Stream(self.seed ^ operation).next());
        let reads = self.reads.is_none_or(|below| stream.next() < below);
        let key = match &self.distribution {
            // Lemire's multiplication, without the rejection, whose absence no test of so many keys could detect.
            Distribution::Uniform => ((u128::from(stream.next()) * u128::from(self.keys)) >> 64) as u64,
            Distribution::Zipf(zipf) => (zipf.sample(&mut stream) as u64).clamp(1, self.keys) - 1,
            Distribution::Sequential(first) => (first + operation % self.keys) % self.keys,
        };
        (key, reads)
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): one addition and one mixing for each number.
pub(super) struct Stream(pub(super) u64);

impl Stream {
    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl TryRng for Stream {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok((self.next() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(self.next())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setting::{Level, Own, Share};
    use crate::workload::Kind;

    fn space(keys: u64, reads: f64, distribution: &'static str, worker: (u32, u32)) -> Space {
        let mut own = Own::default();
        own.set(Factor::Keys, Level::Number(keys));
        own.set(Factor::Reads, Level::Share(Share::new(reads).unwrap()));
        own.set(Factor::Distribution, Level::Word(distribution));
        let workload = JobWorkload { kind: Kind::ReadWrite, own, ..JobWorkload::default() };
        Space::new(&workload, worker, 7).ok().flatten().unwrap()
    }

    /// How often each of the keys is chosen in so many operations, and how many of those are reads.
    fn counted(space: &Space, keys: u64, operations: u64) -> (Vec<f64>, f64) {
        let (mut counts, mut reads) = (vec![0.0; keys as usize], 0.0);
        for operation in 0..operations {
            let (key, read) = space.choose(operation);
            counts[key as usize] += 1.0;
            reads += f64::from(u8::from(read));
        }
        (counts, reads)
    }

    #[test]
    fn keys_are_chosen_as_often_as_their_distribution_says() {
        let (keys, operations) = (100, 200_000);
        let harmonic: f64 = (1..=keys).map(|k| 1.0 / k as f64).sum();
        let of = |distribution, expected: &dyn Fn(u64) -> f64| {
            let (counts, _) = counted(&space(keys, 0.5, distribution, (0, 1)), keys, operations);
            let chi2: f64 = (1..=keys)
                .zip(&counts)
                .map(|(k, count)| {
                    let expected = expected(k) * operations as f64;
                    (count - expected).powi(2) / expected
                })
                .sum();
            // The 99.9% point of chi-squared with 99 degrees of freedom; the seed is fixed.
            assert!(chi2 < 148.2, "{distribution}: chi-squared {chi2}");
        };
        of("uniform", &|_| 1.0 / keys as f64);
        of("zipf", &|k| 1.0 / (k as f64 * harmonic));
        let (counts, _) = counted(&space(keys, 0.5, "sequential", (1, 3)), keys, operations);
        assert!(counts.iter().all(|count| *count == 2_000.0));
        assert_eq!(space(keys, 0.5, "sequential", (1, 3)).choose(0).0, 33);
    }

    #[test]
    fn so_many_operations_read_as_were_asked_for() {
        let reads = |share| counted(&space(10, share, "uniform", (0, 1)), 10, 100_000).1;
        assert_eq!((reads(0.0), reads(1.0)), (0.0, 100_000.0));
        // Five standard deviations of a binomial distribution.
        assert!((reads(0.9) - 90_000.0).abs() < 5.0 * 95.0);
    }

    #[test]
    fn workers_choose_otherwise_and_the_same_worker_the_same_again() {
        let choices =
            |worker| (0..50).map(|i| space(1_000, 0.5, "uniform", (worker, 2)).choose(i)).collect::<Vec<_>>();
        assert_eq!(choices(0), choices(0));
        assert_ne!(choices(0), choices(1));
    }
}
