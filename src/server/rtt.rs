//! The round-trip time to a server.

use std::time::Instant;

use super::{connection, said};
use crate::protocol::{AgentError, AgentErrorKind, Endpoint, PathProbe};
use crate::units::Nanos;

/// The median time of a PING over a connection that already exists.
///
/// # Errors
/// `Unavailable` when nothing answers there, with the address and never the password.
pub async fn round_trip(probe: PathProbe) -> Result<Nanos, AgentError> {
    let Endpoint { host, port, .. } = &probe.endpoint;
    let unreachable = |error: &redis::RedisError| {
        let message = format!("nothing answers at {host}:{port} from here: {}", said(error));
        AgentError::new(AgentErrorKind::Unavailable, message)
    };
    let over_tcp = Endpoint { unix_socket: None, ..probe.endpoint.clone() };
    let mut connection = connection::to(&over_tcp).await.map_err(|error| unreachable(&error))?;
    let mut times = Vec::new();
    for _ in 0..probe.pings.max(1) {
        let asked = Instant::now();
        let () = redis::cmd("PING").exec_async(&mut connection).await.map_err(|error| unreachable(&error))?;
        times.push(Nanos::from(asked.elapsed()));
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}
