//! What a client treats as one server: a standalone process, or the masters of a cluster; with a connection to each.

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisResult};

use super::cluster::SlotMap;
use super::marks;
use crate::protocol::{KeySpace, MarkSpace, Marks};

/// The most keys that one pipeline writes or deletes if they are small; and the most bytes of values if they are not.
const KEYS_AT_ONCE: u64 = 1_000;
const BYTES_AT_ONCE: u64 = 1 << 20;

/// Connections to all nodes, and the map of which has which keys.
#[derive(Clone)]
pub(super) struct Nodes {
    connections: Vec<MultiplexedConnection>,
    slots: SlotMap,
}

impl Nodes {
    /// In the order in which `slots` numbers them; never empty.
    pub(super) fn new(connections: Vec<MultiplexedConnection>, slots: SlotMap) -> Self {
        Self { connections, slots }
    }

    /// The connection to any one of them, for what is the same everywhere.
    pub(super) fn any(&mut self) -> &mut MultiplexedConnection {
        &mut self.connections[0]
    }

    /// What each of them says about itself, from `INFO all`.
    pub(super) async fn info(&mut self) -> RedisResult<Vec<String>> {
        let mut all = Vec::with_capacity(self.connections.len());
        for connection in &mut self.connections {
            all.push(redis::cmd("INFO").arg("all").query_async(connection).await?);
        }
        Ok(all)
    }

    /// Resets the counters of all of them, and reads them.
    pub(super) async fn reset_info(&mut self) -> RedisResult<Vec<String>> {
        let mut all = Vec::with_capacity(self.connections.len());
        let mut pipeline = redis::pipe();
        pipeline.cmd("CONFIG").arg("RESETSTAT").ignore().cmd("INFO").arg("all");
        for connection in &mut self.connections {
            let (info,) = pipeline.query_async(connection).await?;
            all.push(info);
        }
        Ok(all)
    }

    /// Removes all keys, of all databases.
    pub(super) async fn flush(&mut self) -> RedisResult<()> {
        for connection in &mut self.connections {
            redis::cmd("FLUSHALL").arg("SYNC").exec_async(connection).await?;
        }
        Ok(())
    }

    /// How many keys all of them hold together in the database of the connections.
    pub(super) async fn keys(&mut self) -> RedisResult<u64> {
        let mut all = 0;
        for connection in &mut self.connections {
            all += redis::cmd("DBSIZE").query_async::<u64>(connection).await?;
        }
        Ok(all)
    }

    /// Puts the keys of a space there.
    pub(super) async fn write(&mut self, space: &KeySpace) -> RedisResult<()> {
        self.for_each(space, |commands, key, index| {
            commands.cmd("SET").arg(key).arg(space.value(index)).ignore();
        })
        .await
    }

    /// Removes them.
    pub(super) async fn delete(&mut self, space: &KeySpace) -> RedisResult<()> {
        self.for_each(space, |commands, key, _| {
            commands.cmd("DEL").arg(key).ignore();
        })
        .await
    }

    /// Sends a command for each key of a space to the node that has it, many in one round trip.
    async fn for_each(
        &mut self,
        space: &KeySpace,
        command: impl Fn(&mut Pipeline, String, u64),
    ) -> RedisResult<()> {
        for run in runs(space) {
            let mut pipelines = vec![redis::pipe(); self.connections.len()];
            for index in run {
                let key = space.key(index);
                let node = self.slots.master_of(&key);
                command(&mut pipelines[node], key, index);
            }
            for (connection, pipeline) in self.connections.iter_mut().zip(&pipelines) {
                if !pipeline.is_empty() {
                    pipeline.exec_async(connection).await?;
                }
            }
        }
        Ok(())
    }

    /// The combined content of the bitmaps in which operations have marked themselves; `None` if there are none.
    pub(super) async fn marks(&mut self, spaces: &[MarkSpace]) -> RedisResult<Option<Marks>> {
        if spaces.is_empty() {
            return Ok(None);
        }
        let mut marks = Marks::default();
        for space in spaces {
            let node = self.slots.master_of(&space.key);
            marks::read(&mut self.connections[node], space, &mut marks).await?;
        }
        Ok(Some(marks))
    }

    /// Removes bitmaps by their keys.
    pub(super) async fn clear_marks(&mut self, keys: &[String]) -> RedisResult<()> {
        for key in keys {
            let node = self.slots.master_of(key);
            redis::cmd("DEL").arg(key).exec_async(&mut self.connections[node]).await?;
        }
        Ok(())
    }
}

/// The indexes of a key space, in ranges that one pipeline can take.
fn runs(space: &KeySpace) -> impl Iterator<Item = std::ops::Range<u64>> + use<> {
    let value = u64::from(space.value_bytes.unwrap_or(0)) + 1;
    let (at_once, keys) = ((BYTES_AT_ONCE / value).clamp(1, KEYS_AT_ONCE), space.keys);
    (0..keys).step_by(at_once as usize).map(move |first| first..keys.min(first + at_once))
}
