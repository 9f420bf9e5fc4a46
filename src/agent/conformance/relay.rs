//! A server that lies: what client and server say to each other, altered on the way.

use std::cell::Cell;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Passes on what client and server say to each other, on a port of its own. Where `lies` is set, one byte of every
/// bulk string from the server is changed.
pub(super) async fn relay(upstream: (String, u16), lies: Rc<Cell<bool>>) -> std::io::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    tokio::task::spawn_local(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (upstream, lies) = (upstream.clone(), Rc::clone(&lies));
            tokio::task::spawn_local(async move { pass_on(client, upstream, lies).await });
        }
    });
    Ok(port)
}

async fn pass_on(client: TcpStream, upstream: (String, u16), lies: Rc<Cell<bool>>) -> std::io::Result<()> {
    let server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::task::spawn_local(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from_server.read(&mut buffer).await?;
        if read == 0 {
            return to_client.shutdown().await;
        }
        if lies.get() {
            distort(&mut buffer[..read]);
        }
        to_client.write_all(&buffer[..read]).await?;
    }
}

/// Changes the first byte of every bulk string (`$3\r\nabc\r\n`) that has one.
fn distort(reply: &mut [u8]) {
    let mut at = 0;
    while let Some(found) = reply[at..].iter().position(|&byte| byte == b'$') {
        let digits = at + found + 1;
        let count = reply[digits..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        at = digits + count;
        if count > 0 && reply[digits] != b'0' && reply[at..].starts_with(b"\r\n") && at + 2 < reply.len() {
            reply[at + 2] ^= 1;
            at += 3;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_server_returns_as_a_value_is_distorted() {
        let distorted = |reply: &str| {
            let mut bytes = reply.as_bytes().to_vec();
            distort(&mut bytes);
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(distorted("+OK\r\n$2\r\n10\r\n$1\r\n4\r\n"), "+OK\r\n$2\r\n00\r\n$1\r\n5\r\n");
        assert_eq!(distorted("+OK\r\n$-1\r\n$0\r\n\r\n:5\r\n$1"), "+OK\r\n$-1\r\n$0\r\n\r\n:5\r\n$1");
    }
}
