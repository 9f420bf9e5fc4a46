//! What a driver leaves on the server of a check, and what it tells that server, command by command.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::protocol::Endpoint;

/// How long the server may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The last thing that is overheard, sent by ourselves.
const END: &str = "orchestrate-check-is-over";

/// All keys of a server that asks for no password.
pub(super) async fn keys(endpoint: &Endpoint) -> Result<Vec<String>, String> {
    let mut connection = connect(endpoint).await?;
    redis::cmd("KEYS").arg("*").query_async(&mut connection).await.map_err(|error| error.to_string())
}

/// How many keys a database has.
pub(super) async fn keys_in(endpoint: &Endpoint, database: u32) -> Result<u64, String> {
    let mut connection = connect(endpoint).await?;
    let mut pipeline = redis::pipe();
    pipeline.cmd("SELECT").arg(database).ignore().cmd("DBSIZE");
    let counted: redis::RedisResult<(u64,)> = pipeline.query_async(&mut connection).await;
    counted.map(|(keys,)| keys).map_err(|error| error.to_string())
}

/// How many of them begin with `stem`.
pub(super) fn beginning(keys: &[String], stem: &str) -> u64 {
    keys.iter().filter(|key| key.starts_with(stem)).count() as u64
}

/// How many bytes each of them holds.
pub(super) async fn sizes(endpoint: &Endpoint, keys: &[String]) -> Result<Vec<u64>, String> {
    let mut connection = connect(endpoint).await?;
    let mut pipeline = redis::pipe();
    for key in keys {
        pipeline.cmd("STRLEN").arg(key);
    }
    pipeline.query_async(&mut connection).await.map_err(|error| error.to_string())
}

async fn connect(endpoint: &Endpoint) -> Result<MultiplexedConnection, String> {
    let client = redis::Client::open((endpoint.host.as_str(), endpoint.port));
    let connected = match client {
        Ok(client) => client.get_multiplexed_async_connection().await,
        Err(error) => Err(error),
    };
    connected.map_err(|error| error.to_string())
}

/// A connection on which the server reports every command that it executes.
pub(super) struct Overheard {
    endpoint: Endpoint,
    listening: JoinHandle<std::io::Result<Vec<String>>>,
    _open: OwnedWriteHalf,
}

/// Begins to listen.
pub(super) async fn overhear(endpoint: &Endpoint) -> Result<Overheard, String> {
    let begun = async {
        let (input, mut output) =
            TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await?.into_split();
        output.write_all(b"MONITOR\r\n").await?;
        let mut lines = BufReader::new(input).lines();
        lines.next_line().await?;
        Ok::<_, std::io::Error>((lines, output))
    };
    let (lines, output) = begun.await.map_err(|error| format!("MONITOR: {error}"))?;
    let listening = tokio::task::spawn_local(listen(lines));
    Ok(Overheard { endpoint: endpoint.clone(), listening, _open: output })
}

async fn listen(mut lines: Lines<BufReader<OwnedReadHalf>>) -> std::io::Result<Vec<String>> {
    let mut heard = Vec::new();
    while let Some(line) = lines.next_line().await? {
        if line.contains(END) {
            break;
        }
        // With the last reset the measured part begins.
        if command(&line).is_some_and(|(name, _)| name.eq_ignore_ascii_case("FLUSHALL")) {
            heard.clear();
        }
        heard.push(line);
    }
    Ok(heard)
}

impl Overheard {
    /// What was reported since the last FLUSHALL.
    pub(super) async fn end(self) -> Result<Vec<String>, String> {
        let mut connection = connect(&self.endpoint).await?;
        let said: redis::RedisResult<String> = redis::cmd("ECHO").arg(END).query_async(&mut connection).await;
        said.map_err(|error| error.to_string())?;
        match timeout(ANSWER_WITHIN, self.listening).await {
            Ok(Ok(Ok(heard))) => Ok(heard),
            Ok(Ok(Err(error))) => Err(format!("MONITOR: {error}")),
            Ok(Err(_)) | Err(_) => Err("MONITOR did not end in time".to_owned()),
        }
    }
}

/// What is wrong with the order of the commands that a single worker without a pipeline sent, if anything is.
pub(super) fn out_of_turn(heard: &[String]) -> Option<String> {
    let mut set: Option<&str> = None;
    for (name, key) in heard.iter().filter_map(|line| command(line)) {
        match (name.to_ascii_uppercase().as_str(), set) {
            ("SET", None) => set = Some(key),
            ("GET", Some(due)) if due == key => set = None,
            ("SET" | "GET", Some(due)) => {
                return Some(format!("sends {name} `{key}` after SET `{due}`, and GET `{due}` was due"));
            }
            ("GET", None) => return Some(format!("sends GET `{key}` where a SET was due")),
            _ => {}
        }
    }
    None
}

/// A command and its first argument, of a line such as `1700000000.123456 [0 127.0.0.1:50000] "SET" "t:0:1" "1"`.
fn command(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split_once("] \"")?.1.split('"');
    let name = words.next()?;
    Some((name, words.nth(1).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(commands: &[&str]) -> Option<String> {
        let line = |words: &&str| {
            let quoted: Vec<String> = words.split(' ').map(|word| format!("\"{word}\"")).collect();
            format!("1700000000.123456 [0 127.0.0.1:50000] {}", quoted.join(" "))
        };
        out_of_turn(&commands.iter().map(line).collect::<Vec<_>>())
    }

    #[test]
    fn each_set_is_followed_by_a_get_of_its_key() {
        assert_eq!(heard(&["FLUSHALL SYNC", "SET a 1", "GET a", "MULTI", "set b 2", "get b", "EXEC"]), None);
        let wrong = |commands| heard(commands).unwrap();
        assert_eq!(wrong(&["SET a 1", "SET b 2"]), "sends SET `b` after SET `a`, and GET `a` was due");
        assert_eq!(wrong(&["SET a 1", "GET b"]), "sends GET `b` after SET `a`, and GET `a` was due");
        assert_eq!(wrong(&["SET a 1", "GET a", "GET a"]), "sends GET `a` where a SET was due");
    }
}
