//! `rustis`: as `async`, with another library.

use std::time::Duration;

use rustis::client::{Client, Config, ReconnectionConfig, ServerConfig};
use rustis::commands::StringCommands;

use super::Driver;
use super::failure::Failure;
use super::tasks::{self, Flavour, Sockets};
use super::worker::Worker;
use crate::experiment::{BuiltinMode, Threads};
use crate::protocol::{Endpoint, FailureKind};

/// The library; a test keeps the version.
pub(super) const CLIENT: &str = "rustis 0.27.2";

pub(super) const DRIVER: Driver = Driver {
    mode: BuiltinMode {
        name: "rustis",
        summary: "asynchronous connections on one thread, SET and then GET, with rustis",
        client: CLIENT,
        concurrency: "a task each, one thread",
        threads: Threads::One,
        can_pipeline: false,
        can_rate: true,
        by_default: false,
    },
    connect: |job| {
        let config = config(&job.server);
        let connect = move || connect(config.clone());
        tasks::connect_with(job, Flavour::CurrentThread, Sockets::OneEach, connect, work)
    },
};

pub(super) async fn connect(config: Config) -> Result<Client, Failure> {
    let name = match &config.server {
        ServerConfig::UnixSocket { path } => path.display().to_string(),
        ServerConfig::Standalone { host, port } => format!("{host}:{port}"),
        _ => String::new(),
    };
    Client::connect(config).await.map_err(|error| {
        Failure::new(FailureKind::Connection, format!("failed to connect to {name}: {error}"))
    })
}

/// Without Nagle's delay, a timeout for each command, or a second attempt at anything, which would hide a failure.
pub(super) fn config(server: &Endpoint) -> Config {
    let mut config = Config::default();
    config.server = match &server.unix_socket {
        Some(path) => ServerConfig::UnixSocket { path: path.into() },
        None => ServerConfig::Standalone { host: server.host.clone(), port: server.port },
    };
    config.password.clone_from(&server.password);
    config.connect_timeout = Duration::from_secs(30);
    config.command_timeout = Duration::ZERO;
    config.no_delay = true;
    config.retry_on_error = false;
    config.reconnection = ReconnectionConfig::new_constant(1, 0);
    config
}

async fn work(client: Client, mut worker: Worker) -> Result<(), Failure> {
    while worker.next_async().await? {
        client.set(text(worker.key()), text(worker.value())).await?;
        let fetched: Option<String> = client.get(text(worker.key())).await?;
        worker.finish(&[fetched.map(String::into_bytes)])?;
    }
    Ok(())
}

/// A key or a value; both are made of letters, digits and colons.
pub(super) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("keys and values are ASCII")
}

impl From<rustis::Error> for Failure {
    fn from(error: rustis::Error) -> Self {
        // The library calls what the server says an error of its own kind; all else is the connection's.
        let text = error.to_string();
        let kind =
            if text.contains("redis server error") { FailureKind::Other } else { FailureKind::Connection };
        Self::new(kind, text)
    }
}
