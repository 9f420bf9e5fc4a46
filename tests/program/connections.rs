//! How a server is reached: over TLS, as an ACL user, in another database; and servers that cannot be measured, which are told
//! before a key is written.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};

use crate::sandbox::{Foreign, Sandbox, code, listens, stderr, wait_until};

const DRIVERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/drivers");
const ENVIRONMENT: &str = "ORC_TEST_PASSWORD";

/// The rows of an experiment of one repetition, all of which must be well.
fn rows(sandbox: &Sandbox, matrix: &str) -> Vec<BTreeMap<String, String>> {
    let output = run(sandbox, matrix);
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    sandbox.rows("reached", "trials.csv")
}

fn run(sandbox: &Sandbox, matrix: &str) -> Output {
    sandbox.write(
        "reached.toml",
        &format!("name = 'reached'\n{matrix}[run]\nrepetitions = 1\nwarmup = 0\nretries = 0\n"),
    );
    sandbox.orchestrate(&["--fresh", "reached.toml"]).env(ENVIRONMENT, "s3cret").output().unwrap()
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// An authority, and certificates of it for a server on loopback and for a client: `ca.pem`, `server.pem`, `server.key`,
/// `client.pem` and `client.key` in a directory.
pub(crate) fn certificates(directory: &Path) {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.distinguished_name.push(DnType::CommonName, "authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let write = |name: &str, text: String| std::fs::write(directory.join(name), text).unwrap();
    write("ca.pem", authority.self_signed(&key).unwrap().pem());
    let issuer = Issuer::new(authority, key);
    for (name, at) in [("server", vec!["127.0.0.1".to_owned()]), ("client", vec!["client".to_owned()])] {
        let key = KeyPair::generate().unwrap();
        let mut certificate = CertificateParams::new(at).unwrap();
        certificate.distinguished_name.push(DnType::CommonName, name);
        let certificate = certificate.signed_by(&key, &issuer).unwrap();
        write(&format!("{name}.pem"), certificate.pem());
        write(&format!("{name}.key"), key.serialize_pem());
    }
}

/// A server of somebody else that speaks TLS at the second port, and asks clients for a certificate there.
fn with_tls(sandbox: &Sandbox, args: &[&str]) -> (Foreign, u16) {
    certificates(sandbox.path());
    let port = free_port();
    let path = |name: &str| sandbox.path().join(name).display().to_string();
    let (tls_port, ca, certificate, key) =
        (port.to_string(), path("ca.pem"), path("server.pem"), path("server.key"));
    let tls = ["--tls-port", &tls_port, "--tls-ca-cert-file", &ca, "--tls-cert-file", &certificate];
    let key = ["--tls-key-file", &key];
    let server = Foreign::start(&[&tls[..], &key[..], args].concat());
    // It listens there last.
    wait_until("it speaks TLS", || listens(port).then_some(()));
    (server, port)
}

#[test]
fn what_tls_costs_is_asked_of_one_server_by_every_client_that_can() {
    let sandbox = Sandbox::new();
    let modes = "'sync', 'sync-pipe', 'async', 'async-pipe', 'async-mt', 'multiplexed', 'py-sync', 'py-asyncio-hiredis', \
                 'node-redis', 'ioredis'";
    let rows = rows(
        &sandbox,
        &format!(
            "include = ['{DRIVERS}/python.toml', '{DRIVERS}/node.toml']\n[workload]\noperations = 200\n\
             [[matrix]]\nmodes = [{modes}]\nworkers = 2\nworkload.link = ['tcp', 'tls']\n"
        ),
    );
    assert_eq!(rows.len(), 20);
    let over = |link: &str| rows.iter().filter(|row| row["link"] == link && row["status"] == "ok").count();
    assert_eq!((over("loopback"), over("loopback-tls")), (10, 10));
    // What the server has read it has decrypted: commands are as long as without TLS.
    for row in &rows {
        assert_eq!(row["server_calls_per_op"], "2", "{row:?}");
    }
    sandbox.expect_nobody_left();
}

#[test]
fn a_server_with_tls_a_user_and_databases_is_measured_as_its_address_says() {
    let sandbox = Sandbox::new();
    let (server, port) = with_tls(&sandbox, &["--user", "bench", "on", ">s3cret", "~*", "&*", "+@all"]);
    let rows = rows(
        &sandbox,
        &format!(
            "include = ['{DRIVERS}/python.toml', '{DRIVERS}/node.toml']\n\
             [server.theirs]\naddress = 'rediss://bench@127.0.0.1:{port}/3'\npassword = {{ env = '{ENVIRONMENT}' }}\n\
             tls = {{ ca = 'ca.pem', cert = 'client.pem', key = 'client.key' }}\nallow_flush = true\n\
             [workload]\noperations = 100\n[[matrix]]\nservers = ['theirs']\nmodes = ['sync', 'async-mt', 'py-asyncio', \
             'node-redis', 'ioredis']\n"
        ),
    );
    assert_eq!(rows.len(), 5);
    for row in &rows {
        assert_eq!((&*row["status"], &*row["link"]), ("ok", "loopback-tls"), "{}", row["error"]);
    }
    let mut connection = server.connection();
    let info: String = redis::cmd("INFO").arg("commandstats").query(&mut connection).unwrap();
    assert!(info.contains("cmdstat_select") && info.contains("cmdstat_auth"), "{info}");
    let keys: String = redis::cmd("INFO").arg("keyspace").query(&mut connection).unwrap();
    assert!(!keys.contains("db0"), "nothing was written anywhere else: {keys}");
}

#[test]
fn a_client_that_cannot_do_what_a_server_asks_for_is_refused_by_name() {
    let sandbox = Sandbox::new();
    let file = format!(
        "name = 'refused'\ninclude = ['{DRIVERS}/c.toml']\n[server.far]\naddress = 'rediss://user@far.example'\n\
         [mode.mine]\ncommand = ['true']\n[[matrix]]\nservers = ['far']\nmodes = ['sync', 'hiredis', 'mine']\n\
         [[matrix]]\nmodes = ['hiredis', 'sync']\nworkload.link = 'tls'\n"
    );
    let path = sandbox.write("refused.toml", &file);
    let said = stderr(&sandbox.output(&["check", path.to_str().unwrap()]));
    for refusal in [
        "the mode `hiredis` cannot speak TLS, which the server `far` asks for",
        "the mode `mine` cannot log in as an ACL user, which the server `far` asks for",
        "the mode `hiredis` cannot speak TLS",
    ] {
        assert!(said.contains(refusal), "{refusal}: {said}");
    }
    assert!(!said.contains("`sync` cannot"), "{said}");
}

/// What a run says of a server of somebody else, which must not have been written to.
fn refusal(server: &Foreign, table: &str) -> String {
    let sandbox = Sandbox::new();
    let table = table.replace("PORT", &server.port.to_string());
    let output = run(
        &sandbox,
        &format!(
            "[server.theirs]\n{table}[workload]\noperations = 10\n[[matrix]]\nservers = 'theirs'\nmodes = 'sync'\n"
        ),
    );
    assert_eq!(code(output.status), 3, "{}", stderr(&output));
    let doctor =
        sandbox.orchestrate(&["doctor", "reached.toml"]).env(ENVIRONMENT, "s3cret").output().unwrap();
    let said = stderr(&output);
    let first =
        |text: &str| text.split_once("`theirs`").map(|(_, rest)| rest.chars().take(60).collect::<String>());
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned() + &stderr(&doctor);
    assert_eq!(first(&doctor), first(&said), "the doctor says the same: {doctor}");
    said
}

const PLAIN: &str = "address = '127.0.0.1:PORT'\n";

#[test]
fn a_server_that_cannot_be_measured_says_what_it_is_and_gets_no_key() {
    let primary = Foreign::start(&[]);
    let replica = Foreign::start(&["--replicaof", "127.0.0.1", &primary.port.to_string()]);
    let said = refusal(&replica, PLAIN);
    assert!(said.contains("is a replica, which accepts no writes"), "{said}");
    assert!(said.contains(&format!("127.0.0.1:{}", primary.port)), "{said}");

    let directory = tempfile::tempdir().unwrap();
    let node = Foreign::start(&["--cluster-enabled", "yes", "--dir", directory.path().to_str().unwrap()]);
    let said = refusal(&node, PLAIN);
    assert!(said.contains("is a node of a cluster"), "{said}");
    for server in [&primary, &node] {
        let keys: u64 = redis::cmd("DBSIZE").query(&mut server.connection()).unwrap();
        assert_eq!(keys, 0);
    }

    let configuration = directory.path().join("sentinel.conf");
    std::fs::write(&configuration, "").unwrap();
    let sentinel = Foreign::start_with(&[configuration.to_str().unwrap()], &["--sentinel"]);
    let said = refusal(&sentinel, PLAIN);
    assert!(said.contains("is a sentinel, which holds no data"), "{said}");
}

#[test]
fn what_a_server_says_when_it_refuses_is_quoted_with_what_to_do() {
    let locked = Foreign::start(&["--requirepass", "other"]);
    let said = refusal(&locked, PLAIN);
    assert!(said.contains("NOAUTH") && said.contains("password = { env = \"NAME\" }"), "{said}");
    let said = refusal(&locked, "address = '127.0.0.1:PORT'\npassword = { env = 'ORC_TEST_PASSWORD' }\n");
    assert!(said.contains("it rejects the password or the `username`"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");

    let weak = Foreign::start(&["--user", "weak", "on", ">s3cret", "~*", "+ping", "+hello"]);
    let said =
        refusal(&weak, "address = 'redis://weak@127.0.0.1:PORT'\npassword = { env = 'ORC_TEST_PASSWORD' }\n");
    assert!(
        said.contains("no permissions to run the 'info' command") && said.contains("lacks a right"),
        "{said}"
    );

    let full = Foreign::start(&["--maxclients", "1"]);
    let client = redis::Client::open(("127.0.0.1", full.port)).unwrap();
    // Whoever looked whether it listens may not have gone yet.
    let _only = wait_until("the one connection is free", || {
        let mut connection = client.get_connection().ok()?;
        redis::cmd("PING").query::<String>(&mut connection).ok().map(|_| connection)
    });
    let said = refusal(&full, PLAIN);
    assert!(said.contains("max number of clients reached"), "{said}");

    let sandbox = Sandbox::new();
    let (server, port) = with_tls(&sandbox, &[]);
    let said = refusal(&server, &format!("address = '127.0.0.1:{port}'\n"));
    assert!(said.contains("it speaks TLS there: write rediss://"), "{said}");
    let said = refusal(&server, "address = 'rediss://127.0.0.1:PORT'\n");
    assert!(said.contains("does not speak TLS there"), "{said}");
    let said = refusal(&server, &format!("address = 'rediss://127.0.0.1:{port}'\n"));
    assert!(said.contains("tls = { ca = \"FILE\" }"), "{said}");
    let ca = sandbox.path().join("ca.pem");
    let ca = ca.display();
    let said = refusal(&server, &format!("address = '127.0.0.1:{port}'\ntls = {{ ca = '{ca}' }}\n"));
    assert!(said.contains("tls = { cert = \"FILE\", key = \"FILE\" }"), "{said}");
}

#[test]
fn the_rights_that_the_documents_name_are_enough() {
    let text = include_str!("../../docs/servers.md");
    let rights = text.lines().find_map(|line| line.strip_prefix("ACL SETUSER ")).expect("it names them");
    let rights = rights.replace("PASSWORD", "s3cret");
    let words: Vec<&str> = std::iter::once("--user").chain(rights.split(' ')).collect();
    let server = Foreign::start(&words);
    let matrix = |kind: &str, rest: &str| format!("[[matrix]]\nworkload.kind = '{kind}'\n{rest}\n");
    let sandbox = Sandbox::new();
    let rows = rows(
        &sandbox,
        &format!(
            "include = ['{DRIVERS}/python.toml']\n[server.redis]\naddress = 'redis://bench@127.0.0.1:{}'\n\
             password = {{ env = '{ENVIRONMENT}' }}\n[workload]\noperations = 50\n{}{}{}{}{}",
            server.port,
            matrix("set-get", "modes = ['sync', 'sync-pipe', 'py-sync']"),
            matrix("hash", "modes = ['sync', 'async']"),
            matrix("read-write", "workload.keys = 20\nmodes = ['sync', 'py-sync']"),
            matrix(
                "queue",
                "workload.structure = ['list', 'stream']\nworkload.acknowledge = [false, true]\nmodes = ['sync', 'py-sync']"
            ),
            matrix("pubsub", "modes = ['sync', 'py-sync']"),
        ),
    );
    for row in &rows {
        assert_eq!(row["status"], "ok", "{} {}: {}", row["mode"], row["workload"], row["error"]);
    }
    assert_eq!(rows.len(), 3 + 2 + 2 + 8 + 2);
}

#[test]
fn servers_that_are_fetched_stand_side_by_side() {
    let sandbox = Sandbox::new();
    let rows = rows(
        &sandbox,
        &format!(
            "include = ['{DRIVERS}/servers.toml']\n[workload]\noperations = 100\n\
             [[matrix]]\nservers = ['system', 'redis-8', 'valkey-9']\nmodes = ['sync', 'async']\n"
        ),
    );
    let version = |server: &str| {
        let row = rows.iter().find(|row| row["server"] == server).unwrap();
        assert_eq!(row["status"], "ok", "{}", row["error"]);
        row["server_version"].clone()
    };
    assert!(version("redis-8").starts_with("redis 8."), "{}", version("redis-8"));
    assert!(version("valkey-9").starts_with("valkey 9."), "{}", version("valkey-9"));
    assert_eq!(rows.iter().filter(|row| row["server"] == "system").count(), 2);

    let file = "name = 'x'\n[[matrix]]\nmodes = 'sync'\nservers = 'valkey-9'\n";
    let path = sandbox.write("x.toml", file);
    let said = stderr(&sandbox.output(&["check", path.to_str().unwrap()]));
    assert!(said.contains("include = [\"builtin:servers\"]"), "{said}");
    sandbox.expect_nobody_left();
}

/// A server that speaks the protocol and counts next to nothing, in a thread that ends with the test. Returns its port.
fn frugal_server() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let keys = Arc::new(Mutex::new(BTreeMap::new()));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, keys) = (stream.unwrap(), Arc::clone(&keys));
            std::thread::spawn(move || answer(stream, &keys));
        }
    });
    port
}

