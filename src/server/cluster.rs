//! Redis Cluster: which of its masters has which keys, and how to make a cluster of standalone servers.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Value};
use tokio::time::Instant;

use super::info;

/// The number of hash slots.
/// From: <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#key-distribution-model>
const SLOTS: u16 = 16_384;
/// The pause between two checks of whether a new cluster is complete.
const GLANCE: Duration = Duration::from_millis(10);

/// Which master has which hash slots: the last slot of each range and the number of its master, ascending and without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SlotMap(Vec<(u16, usize)>);

impl SlotMap {
    /// For one server, which has all slots.
    pub(super) fn alone() -> Self {
        Self(vec![(SLOTS - 1, 0)])
    }

    /// For this many masters, with equal shares.
    fn even(masters: usize) -> Self {
        let last = |master: usize| ((master + 1) * usize::from(SLOTS) / masters - 1) as u16;
        Self((0..masters).map(|master| (last(master), master)).collect())
    }

    /// The slots of each master, if every master has one range of them.
    fn ranges(&self) -> impl Iterator<Item = RangeInclusive<u16>> {
        let firsts = std::iter::once(0).chain(self.0.iter().map(|(last, _)| last + 1));
        firsts.zip(&self.0).map(|(first, (last, _))| first..=*last)
    }

    /// The number of the master that has a key: by CRC16 of the key, or of the text between its first braces if that is not
    /// empty.
    pub(super) fn master_of(&self, key: &str) -> usize {
        let slot = crc16::State::<crc16::XMODEM>::calculate(hash_tag(key).as_bytes()) % SLOTS;
        let range = self.0.partition_point(|(last, _)| *last < slot);
        self.0[range].1
    }
}

/// The part of a key that determines its slot.
fn hash_tag(key: &str) -> &str {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    tag.filter(|tag| !tag.is_empty()).unwrap_or(key)
}

/// A node as `CLUSTER SLOTS` names it: host and port.
pub(super) type Address = (String, u16);

/// Asks a node for the masters of its cluster, and for the slots of each. `asked` is where that node was reached.
///
/// # Errors
/// When it does not answer; says what is wrong when there are slots that no master has.
pub(super) async fn masters(
    connection: &mut MultiplexedConnection,
    asked: &str,
) -> RedisResult<Result<(Vec<Address>, SlotMap), String>> {
    let reply: Value = redis::cmd("CLUSTER").arg("SLOTS").query_async(connection).await?;
    Ok(read_slots(&reply, asked))
}

/// Reads the reply to `CLUSTER SLOTS`: lists of the first slot, the last slot, the master, and its replicas.
fn read_slots(reply: &Value, asked: &str) -> Result<(Vec<Address>, SlotMap), String> {
    let malformed = || "gives an answer to CLUSTER SLOTS that cannot be read".to_owned();
    let Value::Array(ranges) = reply else { return Err(malformed()) };
    let mut told = Vec::new();
    for range in ranges {
        let Value::Array(parts) = range else { return Err(malformed()) };
        let [Value::Int(first), Value::Int(last), Value::Array(master), ..] = &parts[..] else {
            return Err(malformed());
        };
        let [host, Value::Int(port), ..] = &master[..] else { return Err(malformed()) };
        let host = match host {
            Value::BulkString(host) => String::from_utf8_lossy(host).into_owned(),
            Value::Nil => String::new(),
            _ => return Err(malformed()),
        };
        // A node that does not know its own address leaves it to the asking client.
        let host = if host.is_empty() { asked.to_owned() } else { host };
        let port = u16::try_from(*port).map_err(|_| malformed())?;
        told.push((*first, *last, (host, port)));
    }
    told.sort_unstable();
    let mut masters: Vec<Address> = Vec::new();
    let mut slots = Vec::new();
    let mut next = 0;
    for (first, last, address) in told {
        if first != next || !(first..i64::from(SLOTS)).contains(&last) {
            break;
        }
        let known = masters.iter().position(|master| *master == address);
        let number = known.unwrap_or_else(|| {
            masters.push(address);
            masters.len() - 1
        });
        slots.push((last as u16, number));
        next = last + 1;
    }
    if next == i64::from(SLOTS) {
        Ok((masters, SlotMap(slots)))
    } else {
        Err(format!("is of a cluster that does not serve all keys: no master has slot {next}"))
    }
}

/// A server that is to become a master: a connection to it, its port for clients and its port for the other nodes.
pub(super) struct Candidate {
    pub(super) connection: MultiplexedConnection,
    pub(super) port: u16,
    pub(super) bus_port: u16,
}

