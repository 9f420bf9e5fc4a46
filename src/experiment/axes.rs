//! The factors of a matrix, or of an exclusion, as levels with their places. Every level is checked by itself here;
//! what must hold between levels is checked over cells.

use std::collections::HashMap;
use std::ops::Range;

use super::diagnose::{Findings, Place, suggest};
use super::given::{Form, Given};
use super::list_literals::ArgLists;
use super::literals::{Cpus, EachHost, Hosts, PlacementForm, PlacementWord, WarmupForm};
use super::server_args::check_args;
use super::spanned::{At, Many};
use super::sweep::{MOST_LEVELS, Numbers};
use super::tables::{Family, Names};
use super::{Factor, HostPair, Level, Placement, Warmup};
use crate::setting::{MOST_EXACT, Shape};
use crate::workload::template::{Template, arguments};

/// A factor, its levels, and where all of that stands.
#[derive(Debug)]
pub(super) struct DraftAxis {
    pub(super) factor: Factor,
    pub(super) place: Place,
    pub(super) levels: Vec<Level>,
    /// As many as levels.
    pub(super) places: Vec<Place>,
}

/// The axes that a table gives, in the order of the file, without those where something is wrong. `damaged` says whether
/// something has been cut out of a part of the table.
pub(super) fn axes(
    findings: &mut Findings,
    names: &Names<'_>,
    damaged: &dyn Fn(&str) -> bool,
    given: &[Given],
) -> Vec<DraftAxis> {
    let mut drafts = Drafts { findings, names, damaged, axes: Vec::new() };
    for (i, one) in given.iter().enumerate() {
        let twin = |other: &&Given| other.factor == one.factor;
        match (given[..i].iter().find(twin), given[i + 1..].iter().find(twin)) {
            (None, None) => drafts.add(one),
            (Some(first), _) => only_one(drafts.findings, first, one),
            (None, Some(_)) => {}
        }
    }
    // Each value knows where it stands; serde reads fields in an order of its own.
    drafts.axes.sort_by_key(|axis| axis.place.span.start);
    drafts.axes
}

/// Axes in the making.
struct Drafts<'a> {
    findings: &'a mut Findings,
    names: &'a Names<'a>,
    /// Whether something has been cut out of a part: an empty list there may be the rest of a longer one.
    damaged: &'a dyn Fn(&str) -> bool,
    axes: Vec<DraftAxis>,
}

