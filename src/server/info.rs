//! Reads what a server says about itself: the text of `INFO`. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::protocol::{CommandCounts, Counter, ServerCounts, ServerIdentity};
use crate::units::Nanos;

/// The value of a field such as `redis_version`.
pub(super) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim_end)
}

/// Servers that do not report `server_name`, and are recognised by a version field of their own.
const BY_VERSION: &[&str] = &["dragonfly", "garnet", "kvrocks"];

/// What the server is; `persistence` is not in INFO and is set to off.
///
/// Others report a Redis version for compatibility, so their own name and version come first.
pub(super) fn identity(info: &str) -> Option<ServerIdentity> {
    let by_version =
        || BY_VERSION.iter().copied().find(|name| field(info, &format!("{name}_version")).is_some());
    let name = field(info, "server_name").or_else(by_version).unwrap_or("redis");
    let version = field(info, &format!("{name}_version")).or_else(|| field(info, "redis_version"))?;
    Some(ServerIdentity {
        name: name.to_owned(),
        version: version.to_owned(),
        allocator: field(info, "mem_allocator").map(str::to_owned),
        persistence: false,
        masters: None,
    })
}

/// Everything that is counted, at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Counters {
    /// What this server does not report.
    untold: BTreeSet<Counter>,
    commands: BTreeMap<String, CommandCounts>,
    // Not every server reports these.
    reads: Option<u64>,
    received_bytes: Option<u64>,
    sent_bytes: Option<u64>,
    /// Connections other than the agent's, which has one.
    connections: Option<u64>,
    keyspace_misses: u64,
    keys: i64,
    expiring: i64,
    cpu: Nanos,
    main_thread_cpu: Option<Nanos>,
    memory_bytes: u64,
}

impl Counters {
    /// Reads the reply to `INFO all`.
    pub(super) fn parse(info: &str) -> Self {
        let cpu = |user: &'static str, system: &'static str| {
            Some(Nanos(seconds(field(info, user)?)?.0 + seconds(field(info, system)?)?.0))
        };
        let told = |name| field(info, name).and_then(|value| value.parse().ok());
        let has_section = |counter: Counter| info.contains(&format!("# {}", counter.place())).then_some(());
        let mut untold = BTreeSet::new();
        let misses = known(&mut untold, Counter::Misses, told(Counter::Misses.place()));
        let memory_bytes = known(&mut untold, Counter::Memory, told(Counter::Memory.place()));
        let cpu_time = known(&mut untold, Counter::Cpu, cpu(Counter::Cpu.place(), "used_cpu_sys"));
        for section in [Counter::Calls, Counter::Keys] {
            known(&mut untold, section, has_section(section));
        }
        Self {
            untold,
            commands: commands(info),
            reads: told("total_reads_processed"),
            received_bytes: told("total_net_input_bytes"),
            sent_bytes: told("total_net_output_bytes"),
            connections: told("connected_clients").map(|clients: u64| clients.saturating_sub(1)),
            keyspace_misses: misses,
            keys: keys(info, "keys"),
            expiring: keys(info, "expires"),
            cpu: cpu_time,
            main_thread_cpu: cpu("used_cpu_user_main_thread", "used_cpu_sys_main_thread"),
            memory_bytes,
        }
    }

    /// Reads the replies of all nodes of a server, and adds them up.
    pub(super) fn of_all(infos: &[String]) -> Self {
        infos.iter().map(|info| Self::parse(info)).reduce(Self::plus).unwrap_or_default()
    }

    /// Something that every server of ours reports, and this one does not.
    pub(super) fn lacks(&self) -> Option<Counter> {
        self.untold.first().copied()
    }

    /// Whether the server reports that all of its databases are empty.
    pub(super) fn is_empty(&self) -> bool {
        self.keys == 0 && !self.untold.contains(&Counter::Keys)
    }

    /// Keys in all databases.
    pub(super) fn keys(&self) -> i64 {
        self.keys
    }

