//! A server is what its command line says, and one that somebody else runs loses nothing.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agent_support;

use agent_support::*;
use orchestrate::protocol::*;

fn reset(key: &str) -> ServerReset {
    ServerReset { key: key.to_owned(), keys: Keys::Flush, marks: Vec::new() }
}

fn sample(key: &str) -> ServerSample {
    ServerSample { key: key.to_owned(), marks: Vec::new() }
}

fn external(key: &str, endpoint: &Endpoint, allow_flush: bool) -> ServerStart {
    let endpoint = Endpoint { unix_socket: None, ..endpoint.clone() };
    ServerStart { key: key.to_owned(), launch: Launch::External { endpoint, allow_flush }, fresh: false }
}

fn set(connection: &mut redis::Connection, key: &str) {
    redis::cmd("SET").arg(key).arg("value").exec(connection).unwrap();
}

fn keys(connection: &mut redis::Connection) -> u64 {
    redis::cmd("DBSIZE").query(connection).unwrap()
}

#[test]
fn a_server_counts_from_its_reset_on() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let up = agent.call(&redis("redis")).unwrap();
    assert!(up.started && up.flushes && !up.identity.persistence);
    assert_eq!((up.endpoint.host.as_str(), up.identity.name.is_empty()), ("127.0.0.1", false));
    assert!(std::fs::exists(up.endpoint.unix_socket.as_ref().unwrap()).unwrap());
    let mut connection = connect(&up.endpoint);
    set(&mut connection, "before");
    assert!(!agent.call(&redis("redis")).unwrap().started);
    agent.call(&reset("redis")).unwrap();
    assert_eq!(keys(&mut connection), 0);
    set(&mut connection, "a");
    set(&mut connection, "b");
    for key in ["a", "nowhere"] {
        redis::cmd("GET").arg(key).exec(&mut connection).unwrap();
    }
    redis::cmd("SET").arg("a").exec(&mut connection).unwrap_err();
    let counts = agent.call(&sample("redis")).unwrap();
    assert_eq!((counts.calls("set"), counts.calls("get"), counts.sum(["set", "get"]).failed), (2, 2, 1));
    assert_eq!((counts.keyspace_misses, counts.keys_added), (1, 2));
    assert!(counts.memory_bytes > 0 && counts.main_thread_cpu_ns.is_some());
}

#[test]
fn keys_of_a_library_stay_and_marks_are_counted_from_none_on() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let up = agent.call(&redis("redis")).unwrap();
    let mut connection = connect(&up.endpoint);
    let mark = |connection: &mut redis::Connection, number: u64| {
        redis::cmd("SETBIT").arg("t:done").arg(number).arg(1).exec(connection).unwrap();
    };
    set(&mut connection, "registration");
    mark(&mut connection, 2);
    let keep = ServerReset { keys: Keys::Keep, marks: vec!["t:done".to_owned()], ..reset("redis") };
    agent.call(&keep).unwrap();
    assert_eq!(keys(&mut connection), 1, "what was marked before goes, what a library needs stays");
    for number in [0, 1, 3, 3, 200_000] {
        mark(&mut connection, number);
    }
    let space = |operations| MarkSpace { key: "t:done".to_owned(), operations };
    let marks = |agent: &mut Agent, operations| {
        let sample = ServerSample { marks: vec![space(operations)], ..sample("redis") };
        let counts = agent.call(&sample).unwrap();
        (counts.calls("setbit"), counts.marks.unwrap())
    };
    assert_eq!(marks(&mut agent, 2), (5, Marks { set: 2, missing: Vec::new() }));
    assert_eq!(marks(&mut agent, 6), (5, Marks { set: 3, missing: vec![2, 4, 5] }));
    let (_, many) = marks(&mut agent, 200_001);
    assert_eq!((many.set, many.missing.len(), many.missing[0]), (4, 100, 2), "the first hundred are told");
    assert_eq!(agent.call(&sample("redis")).unwrap().marks, None);
}

