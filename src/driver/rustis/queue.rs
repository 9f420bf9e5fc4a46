//! Tasks by rustis: pushed and taken on connections of their own, since a blocking command holds up all others on its
//! connection.

use std::collections::HashMap;

use rustis::client::ExclusiveClient;
use rustis::commands::{
    BlockingCommands as _, LMoveWhere, ListCommands as _, StreamCommands as _, StreamEntry, XAddOptions,
    XGroupCreateOptions, XReadGroupOptions,
};
use rustis::resp::{BulkString, RefBulkString};

use super::Exclusive;
use crate::driver::exchange::{FIELD, GROUP, Structure};
use crate::driver::failure::Failure;
use crate::driver::side::{PATIENCE, PATIENCE_MS, Pusher, Side, Taker};

pub(super) async fn queue(Exclusive(client): Exclusive, side: Side) -> Result<(), Failure> {
    match side {
        Side::Pushes(pusher) => push(&client, pusher).await,
        Side::Takes(taker) => match taker.exchange().structure {
            Structure::List => take_from_list(&client, taker).await,
            Structure::Stream => take_from_stream(&client, taker).await,
        },
    }
}

async fn push(client: &ExclusiveClient, mut pusher: Pusher) -> Result<(), Failure> {
    while pusher.next_async().await? {
        let task = RefBulkString::new(pusher.task());
        match pusher.exchange().structure {
            Structure::List => drop(client.lpush(pusher.name(), task).await?),
            Structure::Stream => {
                let _: String =
                    client.xadd(pusher.name(), "*", (FIELD, task), XAddOptions::default()).await?;
            }
        }
    }
    Ok(())
}

async fn take_from_list(client: &ExclusiveClient, mut taker: Taker) -> Result<(), Failure> {
    let (queue, taken) = (taker.exchange().names[0].clone(), taker.taken());
    while taker.more() {
        if taker.exchange().acknowledges {
            let task = client.blmove(&queue, &taken, LMoveWhere::Right, LMoveWhere::Left, PATIENCE);
            let task: Option<BulkString> = task.await?;
            let Some(task) = task else { continue };
            taker.took(&task)?;
            client.lrem(&taken, 1, task).await?;
            taker.acknowledged();
        } else {
            let task: Option<(String, BulkString)> = client.brpop(&queue, PATIENCE).await?;
            let Some((_, task)) = task else { continue };
            taker.took(&task)?;
        }
    }
    Ok(())
}

async fn take_from_stream(client: &ExclusiveClient, mut taker: Taker) -> Result<(), Failure> {
    let queue = taker.exchange().names[0].clone();
    let acknowledges = taker.exchange().acknowledges;
    if taker.is_first() {
        client.xgroup_create(&queue, GROUP, "0", XGroupCreateOptions::default().mk_stream()).await?;
        taker.exchange().prepared();
    }
    taker.await_preparation_async().await;
    let consumer = taker.number().to_string();
    while taker.more() {
        let options = XReadGroupOptions::default().count(1).block(PATIENCE_MS);
        let options = if acknowledges { options } else { options.no_ack() };
        let read: Option<HashMap<String, Vec<StreamEntry<BulkString>>>> =
            client.xreadgroup(GROUP, &consumer, options, &queue, ">").await?;
        for mut entry in read.into_iter().flatten().flat_map(|(_, entries)| entries) {
            let task = entry.items.remove(FIELD);
            taker.took(task.as_deref().unwrap_or_default())?;
            if acknowledges {
                client.xack(&queue, GROUP, &entry.stream_id).await?;
                taker.acknowledged();
            }
        }
    }
    Ok(())
}