    /// Calls of each command that were counted since `then`.
    pub(super) fn calls_since(&self, then: &Self) -> BTreeMap<String, u64> {
        self.commands_since(then).into_iter().map(|(name, counts)| (name, counts.calls)).collect()
    }

    /// Connections other than the agent's.
    pub(super) fn connections(&self) -> Option<u64> {
        self.connections
    }

    /// The sum of both counts; unknown where one of the two is not reported.
    fn plus(mut self, other: Self) -> Self {
        let both = |one: Option<u64>, other: Option<u64>| Some(one? + other?);
        for (name, counts) in other.commands {
            let sum = self.commands.entry(name).or_default();
            sum.calls += counts.calls;
            sum.executing_ns.0 += counts.executing_ns.0;
            sum.failed += counts.failed;
        }
        self.untold.extend(other.untold);
        Self {
            untold: self.untold,
            commands: self.commands,
            reads: both(self.reads, other.reads),
            received_bytes: both(self.received_bytes, other.received_bytes),
            sent_bytes: both(self.sent_bytes, other.sent_bytes),
            connections: both(self.connections, other.connections),
            keyspace_misses: self.keyspace_misses + other.keyspace_misses,
            keys: self.keys + other.keys,
            expiring: self.expiring + other.expiring,
            cpu: Nanos(self.cpu.0 + other.cpu.0),
            main_thread_cpu: self
                .main_thread_cpu
                .zip(other.main_thread_cpu)
                .map(|(one, other)| Nanos(one.0 + other.0)),
            memory_bytes: self.memory_bytes + other.memory_bytes,
        }
    }

    /// What was counted since `baseline`. Somebody else's server may have been reset or restarted in between; then
    /// counts that ran backwards are 0.
    pub(super) fn since(&self, baseline: &Self) -> ServerCounts {
        let cpu = |now: Nanos, then: Nanos| Nanos(now.0.saturating_sub(then.0));
        let grown = |now: Option<u64>, then: Option<u64>| Some(now?.saturating_sub(then?));
        ServerCounts {
            untold: self.untold.union(&baseline.untold).copied().collect(),
            commands: self.commands_since(baseline),
            keyspace_misses: self.keyspace_misses.saturating_sub(baseline.keyspace_misses),
            keys_added: self.keys - baseline.keys,
            expiring_added: self.expiring - baseline.expiring,
            cpu_ns: cpu(self.cpu, baseline.cpu),
            main_thread_cpu_ns: self
                .main_thread_cpu
                .zip(baseline.main_thread_cpu)
                .map(|(now, then)| cpu(now, then)),
            memory_bytes: self.memory_bytes,
            reads: grown(self.reads, baseline.reads),
            received_bytes: grown(self.received_bytes, baseline.received_bytes),
            sent_bytes: grown(self.sent_bytes, baseline.sent_bytes),
            connections: None,
            after_done: None,
            marks: None,
        }
    }

    fn commands_since(&self, baseline: &Self) -> BTreeMap<String, CommandCounts> {
        let since = |(name, now): (&String, &CommandCounts)| {
            let then = baseline.commands.get(name).copied().unwrap_or_default();
            let counts = CommandCounts {
                calls: now.calls.saturating_sub(then.calls),
                executing_ns: Nanos(now.executing_ns.0.saturating_sub(then.executing_ns.0)),
                failed: now.failed.saturating_sub(then.failed),
            };
            (counts.calls > 0 || counts.failed > 0).then(|| (name.clone(), counts))
        };
        self.commands.iter().filter_map(since).collect()
    }
}

/// A number that is reported, or 0 and a note that it is not.
fn known<T: Default>(untold: &mut BTreeSet<Counter>, counter: Counter, told: Option<T>) -> T {
    told.unwrap_or_else(|| {
        untold.insert(counter);
        T::default()
    })
}

/// What is counted for all commands except INFO, which the agent uses to ask. A command that was never called has no line.
fn commands(info: &str) -> BTreeMap<String, CommandCounts> {
    let lines = info.lines().filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(':'));
    lines
        .filter(|(name, _)| *name != "info")
        .map(|(name, counts)| (name.to_owned(), counted(counts)))
        .collect()
}

