//! Settings: what a trial is to do, and every name and form that each part of it has anywhere.
//!
//! One file for each setting, which says in one place what it is called in a file, which values it may have, which columns
//! of a table it has, and how it is presented to a reader. [`Factor`] lists them, and everything else folds over that list:
//! reading with spans, the JSON Schema, defaults, the identity of a cell, exclusions, what a resumed run may not change,
//! columns, headings, figures, and the names that `compare --factor` accepts.
//!
//! To add one, write its file following the model of `keys.rs`, and add it to the list below. If a driver has to know it,
//! the driver finds it in its job under its key. All new ones use [`Kept::Own`]: only the settings that existed before this
//! list have fields of [`Settings`], because that is how journals and the identities of cells have them.

mod acknowledge;
mod amount;
mod backlog;
mod body;
mod channels;
mod commands;
mod distribution;
mod env;
mod expire;
mod hosts;
mod keys;
mod level;
mod lifetime;
mod link;
mod mode;
mod named;
mod options;
mod own;
mod pipeline;
mod placement;
mod processes;
mod producers;
mod publishers;
mod rate;
mod reads;
mod results;
mod server;
mod server_args;
mod settings;
mod split;
mod structure;
mod value_bytes;
mod verify;
mod warmup;
mod weights;
mod workers;
mod workload;

use crate::units::Nanos;
use crate::workload::Kind;
use std::borrow::Cow;

pub use amount::Amount;
pub(crate) use amount::MOST_EXACT;
pub(crate) use body::ECHO;
pub use hosts::HostPair;
pub use level::{Level, Share};
pub(crate) use level::{or_absent, words};
pub use lifetime::Lifetime;
pub use link::Link;
pub use named::{Named, Scalar};
pub use own::Own;
pub use placement::Placement;
pub use settings::{Settings, Workload};
pub use split::Split;
pub(crate) use split::largest_divisor;
pub use warmup::Warmup;
pub use workers::MAX_WORKERS;

macro_rules! factors {
    ($($(#[$doc:meta])* $factor:ident => $file:ident,)*) => {
        /// What can vary between cells, in the order in which tables and figures name it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Factor { $($(#[$doc])* $factor,)* }

        impl Factor {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$factor),*];

            /// Everything there is to know about it.
            #[must_use]
            pub const fn setting(self) -> &'static Setting {
                match self { $(Self::$factor => &$file::SETTING,)* }
            }
        }
    };
}

factors! {
    /// On which hosts client and server run.
    Hosts => hosts,
    /// Which server.
    Server => server,
    /// Arguments in place of the server's own.
    ServerArgs => server_args,
    /// How long one process of the server serves.
    Lifetime => lifetime,
    /// How the client reaches the server.
    Link => link,
    /// On which CPUs client and server run.
    Placement => placement,
    /// What one operation is.
    Workload => workload,
    /// When a trial ends.
    Amount => amount,
    /// Bytes of each value.
    ValueBytes => value_bytes,
    /// Operations that share a round trip.
    Pipeline => pipeline,
    /// Operations per second of an open loop.
    Rate => rate,
    /// Whether replies are looked at.
    Verify => verify,
    /// How operations are shared among workers.
    Split => split,
    /// Keys that exist before anything is measured.
    Keys => keys,
    /// The share of reads.
    Reads => reads,
    /// Which keys are read and written how often.
    Distribution => distribution,
    /// The commands of an operation.
    Commands => commands,
    /// How often an operation is which of them.
    Weights => weights,
    /// How long a key lives that is set.
    Expire => expire,
    /// What a queue is made of.
    Structure => structure,
    /// Whether a task stays on the server until it is done.
    Acknowledge => acknowledge,
    /// What a task does.
    Body => body,
    /// Whether the results of tasks are stored.
    Results => results,
    /// Over how many programs the workers of a library are spread.
    Processes => processes,
    /// How many push tasks.
    Producers => producers,
    /// How many publish messages.
    Publishers => publishers,
    /// Over how many channels messages are spread.
    Channels => channels,
    /// How far those who push may be ahead of those who take.
    Backlog => backlog,
    /// What is done before the measured part.
    Warmup => warmup,
    /// The way of talking to the server.
    Mode => mode,
    /// What the client is told beside its job.
    Options => options,
    /// Variables of its environment.
    Env => env,
    /// How many do so at once.
    Workers => workers,
}