#[test]
fn a_persistence_that_nobody_asked_for_is_a_failed_trial() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let error = agent.call(&managed("redis", &[])).unwrap_err();
    assert_eq!(error.kind, AgentErrorKind::Failed);
    assert!(error.message.contains(r#"add "--save", "", "--appendonly", "no" to its args"#), "{error}");

    let up = agent.call(&managed("asked", &["--save", "3600 1", "--appendonly", "yes"])).unwrap();
    assert!(up.identity.persistence);
    let up = agent.call(&redis("changed")).unwrap();
    redis::cmd("CONFIG").arg(&["SET", "appendonly", "yes"]).exec(&mut connect(&up.endpoint)).unwrap();
    assert_eq!(agent.call(&redis("changed")).unwrap_err().kind, AgentErrorKind::Failed);
}

#[test]
fn a_program_that_is_missing_is_named() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let launch = Launch::Managed {
        program: "no-such-redis".to_owned(),
        args: Vec::new(),
        address: None,
        tls: false,
        masters: None,
        directory: None,
    };
    let error = agent.call(&ServerStart { key: "redis".to_owned(), launch, fresh: false }).unwrap_err();
    assert_eq!(error.kind, AgentErrorKind::Unavailable);
    assert!(
        error.message.starts_with("`no-such-redis` not found on the PATH of this host; install it"),
        "{error}"
    );
}

#[test]
fn servers_live_side_by_side_and_each_is_stopped_alone() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let one = agent.call(&redis("one")).unwrap();
    let two = agent.call(&redis("two")).unwrap();
    assert_ne!(one.endpoint, two.endpoint);
    set(&mut connect(&one.endpoint), "a");
    agent.call(&reset("two")).unwrap();
    assert_eq!(keys(&mut connect(&one.endpoint)), 1);
    agent.call(&ServerStop { key: "two".to_owned() }).unwrap();
    assert!(!std::fs::exists(two.endpoint.unix_socket.unwrap()).unwrap());
    assert_eq!(keys(&mut connect(&one.endpoint)), 1);
    assert_eq!(agent.call(&reset("two")).unwrap_err().kind, AgentErrorKind::Protocol);
}

#[test]
fn a_fresh_server_is_another_process() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let first = agent.call(&redis("redis")).unwrap();
    let second = agent.call(&ServerStart { fresh: true, ..redis("redis") }).unwrap();
    assert!(second.started);
    assert_ne!(first.endpoint.unix_socket, second.endpoint.unix_socket);
    let other = agent.call(&managed("redis", &["--save", "", "--maxclients", "50"])).unwrap();
    assert!(other.started, "another command line is another server");
}

#[test]
fn a_broken_connection_is_not_a_dead_server_and_a_dead_server_is_started_again() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let up = agent.call(&redis("redis")).unwrap();
    let mut connection = connect(&up.endpoint);
    redis::cmd("CLIENT").arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"]).exec(&mut connection).unwrap();
    let again = agent.call(&redis("redis")).unwrap();
    assert!(!again.started);
    agent.call(&reset("redis")).unwrap();
    redis::cmd("SHUTDOWN").arg("NOSAVE").exec(&mut connection).unwrap_err();
    assert!(agent.call(&redis("redis")).unwrap().started);
    agent.call(&reset("redis")).unwrap();
}

/// As if somebody had stopped it, or its machine had no memory left.
#[test]
fn a_server_that_no_longer_answers_is_killed_and_started_again() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let up = agent.call(&redis("redis")).unwrap();
    let info: String = redis::cmd("INFO").arg("server").query(&mut connect(&up.endpoint)).unwrap();
    let pid = info.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    let again = agent.call(&redis("redis")).unwrap();
    assert!(again.started);
    assert_ne!(again.endpoint, up.endpoint);
    assert!(rustix::process::test_kill_process(pid).is_err(), "the first one is gone");
    agent.call(&reset("redis")).unwrap();
}

#[test]
fn where_a_server_listens_is_not_up_to_the_file() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let up =
        agent.call(&managed("redis", &["--save", "", "--bind", "0.0.0.0", "--daemonize", "yes"])).unwrap();
    let bind: Vec<String> =
        redis::cmd("CONFIG").arg(&["GET", "bind"]).query(&mut connect(&up.endpoint)).unwrap();
    assert_eq!(bind, ["bind", "127.0.0.1"]);
}

