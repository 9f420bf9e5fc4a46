//! The named tables of an experiment and of what it includes: servers, hosts and modes.

use std::collections::{BTreeMap, BTreeSet};

use super::axes::placement;
use super::deserialize::Damage;
use super::diagnose::{Findings, Place, all_of, closest, suggest};
use super::file::{self, TransportWord};
use super::literals::Time;
use super::server_tables::{default_server, server};
use super::spanned::{At, Table};
use super::{
    Address, Builtin, Directory, HostSpec, LoadGenerator, ModeSpec, ServerSpec, Support, Transport, shipped,
};
use crate::setting::Named;
use crate::units::Nanos;
use crate::workload::Kind;

/// Whether a name can be a component of a path and a word in a table as it is.
pub(super) fn is_safe_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
        && name.len() <= MOST_LETTERS
}

const MOST_LETTERS: usize = 100;

/// What [`is_safe_name`] demands of a name, and of this one in particular.
pub(super) fn rule_for(name: &str) -> String {
    if name.chars().count() > MOST_LETTERS {
        return format!(
            "a name has at most {MOST_LETTERS} characters, and this one has {}",
            name.chars().count()
        );
    }
    "a name begins with a letter or a digit and goes on with letters, digits, `.`, `_` or `-`".to_owned()
}

/// The tables of one file.
pub(super) struct TablesOf<'a> {
    /// The number of the file in the findings' texts.
    pub(super) source: usize,
    pub(super) directory: &'a Directory,
    pub(super) damage: &'a Damage,
    pub(super) servers: &'a BTreeMap<String, At<Table<file::Server>>>,
    pub(super) hosts: &'a BTreeMap<String, At<Table<file::Host>>>,
    pub(super) modes: &'a BTreeMap<String, At<Table<file::Mode>>>,
}

/// Every name that a matrix may use.
pub(super) struct Names<'a> {
    pub(super) builtin: &'a Builtin<'a>,
    pub(super) servers: BTreeMap<String, ServerSpec>,
    pub(super) hosts: BTreeMap<String, HostSpec>,
    pub(super) modes: BTreeMap<String, ModeSpec>,
    /// Names whose tables are wrong, and families for which a whole file is: calling such a name undefined would be wrong.
    doubtful: BTreeSet<(Family, Option<String>)>,
}

/// A kind of named table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    Server,
    Host,
    Mode,
}

impl Family {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Host => "host",
            Self::Mode => "mode",
        }
    }
}