/// Everything there is to know about a setting.
#[derive(Debug)]
pub struct Setting {
    /// What messages call it: `workload.pipeline`.
    pub name: &'static str,
    /// The keys that give it in a file; more than one only where one of several gives it.
    pub keys: &'static [Key],
    /// Where its level is kept.
    pub kept: Kept,
    /// Its columns in tables of results.
    pub columns: &'static [Column],
    /// How the table for readers shows it.
    pub heading: Heading,
    /// Whether it is another experiment if a level that was the same in all cells becomes another one in all cells. This
    /// does not apply to the participants, whose set may always grow and shrink.
    pub measures: bool,
}

/// A key of a file.
#[derive(Debug)]
pub struct Key {
    /// The part after the last dot.
    pub name: &'static str,
    /// What an editor shows, as a sentence without its full stop.
    pub meaning: &'static str,
    /// What applies if it is not given, after a semicolon in the same sentence; empty where the meaning says that.
    pub default: &'static str,
    /// What values it may have.
    pub shape: Shape,
}

/// What values a key may have. The function decides whether a value of the right type is valid for the setting.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A whole number from 0 on; several of them may be given as a sweep.
    Number(fn(u64) -> Result<Level, String>),
    /// A duration with its unit.
    Time(fn(Nanos) -> Result<Level, String>),
    /// A number from 0 to 1.
    Share,
    /// `true` or `false`.
    Flag,
    /// One of these words, each with its meaning.
    Word(&'static [(&'static str, &'static str)]),
    /// Text of a form of its own, with at least two examples.
    Text {
        /// What it means.
        read: fn(&str) -> Result<Level, String>,
        /// For editors.
        examples: &'static [&'static str],
    },
    /// The name of a mode.
    Mode,
    /// The name of a server.
    Server,
    /// A host, or one for each side.
    Hosts,
    /// Arguments of a server.
    ServerArgs,
    /// Commands, each a list of words.
    Commands,
    /// A positive whole number for each command.
    Weights,
    /// Values by names that are up to the client.
    Options,
    /// A word, or lists of CPUs.
    Placement,
    /// A duration, or a number of operations.
    Warmup,
}

/// Where the level of a setting is kept.
#[derive(Debug)]
pub enum Kept {
    /// In a field of [`Settings`].
    Field {
        /// `None` where it is not set.
        get: fn(&Settings) -> Option<Level>,
        /// Puts a level there.
        set: fn(&mut Settings, Level),
    },
    /// In [`Settings::own`], if the workload is one of these.
    Own {
        /// The workloads that have it.
        workloads: &'static [Kind],
        /// Its value where it is not given. A setting that is newer than one of its workloads has none: otherwise the
        /// identities of that workload's cells would change.
        default: Option<fn() -> Level>,
    },
}

/// A column of tables of results.
#[derive(Debug)]
pub struct Column {
    /// The header; ends in its unit where there is one.
    pub name: &'static str,
    /// What the values are.
    pub kind: ColumnKind,
    /// The unit of the values, in words.
    pub unit: Option<&'static str>,
    /// What the values mean.
    pub meaning: &'static str,
    /// Whether every row has a value.
    pub required: bool,
    /// The only possible values; empty if there are others.
    pub one_of: &'static [&'static str],
    /// Where they come from.
    pub value: ValueFrom,
    /// How the title of a figure says it, with `{}` for the value.
    pub phrase: &'static str,
    /// How it says `true` and `false`, if these are its values.
    pub yes_no: Option<(&'static str, &'static str)>,
    /// What it says for a missing value; if empty, `no NAME`.
    pub absent: &'static str,
    /// What a horizontal axis for it shows, if it can have one.
    pub axis: Option<&'static str>,
    /// The first word of a value in tables of earlier versions, and the word that replaces it.
    pub former: Option<(&'static str, &'static str)>,
}

/// The type of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// Any text of one line.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
}

