//! The one way out of an agent: whole lines, one after the other, in the order in which they were handed over.

use serde::Serialize;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::host::secrets;
use crate::protocol::{Notice, Response, Untrusted};

/// Lines that wait for a coordinator that does not read.
const WAITING: usize = 1024;

/// Hands lines to the writer.
#[derive(Clone, Debug)]
pub(super) struct LineWriter(mpsc::Sender<Vec<u8>>);

impl LineWriter {
    /// A writer, and the future that has to run so that its lines reach `output`. The future ends when all writers are gone or
    /// nobody reads any more.
    pub(super) fn into(output: impl AsyncWrite + Unpin) -> (Self, impl Future<Output = ()>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), empty(receiver, output))
    }

    /// An answer waits until there is room for it.
    pub(super) async fn answer(&self, response: &Response) {
        let _ = self.0.send(line(response)).await;
    }

    /// A notice is dropped when the coordinator does not keep up: it is for the log only.
    pub(super) fn notice(&self, mut notice: Notice) {
        notice.fit(&mut secrets::fit);
        let _ = self.0.try_send(line(&notice));
    }
}

fn line(message: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).expect("messages are plain data with string keys");
    line.push(b'\n');
    line
}

async fn empty(mut lines: mpsc::Receiver<Vec<u8>>, mut output: impl AsyncWrite + Unpin) {
    while let Some(line) = lines.recv().await {
        if output.write_all(&line).await.is_err() || output.flush().await.is_err() {
            return;
        }
    }
}
