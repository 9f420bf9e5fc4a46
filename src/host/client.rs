//! The coordinator's end of the connection to one agent: calls and their answers, notices, and the lease.

use std::collections::{HashMap, VecDeque};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, oneshot};
use tokio_util::codec::{FramedRead, LinesCodec};
use tracing::{debug, warn};

use crate::experiment::words;
use crate::host::secrets::{self, excerpt};
use crate::protocol::{
    AgentError, AgentLine, Call, Hello, LOG_LINE, MAX_LINE, Notice, Outcome, PROTOCOL, Ping, Request,
    Untrusted, Welcome,
};
use crate::units::Nanos;
use crate::untrusted::SENTENCE;

/// Messages with this target tell a user what is being waited for.
pub const WAITING: &str = "orchestrate::waiting";
/// How long an agent goes on working without hearing from its coordinator.
pub const LEASE: Nanos = Nanos::from_secs(30);
/// How long the command that leads to an agent may take to say why it ended.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How many lines of that are kept for the message.
const KEPT_LINES: usize = 5;
/// How long an agent is waited for before the user is told so.
const UNREMARKED: Duration = Duration::from_secs(5);
/// How many lines that are not from an agent may come before its first answer: a shell's start-up file greets.
pub(super) const MOST_NOISE: usize = 100;
/// How many characters of such a line are shown.
const TOLD: usize = 120;
/// How long an agent may take to stop its servers once its input is closed.
const GOODBYE: Duration = Duration::from_secs(10);

/// A connection to one agent. Calls may overlap.
#[derive(Debug)]
pub struct AgentClient {
    host: String,
    line: Arc<Line>,
    child: tokio::sync::Mutex<Child>,
    /// Once there is an agent at the other end.
    pinger: Option<tokio::task::JoinHandle<()>>,
}

#[derive(Debug)]
struct Line {
    input: tokio::sync::Mutex<Option<ChildStdin>>,
    next: AtomicU64,
    /// `None` once the agent's output has ended: nobody will answer any more.
    pending: Mutex<Option<HashMap<u64, oneshot::Sender<Outcome>>>>,
    /// The first line that came from something other than an agent.
    noise: Mutex<Option<String>>,
}

/// Why a call brought no reply.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The agent refused.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The agent is not there any more.
    #[error("the agent on host `{host}` went away{said}")]
    Lost {
        /// Its host.
        host: String,
        /// What it said that is not an answer, or nothing.
        said: String,
    },
    /// The agent's answer is not one to this call.
    #[error("the agent on host `{host}` answered `{call}` with something else: {what}")]
    Malformed {
        /// Its host.
        host: String,
        /// [`Call::NAME`].
        call: &'static str,
        /// What is wrong with it.
        what: String,
    },
}

/// Why there is no connection to an agent.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Its command does not start.
    #[error("failed to start the agent on host `{host}` with `{command}`: {source}")]
    Spawn {
        /// Its host.
        host: String,
        /// What was tried.
        command: String,
        /// What came back.
        source: std::io::Error,
    },
    /// It speaks another version of the protocol.
    #[error("the agent on host `{host}` speaks protocol {theirs}, this program speaks {PROTOCOL}")]
    Version {
        /// Its host.
        host: String,
        /// Its version.
        theirs: u32,
    },
    /// It is of another version.
    #[error(
        "the agent on host `{host}` is orchestrate {theirs}, this program is {}: install the same version there, \
         and name it with `agent = \"PATH\"` if it is not the first on PATH",
        env!("CARGO_PKG_VERSION")
    )]
    Program {
        /// Its host.
        host: String,
        /// Its version.
        theirs: String,
    },
    /// Nobody answers.
    #[error(
        "host `{host}`: no agent answered within {within}, and `{command}` is still running{said}; if it needs longer: \
         `connect_timeout` in [host.{host}]"
    )]
    Silent {
        /// Its host.
        host: String,
        /// How long was waited.
        within: Nanos,
        /// The command that was to lead to an agent.
        command: String,
        /// The last lines that it said, or nothing.
        said: String,
    },
    /// It did not greet.
    #[error("host `{host}`: {source}{said}")]
    Greeting {
        /// Its host.
        host: String,
        /// What came back.
        source: CallError,
        /// The command that was to lead to an agent and the last lines that it said, or nothing.
        said: String,
        /// The exit status of that command, if it ended.
        code: Option<i32>,
    },
}

