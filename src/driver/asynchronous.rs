//! `async`: every worker is a task with a connection of its own, all on one thread; a SET, and then a GET.

use std::time::Duration;

use futures_util::StreamExt as _;
use redis::aio::MultiplexedConnection;
use redis::cluster_async::ClusterConnection;
use redis::streams::StreamReadReply;
use redis::{AsyncCommands, Direction};
use tokio::time::timeout;

use super::connect::{Line, command};
use super::exchange::{FIELD, GROUP, Structure};
use super::failure::Failure;
use super::side::{PATIENCE, Pusher, Side, Taker};
use super::sync::{entries, reading};
use super::tasks::{self, Connection, Flavour, Sockets};
use super::worker::{NOTHING, Worker};
use super::{CLIENT, Crew, Driver, OPTIONS, SUPPORTS};
use crate::experiment::{BuiltinMode, Threads};
use crate::protocol::{FailureKind, Job};
use crate::workload::Kind;

pub(super) const DRIVER: Driver = Driver {
    mode: BuiltinMode {
        name: "async",
        summary: "asynchronous connections on one thread, SET and then GET",
        client: CLIENT,
        concurrency: "a task each, one thread",
        threads: Threads::One,
        can_pipeline: false,
        can_rate: true,
        workloads: &[Kind::SetGet, Kind::ReadWrite, Kind::Commands, Kind::Queue, Kind::Pubsub, Kind::Hash],
        supports: SUPPORTS,
        options: OPTIONS,
        by_default: true,
    },
    connect: |job| connect(job, Flavour::CurrentThread, Sockets::OneEach),
};

/// Workers that are tasks of some kind; they work in the same way, wherever they run and however they are connected.
pub(super) fn connect(job: &Job, flavour: Flavour, sockets: Sockets) -> Result<Box<dyn Crew>, Failure> {
    match job.workload.kind {
        Kind::Queue => tasks::connect(job, flavour, sockets, queue),
        Kind::Pubsub => tasks::connect(job, flavour, sockets, pubsub),
        _ if job.server.cluster => connect_to::<ClusterConnection>(job, flavour, sockets),
        _ => connect_to::<MultiplexedConnection>(job, flavour, sockets),
    }
}

/// What is the same for a server and for a cluster.
fn connect_to<C: Asynchronous>(
    job: &Job,
    flavour: Flavour,
    sockets: Sockets,
) -> Result<Box<dyn Crew>, Failure> {
    match job.workload.kind {
        Kind::SetGet => tasks::connect(job, flavour, sockets, set_get::<C>),
        Kind::ReadWrite => tasks::connect(job, flavour, sockets, read_write::<C>),
        Kind::Commands => tasks::connect(job, flavour, sockets, commands::<C>),
        Kind::Hash => tasks::connect(job, flavour, sockets, hash::<C>),
        Kind::Queue | Kind::Pubsub | Kind::Tasks => Err(Failure::lacks_workload(job)),
    }
}

/// An asynchronous connection of redis-rs, to a server or to a cluster.
trait Asynchronous: AsyncCommands + Connection {}

impl Asynchronous for MultiplexedConnection {}
impl Asynchronous for ClusterConnection {}

async fn set_get<C: Asynchronous>(mut connection: C, mut worker: Worker) -> Result<(), Failure> {
    while worker.next_async().await? {
        let () = match worker.set_options() {
            None => connection.set(worker.key(), worker.value()).await?,
            Some(options) => connection.set_options(worker.key(), worker.value(), options).await?,
        };
        let fetched: Option<Vec<u8>> = connection.get(worker.key()).await?;
        worker.finish(&[fetched])?;
    }
    Ok(())
}

async fn read_write<C: Asynchronous>(mut connection: C, mut worker: Worker) -> Result<(), Failure> {
    while worker.next_async().await? {
        if worker.reads() {
            let fetched: Option<Vec<u8>> = connection.get(worker.key()).await?;
            worker.finish(&[fetched])?;
        } else {
            let () = connection.set(worker.key(), worker.value()).await?;
            worker.finish(NOTHING)?;
        }
    }
    Ok(())
}

