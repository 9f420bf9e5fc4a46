//! Redis Cluster: one that is made for a run, and an existing one; by every client that can, checked against what all nodes
//! counted together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Output;

use crate::connections::{certificates, free_port};
use crate::sandbox::{Foreign, Sandbox, code, listens, stderr, wait_until};

const DRIVERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/drivers");

fn run(sandbox: &Sandbox, matrix: &str) -> Output {
    sandbox.write(
        "spread.toml",
        &format!("name = 'spread'\n{matrix}[run]\nrepetitions = 1\nwarmup = 10\nretries = 0\n"),
    );
    sandbox.orchestrate(&["--fresh", "spread.toml"]).output().unwrap()
}

/// The rows of an experiment, all of which must be well.
fn rows(sandbox: &Sandbox, matrix: &str) -> Vec<BTreeMap<String, String>> {
    let output = run(sandbox, matrix);
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    sandbox.rows("spread", "trials.csv")
}

#[test]
fn every_client_that_can_is_measured_on_a_cluster_that_is_made_for_it() {
    let sandbox = Sandbox::new();
    let one_by_one =
        "'sync', 'async', 'async-mt', 'multiplexed', 'py-sync', 'py-asyncio', 'node-redis', 'ioredis'";
    let rows = rows(
        &sandbox,
        &format!(
            "include = ['{DRIVERS}/python.toml', '{DRIVERS}/node.toml']\n[server.spread]\ncluster = 3\n\
             [[matrix]]\nservers = 'spread'\nmodes = [{one_by_one}, 'fred', 'fred-multiplexed', 'rustis', 'rustis-multiplexed']\n\
             workers = 3\nworkload.operations = 300\n\
             [[matrix]]\nservers = 'spread'\nmodes = [{one_by_one}]\nworkers = 2\n\
             workload = {{ kind = 'read-write', keys = 100, operations = 200 }}\n\
             [[matrix]]\nservers = 'spread'\nmodes = [{one_by_one}]\n\
             workload = {{ kind = 'commands', commands = [['SET', '{{key}}', '{{value}}'], ['GET', '{{key}}']], operations = 100 }}\n"
        ),
    );
    assert_eq!(rows.len(), 12 + 8 + 8);
    for row in &rows {
        assert_eq!(row["status"], "ok", "{} {}: {}", row["mode"], row["workload"], row["error"]);
        assert!(row["server_version"].ends_with(" (cluster of 3)"), "{}", row["server_version"]);
        assert_eq!(row["flags"], row["flags"].replace("other-clients", ""), "{}", row["flags"]);
        let calls = if row["workload"] == "read-write" { "1" } else { "2" };
        assert_eq!(row["server_calls_per_op"], calls, "{row:?}");
    }
    sandbox.expect_nobody_left();
}

#[test]
fn tls_and_resp3_go_together_with_a_cluster() {
    let sandbox = Sandbox::new();
    let rows = rows(
        &sandbox,
        &format!(
            "include = ['{DRIVERS}/python.toml', '{DRIVERS}/node.toml']\n[server.spread]\ncluster = 3\n\
             [workload]\noperations = 200\n\
             [[matrix]]\nservers = ['redis', 'spread']\nmodes = ['sync', 'async', 'multiplexed', 'py-sync', 'py-asyncio', 'node-redis']\n\
             workers = 2\nworkload.link = ['tcp', 'tls']\nmode.options.protocol = [2, 3]\n\
             exclude = [{{ workload.link = 'tcp', mode.options.protocol = 2 }}]\n\
             [[matrix]]\nservers = ['redis', 'spread']\nmodes = ['ioredis', 'fred']\nworkload.link = ['tcp', 'tls']\n"
        ),
    );
    assert_eq!(rows.len(), 6 * 6 + 2 * 4);
    for row in &rows {
        let what = format!("{} {} {} {:?}", row["mode"], row["server"], row["link"], row["mode_options"]);
        assert_eq!((&*row["status"], &*row["server_calls_per_op"]), ("ok", "2"), "{what}: {}", row["error"]);
    }
    sandbox.expect_nobody_left();
}