impl Drafts<'_> {
    fn add(&mut self, given: &Given) {
        let at = &given.form;
        match (given.key.shape, &at.value) {
            (Shape::Number(level), Form::Numbers(numbers)) => self.numbers(given, numbers, level),
            (Shape::Time(level), Form::Times(times)) => self.values(given, times, |time| level(time.0)),
            (Shape::Share, Form::Fractions(shares)) => {
                self.values(given, shares, |share| Ok(Level::Share(share.0)));
            }
            (Shape::Flag, Form::Flags(flags)) => self.values(given, flags, |&flag| Ok(Level::Flag(flag))),
            (Shape::Word(known), Form::Words(words)) => self.words(given, words, known),
            (Shape::Text { read, .. }, Form::Words(texts)) => self.values(given, texts, |text| read(text)),
            (Shape::Mode, Form::Words(names)) => self.names(given, names, Family::Mode),
            (Shape::Server, Form::Words(names)) => self.names(given, names, Family::Server),
            (Shape::Hosts, Form::Hosts(hosts)) => self.hosts(given, hosts),
            (Shape::ServerArgs, Form::Args(lists)) => self.args(given, lists),
            (Shape::Commands, Form::Commands(lists)) => {
                let lists = self.some(given, lists.0.clone());
                self.axis(given, lists, |commands| commands_level(commands));
            }
            (Shape::Weights, Form::Weights(lists)) => {
                let lists = self.some(given, lists.0.clone());
                self.axis(given, lists, |weights| weights_level(weights));
            }
            (Shape::Options, Form::Options(tables)) => {
                let tables = self.some(given, tables.levels(&at.span));
                self.axis(given, tables, |named| Ok(Level::Named(named.clone())));
            }
            (Shape::Placement, Form::Placements(forms)) => {
                self.values(given, forms, |form| placement(form).map(Level::Placement));
            }
            (Shape::Warmup, Form::Warmups(forms)) => {
                self.values(given, forms, |form| warmup(form).map(Level::Warmup));
            }
            (shape, form) => unreachable!("{form:?} was read as {shape:?}"),
        }
    }

    fn names(&mut self, given: &Given, names: &Many<String>, family: Family) {
        let mut items = self.some(given, names.items(&given.form.span));
        items.retain(|item| self.names.check(self.findings, family, &item.value, &place(&item.span)));
        self.axis(given, items, |name| Ok(Level::Name(name.clone())));
    }

    fn words(&mut self, given: &Given, words: &Many<String>, known: &'static [(&'static str, &'static str)]) {
        let items = self.some(given, words.items(&given.form.span));
        let mut known_items = Vec::new();
        for item in items {
            match known.iter().find(|(word, _)| *word == item.value) {
                Some((word, _)) => known_items.push(item.map(|_| *word)),
                None => {
                    let known = known.iter().map(|(word, _)| *word);
                    let name = given.factor.name();
                    self.findings
                        .error(&place(&item.span), format!("`{name}` cannot be `{}`", item.value))
                        .help(suggest(&item.value, "it may be", known));
                }
            }
        }
        self.axis(given, known_items, |word| Ok(Level::Word(word)));
    }

    fn hosts(&mut self, given: &Given, hosts: &Many<Hosts>) {
        let mut items = Vec::new();
        for item in self.some(given, hosts.items(&given.form.span)) {
            let pair = match &item.value {
                Hosts::Both(name) => self
                    .names
                    .check(self.findings, Family::Host, name, &place(&item.span))
                    .then(|| HostPair::same(name)),
                Hosts::Each(each) => self.pair(each, &place(&item.span)),
            };
            items.extend(pair.map(|value| At { value, span: item.span }));
        }
        self.axis(given, items, |pair| Ok(Level::Hosts(pair.clone())));
    }

    fn pair(&mut self, each: &EachHost, here: &Place) -> Option<HostPair> {
        let clients = match (&each.client, &each.clients) {
            (Some(client), None) => vec![client.clone()],
            (None, Some(clients)) if !clients.value.is_empty() => clients.value.clone(),
            (None, Some(_)) => {
                self.findings.error(here, "`clients` is empty");
                return None;
            }
            _ => {
                self.findings
                    .error(here, "this has `client` or `clients`, and one of them only")
                    .help("write { client = \"…\", server = \"…\" } or { clients = [\"…\", \"…\"], server = \"…\" }");
                return None;
            }
        };
        let mut known = true;
        for host in clients.iter().chain([&each.server]) {
            known &= self.names.check(self.findings, Family::Host, &host.value, &place(&host.span));
        }
        for (i, host) in clients.iter().enumerate() {
            if let Some(first) = clients[..i].iter().find(|first| first.value == host.value) {
                self.findings
                    .error(
                        &place(&host.span),
                        format!("the host `{}` appears twice among the clients", host.value),
                    )
                    .label("again here")
                    .related(&place(&first.span), "first here");
                known = false;
            }
        }
        let clients = clients.into_iter().map(|client| client.value).collect();
        known.then(|| HostPair { clients, server: each.server.value.clone() })
    }

    fn args(&mut self, given: &Given, lists: &ArgLists) {
        let lists = match lists {
            ArgLists::One(words) => vec![At { value: words.clone(), span: given.form.span.clone() }],
            ArgLists::Many(lists) => lists.clone(),
        };
        for list in &lists {
            let words: Vec<_> =
                list.value.iter().map(|word| At { value: word.clone(), span: list.span.clone() }).collect();
            check_args(self.findings, 0, &words);
        }
        let lists = self.some(given, lists);
        self.axis(given, lists, |words| Ok(Level::Args(words.clone())));
    }

    fn numbers(&mut self, given: &Given, numbers: &Numbers, level: fn(u64) -> Result<Level, String>) {
        match numbers.items(&given.form.span) {
            Ok(items) => {
                let items = self.some(given, items);
                self.axis(given, items, |&n| level(n));
            }
            Err(error) => {
                let here = place(error.span.as_ref().unwrap_or(&given.form.span));
                let finding = self.findings.error(&here, error.message);
                if let Some(help) = error.help {
                    finding.help(help);
                }
            }
        }
    }

    fn values<T: Clone>(
        &mut self,
        given: &Given,
        values: &Many<T>,
        level: impl Fn(&T) -> Result<Level, String>,
    ) {
        let items = self.some(given, values.items(&given.form.span));
        self.axis(given, items, level);
    }

    /// Adds an axis if it has levels, each allowed and each once.
    fn axis<T>(&mut self, given: &Given, items: Vec<At<T>>, level: impl Fn(&T) -> Result<Level, String>) {
        let here = place(&given.form.span);
        if items.len() as u64 > MOST_LEVELS {
            self.findings.error(&here, format!("this factor has more than {MOST_LEVELS} levels"));
            return;
        }
        let factor = given.factor;
        let mut axis = DraftAxis { factor, place: here, levels: Vec::new(), places: Vec::new() };
        let mut seen: HashMap<Level, Place> = HashMap::new();
        let mut refused: Option<String> = None;
        for item in items {
            let here = place(&item.span);
            let level = match level(&item.value) {
                Ok(level) => level,
                Err(message) => {
                    // All levels of a sweep stand at one place: one complaint is enough.
                    if refused.as_ref() != Some(&message) || item.span != given.form.span {
                        self.findings.error(&here, &message);
                    }
                    refused = Some(message);
                    continue;
                }
            };
            if let Some(first) = seen.get(&level) {
                self.findings
                    .error(&here, format!("the level `{level}` appears twice in one list"))
                    .label("again here")
                    .related(first, "first here");
                continue;
            }
            seen.insert(level.clone(), here.clone());
            axis.levels.push(level);
            axis.places.push(here);
        }
        if !axis.levels.is_empty() {
            self.axes.push(axis);
        }
    }

    /// The items of a list, with a complaint if there were none in the text.
    fn some<T>(&mut self, given: &Given, items: Vec<At<T>>) -> Vec<At<T>> {
        // One of several keys may be what is missing.
        let keys = given.factor.setting().keys.len();
        let part = given.factor.table().filter(|_| keys > 1).unwrap_or(given.factor.name());
        if items.is_empty() && !(self.damaged)(part) {
            self.findings
                .error(&place(&given.form.span), "this list is empty")
                .help("leave the key out to have its default");
        }
        items
    }
}