#[test]
fn a_server_for_other_hosts_listens_on_one_address_alone_and_asks_for_a_password() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let up = agent.call(&exposed("redis", "127.0.0.2")).unwrap();
    let endpoint = up.endpoint;
    assert_eq!((endpoint.host.as_str(), &endpoint.unix_socket), ("127.0.0.2", &None));
    std::net::TcpStream::connect(("127.0.0.1", endpoint.port)).unwrap_err();
    let mut stranger =
        redis::Client::open((endpoint.host.as_str(), endpoint.port)).unwrap().get_connection().unwrap();
    assert!(redis::cmd("PING").exec(&mut stranger).unwrap_err().to_string().contains("NOAUTH"));
    redis::cmd("AUTH").arg(endpoint.password.as_ref().unwrap()).exec(&mut stranger).unwrap();
    set(&mut stranger, "a");
    agent.call(&reset("redis")).unwrap();
    assert_eq!(keys(&mut stranger), 0);
    let again = agent.call(&exposed("redis", "127.0.0.2")).unwrap();
    assert!(!again.started);
    assert_eq!(again.endpoint, endpoint, "it is exposed once");
}

#[test]
fn a_server_listens_on_an_address_of_its_own_host_and_on_a_port_that_nobody_has() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let error = agent.call(&exposed("redis", "192.0.2.1")).unwrap_err();
    assert_eq!(error.kind, AgentErrorKind::Unavailable);
    assert_eq!(error.message, "no server can listen on 192.0.2.1: it is not an address of this host");

    let somebody = std::net::TcpListener::bind("127.0.0.3:0").unwrap();
    let taken = somebody.local_addr().unwrap().port();
    let error = agent.call(&exposed("redis", &format!("127.0.0.3:{taken}"))).unwrap_err();
    assert_eq!(error.kind, AgentErrorKind::Unavailable);
    assert_eq!(error.message, format!("port {taken} of 127.0.0.3 is taken by another program"));
    // Of several ports the first one that is free, and for the next server the next one.
    let last = taken.saturating_add(20);
    let range = format!("127.0.0.3:{taken}-{last}");
    let [one, other] = ["one", "other"].map(|key| agent.call(&exposed(key, &range)).unwrap().endpoint.port);
    assert!(taken < one && one < other && other <= last, "{taken} {one} {other}");
}

/// Somebody else's server: one of another agent.
fn somebody_elses(tmp: &tempfile::TempDir) -> (Agent, Endpoint) {
    let mut owner = Agent::start(tmp.path());
    let endpoint = owner.call(&redis("theirs")).unwrap().endpoint;
    (owner, endpoint)
}

#[test]
fn somebody_elses_server_is_neither_flushed_nor_configured_nor_stopped() {
    let (their_tmp, our_tmp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_owner, endpoint) = somebody_elses(&their_tmp);
    let mut theirs = connect(&endpoint);
    set(&mut theirs, "precious");
    let config = |connection: &mut redis::Connection| -> std::collections::BTreeMap<String, String> {
        redis::cmd("CONFIG").arg(&["GET", "*"]).query(connection).unwrap()
    };
    let before = config(&mut theirs);
    let mut agent = Agent::start(our_tmp.path());
    for allow_flush in [false, true] {
        let up = agent.call(&external("x", &endpoint, allow_flush)).unwrap();
        assert!(!up.started && !up.flushes, "it was not empty at first sight");
        agent.call(&reset("x")).unwrap();
        set(&mut theirs, if allow_flush { "second" } else { "first" });
        let counts = agent.call(&sample("x")).unwrap();
        assert_eq!(
            (counts.calls("set"), counts.keys_added),
            (1, 1),
            "counts are differences to the baseline"
        );
        agent.call(&ServerStop { key: "x".to_owned() }).unwrap();
    }
    assert_eq!(keys(&mut theirs), 3);
    assert_eq!(config(&mut theirs), before);
    let stats: String = redis::cmd("INFO").arg("commandstats").query(&mut theirs).unwrap();
    assert!(stats.contains("cmdstat_set:calls=3,"), "its statistics were reset: {stats}");
    for forbidden in ["flushall", "flushdb", "config|resetstat", "config|set", "shutdown", "client|setinfo"] {
        assert!(!stats.contains(&format!("cmdstat_{forbidden}:")), "{forbidden} was called: {stats}");
    }
}