#[test]
fn what_cannot_be_measured_on_a_cluster_is_refused_by_name() {
    let sandbox = Sandbox::new();
    let file = format!(
        "name = 'refused'\ninclude = ['{DRIVERS}/c.toml']\n[server.spread]\ncluster = 3\n\
         [server.theirs]\naddress = '10.0.0.1:7000'\ncluster = true\n\
         [host.a]\ntransport = 'ssh'\ntarget = 'a'\naddress = '10.0.0.2'\n\
         [[matrix]]\nservers = ['spread', 'theirs']\nmodes = ['sync-pipe', 'hiredis']\n\
         [[matrix]]\nservers = 'spread'\nmodes = 'sync'\nworkload.kind = 'queue'\n\
         [[matrix]]\nservers = 'spread'\nmodes = 'sync'\nworkload.link = 'unix'\n\
         [[matrix]]\nservers = 'spread'\nmodes = 'sync'\nhosts = {{ client = 'local', server = 'a' }}\n"
    );
    let path = sandbox.write("refused.toml", &file);
    let said = stderr(&sandbox.output(&["check", path.to_str().unwrap()]));
    for refusal in [
        "the mode `sync-pipe` cannot talk to a cluster, which the server `spread` asks for",
        "the mode `hiredis` cannot talk to a cluster, which the server `spread` asks for",
        "the workload \"queue\" has nothing that the cluster `spread` could spread over its nodes",
        "the nodes of the cluster `spread` name each other by host and port",
        "the cluster `spread` is made for clients on its own host",
    ] {
        assert!(said.contains(refusal), "{refusal}: {said}");
    }
    for (table, refusal) in [
        ("cluster = 0", "no cluster is made of 0 masters"),
        ("cluster = true", "it is not said of how many masters"),
        ("cluster = 'x'", "a number of masters such as 3"),
        ("args = ['--cluster-enabled', 'yes']", "orchestrate decides on `--cluster-enabled`"),
        ("address = 'a:1'\ncluster = 3", "write cluster = true"),
    ] {
        let path = sandbox.write(
            "refused.toml",
            &format!(
                "name = 'refused'\n[server.spread]\n{table}\n[[matrix]]\nservers = 'spread'\nmodes = 'sync'\n"
            ),
        );
        let said = stderr(&sandbox.output(&["check", path.to_str().unwrap()]));
        assert!(said.contains(refusal), "{table}: {said}");
    }
}

/// A cluster of somebody else: three masters and a replica of the first, with a key of theirs on each master.
struct Theirs {
    /// The replica comes last.
    nodes: Vec<Foreign>,
    /// Where they speak TLS.
    tls_ports: Vec<u16>,
    _directories: Vec<tempfile::TempDir>,
}

/// Keys that belong to the first, the second and the third of three masters.
const THEIR_KEYS: [&str; 3] = ["b", "c", "a"];

