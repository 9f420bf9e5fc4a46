//! Which ports a server that we start may use, and why it may find none.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

use crate::experiment::Address;
use crate::protocol::{AgentError, AgentErrorKind};

/// Between choosing a port and binding it, another program may take it; then another port is chosen, up to this many times.
const ATTEMPTS: usize = 5;

/// Ports that are free at the moment, on loopback and, for a server that other hosts are to reach, on its address.
pub(super) fn free(address: Option<&Address>) -> Box<dyn Iterator<Item = io::Result<u16>> + '_> {
    let Some(address) = address else {
        return Box::new(std::iter::repeat_with(any_on_loopback).take(ATTEMPTS));
    };
    match address.ports {
        None => Box::new(std::iter::repeat_with(|| any(&address.host)).take(ATTEMPTS)),
        Some((first, last)) => {
            Box::new((first..=last).filter_map(|port| match is_free(&address.host, port) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => None,
                free => Some(free.map(|()| port)),
            }))
        }
    }
}

/// The message when none of [`free`] is available.
pub(super) fn none_left(address: Option<&Address>) -> AgentError {
    let message = match address {
        Some(address @ Address { ports: Some((first, last)), .. }) if first == last => {
            format!("port {first} of {} is taken by another program", address.host)
        }
        Some(address @ Address { ports: Some((first, last)), .. }) => format!(
            "ports {first} to {last} of {} are taken by other programs, or by other servers of this run",
            address.host
        ),
        _ => "every port that was free a moment ago was taken by another program".to_owned(),
    };
    AgentError::new(AgentErrorKind::Unavailable, message)
}

/// The message when the system does not allow anyone to listen there.
pub(super) fn cannot_listen(address: Option<&Address>, error: &io::Error) -> AgentError {
    let message = match address {
        Some(Address { host, .. }) if error.kind() == io::ErrorKind::AddrNotAvailable => {
            format!("no server can listen on {host}: it is not an address of this host")
        }
        Some(Address { host, .. }) => format!("no server can listen on {host}: {error}"),
        None => format!("no free port on 127.0.0.1: {error}"),
    };
    AgentError::new(AgentErrorKind::Unavailable, message)
}

fn any_on_loopback() -> io::Result<u16> {
    any("127.0.0.1")
}

/// A port that is free on `host` and, since every server starts there, on loopback.
fn any(host: &str) -> io::Result<u16> {
    let port = TcpListener::bind((host, 0))?.local_addr()?.port();
    is_free(host, port).map(|()| port)
}

fn is_free(host: &str, port: u16) -> io::Result<()> {
    drop(TcpListener::bind((host, port))?);
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop)
}
