//! `commands`: the commands that an experiment's file lists, either all of them in their order, or one of them, drawn by
//! weight.

use std::collections::BTreeMap;

use super::template::{Template, arguments};
use super::{BACK_TO_BACK, Count, Expected, Freedom, Unlikely, Workload, is_by_chance};
use crate::protocol::JobWorkload;
use crate::setting::{Factor, Level};

/// `+` or `:`, at least one byte, and a line end; no reply of a server is shorter.
const SHORTEST_REPLY: u64 = 4;

pub(super) const WORKLOAD: Workload = Workload {
    name: "commands",
    meaning: "The commands that are listed, in their order; or one of them, drawn by weight.",
    operation: "the commands that the file lists",
    commands: |asked| listed(asked).iter().map(|command| name(command)).collect(),
    freedom: Freedom::File,
    expect: |claim| {
        let operations = claim.operations;
        let commands = listed(claim.asked);
        let weights = claim.asked.own.weights(Factor::Weights);
        let calls = match weights {
            None => {
                let mut calls = BTreeMap::new();
                for command in commands {
                    *calls.entry(name(command)).or_default() += operations;
                }
                calls
            }
            Some(weights) => drawn(commands, weights, operations, claim.calls)?,
        };
        let all: u64 = calls.values().sum();
        // If commands are drawn, the shortest of them gives the only known bound.
        let shortest = commands.iter().map(|command| least_bytes(command, claim.asked)).min().unwrap_or(0);
        let in_order: u64 = commands.iter().map(|command| least_bytes(command, claim.asked)).sum();
        Ok(Expected {
            calls: calls.into_iter().map(|(name, calls)| (name, Count::Exactly(calls))).collect(),
            keys: None,
            expiring: false,
            least_received: operations * if weights.is_some() { shortest } else { in_order },
            least_sent: all * SHORTEST_REPLY,
            most_values_sent: None,
        })
    },
    ..BACK_TO_BACK
};

fn listed(asked: &JobWorkload) -> &[Vec<String>] {
    match asked.own.get(Factor::Commands) {
        Some(Level::Commands(commands)) => commands,
        _ => &[],
    }
}

/// As a server counts it.
pub(crate) fn name(command: &[String]) -> String {
    command.first().map(|word| word.to_lowercase()).unwrap_or_default()
}

/// The calls of each command that a driver claims, if the weights can plausibly have produced them.
fn drawn(
    commands: &[Vec<String>],
    weights: &[u64],
    operations: u64,
    claimed: Option<&BTreeMap<String, u64>>,
) -> Result<BTreeMap<String, u64>, Unlikely> {
    let mut shares: BTreeMap<String, f64> = BTreeMap::new();
    let all: f64 = weights.iter().map(|weight| *weight as f64).sum();
    for (command, weight) in commands.iter().zip(weights) {
        *shares.entry(name(command)).or_default() += *weight as f64 / all;
    }
    let names = || shares.keys().map(|name| name.to_uppercase()).collect::<Vec<_>>().join(" and ");
    let claimed = claimed.ok_or_else(|| Unlikely::Unsaid(names()))?;
    let calls: BTreeMap<String, u64> =
        shares.keys().map(|name| (name.clone(), claimed.get(name).copied().unwrap_or(0))).collect();
    let sum = calls.values().fold(0_u64, |sum, calls| sum.saturating_add(*calls));
    if sum != operations {
        return Err(Unlikely::Sum { calls: sum, operations });
    }
    for (name, share) in shares {
        let calls = calls[&name];
        if !is_by_chance(calls, operations, share) {
            let (command, asked) = (name.to_uppercase(), share.to_string());
            return Err(Unlikely::Share { command, calls, operations, asked });
        }
    }
    Ok(calls)
}

/// The fewest bytes that a command takes on the wire: its words, and what separates them.
fn least_bytes(command: &[String], asked: &JobWorkload) -> u64 {
    let value = asked.value_bytes.map_or(1, u64::from);
    let word = |word: &String| match Template::parse(word) {
        Ok(template) => template.least_bytes(value),
        Err(_) => word.len() as u64,
    };
    arguments(command).iter().map(|text| word(text) + 1).sum::<u64>() + name(command).len() as u64 + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{Claim, Kind};

    fn asked(commands: &[&[&str]], weights: Option<&[u64]>) -> JobWorkload {
        let mut workload =
            JobWorkload { kind: Kind::Commands, value_bytes: Some(10), ..JobWorkload::default() };
        let words = |command: &&[&str]| command.iter().map(|&word| word.to_owned()).collect();
        workload.own.set(Factor::Commands, Level::Commands(commands.iter().map(words).collect()));
        if let Some(weights) = weights {
            workload.own.set(Factor::Weights, Level::Weights(weights.to_vec()));
        }
        workload
    }

    fn expected(asked: &JobWorkload, calls: Option<&[(&str, u64)]>) -> Result<Expected, Unlikely> {
        let calls = calls.map(|calls| calls.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect());
        let claim = Claim {
            asked,
            operations: 1_000,
            workers: 1,
            clients: 1,
            calls: calls.as_ref(),
            key_prefix: 2,
            keys: None,
        };
        (WORKLOAD.expect)(&claim)
    }

    #[test]
    fn commands_in_their_order_are_each_called_as_often_as_they_are_listed() {
        let asked =
            asked(&[&["HSET", "{key}", "f", "{value}"], &["hget", "{key}", "f"], &["HGET", "k", "f"]], None);
        let expected = expected(&asked, None).unwrap();
        let calls = super::super::calls([("hset", Count::Exactly(1_000)), ("hget", Count::Exactly(2_000))]);
        assert_eq!((expected.calls, expected.keys), (calls, None));
        // HSET, a key of one digit, f and ten bytes: with one byte between any two.
        assert_eq!(expected.least_received, 1_000 * ((5 + 2 + 2 + 11) + (5 + 2 + 2) + (5 + 2 + 2)));
    }

    #[test]
    fn commands_that_are_drawn_are_called_as_often_as_their_weights_allow() {
        let asked = asked(&[&["INCR", "a"], &["GET", "a"]], Some(&[1, 9]));
        let fair = [("incr", 110), ("get", 890)];
        assert_eq!(expected(&asked, Some(&fair)).unwrap().calls["incr"], Count::Exactly(110));
        assert!(matches!(expected(&asked, None), Err(Unlikely::Unsaid(names)) if names == "GET and INCR"));
        let sum = Unlikely::Sum { calls: 900, operations: 1_000 };
        assert_eq!(expected(&asked, Some(&[("incr", 100), ("get", 800)])), Err(sum));
        let unfair = expected(&asked, Some(&[("incr", 500), ("get", 500)]));
        assert!(matches!(unfair, Err(Unlikely::Share { calls: 500, .. })), "{unfair:?}");
    }
}