impl<'a> Names<'a> {
    /// Reads the tables of all files together.
    pub(super) fn new(findings: &mut Findings, files: &[TablesOf<'_>], builtin: &'a Builtin<'a>) -> Self {
        let mut names = Self {
            builtin,
            servers: BTreeMap::new(),
            hosts: BTreeMap::from([("local".to_owned(), HostSpec::new(Transport::Local))]),
            modes: BTreeMap::new(),
            doubtful: BTreeSet::new(),
        };
        let mut seen = BTreeMap::new();
        for file in files {
            for (name, table) in file.servers {
                let place = Place { source: file.source, span: table.span.clone() };
                if names.admit(findings, &mut seen, Family::Server, name, &place, file.damage) {
                    let spec = server(findings, file.source, &table.value, file.directory);
                    names.keep(Family::Server, name, spec, |names| &mut names.servers);
                }
            }
            for (name, table) in file.hosts {
                let place = Place { source: file.source, span: table.span.clone() };
                if names.admit(findings, &mut seen, Family::Host, name, &place, file.damage) {
                    let spec = host(findings, file.source, &place, &table.value);
                    names.keep(Family::Host, name, spec, |names| &mut names.hosts);
                }
            }
            for (name, table) in file.modes {
                let place = Place { source: file.source, span: table.span.clone() };
                if names.admit(findings, &mut seen, Family::Mode, name, &place, file.damage) {
                    let spec = mode(findings, file.source, &place, &table.value, file.directory);
                    names.keep(Family::Mode, name, spec, |names| &mut names.modes);
                }
            }
            names.doubt_damage(file.damage);
        }
        names.servers.entry("redis".to_owned()).or_insert_with(default_server);
        names
    }

    /// Whether a table of this name may be read. If not, why not is noted and the name is doubtful.
    fn admit(
        &mut self,
        findings: &mut Findings,
        seen: &mut BTreeMap<(Family, String), Place>,
        family: Family,
        name: &str,
        place: &Place,
        damage: &Damage,
    ) -> bool {
        let what = family.name();
        if let Some(first) = seen.get(&(family, name.to_owned())) {
            findings
                .error(place, format!("the {what} `{name}` is defined twice"))
                .label("again here")
                .related(first, "first here");
            return false;
        }
        seen.insert((family, name.to_owned()), place.clone());
        if damage.affects(&format!("{what}.{name}")) {
            self.doubtful.insert((family, Some(name.to_owned())));
            return false;
        }
        if !is_safe_name(name) {
            findings.error(place, format!("`{name}` is not a valid name for a {what}")).help(rule_for(name));
        } else if family == Family::Host && name == "local" {
            findings
                .error(place, "the host `local` always exists and cannot be redefined")
                .help("give this host another name");
        } else if family == Family::Mode && self.is_builtin(name) {
            findings.error(place, format!("`{name}` is a built-in mode")).help("give this mode another name");
        } else {
            return true;
        }
        self.doubtful.insert((family, Some(name.to_owned())));
        false
    }

    fn keep<T>(
        &mut self,
        family: Family,
        name: &str,
        spec: Option<T>,
        map: impl FnOnce(&mut Self) -> &mut BTreeMap<String, T>,
    ) {
        match spec {
            Some(spec) => {
                map(self).insert(name.to_owned(), spec);
            }
            None => {
                self.doubtful.insert((family, Some(name.to_owned())));
            }
        }
    }

    fn doubt_damage(&mut self, damage: &Damage) {
        for family in [Family::Server, Family::Host, Family::Mode] {
            if damage.lacks(family.name()) {
                self.doubtful.insert((family, None));
            }
            for name in damage.names_in(family.name()) {
                self.doubtful.insert((family, Some(name.to_owned())));
            }
        }
    }

    /// Whether a name exists; if it does not, that is noted. A doubtful name passes: its table has its own finding.
    pub(super) fn check(&self, findings: &mut Findings, family: Family, name: &str, place: &Place) -> bool {
        let all = self.all(family);
        if all.contains(&name)
            || self.doubtful.contains(&(family, None))
            || self.doubtful.contains(&(family, Some(name.to_owned())))
        {
            return true;
        }
        let what = family.name();
        if let Some(feature) = self.builtin.lacks(name).filter(|_| family == Family::Mode) {
            findings
                .error(place, format!("this build of orchestrate has no mode `{name}`"))
                .help(format!("build it with `--features {feature}`"));
            return false;
        }
        let include = |file: &str| format!("write `include = [\"{}{file}\"]` at the top", shipped::PREFIX);
        if let Some(file) = shipped::shipped_in(what, name) {
            findings
                .error(place, format!("{what} `{name}` is in a file that is not included"))
                .help(include(file));
            return false;
        }
        let help = match closest(name, all.iter().copied().chain(shipped::names(what))) {
            None => all_of(&format!("every {what} there is"), all.iter().copied()),
            Some(meant) => match shipped::shipped_in(what, meant) {
                Some(file) if !all.contains(&meant) => {
                    format!("did you mean `{meant}`? For that, {}", include(file))
                }
                _ => format!("did you mean `{meant}`?"),
            },
        };
        findings.error(place, format!("unknown {what} `{name}`")).help(help);
        false
    }

    /// Why a mode cannot have these options, as far as that is known before its driver is asked.
    pub(super) fn refuses(&self, mode: &str, options: &Named) -> Option<String> {
        let builtin = self.builtin.modes.iter().find(|builtin| builtin.name == mode);
        match (builtin, self.modes.get(mode)) {
            (Some(builtin), _) => builtin.refuses(options),
            (None, Some(spec)) => {
                let has_some = spec.load_generator.is_some() && !options.is_empty();
                has_some.then(|| format!("`{mode}` is a load generator, whose options go into its `command`"))
            }
            (None, None) => None,
        }
    }

    /// The workloads that a mode supports; `None` for an unknown mode.
    pub(super) fn workloads(&self, mode: &str) -> Option<&[Kind]> {
        let builtin = self.builtin.modes.iter().find(|builtin| builtin.name == mode);
        let builtin = builtin.map(|builtin| builtin.workloads);
        builtin.or_else(|| self.modes.get(mode).map(|spec| spec.workloads.as_slice()))
    }

    /// What of a connection a mode supports; `None` for an unknown mode.
    pub(super) fn supports(&self, mode: &str) -> Option<&[Support]> {
        let builtin = self.builtin.modes.iter().find(|builtin| builtin.name == mode);
        let builtin = builtin.map(|builtin| builtin.supports);
        builtin.or_else(|| self.modes.get(mode).map(|spec| spec.supports.as_slice()))
    }

    /// Whether a name is that of a built-in mode, even if only of other builds: a file means the same to all of them.
    fn is_builtin(&self, name: &str) -> bool {
        self.builtin.modes.iter().any(|mode| mode.name == name) || self.builtin.lacks(name).is_some()
    }

    fn all(&self, family: Family) -> Vec<&str> {
        match family {
            Family::Server => self.servers.keys().map(String::as_str).collect(),
            Family::Host => self.hosts.keys().map(String::as_str).collect(),
            Family::Mode => {
                let builtin = self.builtin.modes.iter().map(|mode| mode.name);
                builtin.chain(self.modes.keys().map(String::as_str)).collect()
            }
        }
    }
}

fn host(findings: &mut Findings, source: usize, place: &Place, table: &file::Host) -> Option<HostSpec> {
    let before = findings.len();
    let Some(transport) = &table.transport else {
        findings
            .error(place, "this host has no `transport`")
            .help("one of \"local\", \"ssh\", \"slurm\", \"command\"");
        return None;
    };
    let keys = [
        ("target", TransportWord::Ssh, "\"ssh\"", table.target.as_ref().map(|at| &at.span)),
        ("options", TransportWord::Slurm, "\"slurm\"", table.options.as_ref().map(|at| &at.span)),
        ("prefix", TransportWord::Command, "\"command\"", table.prefix.as_ref().map(|at| &at.span)),
    ];
    for (key, of, word, span) in keys {
        if let Some(span) = span
            && of != transport.value
        {
            findings
                .error(&Place { source, span: span.clone() }, format!("`{key}` goes with transport = {word}"))
                .related(&Place { source, span: transport.span.clone() }, "this transport has no use for it");
        }
    }
    let needs = |findings: &mut Findings, key: &str, example: &str| {
        let here = Place { source, span: transport.span.clone() };
        findings
            .error(&here, format!("this transport needs `{key}`"))
            .help(format!("such as {key} = {example}"));
    };
    let words = |list: &Option<At<Vec<At<String>>>>| -> Vec<String> {
        list.iter().flat_map(|list| &list.value).map(|word| word.value.clone()).collect()
    };
    let transport = match transport.value {
        TransportWord::Local => Transport::Local,
        TransportWord::Ssh => {
            let target = table.target.as_ref();
            match target {
                None => needs(findings, "target", "\"user@host\""),
                // ssh would take it for an option, and some of its options run programs.
                Some(at) if at.value.is_empty() || at.value.starts_with('-') => {
                    let here = Place { source, span: at.span.clone() };
                    findings.error(&here, "this is not a destination for ssh");
                }
                Some(_) => {}
            }
            Transport::Ssh { target: target.map_or_else(String::new, |at| at.value.clone()) }
        }
        TransportWord::Slurm => Transport::Slurm { options: words(&table.options) },
        TransportWord::Command => {
            let prefix = words(&table.prefix);
            if prefix.first().is_none_or(String::is_empty) {
                needs(findings, "prefix", "[\"docker\", \"exec\", \"-i\", \"box\"]");
            }
            Transport::Command { prefix }
        }
    };
    if let Some(agent) = &table.agent
        && agent.value.is_empty()
    {
        findings.error(&Place { source, span: agent.span.clone() }, "`agent` names no program");
    }
    let address = table.address.as_ref().and_then(|at| {
        let address = at.value.parse::<Address>();
        if address.is_err() {
            findings
                .error(&Place { source, span: at.span.clone() }, "a server cannot listen on this address")
                .help("such as \"10.0.7.11\", or with the ports that it may have: \"10.0.7.11:7001-7010\"");
        }
        address.ok()
    });
    let pin = table.pin.as_ref().and_then(|at| match placement(&at.value) {
        Ok(pin) => Some(pin),
        Err(message) => {
            findings.error(&Place { source, span: at.span.clone() }, message);
            None
        }
    });
    let agent = table.agent.as_ref().map(|at| at.value.clone());
    let spec = HostSpec { address, agent, pin, ..HostSpec::new(transport) };
    let connect_timeout = match &table.connect_timeout {
        Some(At { value: Time(Nanos(0)), span }) => {
            findings.error(&Place { source, span: span.clone() }, "no host answers in no time");
            spec.connect_timeout
        }
        Some(At { value: Time(time), .. }) => *time,
        None => spec.connect_timeout,
    };
    (findings.len() == before).then_some(HostSpec { connect_timeout, ..spec })
}

/// The workloads that a table says its mode has.
fn workloads(findings: &mut Findings, source: usize, list: &At<Vec<At<String>>>) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for name in &list.value {
        match Kind::ALL.iter().find(|kind| kind.name() == name.value) {
            Some(&kind) => kinds.push(kind),
            None => {
                let known = Kind::ALL.iter().map(|kind| kind.name());
                findings
                    .error(
                        &Place { source, span: name.span.clone() },
                        format!("unknown workload `{}`", name.value),
                    )
                    .help(suggest(&name.value, "the workloads are", known));
            }
        }
    }
    if list.value.is_empty() {
        findings
            .error(&Place { source, span: list.span.clone() }, "a mode without any workload can do nothing");
    }
    kinds
}

