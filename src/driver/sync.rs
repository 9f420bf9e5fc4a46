//! `sync`: every worker is a thread with a blocking connection; a SET, and then a GET.

use std::time::Duration;

use redis::cluster::ClusterConnection;
use redis::streams::{StreamReadOptions, StreamReadReply};
use redis::{Commands as _, Connection, Direction};

use super::connect::{Blocking, command};
use super::exchange::{FIELD, GROUP, Structure};
use super::failure::Failure;
use super::side::{PATIENCE, PATIENCE_MS, Pusher, Side, Taker};
use super::worker::{NOTHING, Worker};
use super::{CLIENT, Crew, Driver, OPTIONS, SUPPORTS, threads};
use crate::experiment::{BuiltinMode, Threads};
use crate::protocol::Job;
use crate::workload::Kind;

pub(super) const DRIVER: Driver = Driver {
    mode: BuiltinMode {
        name: "sync",
        summary: "blocking connections, SET and then GET",
        client: CLIENT,
        concurrency: "a thread each",
        threads: Threads::PerWorker,
        can_pipeline: false,
        can_rate: true,
        workloads: &[Kind::SetGet, Kind::ReadWrite, Kind::Commands, Kind::Queue, Kind::Pubsub, Kind::Hash],
        supports: SUPPORTS,
        options: OPTIONS,
        by_default: true,
    },
    connect: |job| match job.workload.kind {
        Kind::Queue => threads::connect(job, queue),
        Kind::Pubsub => threads::connect(job, pubsub),
        _ if job.server.cluster => connect::<ClusterConnection>(job),
        _ => connect::<Connection>(job),
    },
};

/// What is the same for a server and for a cluster.
fn connect<C: Blocking>(job: &Job) -> Result<Box<dyn Crew>, Failure> {
    match job.workload.kind {
        Kind::SetGet => threads::connect(job, set_get::<C>),
        Kind::ReadWrite => threads::connect(job, read_write::<C>),
        Kind::Commands => threads::connect(job, commands::<C>),
        Kind::Hash => threads::connect(job, hash::<C>),
        Kind::Queue | Kind::Pubsub | Kind::Tasks => Err(Failure::lacks_workload(job)),
    }
}

fn set_get<C: Blocking>(connection: &mut C, worker: &mut Worker) -> Result<(), Failure> {
    while worker.next() {
        let () = match worker.set_options() {
            None => connection.set(worker.key(), worker.value())?,
            Some(options) => connection.set_options(worker.key(), worker.value(), options)?,
        };
        let fetched: Option<Vec<u8>> = connection.get(worker.key())?;
        worker.finish(&[fetched])?;
    }
    Ok(())
}

fn read_write<C: Blocking>(connection: &mut C, worker: &mut Worker) -> Result<(), Failure> {
    while worker.next() {
        if worker.reads() {
            let fetched: Option<Vec<u8>> = connection.get(worker.key())?;
            worker.finish(&[fetched])?;
        } else {
            let () = connection.set(worker.key(), worker.value())?;
            worker.finish(NOTHING)?;
        }
    }
    Ok(())
}

fn hash<C: Blocking>(connection: &mut C, worker: &mut Worker) -> Result<(), Failure> {
    while worker.next() {
        let () = connection.hset(worker.key(), "f", worker.value())?;
        let fetched: Option<Vec<u8>> = connection.hget(worker.key(), "f")?;
        worker.finish(&[fetched])?;
    }
    Ok(())
}

fn commands<C: Blocking>(connection: &mut C, worker: &mut Worker) -> Result<(), Failure> {
    while worker.next() {
        for words in worker.commands() {
            command(words).exec(connection)?;
        }
        worker.finish_commands();
    }
    Ok(())
}

fn queue(connection: &mut Connection, side: &mut Side) -> Result<(), Failure> {
    match side {
        Side::Pushes(pusher) => push(connection, pusher),
        Side::Takes(taker) => match taker.exchange().structure {
            Structure::List => take_from_list(connection, taker),
            Structure::Stream => take_from_stream(connection, taker),
        },
    }
}

fn push(connection: &mut Connection, pusher: &mut Pusher) -> Result<(), Failure> {
    while pusher.next() {
        let () = match pusher.exchange().structure {
            Structure::List => connection.lpush(pusher.name(), pusher.task())?,
            Structure::Stream => connection.xadd(pusher.name(), "*", &[(FIELD, pusher.task())])?,
        };
    }
    Ok(())
}

fn take_from_list(connection: &mut Connection, taker: &mut Taker) -> Result<(), Failure> {
    let (queue, taken) = (taker.exchange().names[0].clone(), taker.taken());
    while taker.more() {
        if taker.exchange().acknowledges {
            let task: Option<Vec<u8>> =
                connection.blmove(&queue, &taken, Direction::Right, Direction::Left, PATIENCE)?;
            let Some(task) = task else { continue };
            taker.took(&task)?;
            let () = connection.lrem(&taken, 1, task)?;
            taker.acknowledged();
        } else {
            let task: Option<(String, Vec<u8>)> = connection.brpop(&queue, PATIENCE)?;
            let Some((_, task)) = task else { continue };
            taker.took(&task)?;
        }
    }
    Ok(())
}

fn take_from_stream(connection: &mut Connection, taker: &mut Taker) -> Result<(), Failure> {
    let queue = taker.exchange().names[0].clone();
    let acknowledges = taker.exchange().acknowledges;
    if taker.is_first() {
        let () = connection.xgroup_create_mkstream(&queue, GROUP, "0")?;
        taker.exchange().prepared();
    }
    taker.await_preparation();
    let options = reading(taker);
    while taker.more() {
        let reply: Option<StreamReadReply> = connection.xread_options(&[&queue], &[">"], &options)?;
        for entry in entries(reply) {
            taker.took(&entry.get::<Vec<u8>>(FIELD).unwrap_or_default())?;
            if acknowledges {
                let () = connection.xack(&queue, GROUP, &[&entry.id])?;
                taker.acknowledged();
            }
        }
    }
    Ok(())
}

fn pubsub(connection: &mut Connection, side: &mut Side) -> Result<(), Failure> {
    match side {
        Side::Pushes(publisher) => {
            while publisher.next() {
                let () = connection.publish(publisher.name(), publisher.task())?;
            }
            Ok(())
        }
        Side::Takes(subscriber) => {
            connection.set_read_timeout(Some(Duration::from_secs_f64(PATIENCE)))?;
            let mut pubsub = connection.as_pubsub();
            pubsub.subscribe(&subscriber.exchange().names)?;
            subscriber.exchange().prepared();
            while subscriber.more() {
                match pubsub.get_message() {
                    Ok(message) => subscriber.took(message.get_payload_bytes())?,
                    Err(error) if error.is_timeout() => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(())
        }
    }
}

/// How a worker reads a stream: as a consumer of its own, one entry at a time.
pub(super) fn reading(taker: &Taker) -> StreamReadOptions {
    let options =
        StreamReadOptions::default().group(GROUP, taker.number()).count(1).block(PATIENCE_MS as usize);
    if taker.exchange().acknowledges { options } else { options.noack() }
}

/// What was read, if anything was.
pub(super) fn entries(reply: Option<StreamReadReply>) -> impl Iterator<Item = redis::streams::StreamId> {
    reply.into_iter().flat_map(|reply| reply.keys).flat_map(|key| key.ids)
}