impl Theirs {
    /// `trust` is the directory of the certificates with which all nodes speak TLS, among themselves as well.
    fn start(args: &[&str], trust: Option<&Path>) -> Self {
        let mut directories = Vec::new();
        let mut nodes = Vec::new();
        for _ in 0..4 {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().to_str().unwrap().to_owned();
            nodes.push(wait_until("a node is up", || {
                let (bus, tls) = (free_port(), free_port());
                let cluster =
                    ["--cluster-enabled", "yes", "--dir", &path, "--cluster-port", &bus.to_string()];
                let tls_args = trust.map_or_else(Vec::new, |trust| tls_args(trust, tls));
                let tls_args: Vec<&str> = tls_args.iter().map(String::as_str).collect();
                let node = Foreign::start(&[&cluster[..], &tls_args[..], args].concat());
                // Another program may have taken one of the two ports.
                (listens(bus) && (trust.is_none() || listens(tls))).then_some((node, bus, tls))
            }));
            directories.push(directory);
        }
        let ask = |number: usize, words: &[&str]| -> redis::Value {
            let mut command = redis::cmd("CLUSTER");
            command.arg(words);
            command.query(&mut nodes[number].0.connection()).unwrap()
        };
        for (number, slots) in [["0", "5460"], ["5461", "10921"], ["10922", "16383"]].iter().enumerate() {
            ask(number, &["ADDSLOTSRANGE", slots[0], slots[1]]);
            ask(number, &["SET-CONFIG-EPOCH", &(number + 1).to_string()]);
        }
        for (node, bus, tls) in &nodes[1..] {
            let port = if trust.is_some() { *tls } else { node.port };
            ask(0, &["MEET", "127.0.0.1", &port.to_string(), &bus.to_string()]);
        }
        let primary: String = redis::from_redis_value(ask(0, &["MYID"])).unwrap();
        let info = |number: usize| redis::from_redis_value::<String>(ask(number, &["INFO"])).unwrap();
        let complete = |number: usize| {
            let told = info(number);
            (told.contains("cluster_state:ok") && told.contains("cluster_known_nodes:4")).then_some(())
        };
        for number in 0..4 {
            wait_until("all nodes know each other", || complete(number));
        }
        ask(3, &["REPLICATE", &primary]);
        for ((node, ..), key) in nodes.iter().zip(THEIR_KEYS) {
            redis::cmd("SET").arg(key).arg("theirs").exec(&mut node.connection()).unwrap();
        }
        wait_until("the replica is one", || {
            let info: String = redis::cmd("INFO").query(&mut nodes[3].0.connection()).unwrap();
            info.contains("master_link_status:up").then_some(())
        });
        let tls_ports = nodes.iter().map(|(_, _, tls)| *tls).collect();
        let nodes = nodes.into_iter().map(|(node, ..)| node).collect();
        Self { nodes, tls_ports, _directories: directories }
    }

    fn address(&self, node: usize) -> String {
        format!("127.0.0.1:{}", self.nodes[node].port)
    }

    /// All keys of the masters.
    fn keys(&self) -> BTreeSet<String> {
        let of = |node: &Foreign| -> Vec<String> {
            redis::cmd("KEYS").arg("*").query(&mut node.connection()).unwrap()
        };
        self.nodes[..3].iter().flat_map(of).collect()
    }
}

/// What a node is told so that it speaks TLS at a port, to clients and to other nodes.
fn tls_args(trust: &Path, port: u16) -> Vec<String> {
    let file = |name: &str| trust.join(name).display().to_string();
    let settings = [
        ("--tls-port", port.to_string()),
        ("--tls-cluster", "yes".to_owned()),
        // A replica is a client of its master.
        ("--tls-replication", "yes".to_owned()),
        ("--tls-auth-clients", "no".to_owned()),
        ("--tls-ca-cert-file", file("ca.pem")),
        ("--tls-cert-file", file("server.pem")),
        ("--tls-key-file", file("server.key")),
    ];
    settings.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
}