/// Where the values of a column come from.
#[derive(Clone, Copy, Debug)]
pub enum ValueFrom {
    /// They are the levels of the setting.
    Level,
    /// They follow from what was asked for.
    Settings(fn(&Settings) -> Option<Datum<'_>>),
    /// They also depend on what was done; the code that writes the table knows.
    Record,
}

/// A value in a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Datum<'a> {
    /// Text.
    Text(std::borrow::Cow<'a, str>),
    /// A whole number.
    Integer(u64),
    /// A number.
    Number(f64),
    /// Yes or no.
    Boolean(bool),
}

/// The column of the table for readers.
#[derive(Clone, Copy, Debug)]
pub struct Heading {
    /// What heads it.
    pub name: &'static str,
    /// Whether its values are numbers, which are right-aligned.
    pub numeric: bool,
    /// Shown for a missing level.
    pub absent: &'static str,
}

impl Column {
    /// A column of levels in which some rows may have no value.
    const fn of(name: &'static str, kind: ColumnKind, meaning: &'static str) -> Self {
        Self {
            name,
            kind,
            unit: None,
            meaning,
            required: false,
            one_of: &[],
            value: ValueFrom::Level,
            phrase: "{}",
            yes_no: None,
            absent: "",
            axis: None,
            former: None,
        }
    }

    const fn unit(self, unit: &'static str) -> Self {
        Self { unit: Some(unit), ..self }
    }

    const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    const fn one_of(self, one_of: &'static [&'static str]) -> Self {
        Self { one_of, ..self }
    }

    const fn from(self, value: ValueFrom) -> Self {
        Self { value, ..self }
    }

    /// How a figure says it.
    const fn said(self, phrase: &'static str) -> Self {
        Self { phrase, ..self }
    }

    /// How a figure says `true` and `false`.
    const fn said_of_both(self, yes: &'static str, no: &'static str) -> Self {
        Self { yes_no: Some((yes, no)), ..self }
    }

    /// Sets what a figure says for a missing value.
    const fn unsaid(self, absent: &'static str) -> Self {
        Self { absent, ..self }
    }

    const fn axis(self, axis: &'static str) -> Self {
        Self { axis: Some(axis), ..self }
    }

    const fn formerly(self, old: &'static str, new: &'static str) -> Self {
        Self { former: Some((old, new)), ..self }
    }

    /// A value as this version writes it.
    #[must_use]
    pub fn current<'a>(&self, value: &'a str) -> Cow<'a, str> {
        let rest = self.former.and_then(|(old, new)| Some((new, value.strip_prefix(old)?)));
        match rest {
            Some((new, rest)) if rest.is_empty() || rest.starts_with(' ') => format!("{new}{rest}").into(),
            _ => value.into(),
        }
    }

    /// What a figure says of a value of this column.
    #[must_use]
    pub fn words(&self, value: Option<&str>) -> String {
        let value = value.map(|value| self.current(value));
        match (value.as_deref(), self.yes_no) {
            (Some("true"), Some((yes, _))) => yes.to_owned(),
            (Some("false"), Some((_, no))) => no.to_owned(),
            (Some("1"), _) => singular(self.phrase).replace("{}", "1"),
            (Some(value), _) => self.phrase.replace("{}", value),
            (None, _) if self.absent.is_empty() => format!("no {}", self.name.replace('_', " ")),
            (None, _) => self.absent.to_owned(),
        }
    }
}

/// A phrase in which the word after the number is singular: `{} workers` becomes `{} worker`.
fn singular(phrase: &str) -> String {
    let Some((before, after)) = phrase.split_once("{} ") else { return phrase.to_owned() };
    let (noun, rest) = after.split_at(after.find(' ').unwrap_or(after.len()));
    let one = if noun.len() > 1 { noun.strip_suffix('s').unwrap_or(noun) } else { noun };
    format!("{before}{{}} {one}{rest}")
}

impl Heading {
    const fn text(name: &'static str) -> Self {
        Self { name, numeric: false, absent: "–" }
    }

    const fn number(name: &'static str) -> Self {
        Self { name, numeric: true, absent: "–" }
    }

    const fn absent(self, absent: &'static str) -> Self {
        Self { absent, ..self }
    }
}

