//! Why a server that somebody else runs cannot be measured, in its own words where possible, and what to do about it.

use std::time::Duration;

use redis::{ErrorKind, RedisError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{info, said};
use crate::host::secrets::excerpt;
use crate::protocol::Endpoint;
use crate::untrusted::SENTENCE;

/// How long a server is given to say something. One that refuses clients does so at once; one that waits for a client is
/// silent.
const PATIENCE: Duration = Duration::from_secs(2);

/// The smallest first message of TLS 1.2 that servers answer: a random number of zeros, four ciphers, no extensions.
const CLIENT_HELLO: &[u8] = &[
    0x16, 3, 1, 0, 0x33, // handshake, of 51 bytes
    1, 0, 0, 0x2f, 3, 3, // ClientHello, of 47 bytes, version 1.2
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, // random
    0, // no session
    0, 8, 0xc0, 0x2f, 0xc0, 0x2b, 0, 0x9c, 0, 0x2f, // ciphers
    1, 0, // no compression
];

const NO_TLS: &str = "it does not speak TLS there: leave out `tls`, or write redis:// for rediss://";

/// What an `INFO` contains that rules a server out, as the end of a sentence. `cluster` is whether it should be a node of
/// one. At that point nothing has been written there.
pub(super) fn unsuitable(info: &str, cluster: bool) -> Option<String> {
    let field = |name| info::field(info, name);
    if field("redis_mode") == Some("sentinel") {
        return Some(
            "is a sentinel, which holds no data: SENTINEL GET-MASTER-ADDR-BY-NAME names the server to write as `address`"
                .to_owned(),
        );
    }
    match (cluster, field("cluster_enabled") == Some("1")) {
        (false, true) => {
            let what = "is a node of a cluster and accepts only some of the keys: write cluster = true to measure the whole";
            return Some(what.to_owned());
        }
        (true, false) => return Some("is not part of a cluster: leave out `cluster`".to_owned()),
        _ => {}
    }
    // A node of a cluster names the masters, whatever it is itself.
    if field("role") == Some("slave") && !cluster {
        let primary = match (field("master_host"), field("master_port")) {
            (Some(host), Some(port)) => format!(", {host}:{port}"),
            _ => String::new(),
        };
        return Some(format!(
            "is a replica, which accepts no writes: name its primary as `address`{primary}"
        ));
    }
    if field("loading") == Some("1") {
        return Some("is still loading its data: try again when it has".to_owned());
    }
    None
}

/// Why the first contact failed, as the end of a sentence that begins with the server's name.
pub(super) async fn explain(endpoint: &Endpoint, error: &RedisError) -> String {
    let text = said(error);
    let advice = match error.code() {
        Some("NOAUTH") => Some("it asks for a password: password = { env = \"NAME\" }"),
        Some("WRONGPASS") => Some("it rejects the password or the `username`"),
        Some("NOPERM") => Some("its user lacks a right: docs/servers.md lists those that are needed"),
        _ if error.kind() == ErrorKind::AuthenticationFailed => {
            Some("it rejects the password or the `username`")
        }
        _ if text.contains("UnknownIssuer") => {
            Some("name the certificate of its authority: tls = { ca = \"FILE\" }")
        }
        _ if text.contains("received fatal alert") => {
            Some("it requires a client certificate that it trusts: tls = { cert = \"FILE\", key = \"FILE\" }")
        }
        _ if text.contains("InvalidContentType") => Some(NO_TLS),
        _ => None,
    };
    match advice {
        Some(advice) => format!("refuses: {text}; {advice}"),
        // The library only knows that the connection broke.
        None if error.is_io_error() || error.is_connection_dropped() || error.is_timeout() => {
            match overheard(endpoint).await {
                Some(words) => format!("refuses: {words}"),
                None => format!("cannot be reached: {text}"),
            }
        }
        None => format!("did not answer INFO: {text}"),
    }
}

/// What a server says to a client that connects and sends little: why it refuses clients, or that it speaks TLS.
async fn overheard(endpoint: &Endpoint) -> Option<String> {
    if endpoint.unix_socket.is_some() {
        return None;
    }
    // A server that accepts no more clients says so and closes the connection; its message would be lost if we had sent
    // anything.
    let unasked = answer(endpoint, b"").await;
    let answered = match unasked {
        Some(words) => words,
        None => answer(endpoint, b"PING\r\n").await.unwrap_or_default(),
    };
    if endpoint.tls.is_some() {
        return matches!(answered.first(), Some(b'+' | b'-')).then(|| NO_TLS.to_owned());
    }
    if let Some(error) = answered.strip_prefix(b"-") {
        let line = error.split(|&byte| byte == b'\r').next().unwrap_or_default();
        return Some(excerpt(&String::from_utf8_lossy(line), SENTENCE));
    }
    let hello = answer(endpoint, CLIENT_HELLO).await?;
    let is_tls = matches!(hello.first(), Some(0x15 | 0x16)) && hello.get(1) == Some(&3);
    is_tls.then(|| "it speaks TLS there: write rediss:// before the address, or tls = true".to_owned())
}

/// What comes back within [`PATIENCE`]; `None` if nothing does.
async fn answer(endpoint: &Endpoint, words: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 1024];
    let exchange = async {
        let mut stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await.ok()?;
        // It may have closed the connection, but what it said before can still be read.
        let _ = stream.write_all(words).await;
        stream.read(&mut bytes).await.ok().filter(|&read| read > 0)
    };
    let read = timeout(PATIENCE, exchange).await.ok()??;
    bytes.truncate(read);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_info_says_rules_out_all_but_a_primary_that_stands_alone() {
        let said = |info: &str| unsuitable(info, false).unwrap_or_default();
        assert_eq!(said("redis_mode:standalone\r\nrole:master\r\ncluster_enabled:0\r\nloading:0\r\n"), "");
        assert!(said("redis_mode:sentinel\r\n").starts_with("is a sentinel"));
        assert!(said("redis_mode:cluster\r\ncluster_enabled:1\r\n").starts_with("is a node of a cluster"));
        let replica = said("role:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\n");
        assert_eq!(
            replica,
            "is a replica, which accepts no writes: name its primary as `address`, 10.0.0.1:6379"
        );
        assert!(said("role:master\r\nloading:1\r\n").contains("loading"));
    }

    #[test]
    fn a_cluster_is_asked_for_and_every_node_of_it_leads_to_its_masters() {
        assert_eq!(unsuitable("role:master\r\ncluster_enabled:1\r\n", true), None);
        assert_eq!(unsuitable("role:slave\r\ncluster_enabled:1\r\n", true), None);
        let alone = unsuitable("role:master\r\ncluster_enabled:0\r\n", true).unwrap();
        assert!(alone.contains("not part of a cluster"), "{alone}");
    }

    #[test]
    fn the_first_message_of_tls_has_the_lengths_that_it_says() {
        let length = |at: usize| usize::from(CLIENT_HELLO[at]) << 8 | usize::from(CLIENT_HELLO[at + 1]);
        assert_eq!(length(3), CLIENT_HELLO.len() - 5);
        assert_eq!(length(7), CLIENT_HELLO.len() - 9);
    }
}