#[test]
fn tls_an_acl_user_a_cluster_and_resp3_go_together_with_every_client_that_can() {
    let sandbox = Sandbox::new();
    certificates(sandbox.path());
    let text = include_str!("../../docs/servers.md");
    let rights = text.lines().find_map(|line| line.strip_prefix("ACL SETUSER ")).expect("it names them");
    let rights = format!("{rights} +cluster +readonly +command").replace("PASSWORD", "s3cret");
    let user: Vec<&str> = std::iter::once("--user").chain(rights.split(' ')).collect();
    let theirs = Theirs::start(&user, Some(sandbox.path()));
    sandbox.write(
        "spread.toml",
        &format!(
            "name = 'spread'\ninclude = ['{DRIVERS}/python.toml', '{DRIVERS}/node.toml']\n\
             [server.theirs]\naddress = 'rediss://bench@127.0.0.1:{}'\npassword = {{ env = 'ORC_TEST_PASSWORD' }}\n\
             tls = {{ ca = 'ca.pem' }}\ncluster = true\n[workload]\noperations = 200\n\
             [[matrix]]\nservers = 'theirs'\nmodes = ['sync', 'async', 'async-mt', 'multiplexed', 'py-sync', 'py-asyncio', 'node-redis']\n\
             workers = 2\nmode.options.protocol = [2, 3]\n\
             [[matrix]]\nservers = 'theirs'\nmodes = ['ioredis', 'fred', 'fred-multiplexed']\nworkers = 2\n\
             [run]\nrepetitions = 1\nwarmup = 10\nretries = 0\n",
            theirs.tls_ports[1]
        ),
    );
    let output = sandbox.orchestrate(&["spread.toml"]).env("ORC_TEST_PASSWORD", "s3cret").output().unwrap();
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    let rows = sandbox.rows("spread", "trials.csv");
    assert_eq!(rows.len(), 7 * 2 + 3);
    for row in &rows {
        assert_eq!(
            (&*row["status"], &*row["link"]),
            ("ok", "loopback-tls"),
            "{}: {}",
            row["mode"],
            row["error"]
        );
    }
    assert_eq!(theirs.keys(), THEIR_KEYS.map(str::to_owned).into(), "only what was there before");

    let path = sandbox.write(
        "refused.toml",
        &format!(
            "name = 'refused'\ninclude = ['{DRIVERS}/c.toml', '{DRIVERS}/python.toml']\n\
             [server.theirs]\naddress = 'rediss://bench@127.0.0.1:1'\ncluster = true\n\
             [[matrix]]\nservers = 'theirs'\nmodes = ['sync', 'sync-pipe', 'rustis', 'hiredis', 'py-aioredis']\n"
        ),
    );
    let said = stderr(&sandbox.output(&["check", path.to_str().unwrap()]));
    for (mode, what) in [
        ("sync-pipe", "talk to a cluster"),
        ("rustis", "speak TLS"),
        ("hiredis", "talk to a cluster"),
        ("py-aioredis", "talk to a cluster"),
    ] {
        let refusal = format!("the mode `{mode}` cannot {what}, which the server `theirs` asks for");
        assert!(said.contains(&refusal), "{refusal}: {said}");
    }
    assert!(!said.contains("`sync` cannot"), "{said}");
}

#[test]
fn a_cluster_that_is_there_is_found_by_any_of_its_nodes_and_left_as_it_was() {
    let theirs = Theirs::start(&[], None);
    let sandbox = Sandbox::new();
    let servers: String = [0, 2, 3]
        .map(|node| format!("[server.by-{node}]\naddress = '{}'\ncluster = true\n", theirs.address(node)))
        .concat();
    let rows = rows(
        &sandbox,
        &format!(
            "include = ['{DRIVERS}/python.toml', '{DRIVERS}/node.toml']\n{servers}\
             [[matrix]]\nservers = ['by-0', 'by-2', 'by-3']\nmodes = ['sync', 'async', 'py-sync', 'py-asyncio', 'node-redis', 'ioredis']\n\
             workers = 2\nworkload.operations = 200\n\
             [[matrix]]\nservers = 'by-0'\nmodes = ['sync', 'py-sync']\nworkload = {{ kind = 'read-write', keys = 50, operations = 100 }}\n"
        ),
    );
    assert_eq!(rows.len(), 18 + 2);
    for row in &rows {
        assert_eq!(row["status"], "ok", "{} {}: {}", row["mode"], row["server"], row["error"]);
        assert!(row["server_version"].ends_with(" (cluster of 3)"), "{}", row["server_version"]);
    }
    assert_eq!(theirs.keys(), THEIR_KEYS.map(str::to_owned).into(), "only what was there before");

    // Without `cluster` it is refused, and with it so is a server that stands alone.
    let alone = Foreign::start(&[]);
    for (table, refusal) in [
        (format!("address = '{}'\n", theirs.address(1)), "write cluster = true to measure the whole"),
        (format!("address = '127.0.0.1:{}'\ncluster = true\n", alone.port), "is not part of a cluster"),
    ] {
        let matrix = format!(
            "[server.theirs]\n{table}[[matrix]]\nservers = 'theirs'\nmodes = 'sync'\nworkload.operations = 10\n"
        );
        let output = run(&sandbox, &matrix);
        assert_eq!(code(output.status), 3, "{}", stderr(&output));
        assert!(stderr(&output).contains(refusal), "{}", stderr(&output));
    }
    assert_eq!(theirs.keys().len(), 3);
}

