//! `[server]` tables: a server that orchestrate starts, or one that somebody else runs.

use super::address::{RedisUrl, Unusable};
use super::diagnose::{Findings, Place};
use super::server_args::check_args;
use super::server_literals::{ClusterForm, MOST_MASTERS, TlsForm};
use super::servers::{Preparation, ServerSpec, TlsFiles};
use super::spanned::At;
use super::{Directory, Lifetime, file};

const DEFAULT_PROGRAM: &str = "redis-server";

fn default_args() -> Vec<String> {
    ["--save", "", "--appendonly", "no"].map(str::to_owned).to_vec()
}

/// What every experiment has without a table.
pub(super) fn default_server() -> ServerSpec {
    ServerSpec::Managed {
        program: DEFAULT_PROGRAM.to_owned(),
        args: default_args(),
        lifetime: Lifetime::Run,
        cluster: None,
        preparation: None,
    }
}

/// What a table says about a server. What is wrong with it is noted; `None` if anything is.
pub(super) fn server(
    findings: &mut Findings,
    source: usize,
    table: &file::Server,
    directory: &Directory,
) -> Option<ServerSpec> {
    match &table.address {
        Some(address) => external(findings, source, table, address, directory),
        None => managed(findings, source, table, directory),
    }
}

fn managed(
    findings: &mut Findings,
    source: usize,
    table: &file::Server,
    directory: &Directory,
) -> Option<ServerSpec> {
    let before = findings.len();
    let external_keys = [
        ("password", table.password.as_ref().map(|at| &at.span), EXTERNAL_ONLY),
        ("username", table.username.as_ref().map(|at| &at.span), EXTERNAL_ONLY),
        ("db", table.db.as_ref().map(|at| &at.span), EXTERNAL_ONLY),
        ("tls", table.tls.as_ref().map(|at| &at.span), TLS_IS_A_LINK),
        ("allow_flush", table.allow_flush.as_ref().map(|at| &at.span), EXTERNAL_ONLY),
    ];
    for (key, span, help) in external_keys {
        let Some(span) = span else { continue };
        findings
            .error(&Place { source, span: span.clone() }, format!("`{key}` goes with `address`"))
            .help(help);
    }
    if let Some(program) = &table.program
        && program.value.trim().is_empty()
    {
        findings.error(&Place { source, span: program.span.clone() }, "`program` is empty");
    }
    if let Some(prepare) = &table.prepare
        && prepare.value.first().is_none_or(|program| program.value.trim().is_empty())
    {
        findings.error(&Place { source, span: prepare.span.clone() }, "`prepare` names no program");
    }
    let args = table.args.as_ref().map(|args| args.value.as_slice());
    check_args(findings, source, args.unwrap_or_default());
    let spec = ServerSpec::Managed {
        program: table.program.as_ref().map_or(DEFAULT_PROGRAM.to_owned(), |program| program.value.clone()),
        args: args.map_or_else(default_args, |args| args.iter().map(|arg| arg.value.clone()).collect()),
        lifetime: table.lifetime.as_ref().map_or(Lifetime::Run, |lifetime| lifetime.value),
        preparation: table.prepare.as_ref().map(|prepare| Preparation {
            command: prepare.value.iter().map(|word| word.value.clone()).collect(),
            directory: directory.clone(),
        }),
        cluster: table.cluster.as_ref().and_then(|cluster| masters(findings, source, cluster)),
    };
    (findings.len() == before).then_some(spec)
}

/// How many masters a cluster of ours is to have, if it is to be one.
fn masters(findings: &mut Findings, source: usize, cluster: &At<ClusterForm>) -> Option<u32> {
    let mut refuse = |message: String, help: &'static str| {
        findings.error(&Place { source, span: cluster.span.clone() }, message).help(help);
    };
    match cluster.value {
        ClusterForm::Masters(masters @ 1..=MOST_MASTERS) => return Some(masters as u32),
        ClusterForm::Masters(masters) => refuse(
            format!("no cluster is made of {masters} masters"),
            "as many as the host has CPUs for, such as cluster = 3",
        ),
        ClusterForm::IsOne(true) => refuse(
            "it is not said of how many masters the cluster is to be made".to_owned(),
            "such as cluster = 3; true is for a server with an `address`",
        ),
        ClusterForm::IsOne(false) => {}
    }
    None
}

/// Whether an address is that of a node of a cluster.
fn is_cluster(findings: &mut Findings, source: usize, cluster: &At<ClusterForm>) -> bool {
    match cluster.value {
        ClusterForm::IsOne(is_one) => is_one,
        ClusterForm::Masters(_) => {
            findings
                .error(
                    &Place { source, span: cluster.span.clone() },
                    "an existing cluster already has a number of masters",
                )
                .help("write cluster = true; the number is for a server that orchestrate starts");
            false
        }
    }
}