async fn hash<C: Asynchronous>(mut connection: C, mut worker: Worker) -> Result<(), Failure> {
    while worker.next_async().await? {
        let () = connection.hset(worker.key(), "f", worker.value()).await?;
        let fetched: Option<Vec<u8>> = connection.hget(worker.key(), "f").await?;
        worker.finish(&[fetched])?;
    }
    Ok(())
}

async fn commands<C: Asynchronous>(mut connection: C, mut worker: Worker) -> Result<(), Failure> {
    while worker.next_async().await? {
        for words in worker.commands() {
            command(words).exec_async(&mut connection).await?;
        }
        worker.finish_commands();
    }
    Ok(())
}

async fn queue(mut connection: MultiplexedConnection, side: Side) -> Result<(), Failure> {
    match side {
        Side::Pushes(pusher) => push(&mut connection, pusher).await,
        Side::Takes(taker) => match taker.exchange().structure {
            Structure::List => take_from_list(&mut connection, taker).await,
            Structure::Stream => take_from_stream(&mut connection, taker).await,
        },
    }
}

async fn push(connection: &mut MultiplexedConnection, mut pusher: Pusher) -> Result<(), Failure> {
    while pusher.next_async().await? {
        let () = match pusher.exchange().structure {
            Structure::List => connection.lpush(pusher.name(), pusher.task()).await?,
            Structure::Stream => connection.xadd(pusher.name(), "*", &[(FIELD, pusher.task())]).await?,
        };
    }
    Ok(())
}

async fn take_from_list(connection: &mut MultiplexedConnection, mut taker: Taker) -> Result<(), Failure> {
    let (queue, taken) = (taker.exchange().names[0].clone(), taker.taken());
    while taker.more() {
        if taker.exchange().acknowledges {
            let task: Option<Vec<u8>> =
                connection.blmove(&queue, &taken, Direction::Right, Direction::Left, PATIENCE).await?;
            let Some(task) = task else { continue };
            taker.took(&task)?;
            let () = connection.lrem(&taken, 1, task).await?;
            taker.acknowledged();
        } else {
            let task: Option<(String, Vec<u8>)> = connection.brpop(&queue, PATIENCE).await?;
            let Some((_, task)) = task else { continue };
            taker.took(&task)?;
        }
    }
    Ok(())
}

async fn take_from_stream(connection: &mut MultiplexedConnection, mut taker: Taker) -> Result<(), Failure> {
    let queue = taker.exchange().names[0].clone();
    let acknowledges = taker.exchange().acknowledges;
    if taker.is_first() {
        let () = connection.xgroup_create_mkstream(&queue, GROUP, "0").await?;
        taker.exchange().prepared();
    }
    taker.await_preparation_async().await;
    let options = reading(&taker);
    while taker.more() {
        let reply: Option<StreamReadReply> = connection.xread_options(&[&queue], &[">"], &options).await?;
        for entry in entries(reply) {
            taker.took(&entry.get::<Vec<u8>>(FIELD).unwrap_or_default())?;
            if acknowledges {
                let () = connection.xack(&queue, GROUP, &[&entry.id]).await?;
                taker.acknowledged();
            }
        }
    }
    Ok(())
}

async fn pubsub(line: Line, side: Side) -> Result<(), Failure> {
    match (line, side) {
        (Line::Speaks(mut connection), Side::Pushes(mut publisher)) => {
            while publisher.next_async().await? {
                let () = connection.publish(publisher.name(), publisher.task()).await?;
            }
        }
        (Line::Hears(pubsub), Side::Takes(mut subscriber)) => {
            let mut pubsub = pubsub.lock().await;
            pubsub.subscribe(&subscriber.exchange().names).await?;
            subscriber.exchange().prepared();
            let mut messages = pubsub.on_message();
            while subscriber.more() {
                match timeout(Duration::from_secs_f64(PATIENCE), messages.next()).await {
                    Ok(Some(message)) => subscriber.took(message.get_payload_bytes())?,
                    Ok(None) => return Err(Failure::new(FailureKind::Connection, "the connection was lost")),
                    Err(_) => {}
                }
            }
        }
        _ => unreachable!("a publisher's line speaks, and a subscriber's hears"),
    }
    Ok(())
}