type Keys = Mutex<BTreeMap<String, String>>;

/// Answers requests until there are no more.
fn answer(mut stream: TcpStream, keys: &Keys) {
    let mut requests = BufReader::new(stream.try_clone().unwrap());
    let line = |requests: &mut BufReader<TcpStream>| {
        let mut line = String::new();
        (requests.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
    };
    while let Some(count) = line(&mut requests).and_then(|line| line.strip_prefix('*')?.parse::<usize>().ok())
    {
        let words: Vec<String> = (0..count)
            .map(|_| {
                line(&mut requests).unwrap();
                line(&mut requests).unwrap()
            })
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
        let mut keys = keys.lock().unwrap();
        let reply = match (words[0].to_uppercase().as_str(), &words[1..]) {
            ("SET", [key, value, ..]) => {
                keys.insert((*key).to_owned(), (*value).to_owned());
                "+OK\r\n".to_owned()
            }
            ("GET", [key]) => keys.get(*key).map_or("$-1\r\n".to_owned(), |value| bulk(value)),
            ("DEL", all) => {
                format!(":{}\r\n", all.iter().filter(|key| keys.remove(**key).is_some()).count())
            }
            ("PING", _) => "+PONG\r\n".to_owned(),
            ("INFO", _) => bulk("# Server\r\nredis_version:7.4.0\r\ndragonfly_version:df-v1.27.1\r\n"),
            (other, _) => format!("-ERR unknown command {other}\r\n"),
        };
        drop(keys);
        if stream.write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn what_a_server_does_not_count_is_left_out_and_each_row_says_so() {
    let port = frugal_server();
    let sandbox = Sandbox::new();
    let table = format!("[server.frugal]\naddress = '127.0.0.1:{port}'\nallow_flush = true\n");
    let matrix = "[[matrix]]\nservers = 'frugal'\nmodes = ['sync', 'async']\nworkload.operations = 100\n";
    for row in rows(&sandbox, &format!("{table}{matrix}")) {
        assert_eq!((&*row["status"], &*row["operations"]), ("ok", "100"), "{}", row["error"]);
        assert!(row["flags"].split(' ').any(|flag| flag == "unchecked"), "{}", row["flags"]);
        assert_eq!(row["server_version"], "dragonfly df-v1.27.1");
        for column in [
            "server_calls",
            "server_calls_per_op",
            "server_cpu_us_per_op",
            "network_bytes_per_op",
            "server_memory_bytes",
        ] {
            assert_eq!(row[column], "", "{column}");
        }
    }
    // A server that does not tell whether it is empty is not flushed: it knows no FLUSHALL, and the keys are gone.
    let mut connection = redis::Client::open(("127.0.0.1", port)).unwrap().get_connection().unwrap();
    let run = sandbox.runs("reached").remove(0);
    let journal = std::fs::read_to_string(run.join("journal.jsonl")).unwrap();
    assert!(journal.contains("\"untold\":["), "{journal}");
    assert_eq!(redis::cmd("GET").arg("x").query::<Option<String>>(&mut connection).unwrap(), None);
}