/// One line of commandstats.
fn counted(line: &str) -> CommandCounts {
    let mut counts = CommandCounts::default();
    for pair in line.trim_end().split(',') {
        let Some((name, value)) = pair.split_once('=') else { continue };
        let value = value.parse().unwrap_or(0);
        match name {
            "calls" => counts.calls = value,
            "usec" => counts.executing_ns = Nanos(value * 1_000),
            // Servers before 6.2 do not report these two.
            "rejected_calls" | "failed_calls" => counts.failed += value,
            _ => {}
        }
    }
    counts
}

/// What is reported about the keys in all databases: the sum over lines such as `db0:keys=1,expires=0,avg_ttl=0`.
fn keys(info: &str, which: &str) -> i64 {
    let keyspace = info.split_once("# Keyspace").map_or("", |(_, keyspace)| keyspace);
    keyspace
        .lines()
        .filter_map(|line| {
            let mut told = line.strip_prefix("db")?.split_once(':')?.1.split(',');
            told.find_map(|told| told.trim().strip_prefix(which)?.strip_prefix('=')?.parse::<i64>().ok())
        })
        .sum()
}

/// A decimal number of seconds, of which the server prints six decimal places.
fn seconds(text: &str) -> Option<Nanos> {
    let seconds: f64 = text.parse().ok()?;
    (seconds >= 0.0).then(|| Nanos((seconds * 1e9).round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Captured from Redis 7.0.15 and shortened.
    const REDIS: &str = "# Server\r\nredis_version:7.0.15\r\nprocess_id:12654\r\ntcp_port:0\r\n\r\n\
        # Memory\r\nused_memory:965960\r\nused_memory_human:943.32K\r\nmem_allocator:jemalloc-5.3.0\r\n\r\n\
        # Stats\r\nkeyspace_hits:10\r\nkeyspace_misses:2\r\n\r\n\
        # CPU\r\nused_cpu_sys:0.001000\r\nused_cpu_user:0.003486\r\nused_cpu_sys_children:0.000000\r\n\
        used_cpu_sys_main_thread:0.000500\r\nused_cpu_user_main_thread:0.003357\r\n\r\n\
        # Commandstats\r\ncmdstat_setex:calls=99,usec=1,usec_per_call=1.00,rejected_calls=0,failed_calls=0\r\n\
        cmdstat_set:calls=10,usec=27,usec_per_call=27.00,rejected_calls=1,failed_calls=2\r\n\
        cmdstat_eval:calls=3,usec=9,usec_per_call=3.00,rejected_calls=0,failed_calls=0\r\n\
        cmdstat_get:calls=12,usec=6,usec_per_call=6.00,rejected_calls=0,failed_calls=4\r\n\r\n\
        # Keyspace\r\ndb0:keys=8,expires=0,avg_ttl=0\r\ndb3:keys=2,expires=0,avg_ttl=0\r\n";

    #[test]
    fn counts_are_read_from_info() {
        let counts = Counters::parse(REDIS).since(&Counters::default());
        assert_eq!(
            counts,
            ServerCounts {
                commands: BTreeMap::from([
                    called("eval", 3, 9_000, 0),
                    called("get", 12, 6_000, 4),
                    called("set", 10, 27_000, 3),
                    called("setex", 99, 1_000, 0),
                ]),
                keyspace_misses: 2,
                keys_added: 10,
                cpu_ns: Nanos(4_486_000),
                // The baseline is one that lacks it.
                main_thread_cpu_ns: None,
                memory_bytes: 965_960,
                ..ServerCounts::default()
            }
        );
    }

    #[test]
    fn counts_are_differences_to_the_baseline() {
        let baseline = Counters::parse(REDIS);
        let later = REDIS.replace("keys=8", "keys=5").replace("set:calls=10", "set:calls=15");
        let counts = Counters::parse(&later).since(&baseline);
        assert_eq!((counts.calls("set"), counts.calls("get"), counts.keys_added), (5, 0, -3));
        assert_eq!(counts.main_thread_cpu_ns, Some(Nanos(0)));
    }

    fn called(name: &str, calls: u64, executing: u64, failed: u64) -> (String, CommandCounts) {
        (name.to_owned(), CommandCounts { calls, executing_ns: Nanos(executing), failed })
    }

    #[test]
    fn traffic_and_other_commands_are_differences_too_and_what_a_server_lacks_is_absent() {
        let stats =
            "# Stats\r\ntotal_net_input_bytes:100\r\ntotal_reads_processed:7\r\nconnected_clients:3\r\n";
        let baseline = Counters::parse(&REDIS.replace("# Stats\r\n", stats));
        assert_eq!(baseline.connections(), Some(2));
        let later = REDIS
            .replace("# Stats\r\n", &stats.replace(":100", ":350").replace(":7", ":9"))
            .replace("setex:calls=99,usec=1", "setex:calls=101,usec=4")
            .replace("# Keyspace", "cmdstat_config|get:calls=1,usec=2\r\n# Keyspace");
        let counts = Counters::parse(&later).since(&baseline);
        assert_eq!((counts.received_bytes, counts.reads, counts.sent_bytes), (Some(250), Some(2), None));
        let expected = [called("config|get", 1, 2_000, 0), called("setex", 2, 3_000, 0)];
        assert_eq!(counts.commands, BTreeMap::from(expected));
    }

    #[test]
    fn the_counts_of_a_cluster_are_those_of_its_nodes_together() {
        let stats = "# Stats\r\ntotal_reads_processed:7\r\nconnected_clients:3\r\n";
        let node = REDIS.replace("# Stats\r\n", stats);
        let all =
            Counters::of_all(&[node.clone(), node.replace("get:calls=12", "get:calls=1"), REDIS.to_owned()]);
        let one = Counters::parse(REDIS);
        assert_eq!((all.keys(), one.keys()), (30, 10));
        assert_eq!((all.reads, all.connections()), (None, None), "one of them does not tell");
        let counts = all.since(&Counters::default());
        assert_eq!((counts.calls("set"), counts.calls("get"), counts.keyspace_misses), (30, 25, 6));
        assert_eq!((counts.cpu_ns, counts.memory_bytes), (Nanos(3 * 4_486_000), 3 * 965_960));
        assert_eq!(Counters::of_all(&[node.clone(), node]).connections(), Some(4), "without the agent's two");
    }

    #[test]
    fn what_a_server_does_not_tell_is_named() {
        assert_eq!(Counters::parse(REDIS).lacks(), None);
        for (part, counter) in [
            ("keyspace_misses", Counter::Misses),
            ("used_memory:", Counter::Memory),
            ("used_cpu_sys:", Counter::Cpu),
            ("# Commandstats", Counter::Calls),
            ("# Keyspace", Counter::Keys),
        ] {
            let counters = Counters::parse(&REDIS.replace(part, "other"));
            assert_eq!(counters.untold, BTreeSet::from([counter]), "{part}");
            assert!(!counters.since(&Counters::parse(REDIS)).tells(counter));
        }
        let empty = REDIS.split("db0").next().unwrap();
        assert!(Counters::parse(empty).is_empty());
        assert!(!Counters::parse(&empty.replace("# Keyspace", "")).is_empty(), "nobody knows");
    }

    #[test]
    fn valkey_is_called_by_its_own_name() {
        let redis = identity(REDIS).unwrap();
        assert_eq!((redis.name.as_str(), redis.version.as_str()), ("redis", "7.0.15"));
        assert_eq!(redis.allocator.as_deref(), Some("jemalloc-5.3.0"));
        let info = "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\n";
        let valkey = identity(info).unwrap();
        assert_eq!((valkey.name.as_str(), valkey.version.as_str()), ("valkey", "9.1.2"));
    }
}