/// A place in the experiment file itself: only there are matrices.
pub(super) fn place(span: &Range<usize>) -> Place {
    Place { source: 0, span: span.clone() }
}

/// Notes that two keys give the same setting.
pub(super) fn only_one(findings: &mut Findings, first: &Given, second: &Given) {
    let [first, second] =
        if first.form.span.start <= second.form.span.start { [first, second] } else { [second, first] };
    let names: Vec<_> = first.factor.setting().keys.iter().map(|key| format!("`{}`", key.name)).collect();
    findings
        .error(&place(&second.form.span), format!("both {} are given", names.join(" and ")))
        .related(&place(&first.form.span), "the other one")
        .help("a trial ends after so many operations or after so much time; keep one of them");
}

// Each of these turns one value into what it means, or says why it cannot.

fn commands_level(commands: &[Vec<String>]) -> Result<Level, String> {
    if commands.is_empty() {
        return Err("an operation has one command at least".to_owned());
    }
    for command in commands {
        match command.first() {
            None => return Err("a command has one word at least".to_owned()),
            Some(name) if name.trim().is_empty() || name.contains(['{', '}']) => {
                return Err(format!(
                    "`{name}` is not the name of a command: placeholders stand in arguments"
                ));
            }
            Some(_) => {}
        }
        for argument in arguments(command) {
            Template::parse(argument)?;
        }
    }
    Ok(Level::Commands(commands.to_vec()))
}

fn weights_level(weights: &[u64]) -> Result<Level, String> {
    match weights.iter().find(|weight| !(1..=MOST_WEIGHT).contains(*weight)) {
        Some(_) => Err(format!("a weight must be from 1 to {MOST_WEIGHT}")),
        None => Ok(Level::Weights(weights.to_vec())),
    }
}

/// A larger ratio cannot be distinguished from never.
const MOST_WEIGHT: u64 = 1_000_000;

pub(super) fn placement(form: &PlacementForm) -> Result<Placement, String> {
    match form {
        PlacementForm::Word(PlacementWord::Free) => Ok(Placement::Free),
        PlacementForm::Word(PlacementWord::SameCore) => Ok(Placement::SameCore),
        PlacementForm::Word(PlacementWord::SeparateCpus) => Ok(Placement::SeparateCpus),
        PlacementForm::Cpus(Cpus { server, client })
            if server.value.is_empty() || client.value.is_empty() =>
        {
            Err("a placement names at least one CPU for the server and one for the client".to_owned())
        }
        PlacementForm::Cpus(Cpus { server, client }) => {
            // The order of CPUs means nothing, and must not make another cell.
            let sorted = |cpus: &[u32]| {
                let mut cpus = cpus.to_vec();
                cpus.sort_unstable();
                cpus.dedup();
                cpus
            };
            Ok(Placement::Cpus { server: sorted(&server.value), client: sorted(&client.value) })
        }
    }
}

pub(super) fn warmup(form: &WarmupForm) -> Result<Warmup, String> {
    match *form {
        WarmupForm::Time(time) => Ok(Warmup::Duration(time)),
        WarmupForm::Operations(n) if n <= MOST_EXACT => Ok(Warmup::Operations(n)),
        WarmupForm::Operations(_) => Err("a warm-up has at most 2^53 operations".to_owned()),
    }
}