impl AgentClient {
    /// Starts an agent with `command` and greets it, which may take as long as `within`. `holder` is what the host's lock is to
    /// say about us; what the agent says unasked goes to `notices`.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(
        host: &str,
        mut command: Command,
        within: Nanos,
        holder: String,
        notices: mpsc::UnboundedSender<Notice>,
    ) -> Result<(Self, Welcome), ConnectError> {
        // A process group of its own: Ctrl-C at the terminal is for the coordinator alone, which then closes the
        // agent's input.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        secrets::withhold_from(command.as_std_mut());
        let argv = std::iter::once(command.as_std().get_program()).chain(command.as_std().get_args());
        let shown = words(&argv.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>());
        let mut child = command.spawn().map_err(|source| ConnectError::Spawn {
            host: host.to_owned(),
            command: shown.clone(),
            source,
        })?;
        let (Some(input), Some(output), Some(errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            unreachable!("all three are piped");
        };
        let line = Arc::new(Line {
            input: tokio::sync::Mutex::new(Some(input)),
            next: AtomicU64::new(1),
            pending: Mutex::new(Some(HashMap::new())),
            noise: Mutex::new(None),
        });
        let last_words = Arc::new(Mutex::new(VecDeque::new()));
        let errors = tokio::spawn(log_errors(host.to_owned(), errors, Arc::clone(&last_words)));
        tokio::spawn(hear(host.to_owned(), output, Arc::clone(&line), notices));
        let mut client = Self { host: host.to_owned(), line, child: child.into(), pinger: None };
        let told = || {
            let lines: Vec<_> =
                last_words.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
            if lines.is_empty() { String::new() } else { format!("; `{shown}` says: {}", lines.join("; ")) }
        };
        let hello = Hello {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            holder,
            lease: LEASE,
            withheld: secrets::withheld(),
        };
        let Some(answer) = client.answer_within(within, &shown, hello).await else {
            let noise =
                client.line.noise().clone().map(|line| format!("; it printed {line}")).unwrap_or_default();
            let said = noise + &told();
            client.end_group().await;
            return Err(ConnectError::Silent { host: host.to_owned(), within, command: shown, said });
        };
        match answer {
            Ok(Welcome { protocol: theirs, .. }) if theirs != PROTOCOL => {
                Err(ConnectError::Version { host: host.to_owned(), theirs })
            }
            Ok(Welcome { version: theirs, .. }) if theirs != env!("CARGO_PKG_VERSION") => {
                Err(ConnectError::Program { host: host.to_owned(), theirs })
            }
            Ok(welcome) => {
                // Only now: an agent that is not there yet answers no ping, and would count as lost when the lease is over.
                client.pinger = Some(tokio::spawn(keep_alive(client.host.clone(), Arc::clone(&client.line))));
                Ok((client, welcome))
            }
            Err(source) => {
                // What went away says why on its way out.
                let (mut said, mut code) = (String::new(), None);
                if matches!(source, CallError::Lost { .. }) {
                    let _ = tokio::time::timeout(LAST_WORDS, errors).await;
                    said = told();
                    let mut child = client.child.lock().await;
                    if let Ok(Ok(status)) = tokio::time::timeout(LAST_WORDS, child.wait()).await {
                        code = status.code();
                    }
                }
                Err(ConnectError::Greeting { host: host.to_owned(), source, said, code })
            }
        }
    }

    /// Greets the agent; `None` if nobody has answered in this time. Says that it is waiting once that takes a while.
    async fn answer_within(
        &self,
        within: Nanos,
        command: &str,
        hello: Hello,
    ) -> Option<Result<Welcome, CallError>> {
        let within_all = within.duration();
        let mut answered = std::pin::pin!(self.call(hello));
        if let Ok(answer) = tokio::time::timeout(UNREMARKED.min(within_all), &mut answered).await {
            return Some(answer);
        }
        let left = within_all.saturating_sub(UNREMARKED);
        if !left.is_zero() {
            let host = &self.host;
            warn!(
                target: WAITING,
                "waiting for host `{host}`, up to {within} (`connect_timeout`): no agent has answered yet to `{command}`"
            );
        }
        tokio::time::timeout(left, answered).await.ok()
    }

    /// Ends the command that was to lead to an agent, and what it started, whether or not it listens to its input.
    async fn end_group(&mut self) {
        self.line.input.lock().await.take();
        let child = self.child.get_mut();
        for signal in [Signal::TERM, Signal::KILL] {
            let Some(group) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) else { return };
            // It may have ended in between.
            let _ = kill_process_group(group, signal);
            if tokio::time::timeout(LAST_WORDS, child.wait()).await.is_ok() {
                return;
            }
        }
    }

    /// Makes a call and waits for its reply.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call<C: Call>(&self, call: C) -> Result<C::Reply, CallError> {
        self.line.call(&self.host, call).await
    }

    /// Whether nobody will answer any more.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.line.pending().is_none()
    }

    /// Closes the agent's input, upon which it stops all that it started, and waits for its end.
    pub async fn close(&self) {
        self.pinger.iter().for_each(tokio::task::JoinHandle::abort);
        self.line.input.lock().await.take();
        let mut child = self.child.lock().await;
        if tokio::time::timeout(GOODBYE, child.wait()).await.is_err() {
            warn!(host = self.host, "the agent did not end when its input was closed: killing it");
            // Its children die with it where the system can arrange that (parent-death signal).
            if let Err(error) = child.kill().await {
                warn!(host = self.host, %error, "failed to kill the agent");
            }
        }
    }
}

