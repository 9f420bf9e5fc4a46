//! The factors of a matrix, or of an exclusion, as levels with their places. Every level is checked by itself here;
//! what must hold between levels is checked over cells.

use std::collections::HashMap;
use std::ops::Range;

use super::diagnose::{Findings, Place};
use super::file::{self, RunFactors, ServerFactors, WorkloadFactors};
use super::forms::{At, Many};
use super::server_args::check_args;
use super::sweep::{MOST_LEVELS, Numbers};
use super::tables::{Family, Names};
use super::values::{ArgLists, Cpus, EachHost, Hosts, PlacementForm, PlacementWord, Time, WarmupForm};
use super::{Amount, Factor, HostPair, Level, MAX_WORKERS, Placement, Warmup};
use crate::units::Nanos;

/// 2^53: the largest number up to which every whole number is exact in a JSON reader and in a double.
pub(super) const MOST_EXACT: u64 = 1 << 53;

/// The largest value that Redis stores in a string (`proto-max-bulk-len`).
const MOST_VALUE_BYTES: u64 = 512 * 1024 * 1024;

/// A factor, its levels, and where all of that stands.
#[derive(Debug)]
pub(super) struct DraftAxis {
    pub(super) factor: Factor,
    pub(super) place: Place,
    pub(super) levels: Vec<Level>,
    /// As many as levels.
    pub(super) places: Vec<Place>,
}

/// The factors that a table gives.
pub(super) struct Factors<'a> {
    hosts: Option<&'a At<Many<Hosts>>>,
    servers: Option<&'a At<Many<String>>>,
    modes: Option<&'a At<Many<String>>>,
    workers: Option<&'a At<Numbers>>,
    workload: Option<&'a WorkloadFactors>,
    server: Option<&'a ServerFactors>,
    run: Option<&'a RunFactors>,
}

impl<'a> From<&'a file::Matrix> for Factors<'a> {
    fn from(table: &'a file::Matrix) -> Self {
        Self {
            hosts: table.hosts.as_ref(),
            servers: table.servers.as_ref(),
            modes: table.modes.as_ref(),
            workers: table.workers.as_ref(),
            workload: table.workload.as_ref().map(|at| &*at.value),
            server: table.server.as_ref().map(|at| &*at.value),
            run: table.run.as_ref().map(|at| &*at.value),
        }
    }
}

impl<'a> From<&'a file::Exclude> for Factors<'a> {
    fn from(table: &'a file::Exclude) -> Self {
        Self {
            hosts: table.hosts.as_ref(),
            servers: table.servers.as_ref(),
            modes: table.modes.as_ref(),
            workers: table.workers.as_ref(),
            workload: table.workload.as_ref().map(|at| &*at.value),
            server: table.server.as_ref().map(|at| &*at.value),
            run: table.run.as_ref().map(|at| &*at.value),
        }
    }
}

