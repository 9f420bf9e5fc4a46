//! The commands of an operation as a library sends them: which they are, and with which arguments.

use super::failure::Failure;
use super::keys::Pair;
use super::space::Stream;
use crate::protocol::{FailureKind, JobWorkload};
use crate::setting::{Factor, Level};
use crate::workload::template::{Part, Template, arguments};

/// A command, word for word.
pub(super) type Words = Vec<Vec<u8>>;

/// The commands of one worker in one phase.
pub(super) struct Script {
    commands: Vec<(String, Vec<Template>)>,
    /// The sum of the weights up to and with each command; absent where an operation is all of them.
    weights: Option<Vec<u64>>,
    worker: u32,
    seed: u64,
    /// Those of the selected operation.
    rendered: Vec<Words>,
    /// How often each was done.
    pub(super) calls: Vec<u64>,
}

impl Script {
    /// The script of a worker; `None` if the workload lists no commands.
    ///
    /// # Errors
    /// If the job's commands are not valid.
    pub(super) fn new(workload: &JobWorkload, worker: u32, seed: u64) -> Result<Option<Self>, Failure> {
        let Some(Level::Commands(commands)) = workload.own.get(Factor::Commands) else { return Ok(None) };
        let protocol = |error: String| Failure::new(FailureKind::Protocol, error);
        let parsed: Vec<(String, Vec<Template>)> = commands
            .iter()
            .map(|command| {
                let name = command.first().ok_or_else(|| protocol("a command has no words".to_owned()))?;
                let arguments: Result<_, _> =
                    arguments(command).iter().map(|word| Template::parse(word)).collect();
                Ok((name.clone(), arguments.map_err(protocol)?))
            })
            .collect::<Result<_, Failure>>()?;
        let weights = workload.own.weights(Factor::Weights).map(|weights| {
            let sums = weights.iter().scan(0, |sum, weight| {
                *sum += weight;
                Some(*sum)
            });
            sums.collect::<Vec<u64>>()
        });
        if weights.as_ref().is_some_and(|weights| weights.len() != parsed.len()) || parsed.is_empty() {
            return Err(protocol("the job's commands and weights do not belong together".to_owned()));
        }
        let calls = vec![0; parsed.len()];
        let seed = Stream(seed ^ u64::from(worker).rotate_left(32)).next();
        Ok(Some(Self { commands: parsed, weights, worker, seed, rendered: Vec::new(), calls }))
    }

    /// Makes the commands those of an operation, whose key and value are those of the pair.
    pub(super) fn select(&mut self, operation: u64, pair: &Pair) {
        let mut stream = Stream(Stream(self.seed ^ operation).next());
        let chosen = self.choose(&mut stream);
        self.rendered.clear();
        for (name, arguments) in &self.commands[chosen] {
            let mut words = vec![name.clone().into_bytes()];
            words.extend(
                arguments.iter().map(|argument| render(argument, operation, self.worker, pair, &mut stream)),
            );
            self.rendered.push(words);
        }
    }

    /// Which of the commands an operation is.
    fn choose(&self, stream: &mut Stream) -> std::ops::Range<usize> {
        let Some(weights) = &self.weights else { return 0..self.commands.len() };
        let all = weights[weights.len() - 1];
        let drawn = ((u128::from(stream.next()) * u128::from(all)) >> 64) as u64;
        let chosen = weights.partition_point(|&sum| sum <= drawn);
        chosen..chosen + 1
    }

    /// The commands of the selected operation.
    pub(super) fn commands(&self) -> &[Words] {
        &self.rendered
    }

    /// Counts an operation as done.
    pub(super) fn count(&mut self, operation: u64) {
        let chosen = self.choose(&mut Stream(Stream(self.seed ^ operation).next()));
        self.calls[chosen].iter_mut().for_each(|calls| *calls += 1);
    }

    /// Calls of each command by its name, as a server counts them.
    pub(super) fn counted(&self) -> impl Iterator<Item = (String, u64)> {
        self.commands.iter().zip(&self.calls).map(|((name, _), calls)| (name.to_lowercase(), *calls))
    }
}

fn render(template: &Template, operation: u64, worker: u32, pair: &Pair, stream: &mut Stream) -> Vec<u8> {
    let mut word = Vec::new();
    let number = |word: &mut Vec<u8>, n: u64| {
        word.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
    };
    for part in &template.0 {
        match part {
            Part::Text(text) => word.extend_from_slice(text.as_bytes()),
            Part::Key => word.extend_from_slice(pair.key()),
            Part::Value => word.extend_from_slice(pair.value()),
            Part::Index => number(&mut word, operation),
            Part::Worker => number(&mut word, worker.into()),
            Part::Random(below) => {
                number(&mut word, ((u128::from(stream.next()) * u128::from(*below)) >> 64) as u64);
            }
        }
    }
    word
}