impl Drop for AgentClient {
    /// Dropping a connection without [`AgentClient::close`] (as a run does that is stopped while it connects) does not wait,
    /// but the agent must hear that it is over all the same. A command that has not led to one, such as a job that is still in
    /// a queue, does not listen to its input and is told by a signal.
    fn drop(&mut self) {
        match &self.pinger {
            Some(pinger) => pinger.abort(),
            None => {
                if let Some(group) = self.child.get_mut().id().and_then(|id| Pid::from_raw(id.cast_signed()))
                {
                    let _ = kill_process_group(group, Signal::TERM);
                }
            }
        }
        if let Ok(mut input) = self.line.input.try_lock() {
            input.take();
        }
    }
}

impl Line {
    fn pending(&self) -> std::sync::MutexGuard<'_, Option<HashMap<u64, oneshot::Sender<Outcome>>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn noise(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.noise.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn call<C: Call>(&self, host: &str, call: C) -> Result<C::Reply, CallError> {
        let lost = || {
            let said =
                self.noise().as_ref().map(|line| format!(": it printed {line}, which is not an answer"));
            CallError::Lost { host: host.to_owned(), said: said.unwrap_or_default() }
        };
        let malformed = |error: serde_json::Error| CallError::Malformed {
            host: host.to_owned(),
            call: C::NAME,
            what: excerpt(&error.to_string(), SENTENCE),
        };
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let args = serde_json::to_value(&call).map_err(malformed)?;
        let mut text =
            serde_json::to_vec(&Request { id, call: C::NAME.to_owned(), args }).map_err(malformed)?;
        text.push(b'\n');
        let (answer, answered) = oneshot::channel();
        self.pending().as_mut().ok_or_else(lost)?.insert(id, answer);
        {
            let mut input = self.input.lock().await;
            let input = input.as_mut().ok_or_else(lost)?;
            input.write_all(&text).await.map_err(|_| lost())?;
        }
        match answered.await {
            Ok(Outcome::Ok(value)) => {
                let mut reply: C::Reply = serde_json::from_value(value).map_err(malformed)?;
                reply.secrets().into_iter().for_each(secrets::learn);
                reply.fit(&mut secrets::fit);
                Ok(reply)
            }
            Ok(Outcome::Error(mut error)) => {
                error.fit(&mut secrets::fit);
                Err(error.into())
            }
            Err(_) => Err(lost()),
        }
    }
}

