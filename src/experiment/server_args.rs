//! Arguments of a server that orchestrate starts: which of them are not up to the file, and where its data go.
//!
//! What orchestrate adds to the command line comes last and wins. An argument that would be overridden silently is refused, so
//! that nobody measures something other than what the file says.

use std::path::Path;

use super::diagnose::{Findings, Place};
use super::secrets::is_secret_option;
use super::spanned::At;

/// Options that are not up to the file, and what to do instead.
const NOT_UP_TO_THE_FILE: &[(&[&str], &str)] = &[
    (
        &["bind", "port"],
        "leave it out: a server of a trial listens on a free port of loopback, or on the `address` of its host for \
         clients on other hosts",
    ),
    (
        &["unixsocket", "unixsocketperm", "unixsocketgroup"],
        "leave it out: every server has a socket, and `workload.link = \"unix\"` has clients use it",
    ),
    (
        &["tls-port", "tls-cert-file", "tls-key-file", "tls-ca-cert-file", "tls-auth-clients", "tls-cluster"],
        "leave it out: `workload.link = \"tls\"` has clients use TLS, with a certificate that is made for the server",
    ),
    (
        &["cluster-enabled", "cluster-config-file", "cluster-port", "cluster-announce-ip"],
        "leave it out: `cluster = 3` in the table of the server makes a cluster of three masters",
    ),
    (&["logfile"], "leave it out: the log is kept, and messages about the server end with its last lines"),
    (
        &["daemonize", "supervised"],
        "leave it out: a server stays a child of orchestrate, which starts and stops it",
    ),
    (
        &["include"],
        "write its settings as arguments, such as \"--io-threads\", \"4\": in a file they could be overridden unseen",
    ),
];

/// The name of the option that an argument is, or begins with.
fn option(arg: &str) -> Option<String> {
    let name = arg.split_whitespace().next()?.strip_prefix("--")?;
    Some(name.to_ascii_lowercase())
}

/// Notes every argument of a server that may not stand in a file. True if there was none.
pub(super) fn check_args(findings: &mut Findings, source: usize, args: &[At<String>]) -> bool {
    let before = findings.len();
    for (number, arg) in args.iter().enumerate() {
        let place = Place { source, span: arg.span.clone() };
        if is_secret_option(&arg.value) {
            findings
                .error(&place, "a secret is written literally")
                .help("a server that orchestrate starts needs none: it listens on loopback, or gets a random password");
        }
        if number == 0 && arg.value.ends_with(".conf") && !arg.value.starts_with('-') {
            findings.error(&place, format!("a server takes no configuration file such as `{}`", arg.value)).help(
                "write its settings as arguments, such as \"--io-threads\", \"4\": in a file they could be overridden unseen",
            );
        }
        let Some(name) = option(&arg.value) else { continue };
        if let Some((_, help)) = NOT_UP_TO_THE_FILE.iter().find(|(names, _)| names.contains(&name.as_str())) {
            findings
                .error(&place, format!("orchestrate decides on `--{name}` of a server itself"))
                .help(*help);
        }
    }
    let words: Vec<&str> = args.iter().map(|arg| arg.value.as_str()).collect();
    for (number, directory) in directories(&words) {
        if !directory.is_some_and(|directory| Path::new(directory).is_absolute()) {
            findings
                .error(&Place { source, span: args[number].span.clone() }, "`--dir` needs the absolute path of a directory")
                .help("such as \"--dir\", \"/mnt/fast\": the server writes to a new directory in it, which is removed with it");
        }
    }
    findings.len() == before
}

/// The directory below which a server is to keep its data, if its command line names one.
#[must_use]
pub fn data_directory(args: &[String]) -> Option<&Path> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    directories(&words).last().and_then(|&(_, directory)| directory).map(Path::new)
}

/// Every `--dir` with its number and what it names: the rest of its word, or the next word.
fn directories<'a>(words: &[&'a str]) -> Vec<(usize, Option<&'a str>)> {
    let is_dir = |word: &str| option(word).is_some_and(|name| name == "dir");
    let named = |number: usize| {
        let (_, rest) = words[number].trim().split_once(char::is_whitespace).unwrap_or_default();
        let rest = Some(rest.trim()).filter(|rest| !rest.is_empty());
        rest.or_else(|| words.get(number + 1).copied()).filter(|directory| !directory.starts_with("--"))
    };
    let found = (0..words.len()).filter(|&number| is_dir(words[number]));
    found.map(|number| (number, named(number))).collect()
}
