//! Tasks by fred: pushed and taken on connections of their own, since a blocking command holds up all others on its connection.

use std::collections::HashMap;

use fred::bytes::Bytes;
use fred::interfaces::{ListInterface as _, StreamsInterface as _};
use fred::types::lists::LMoveDirection;

use super::Connection;
use crate::driver::exchange::{FIELD, GROUP, Structure};
use crate::driver::failure::Failure;
use crate::driver::side::{PATIENCE, PATIENCE_MS, Pusher, Side, Taker};

/// The entries of each stream that was read: their identities and fields.
type Read = Option<Vec<(String, Vec<(String, HashMap<String, Bytes>)>)>>;

pub(super) async fn queue(connection: Connection, side: Side) -> Result<(), Failure> {
    match side {
        Side::Pushes(pusher) => push(&connection, pusher).await,
        Side::Takes(taker) => match taker.exchange().structure {
            Structure::List => take_from_list(&connection, taker).await,
            Structure::Stream => take_from_stream(&connection, taker).await,
        },
    }
}

async fn push(connection: &Connection, mut pusher: Pusher) -> Result<(), Failure> {
    let client = &connection.client;
    while pusher.next_async().await? {
        connection.check()?;
        match pusher.exchange().structure {
            Structure::List => {
                let () = client.lpush(pusher.name(), pusher.task()).await?;
            }
            Structure::Stream => {
                let task = vec![(FIELD, pusher.task())];
                let () = client.xadd(pusher.name(), false, None, "*", task).await?;
            }
        }
    }
    Ok(())
}

async fn take_from_list(connection: &Connection, mut taker: Taker) -> Result<(), Failure> {
    let client = &connection.client;
    let (queue, taken) = (taker.exchange().names[0].clone(), taker.taken());
    while taker.more() {
        connection.check()?;
        if taker.exchange().acknowledges {
            let (from, to) = (LMoveDirection::Right, LMoveDirection::Left);
            let task: Option<Bytes> =
                client.blmove(queue.as_str(), taken.as_str(), from, to, PATIENCE).await?;
            let Some(task) = task else { continue };
            taker.took(&task)?;
            let () = client.lrem(taken.as_str(), 1, task).await?;
            taker.acknowledged();
        } else {
            let task: Option<(String, Bytes)> = client.brpop(queue.as_str(), PATIENCE).await?;
            let Some((_, task)) = task else { continue };
            taker.took(&task)?;
        }
    }
    Ok(())
}

async fn take_from_stream(connection: &Connection, mut taker: Taker) -> Result<(), Failure> {
    let client = &connection.client;
    let queue = taker.exchange().names[0].clone();
    let acknowledges = taker.exchange().acknowledges;
    if taker.is_first() {
        let () = client.xgroup_create(queue.as_str(), GROUP, "0", true).await?;
        taker.exchange().prepared();
    }
    taker.await_preparation_async().await;
    let consumer = taker.number().to_string();
    while taker.more() {
        connection.check()?;
        let wait = Some(PATIENCE_MS);
        let read =
            client.xreadgroup(GROUP, consumer.as_str(), Some(1), wait, !acknowledges, queue.as_str(), ">");
        let read: Read = read.await?;
        for (id, mut fields) in read.into_iter().flatten().flat_map(|(_, entries)| entries) {
            taker.took(&fields.remove(FIELD).unwrap_or_default())?;
            if acknowledges {
                let () = client.xack(queue.as_str(), GROUP, id).await?;
                taker.acknowledged();
            }
        }
    }
    Ok(())
}