#[test]
fn a_cluster_without_all_of_its_slots_is_refused_before_a_key_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let node =
        Foreign::start(&["--cluster-enabled", "yes", "--dir", path, "--cluster-require-full-coverage", "no"]);
    let mut connection = node.connection();
    redis::cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(0).arg(99).exec(&mut connection).unwrap();
    let sandbox = Sandbox::new();
    let matrix = format!(
        "[server.theirs]\naddress = '127.0.0.1:{}'\ncluster = true\n[[matrix]]\nservers = 'theirs'\nmodes = 'sync'\n\
         workload.operations = 10\n",
        node.port
    );
    let output = run(&sandbox, &matrix);
    assert_eq!(code(output.status), 3, "{}", stderr(&output));
    assert!(stderr(&output).contains("no master has slot 100"), "{}", stderr(&output));
    assert_eq!(redis::cmd("DBSIZE").query::<u64>(&mut connection).unwrap(), 0);
}

/// The processes of this sandbox that listen as nodes of a cluster.
fn nodes_of(sandbox: &Sandbox) -> Vec<rustix::process::Pid> {
    let root = sandbox.path().to_str().unwrap().to_owned();
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let entry = entry.ok()?;
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let place = std::fs::read_link(entry.path().join("cwd")).ok()?;
        let title = std::fs::read_to_string(entry.path().join("cmdline")).ok()?;
        let is_one = place.starts_with(&root) && title.contains("[cluster]");
        is_one.then(|| rustix::process::Pid::from_raw(pid)).flatten()
    });
    processes.collect()
}

#[test]
fn a_node_that_dies_costs_one_attempt_and_the_run_goes_on_with_a_new_cluster() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "spread.toml",
        "name = 'spread'\n[server.spread]\ncluster = 3\n[[matrix]]\nservers = 'spread'\nmodes = ['sync', 'async']\n\
         workload.duration = '1s'\n[run]\nrepetitions = 2\nwarmup = 0\nretries = 2\n",
    );
    let mut child = sandbox.orchestrate(&["spread.toml"]).spawn().unwrap();
    let nodes = wait_until("three nodes are up and a trial is over", || {
        assert!(child.try_wait().unwrap().is_none());
        let journals = sandbox.runs("spread");
        let journal = std::fs::read_to_string(journals.first()?.join("journal.jsonl")).ok()?;
        Some(nodes_of(&sandbox)).filter(|nodes| nodes.len() == 3 && journal.contains("\"status\":\"ok\""))
    });
    rustix::process::kill_process(nodes[1], rustix::process::Signal::KILL).unwrap();
    assert_eq!(code(child.wait().unwrap()), 0);
    let rows = sandbox.rows("spread", "trials.csv");
    let ok = rows.iter().filter(|row| row["status"] == "ok").count();
    assert_eq!(ok, 4, "{rows:?}");
    let failed: Vec<_> = rows.iter().filter(|row| row["status"] != "ok").collect();
    assert!(failed.len() <= 1, "{failed:?}");
    if let Some(row) = failed.first() {
        assert!(row["error"].contains("server `spread` died: signal 9 (SIGKILL)"), "{}", row["error"]);
    }
    sandbox.expect_nobody_left();
}