fn mode(
    findings: &mut Findings,
    source: usize,
    place: &Place,
    table: &file::Mode,
    directory: &Directory,
) -> Option<ModeSpec> {
    let before = findings.len();
    let words =
        |list: &At<Vec<At<String>>>| list.value.iter().map(|word| word.value.clone()).collect::<Vec<_>>();
    for (key, list) in [("command", &table.command), ("prepare", &table.prepare)] {
        let Some(list) = list else { continue };
        if list.value.first().is_none_or(|program| program.value.trim().is_empty()) {
            findings.error(&Place { source, span: list.span.clone() }, format!("`{key}` names no program"));
        }
    }
    let load_generator = table.load_generator.as_ref().map(|generator| generator.value);
    let command = match (&table.command, load_generator) {
        (Some(command), _) => words(command),
        (None, Some(generator)) => vec![generator.name().to_owned()],
        (None, None) => {
            findings
                .error(place, "this mode has no `command`")
                .help("such as command = [\"./my_driver\", \"--pipelined\"]");
            Vec::new()
        }
    };
    if let (Some(options), Some(_)) = (&table.options, load_generator) {
        findings
            .error(
                &Place { source, span: options.span.clone() },
                "a load generator has no options of its own",
            )
            .help("options for its command line go into `command`");
    }
    let workloads = table.workloads.as_ref().map(|list| workloads(findings, source, list));
    let mode = ModeSpec {
        command,
        workloads: workloads.unwrap_or_else(|| vec![Kind::SetGet]),
        load_generator,
        supports: match (&table.supports, load_generator) {
            (Some(list), _) => list.value.clone(),
            (None, Some(_)) => LoadGenerator::SUPPORTS.to_vec(),
            (None, None) => Vec::new(),
        },
        options: table.options.as_ref().map(|options| options.value.clone()).unwrap_or_default(),
        env: table.env.as_ref().map(|env| env.value.clone()).unwrap_or_default(),
        prepare: table.prepare.as_ref().map(words).unwrap_or_default(),
        optional: table.optional.as_ref().is_some_and(|optional| optional.value),
        directory: directory.clone(),
    };
    (findings.len() == before).then_some(mode)
}
