//! `workload.body`: what a task does.

use super::{Column, ColumnKind, Heading, Kept, Key, Level, Setting, Shape};
use crate::units::Nanos;
use crate::workload::Kind;

/// A task that returns what it was given, and whose result the producer waits for.
pub(crate) const ECHO: &str = "echo";

pub(super) const SETTING: Setting = Setting {
    name: "workload.body",
    keys: &[Key {
        name: "body",
        meaning: "What a task does: `noop`; `sleep 10ms`; `cpu 1ms`, so much CPU time; `echo`, whose result a producer \
                  waits for; `call module:function`, a function of one's own",
        default: "\"noop\" if absent",
        shape: Shape::Text {
            read,
            examples: &["noop", "sleep 10ms", "cpu 1ms", "echo", "call shop.orders:confirm"],
        },
    }],
    kept: Kept::Own { workloads: &[Kind::Tasks], default: Some(|| Level::Name("noop".to_owned())) },
    columns: &[Column::of("body", ColumnKind::Text, "What each task did.").said("{}").unsaid("no tasks")],
    heading: Heading::text("Body"),
    measures: true,
};

/// A body in the form that a driver gets: one space, and the time as a whole number of one unit.
fn read(text: &str) -> Result<Level, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let body = match words.as_slice() {
        [word @ ("noop" | ECHO)] => (*word).to_owned(),
        [word @ ("sleep" | "cpu"), time @ ..] if !time.is_empty() => {
            format!("{word} {}", in_one_unit(time.join(" ").parse()?))
        }
        ["call", function] if is_function(function) => format!("call {function}"),
        _ => {
            return Err(format!(
                "`body` cannot be `{text}`; it may be `noop`, `sleep 10ms`, `cpu 1ms`, `echo` or `call module:function`"
            ));
        }
    };
    Ok(Level::Name(body))
}

/// `package.module:function`.
fn is_function(text: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | '.'))
    };
    text.split_once(':').is_some_and(|(module, function)| is_name(module) && is_name(function))
}

fn in_one_unit(time: Nanos) -> String {
    let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")];
    match units.iter().find(|(unit, _)| time.0.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", time.0 / unit),
        None => format!("{}ns", time.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_body_is_written_in_one_way() {
        let body = |text: &str| read(text).map(|level| level.to_string());
        for (written, read) in [
            ("noop", "noop"),
            (" sleep  10ms", "sleep 10ms"),
            ("sleep 1s 500ms", "sleep 1500ms"),
            ("cpu 0.5ms", "cpu 500us"),
            ("cpu 1500ns", "cpu 1500ns"),
            ("call shop.orders:confirm", "call shop.orders:confirm"),
        ] {
            assert_eq!(body(written), Ok(read.to_owned()));
        }
        for wrong in ["", "nop", "sleep", "cpu 3", "sleep 1,5ms", "call shop", "call :f", "echo 3"] {
            assert!(body(wrong).is_err(), "{wrong}");
        }
    }
}