const EXTERNAL_ONLY: &str = "it is for a server that somebody else runs";
const TLS_IS_A_LINK: &str =
    "a server that orchestrate starts speaks TLS where the matrix asks for it: workload.link = \"tls\"";

fn external(
    findings: &mut Findings,
    source: usize,
    table: &file::Server,
    address: &At<String>,
    directory: &Directory,
) -> Option<ServerSpec> {
    let before = findings.len();
    let at = |span: &std::ops::Range<usize>| Place { source, span: span.clone() };
    let managed_keys = [
        ("program", table.program.as_ref().map(|at| &at.span)),
        ("args", table.args.as_ref().map(|at| &at.span)),
        ("prepare", table.prepare.as_ref().map(|at| &at.span)),
        ("lifetime", table.lifetime.as_ref().map(|at| &at.span)),
    ];
    for (key, span) in managed_keys {
        let Some(span) = span else { continue };
        findings
            .error(&at(span), format!("a server has `{key}` or `address`, not both"))
            .related(&at(&address.span), "a server that somebody else runs")
            .help("`program`, `args`, `prepare` and `lifetime` are for a server that orchestrate starts");
    }
    let url = match RedisUrl::parse(&address.value) {
        Ok(url) => Some(url),
        Err(Unusable { what, help }) => {
            findings.error(&at(&address.span), what).help(help);
            None
        }
    };
    let password_env = table.password.as_ref().map(|password| &password.value.0.env);
    if let Some(env) = password_env
        && !is_variable(&env.value)
    {
        findings.error(
            &at(&env.span),
            format!("`{}` is not a valid name for an environment variable", env.value),
        );
    }
    let twice = |findings: &mut Findings, key: &str, span: &std::ops::Range<usize>| {
        findings
            .error(&at(span), format!("`{key}` is also in the address"))
            .related(&at(&address.span), "here")
            .help("keep one of the two");
    };
    let RedisUrl { host, port, username, db, tls } = url?;
    match (&table.username, &username) {
        (Some(at), Some(_)) => twice(findings, "username", &at.span),
        (Some(name), None) if name.value.is_empty() => {
            findings.error(&at(&name.span), "`username` is empty").help("without it the user is `default`");
        }
        _ => {}
    }
    if let (Some(at), Some(_)) = (&table.db, db) {
        twice(findings, "db", &at.span);
    }
    let files = table.tls.as_ref().and_then(|at| tls_files(findings, source, at, directory));
    if let (Some(form), true) = (&table.tls, tls)
        && matches!(form.value, TlsForm::Spoken(false))
    {
        findings
            .error(&at(&form.span), "the address says `rediss`, which is TLS")
            .help("write redis:// there");
    }
    let external = ServerSpec::External {
        host,
        port,
        username: username.or_else(|| table.username.as_ref().map(|at| at.value.clone())),
        password_env: password_env.map(|env| env.value.clone()),
        db: db.or_else(|| table.db.as_ref().map(|at| at.value)).unwrap_or(0),
        tls: files.or_else(|| tls.then(TlsFiles::default)),
        cluster: table.cluster.as_ref().is_some_and(|cluster| is_cluster(findings, source, cluster)),
        allow_flush: table.allow_flush.as_ref().is_some_and(|flush| flush.value),
    };
    (findings.len() == before).then_some(external)
}

/// The files of `tls`, with paths from the directory of the file that names them; `None` if TLS is not spoken.
fn tls_files(
    findings: &mut Findings,
    source: usize,
    tls: &At<TlsForm>,
    directory: &Directory,
) -> Option<TlsFiles> {
    let table = match &tls.value {
        TlsForm::Spoken(spoken) => return spoken.then(TlsFiles::default),
        TlsForm::Files(table) => table,
    };
    let path = |at: &At<String>| match directory {
        Directory::Path(directory) => directory.join(&at.value),
        Directory::Builtin => at.value.clone().into(),
    };
    let identity = match (&table.cert, &table.key) {
        (Some(cert), Some(key)) => Some((path(cert), path(key))),
        (None, None) => None,
        (Some(lone), None) | (None, Some(lone)) => {
            findings
                .error(&Place { source, span: lone.span.clone() }, "`cert` and `key` go together")
                .help("the client's certificate is `cert`, its private key `key`");
            None
        }
    };
    Some(TlsFiles { ca: table.ca.as_ref().map(path), identity })
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