/// Makes a cluster of servers on loopback that have no keys, each with an equal share of the slots. Returns when each of
/// them knows all the others and all slots are served; `None` if that has not happened by `deadline`.
///
/// # Errors
/// When one of them does not answer or refuses.
pub(super) async fn form(nodes: &mut [Candidate], deadline: Instant) -> RedisResult<Option<SlotMap>> {
    let slots = SlotMap::even(nodes.len());
    for (epoch, (node, range)) in (1_u64..).zip(nodes.iter_mut().zip(slots.ranges())) {
        let mut commands = redis::pipe();
        commands
            .cmd("CLUSTER")
            .arg("ADDSLOTSRANGE")
            .arg(range.start())
            .arg(range.end())
            .ignore()
            // Different from the start, so that no two masters have to resolve a conflict first.
            .cmd("CLUSTER")
            .arg("SET-CONFIG-EPOCH")
            .arg(epoch)
            .ignore();
        commands.exec_async(&mut node.connection).await?;
    }
    if let Some((first, others)) = nodes.split_first_mut() {
        for other in others {
            let mut meet = redis::cmd("CLUSTER");
            meet.arg("MEET").arg(Ipv4Addr::LOCALHOST.to_string()).arg(other.port).arg(other.bus_port);
            meet.exec_async(&mut first.connection).await?;
        }
    }
    let all = nodes.len();
    for node in nodes {
        loop {
            let told: String = redis::cmd("CLUSTER").arg("INFO").query_async(&mut node.connection).await?;
            if is_complete(&told, all) {
                break;
            }
            if Instant::now() > deadline {
                return Ok(None);
            }
            tokio::time::sleep(GLANCE).await;
        }
    }
    Ok(Some(slots))
}

/// Whether `CLUSTER INFO` describes a cluster of this many nodes that serves all slots.
fn is_complete(told: &str, nodes: usize) -> bool {
    let is = |name, value: &str| info::field(told, name) == Some(value);
    is("cluster_state", "ok")
        && is("cluster_slots_ok", &SLOTS.to_string())
        && is("cluster_known_nodes", &nodes.to_string())
        && is("cluster_size", &nodes.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Examples from the specification, and from `CLUSTER KEYSLOT` of Redis 7.0.15.
    #[test]
    fn a_key_belongs_to_the_slot_that_the_server_says() {
        let every = SlotMap((0..SLOTS).map(|slot| (slot, usize::from(slot))).collect());
        for (key, slot) in [
            ("123456789", 12_739),
            ("foo", 12_182),
            ("{user1000}.following", 3_443),
            ("{user1000}.followers", 3_443),
            ("foo{}{bar}", 8_363),
            ("foo{{bar}}zap", 4_015),
            ("foo{bar}{zap}", 5_061),
            ("", 0),
        ] {
            assert_eq!(every.master_of(key), slot, "{key}");
        }
    }

    #[test]
    fn masters_have_equal_shares_without_gaps() {
        let ranges: Vec<_> = SlotMap::even(3).ranges().collect();
        assert_eq!(ranges, [0..=5_460, 5_461..=10_921, 10_922..=16_383]);
        assert_eq!(SlotMap::even(1), SlotMap::alone());
    }

    fn range(first: i64, last: i64, host: &str, port: i64) -> Value {
        let host = if host.is_empty() { Value::Nil } else { Value::BulkString(host.into()) };
        let node = |port| Value::Array(vec![host.clone(), Value::Int(port), Value::BulkString("id".into())]);
        Value::Array(vec![Value::Int(first), Value::Int(last), node(port), node(port + 1)])
    }

    #[test]
    fn what_a_node_says_of_its_cluster_is_read_with_its_masters_alone() {
        // In the order that Redis reports, which is not that of the slots; and one master with two ranges.
        let reply = Value::Array(vec![
            range(8_000, 16_383, "10.0.0.2", 7_000),
            range(0, 99, "", 7_000),
            range(100, 199, "10.0.0.2", 7_000),
            range(200, 7_999, "", 7_000),
        ]);
        let (masters, slots) = read_slots(&reply, "10.0.0.1").unwrap();
        assert_eq!(masters, [("10.0.0.1".to_owned(), 7_000), ("10.0.0.2".to_owned(), 7_000)]);
        assert_eq!(slots, SlotMap(vec![(99, 0), (199, 1), (7_999, 0), (16_383, 1)]));
    }

    #[test]
    fn a_cluster_with_slots_that_nobody_serves_is_refused() {
        for ranges in
            [vec![], vec![range(0, 99, "a", 1)], vec![range(0, 99, "a", 1), range(101, 16_383, "a", 1)]]
        {
            let refused = read_slots(&Value::Array(ranges), "a").unwrap_err();
            assert!(refused.contains("no master has slot"), "{refused}");
        }
        let refused = read_slots(&Value::Okay, "a").unwrap_err();
        assert!(refused.contains("cannot be read"), "{refused}");
    }
}
