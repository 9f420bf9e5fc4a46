//! `rustis-pipe`: as `async-pipe`, with another library.

use rustis::client::{BatchPreparedCommand, Client};
use rustis::commands::StringCommands;

use super::Driver;
use super::failure::Failure;
use super::rustis::{CLIENT, config, connect, text};
use super::tasks::{self, Flavour, Sockets};
use super::worker::Worker;
use crate::experiment::{BuiltinMode, Threads};

pub(super) const DRIVER: Driver = Driver {
    mode: BuiltinMode {
        name: "rustis-pipe",
        summary: "asynchronous connections on one thread, SET and GET in one pipeline, with rustis",
        client: CLIENT,
        concurrency: "a task each, one thread",
        threads: Threads::One,
        can_pipeline: true,
        can_rate: true,
        by_default: false,
    },
    connect: |job| {
        let config = config(&job.server);
        let connect = move || connect(config.clone());
        tasks::connect_with(job, Flavour::CurrentThread, Sockets::OneEach, connect, work)
    },
};

async fn work(client: Client, mut worker: Worker) -> Result<(), Failure> {
    while worker.next_async().await? {
        let mut pipeline = client.create_pipeline();
        for index in worker.batch() {
            worker.select(index);
            // What SET returns is looked at: `forget` would forget its failures too.
            pipeline.set(text(worker.key()), text(worker.value())).queue();
            pipeline.get::<()>(text(worker.key())).queue();
        }
        let replies: Vec<Option<String>> = pipeline.execute().await?;
        let fetched: Vec<_> =
            replies.into_iter().skip(1).step_by(2).map(|value| value.map(String::into_bytes)).collect();
        worker.finish(&fetched)?;
    }
    Ok(())
}