#[test]
fn somebody_elses_server_is_flushed_only_if_allowed_and_empty_at_first_sight() {
    let (their_tmp, our_tmp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_owner, endpoint) = somebody_elses(&their_tmp);
    let mut theirs = connect(&endpoint);
    let mut agent = Agent::start(our_tmp.path());
    assert!(agent.call(&external("x", &endpoint, true)).unwrap().flushes);
    set(&mut theirs, "ours");
    assert!(agent.call(&external("x", &endpoint, true)).unwrap().flushes, "the first sight counts");
    agent.call(&reset("x")).unwrap();
    assert_eq!(keys(&mut theirs), 0);
}

#[test]
fn a_server_that_refuses_config_is_not_checked() {
    let (their_tmp, our_tmp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_owner, endpoint) = somebody_elses(&their_tmp);
    let mut theirs = connect(&endpoint);
    redis::cmd("ACL").arg(&["SETUSER", "default", "-config"]).exec(&mut theirs).unwrap();
    let mut agent = Agent::start(our_tmp.path());
    let up = agent.call(&external("x", &endpoint, false)).unwrap();
    assert!(!up.identity.persistence);
}

#[test]
fn a_server_that_nobody_runs_is_unavailable() {
    let tmp = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoint = Endpoint::local(port);
    let mut agent = Agent::start(tmp.path());
    let error = agent.call(&external("x", &endpoint, false)).unwrap_err();
    assert_eq!(error.kind, AgentErrorKind::Unavailable);
    assert!(
        error.message.starts_with(&format!("server `x` at 127.0.0.1:{port} cannot be reached")),
        "{error}"
    );
}

#[test]
fn a_server_writes_below_the_directory_that_its_args_name_and_leaves_nothing_there() {
    let (tmp, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(disk.path().join("dump.rdb"), "somebody's").unwrap();
    let named = disk.path().to_str().unwrap();
    let args = ["--save", "", "--appendonly", "yes", "--dir", named];
    let mut agent = Agent::start(tmp.path());
    let mut directories = Vec::new();
    for key in ["a", "b"] {
        let mut connection = connect(&agent.call(&managed(key, &args)).unwrap().endpoint);
        let (_, directory): (String, String) =
            redis::cmd("CONFIG").arg("GET").arg("dir").query(&mut connection).unwrap();
        let directory = std::path::PathBuf::from(directory);
        assert_eq!(directory.parent(), Some(disk.path().canonicalize().unwrap().as_path()));
        set(&mut connection, "key");
        assert!(directory.join("appendonlydir").exists() || directory.join("appendonly.aof").exists());
        directories.push(directory);
    }
    assert_ne!(directories[0], directories[1], "two servers share no files");
    agent.call(&ServerStop { key: "a".to_owned() }).unwrap();
    assert!(!directories[0].exists() && directories[1].exists());
    drop(agent);
    let left: Vec<_> =
        std::fs::read_dir(disk.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["dump.rdb"]);
    assert_eq!(std::fs::read_to_string(disk.path().join("dump.rdb")).unwrap(), "somebody's");
}

#[test]
fn a_directory_for_data_that_is_not_there_is_named() {
    let tmp = tempfile::tempdir().unwrap();
    let absent = tmp.path().join("absent");
    let mut agent = Agent::start(tmp.path());
    let error = agent.call(&managed("redis", &["--dir", absent.to_str().unwrap()])).unwrap_err();
    assert_eq!(error.kind, AgentErrorKind::Unavailable);
    let (begin, end) = error.message.split_once(absent.to_str().unwrap()).unwrap();
    assert_eq!(begin, "redis-server cannot have a directory for its data in ");
    assert!(end.starts_with(" (`--dir`): No such file"), "{error}");
}
