//! One value of a setting, whichever it is.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use super::{Amount, Datum, HostPair, Named, Placement, Shape, Warmup};

/// Shown for a setting that is not given.
const ABSENT: &str = "absent";

/// One value of a factor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// Where client and server run.
    Hosts(HostPair),
    /// The name of a server or a mode.
    Name(String),
    /// One of the words that a setting may be.
    Word(&'static str),
    /// A whole number.
    Number(u64),
    /// So many in a second.
    PerSecond(u64),
    /// A number from 0 to 1.
    Share(Share),
    /// Yes or no.
    Flag(bool),
    /// When a trial ends.
    Amount(Amount),
    /// Arguments.
    Args(Vec<String>),
    /// Commands, each a list of words.
    Commands(Vec<Vec<String>>),
    /// A number for each command.
    Weights(Vec<u64>),
    /// Values by names that are up to the client.
    Named(Named),
    /// On which CPUs client and server run.
    Placement(Placement),
    /// What is done before the measured part.
    Warmup(Warmup),
}

/// A number from 0 to 1, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u32);

impl Share {
    /// Rounded to millionths; `None` outside 0 to 1.
    #[must_use]
    pub fn new(number: f64) -> Option<Self> {
        (0.0..=1.0).contains(&number).then(|| Self((number * 1e6).round() as u32))
    }

    /// As a number.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}

/// Converts a level into the type of a field of the settings: it never gets a level of another form.
macro_rules! into {
    ($name:ident, $variant:ident, $type:ty) => {
        pub(super) fn $name(self) -> $type {
            match self {
                Self::$variant(value) => value,
                other => unreachable!("`{other}` is a level of another setting"),
            }
        }
    };
}

impl Level {
    into!(into_hosts, Hosts, HostPair);
    into!(into_name, Name, String);
    into!(into_word, Word, &'static str);
    into!(into_number, Number, u64);
    into!(into_per_second, PerSecond, u64);
    into!(into_flag, Flag, bool);
    into!(into_amount, Amount, Amount);
    into!(into_args, Args, Vec<String>);
    into!(into_placement, Placement, Placement);
    into!(into_warmup, Warmup, Warmup);

    /// The value that names this level in an experiment's file.
    #[must_use]
    pub fn in_file(&self) -> String {
        let text = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let list = |words: &[String]| words.iter().map(|word| text(word)).collect::<Vec<_>>().join(", ");
        match self {
            Self::Hosts(hosts) if !hosts.is_network() => text(&hosts.server),
            Self::Hosts(HostPair { clients, server }) => match clients.as_slice() {
                [client] => format!("{{ client = {}, server = {} }}", text(client), text(server)),
                all => format!("{{ clients = [{}], server = {} }}", list(all), text(server)),
            },
            Self::PerSecond(n)
            | Self::Amount(Amount::Operations(n))
            | Self::Warmup(Warmup::Operations(n)) => n.to_string(),
            Self::Number(_) | Self::Share(_) | Self::Flag(_) => self.to_string(),
            Self::Args(args) => format!("[{}]", list(args)),
            Self::Commands(commands) => {
                let commands: Vec<_> =
                    commands.iter().map(|command| format!("[{}]", list(command))).collect();
                format!("[{}]", commands.join(", "))
            }
            Self::Weights(weights) => format!("{weights:?}"),
            Self::Named(named) => named.in_file(),
            Self::Placement(Placement::Cpus { server, client }) => {
                format!("{{ server = {server:?}, client = {client:?} }}")
            }
            Self::Name(_) | Self::Word(_) | Self::Amount(_) | Self::Placement(_) | Self::Warmup(_) => {
                text(&self.to_string())
            }
        }
    }

    /// As shown in a column of its own.
    pub(super) fn into_datum<'a>(self) -> Datum<'a> {
        match self {
            Self::Number(n) | Self::PerSecond(n) => Datum::Integer(n),
            Self::Share(share) => Datum::Number(share.as_f64()),
            Self::Flag(flag) => Datum::Boolean(flag),
            Self::Word(word) => Datum::Text(Cow::Borrowed(word)),
            other => Datum::Text(Cow::Owned(other.to_string())),
        }
    }

    /// As a driver and the journal get it, for settings that are kept in [`Own`](super::Own).
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Number(n) | Self::PerSecond(n) => (*n).into(),
            Self::Share(share) => share.as_f64().into(),
            Self::Flag(flag) => (*flag).into(),
            Self::Commands(commands) => commands.clone().into(),
            Self::Weights(weights) => weights.clone().into(),
            Self::Named(named) => serde_json::json!(named),
            other => other.to_string().into(),
        }
    }

    /// The level of a setting of this shape, read from that form.
    pub(super) fn from_json(shape: Shape, value: &Value) -> Option<Self> {
        match shape {
            Shape::Number(level) => level(value.as_u64()?).ok(),
            Shape::Share => Share::new(value.as_f64()?).map(Self::Share),
            Shape::Flag => value.as_bool().map(Self::Flag),
            Shape::Commands => serde_json::from_value(value.clone()).ok().map(Self::Commands),
            Shape::Weights => serde_json::from_value(value.clone()).ok().map(Self::Weights),
            Shape::Options => serde_json::from_value(value.clone()).ok().map(Self::Named),
            Shape::Text { read, .. } => read(value.as_str()?).ok(),
            Shape::Word(words) => {
                let text = value.as_str()?;
                words.iter().find(|(word, _)| *word == text).map(|(word, _)| Self::Word(word))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_f64().fmt(f)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hosts(hosts) => hosts.fmt(f),
            Self::Name(name) => f.write_str(name),
            Self::Word(word) => f.write_str(word),
            Self::Number(n) => n.fmt(f),
            Self::PerSecond(n) => write!(f, "{n}/s"),
            Self::Share(share) => share.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::Amount(amount) => amount.fmt(f),
            Self::Args(args) => f.write_str(&words(args)),
            Self::Commands(commands) => {
                f.write_str(&commands.iter().map(|command| words(command)).collect::<Vec<_>>().join("; "))
            }
            Self::Weights(weights) => {
                f.write_str(&weights.iter().map(u64::to_string).collect::<Vec<_>>().join(":"))
            }
            Self::Named(named) => named.fmt(f),
            Self::Placement(placement) => placement.fmt(f),
            Self::Warmup(warmup) => warmup.fmt(f),
        }
    }
}

/// A command line as one would type it: a word that is empty, or contains a space or a quote, is quoted. So two different
/// lists of words never look alike.
pub(crate) fn words(args: &[String]) -> String {
    let quoted = |word: &String| {
        if word.is_empty() || word.contains(|c: char| c.is_whitespace() || c == '"') {
            format!("{word:?}")
        } else {
            word.clone()
        }
    };
    args.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// A value as it is displayed, or the word for its absence.
pub(crate) fn or_absent(value: Option<impl ToString>) -> String {
    value.map_or_else(|| ABSENT.to_owned(), |value| value.to_string())
}