impl Factor {
    /// What messages call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.setting().name
    }

    /// The table of the file that contains its keys; `None` for those of a matrix itself.
    #[must_use]
    pub fn table(self) -> Option<&'static str> {
        self.name().split_once('.').map(|(table, _)| table)
    }

    /// The factors of a table, in the order of the list.
    pub fn in_table(table: Option<&str>) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |factor| factor.table() == table)
    }

    /// A value of a column as this version writes it; earlier versions had other words for some.
    #[must_use]
    pub fn current<'a>(column: &str, value: &'a str) -> Cow<'a, str> {
        let setting = Self::columns().find(|(_, setting)| setting.name == column);
        setting.map_or(Cow::Borrowed(value), |(_, setting)| setting.current(value))
    }

    /// Its level; `None` if it is not set.
    #[must_use]
    pub fn get(self, settings: &Settings) -> Option<Level> {
        match self.setting().kept {
            Kept::Field { get, .. } => get(settings),
            Kept::Own { .. } => settings.own.get(self).cloned(),
        }
    }

    /// Sets it to a level in the settings of a trial.
    pub fn set(self, settings: &mut Settings, level: Level) {
        match self.setting().kept {
            Kept::Field { set, .. } => set(settings, level),
            Kept::Own { .. } => settings.own.set(self, level),
        }
    }

    /// Its level in words, or the word for its absence.
    #[must_use]
    pub fn show(self, settings: &Settings) -> String {
        or_absent(self.get(settings))
    }

    /// Whether a workload has it.
    #[must_use]
    pub fn belongs_to(self, workload: Kind) -> bool {
        match self.setting().kept {
            Kept::Field { .. } => true,
            Kept::Own { workloads, .. } => workloads.contains(&workload),
        }
    }

    /// The key that gives this level in a file, after the name of its table: `workload.duration`.
    #[must_use]
    pub fn key_of(self, level: &Level) -> String {
        let setting = self.setting();
        match (setting.keys, self.table()) {
            ([_], _) | (_, None) => setting.name.to_owned(),
            (keys, Some(table)) => {
                let gives = |key: &&Key| match (key.shape, level) {
                    (Shape::Time(_), Level::Amount(amount)) => matches!(amount, Amount::Duration(_)),
                    (Shape::Number(_), Level::Amount(amount)) => matches!(amount, Amount::Operations(_)),
                    _ => true,
                };
                let key = keys.iter().find(gives).unwrap_or(&keys[0]);
                format!("{table}.{}", key.name)
            }
        }
    }

    /// The columns of all of them.
    pub fn columns() -> impl Iterator<Item = (Self, &'static Column)> + Clone {
        Self::ALL
            .iter()
            .flat_map(|&factor| factor.setting().columns.iter().map(move |column| (factor, column)))
    }

    /// The column that a person means by a name: the column's own name, or that of a key, with or without its table.
    #[must_use]
    pub fn column_of(name: &str) -> Option<&'static Column> {
        let named = Self::columns().find(|(_, column)| column.name == name).map(|(_, column)| column);
        named.or_else(|| {
            Self::ALL.iter().find_map(|factor| {
                let Setting { keys, columns, .. } = factor.setting();
                let rest = factor.table().and_then(|table| name.strip_prefix(table)?.strip_prefix('.'));
                let key = keys.iter().position(|key| key.name == rest.unwrap_or(name))?;
                // Where several keys give a setting, each has a column. If one key has two columns, the last one is meant.
                if keys.len() > 1 { columns.get(key) } else { columns.last() }
            })
        })
    }

    /// What [`Self::column_of`] understands, as files write it: mode and workers, which nearly every experiment varies, and then
    /// all others.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> + Clone {
        let keys = Self::ALL.iter().flat_map(|factor| factor.setting().keys.iter().map(|key| key.name));
        let columns = Self::columns().map(|(_, column)| column.name);
        ["mode", "workers"]
            .into_iter()
            .chain(keys.chain(columns).filter(|name| !["mode", "modes", "workers"].contains(name)))
    }

    /// Whether it is kept with the others that have no field of their own.
    #[must_use]
    pub const fn is_own(self) -> bool {
        matches!(self.setting().kept, Kept::Own { .. })
    }

    /// Its value in one of its columns.
    #[must_use]
    pub fn datum<'a>(self, column: &Column, settings: &'a Settings) -> Option<Datum<'a>> {
        match column.value {
            ValueFrom::Settings(value) => value(settings),
            ValueFrom::Level => self.get(settings).map(Level::into_datum),
            ValueFrom::Record => None,
        }
    }
}

#[cfg(test)]
mod tests;