impl Factors<'_> {
    /// The axes in the order of the file, without those where something is wrong.
    /// `damaged` says whether something has been cut out of a part of this table.
    pub(super) fn axes(
        &self,
        findings: &mut Findings,
        names: &Names<'_>,
        damaged: &dyn Fn(&str) -> bool,
    ) -> Vec<DraftAxis> {
        let mut drafts = Drafts { findings, names, damaged, axes: Vec::new() };
        drafts.names(Family::Mode, self.modes, Factor::Mode, Level::Mode);
        drafts.names(Family::Server, self.servers, Factor::Server, Level::Server);
        drafts.hosts(self.hosts);
        drafts.numbers(self.workers, Factor::Workers, workers);
        if let Some(workload) = self.workload {
            drafts.workload(workload);
        }
        if let Some(server) = self.server {
            drafts.args(server.args.as_ref());
            drafts.values(server.lifetime.as_ref(), Factor::Lifetime, |&lifetime| {
                Ok(Level::Lifetime(lifetime))
            });
        }
        if let Some(run) = self.run {
            drafts.values(run.placement.as_ref(), Factor::Placement, |form| {
                placement(form).map(Level::Placement)
            });
            drafts.values(run.warmup.as_ref(), Factor::Warmup, |form| warmup(form).map(Level::Warmup));
        }
        // Each value knows where it stands; serde reads fields in an order of its own.
        drafts.axes.sort_by_key(|axis| axis.place.span.start);
        drafts.axes
    }
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
    fn workload(&mut self, table: &WorkloadFactors) {
        if let (Some(operations), Some(duration)) = (&table.operations, &table.duration) {
            both_amounts(self.findings, &place(&operations.span), &place(&duration.span));
            return;
        }
        self.numbers(table.operations.as_ref(), Factor::Amount, |n| operations(n).map(Level::Amount));
        self.values(table.duration.as_ref(), Factor::Amount, |time| duration(time).map(Level::Amount));
        self.numbers(table.value_bytes.as_ref(), Factor::ValueBytes, |n| {
            value_bytes(n).map(Level::ValueBytes)
        });
        self.numbers(table.pipeline.as_ref(), Factor::Pipeline, |n| pipeline(n).map(Level::Pipeline));
        self.numbers(table.rate.as_ref(), Factor::Rate, |n| rate(n).map(Level::Rate));
        self.values(table.verify.as_ref(), Factor::Verify, |&verify| Ok(Level::Verify(verify)));
        self.values(table.split.as_ref(), Factor::Split, |&split| Ok(Level::Split(split)));
        self.values(table.link.as_ref(), Factor::Link, |&link| Ok(Level::Link(link)));
    }

    fn names(
        &mut self,
        family: Family,
        given: Option<&At<Many<String>>>,
        factor: Factor,
        level: impl Fn(String) -> Level,
    ) {
        let Some(given) = given else { return };
        let mut items = self.some(factor, given, given.value.items(&given.span));
        items.retain(|item| self.names.check(self.findings, family, &item.value, &place(&item.span)));
        self.axis(given, items, factor, |name| Ok(level(name.clone())));
    }

    fn hosts(&mut self, given: Option<&At<Many<Hosts>>>) {
        let Some(given) = given else { return };
        let mut items = Vec::new();
        for item in self.some(Factor::Hosts, given, given.value.items(&given.span)) {
            let pair = match &item.value {
                Hosts::Both(name) => self
                    .names
                    .check(self.findings, Family::Host, name, &place(&item.span))
                    .then(|| HostPair::same(name)),
                Hosts::Each(each) => self.pair(each, &place(&item.span)),
            };
            items.extend(pair.map(|value| At { value, span: item.span }));
        }
        self.axis(given, items, Factor::Hosts, |pair| Ok(Level::Hosts(pair.clone())));
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
                        format!("the host `{}` stands twice among the clients", host.value),
                    )
                    .label("again here")
                    .related(&place(&first.span), "first here");
                known = false;
            }
        }
        let clients = clients.into_iter().map(|client| client.value).collect();
        known.then(|| HostPair { clients, server: each.server.value.clone() })
    }

    fn args(&mut self, given: Option<&At<ArgLists>>) {
        let Some(given) = given else { return };
        let lists = match &given.value {
            ArgLists::One(words) => vec![At { value: words.clone(), span: given.span.clone() }],
            ArgLists::Many(lists) => lists.clone(),
        };
        for list in &lists {
            let words: Vec<_> =
                list.value.iter().map(|word| At { value: word.clone(), span: list.span.clone() }).collect();
            check_args(self.findings, 0, &words);
        }
        let lists = self.some(Factor::ServerArgs, given, lists);
        self.axis(given, lists, Factor::ServerArgs, |words| Ok(Level::ServerArgs(words.clone())));
    }

    fn numbers(
        &mut self,
        given: Option<&At<Numbers>>,
        factor: Factor,
        level: impl Fn(u64) -> Result<Level, String>,
    ) {
        let Some(given) = given else { return };
        match given.value.items(&given.span) {
            Ok(items) => {
                let items = self.some(factor, given, items);
                self.axis(given, items, factor, |&n| level(n));
            }
            Err(error) => {
                let here = place(error.span.as_ref().unwrap_or(&given.span));
                let finding = self.findings.error(&here, error.message);
                if let Some(help) = error.help {
                    finding.help(help);
                }
            }
        }
    }

    fn values<T: Clone>(
        &mut self,
        given: Option<&At<Many<T>>>,
        factor: Factor,
        level: impl Fn(&T) -> Result<Level, String>,
    ) {
        let Some(given) = given else { return };
        let items = self.some(factor, given, given.value.items(&given.span));
        self.axis(given, items, factor, level);
    }

    /// Adds an axis if it has levels, each allowed and each once.
    fn axis<T, U>(
        &mut self,
        given: &At<U>,
        items: Vec<At<T>>,
        factor: Factor,
        level: impl Fn(&T) -> Result<Level, String>,
    ) {
        let here = place(&given.span);
        if items.len() as u64 > MOST_LEVELS {
            self.findings.error(&here, format!("this factor has more than {MOST_LEVELS} levels"));
            return;
        }
        let mut axis = DraftAxis { factor, place: here, levels: Vec::new(), places: Vec::new() };
        let mut seen: HashMap<Level, Place> = HashMap::new();
        let mut refused: Option<String> = None;
        for item in items {
            let here = place(&item.span);
            let level = match level(&item.value) {
                Ok(level) => level,
                Err(message) => {
                    // All levels of a sweep stand at one place: one complaint is enough.
                    if refused.as_ref() != Some(&message) || item.span != given.span {
                        self.findings.error(&here, &message);
                    }
                    refused = Some(message);
                    continue;
                }
            };
            if let Some(first) = seen.get(&level) {
                self.findings
                    .error(&here, format!("the level `{level}` stands twice in one list"))
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
    fn some<T, U>(&mut self, factor: Factor, given: &At<U>, items: Vec<At<T>>) -> Vec<At<T>> {
        // Two keys of [workload] give the amount.
        let part = if factor == Factor::Amount { "workload" } else { factor.name() };
        if items.is_empty() && !(self.damaged)(part) {
            self.findings
                .error(&place(&given.span), "this list is empty")
                .help("leave the key out to have its default");
        }
        items
    }
}

/// A place in the experiment file itself: only there are matrices.
pub(super) fn place(span: &Range<usize>) -> Place {
    Place { source: 0, span: span.clone() }
}

pub(super) fn both_amounts(findings: &mut Findings, operations: &Place, duration: &Place) {
    findings
        .error(duration, "both `operations` and `duration` are given")
        .related(operations, "the other one")
        .help("a trial ends after so many operations or after so much time; keep one of them");
}

// Each of these turns one value into what it means, or says why it cannot.

fn workers(n: u64) -> Result<Level, String> {
    match u32::try_from(n) {
        Ok(n @ 1..=MAX_WORKERS) => Ok(Level::Workers(n)),
        _ => Err(format!("`workers` is from 1 to {MAX_WORKERS}")),
    }
}

pub(super) fn operations(n: u64) -> Result<Amount, String> {
    match n {
        1..=MOST_EXACT => Ok(Amount::Operations(n)),
        _ => Err("`operations` is from 1 to 2^53".to_owned()),
    }
}

pub(super) fn duration(time: &Time) -> Result<Amount, String> {
    match time.0 {
        Nanos(0) => Err("a trial without duration measures nothing".to_owned()),
        time => Ok(Amount::Duration(time)),
    }
}

pub(super) fn value_bytes(n: u64) -> Result<u32, String> {
    match u32::try_from(n) {
        Ok(bytes) if n <= MOST_VALUE_BYTES => Ok(bytes),
        _ => Err("a value has at most 536870912 bytes (512 MiB)".to_owned()),
    }
}

pub(super) fn pipeline(n: u64) -> Result<u32, String> {
    match u32::try_from(n) {
        Ok(n @ 1..=1_000_000) => Ok(n),
        _ => Err("`pipeline` is from 1 to 1000000".to_owned()),
    }
}

pub(super) fn rate(n: u64) -> Result<u64, String> {
    match n {
        0 => Err("at a `rate` of 0 nothing happens; leave it out to go as fast as possible".to_owned()),
        1..=1_000_000_000 => Ok(n),
        _ => Err("`rate` is at most 1000000000 operations per second".to_owned()),
    }
}

pub(super) fn placement(form: &PlacementForm) -> Result<Placement, String> {
    match form {
        PlacementForm::Word(PlacementWord::Free) => Ok(Placement::Free),
        PlacementForm::Word(PlacementWord::SameCore) => Ok(Placement::SameCore),
        PlacementForm::Word(PlacementWord::Split) => Ok(Placement::Split),
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