/// Hands every line of the agent to its recipient, until the agent's output ends.
async fn hear(
    host: String,
    output: tokio::process::ChildStdout,
    line: Arc<Line>,
    notices: mpsc::UnboundedSender<Notice>,
) {
    let mut lines = FramedRead::new(output, LinesCodec::new_with_max_length(MAX_LINE));
    // Lines before the first answer that are not of an agent.
    let mut before = Some(0);
    loop {
        let text = match lines.next().await {
            Some(Ok(text)) => text,
            Some(Err(error)) => {
                warn!(host, %error, "the agent's output cannot be read");
                break;
            }
            None => break,
        };
        match serde_json::from_str(&text) {
            Ok(AgentLine::Response(response)) => {
                before = None;
                let waiting = line.pending().as_mut().and_then(|pending| pending.remove(&response.id));
                match waiting {
                    // Whoever asked may no longer be waiting, as when a trial was aborted.
                    Some(waiting) => drop(waiting.send(response.result)),
                    None => warn!(host, id = response.id, "the agent answered a request that was not made"),
                }
            }
            // Nobody may be listening any more, at the end of a run.
            Ok(AgentLine::Notice(mut notice)) => {
                notice.fit(&mut secrets::fit);
                drop(notices.send(notice));
            }
            Err(error) => {
                let told = quoted(&text);
                match &mut before {
                    Some(lines) if *lines < MOST_NOISE => {
                        if *lines == 0 {
                            warn!(
                                "host `{host}` printed {told} where only an agent's answers are expected: left out (a start-up \
                                 file such as .bashrc should print nothing where no terminal is)"
                            );
                        }
                        *lines += 1;
                    }
                    Some(_) => break,
                    None => {
                        let error = excerpt(&error.to_string(), SENTENCE);
                        warn!(host, error, "the agent printed {told}, which is not an answer");
                        line.noise().replace(told);
                        break;
                    }
                }
                line.noise().get_or_insert(told);
            }
        }
    }
    // Everybody who still waits hears that the agent is lost.
    line.pending().take();
}

/// Renews the lease until the agent is lost.
async fn keep_alive(host: String, line: Arc<Line>) {
    let mut every = tokio::time::interval(LEASE.duration() / 3);
    every.tick().await;
    loop {
        every.tick().await;
        match tokio::time::timeout(LEASE.duration(), line.call(&host, Ping {})).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return debug!(host, %error, "no answer to a ping"),
            Err(_) => {
                warn!(host, "the agent has not answered for {LEASE}: it counts as lost");
                line.pending().take();
                return;
            }
        }
    }
}

/// The beginning of a line that came from elsewhere, in quotation marks.
fn quoted(line: &str) -> String {
    format!("`{}`", excerpt(line.trim(), TOLD))
}

/// Keeps what the agent says on its standard error in the log, and its last lines in `last`.
async fn log_errors(host: String, errors: tokio::process::ChildStderr, last: Arc<Mutex<VecDeque<String>>>) {
    let mut lines = BufReader::new(errors).lines();
    while let Ok(Some(mut text)) = lines.next_line().await {
        secrets::fit(&mut text, LOG_LINE);
        warn!(host, "agent: {text}");
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == KEPT_LINES {
            last.pop_front();
        }
        last.push_back(text);
    }
}
