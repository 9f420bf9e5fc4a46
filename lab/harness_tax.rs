//! What the driver costs: the same calls of the client library with and without everything around them.
//!
//! `cargo bench --bench harness_tax [-- --pairs 15 --seconds 1.2 sync same-core]` starts a redis-server of its own and
//! runs interleaved pairs of processes: a bare loop (SET, GET, nothing else), and the driver (histogram, verification,
//! protocol). Both are this executable, started anew and bound to the same CPUs. A cell passes when the median over
//! all pairs of driver ÷ bare is at least 98%, and with `queue`, where a thread pushes tasks and another takes them, 95%; words after the options (a mode, a number of workers, a placement) choose
//! among the cells. The last column is the
//! median of the CPU time of the two clients, driver ÷ bare. `--control` puts a bare loop on both sides.
//!
//! Where processes cannot be bound to CPUs the placements are left out, and neighbours make themselves felt.

#![expect(clippy::print_stdout, reason = "a report is what this program is for")]

use std::error::Error;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use orchestrate::driver;
use orchestrate::experiment::Warmup;
use orchestrate::protocol::{DriverEvent, Endpoint, Job, JobWorkload};
use orchestrate::setting::{Factor, Level, Own};
use orchestrate::workload::Kind;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncCommands as _, AsyncConnectionConfig, Client, Commands as _, ConnectionAddr, IntoConnectionInfo as _,
};
use tempfile::TempDir;
use wait4::Wait4 as _;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// The share of the bare loop's speed that the driver must reach.
fn wanted(mode: &str) -> f64 {
    if mode == QUEUE { 0.95 } else { 0.98 }
}

/// Modes and workers.
const LOADS: [(&str, u32); 6] =
    [("sync", 1), ("sync", 100), ("sync", 1000), ("sync", 4000), ("async", 100), (QUEUE, 1)];
/// In place of a mode: the workload `queue` of the mode `sync`.
const QUEUE: &str = "queue";
/// More tasks than any cell has: nobody waits for room.
const NO_BACKLOG: u64 = 100_000_000;
/// The stack of a thread of the bare loop.
const STACK_BYTES: usize = 256 * 1024;

fn main() -> Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["child", cpu, "driver"] => {
            pin(cpu)?;
            Ok(driver::serve(io::stdin().lock(), io::stdout()))
        }
        ["child", cpu, "bare", mode, workers, port, operations] => {
            pin(cpu)?;
            bare(mode, workers.parse()?, port.parse()?, operations.parse()?)?;
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            allow_open_files()?;
            compare(&args)
        }
    }
}

// ---------------------------------------------------------------------------------------- the two sides

/// Waits for a line and says how many nanoseconds the operations then took.
fn bare(mode: &str, workers: u64, port: u16, operations: u64) -> Result<()> {
    let address = ConnectionAddr::Tcp("127.0.0.1".to_owned(), port);
    let settings = TcpSettings::default().set_nodelay(true);
    let client = Client::open(address.into_connection_info()?.set_tcp_settings(settings))?;
    let share = operations / workers;
    let elapsed = match mode {
        "sync" if workers == 1 => {
            let mut connection = client.get_connection()?;
            bare_sync(&mut connection, "t1:w0:", share / 10)?;
            await_go()?;
            let start = Instant::now();
            bare_sync(&mut connection, "t1:0:", share)?;
            start.elapsed()
        }
        "sync" => bare_threads(&client, workers, share)?,
        QUEUE => {
            bare_queue(&client, "t1:wqueue", operations / 10)?;
            await_go()?;
            bare_queue(&client, "t1:queue", operations)?
        }
        "async" => {
            let config = AsyncConnectionConfig::new().set_response_timeout(None);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut connections = Vec::new();
                for _ in 0..workers {
                    connections.push(client.get_multiplexed_async_connection_with_config(&config).await?);
                }
                bare_async(&connections, "w", share / 10).await?;
                await_go()?;
                let start = Instant::now();
                bare_async(&connections, "", share).await?;
                Ok::<_, Box<dyn Error>>(start.elapsed())
            })?
        }
        other => return Err(format!("no bare loop for `{other}`").into()),
    };
    println!("{}", elapsed.as_nanos());
    Ok(())
}

fn await_go() -> Result<()> {
    println!("ready");
    io::stdin().read_line(&mut String::new())?;
    Ok(())
}

fn bare_sync(connection: &mut redis::Connection, stem: &str, operations: u64) -> redis::RedisResult<()> {
    let mut key = stem.as_bytes().to_vec();
    let mut number = itoa::Buffer::new();
    for index in 0..operations {
        let value = number.format(index).as_bytes();
        key.truncate(stem.len());
        key.extend_from_slice(value);
        let () = connection.set(&key[..], value)?;
        let _: Option<Vec<u8>> = connection.get(&key[..])?;
    }
    Ok(())
}

/// A thread pushes tasks, and this one takes them.
fn bare_queue(client: &Client, queue: &'static str, tasks: u64) -> Result<Duration> {
    let (mut pushes, mut takes) = (client.get_connection()?, client.get_connection()?);
    let start = Instant::now();
    let pusher = thread::spawn(move || {
        let mut number = itoa::Buffer::new();
        for index in 0..tasks {
            let () = pushes.lpush(queue, number.format(index))?;
        }
        redis::RedisResult::Ok(())
    });
    for _ in 0..tasks {
        let _: Option<(String, Vec<u8>)> = takes.brpop(queue, 1.0)?;
    }
    pusher.join().map_err(|_| "a thread of the bare loop panicked")??;
    Ok(start.elapsed())
}

/// A thread for each worker. They are all connected and warm before the clock starts.
fn bare_threads(client: &Client, workers: u64, share: u64) -> Result<Duration> {
    let barrier = Arc::new(Barrier::new(workers as usize + 1));
    let mut threads = Vec::new();
    for worker in 0..workers {
        let mut connection = client.get_connection()?;
        let barrier = Arc::clone(&barrier);
        threads.push(thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
            let warm = bare_sync(&mut connection, &format!("t1:w{worker}:"), share / 10);
            barrier.wait();
            barrier.wait();
            warm.and_then(|()| bare_sync(&mut connection, &format!("t1:{worker}:"), share))
        })?);
    }
    barrier.wait();
    await_go()?;
    let start = Instant::now();
    barrier.wait();
    for thread in threads {
        thread.join().map_err(|_| "a thread of the bare loop panicked")??;
    }
    Ok(start.elapsed())
}

/// Each worker needs an open file, in this process and in all that it starts.
fn allow_open_files() -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

async fn bare_async(
    connections: &[redis::aio::MultiplexedConnection],
    infix: &str,
    operations: u64,
) -> Result<()> {
    let tasks = connections.iter().cloned().enumerate().map(|(worker, mut connection)| {
        let stem = format!("t1:{infix}{worker}:");
        tokio::spawn(async move {
            let mut key = stem.as_bytes().to_vec();
            let mut number = itoa::Buffer::new();
            for index in 0..operations {
                let value = number.format(index).as_bytes();
                key.truncate(stem.len());
                key.extend_from_slice(value);
                let () = connection.set(&key[..], value).await?;
                let _: Option<Vec<u8>> = connection.get(&key[..]).await?;
            }
            redis::RedisResult::Ok(())
        })
    });
    // Collected first: all are to run before one is waited for.
    for task in tasks.collect::<Vec<_>>() {
        task.await??;
    }
    Ok(())
}

fn job(mode: &str, workers: u32, port: u16, operations: u64) -> Job {
    let is_queue = mode == QUEUE;
    let mut own = Own::default();
    if is_queue {
        own = Own::defaults();
        own.set(Factor::Backlog, Level::Number(NO_BACKLOG));
        own = own.of(Kind::Queue);
    }
    Job {
        protocol: if is_queue { 2 } else { 1 },
        mode: if is_queue { "sync" } else { mode }.to_owned(),
        server: Endpoint::local(port),
        workload: JobWorkload {
            kind: if is_queue { Kind::Queue } else { Kind::SetGet },
            own,
            operations: Some(operations),
            duration_ns: None,
            value_bytes: None,
            pipeline: 1,
            rate: None,
            verify: true,
        },
        workers,
        key_prefix: "t1:".to_owned(),
        warmup: Warmup::Operations(operations / 10),
        seed: 1,
        delete_keys: false,
        options: Default::default(),
    }
}

// ---------------------------------------------------------------------------------------- their comparison

struct Options {
    pairs: usize,
    seconds: f64,
    /// Bare against bare: shows what this comparison cannot tell apart.
    control: bool,
    cells: Vec<String>,
}

fn parse(args: &[String]) -> Result<Options> {
    let mut options = Options { pairs: 15, seconds: 1.2, control: false, cells: Vec::new() };
    let mut args = args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg {
            // What `cargo bench` says to every benchmark.
            "--bench" => {}
            "--control" => options.control = true,
            "--pairs" => options.pairs = value()?.parse()?,
            "--seconds" => options.seconds = value()?.parse()?,
            word => options.cells.push(word.to_owned()),
        }
    }
    Ok(options)
}

fn compare(args: &[String]) -> Result<ExitCode> {
    let options = parse(args)?;
    println!("mode   workers  placement    bare/s  driver/s    ratio     95% interval  client CPU");
    let mut passed = true;
    for (placement, server_cpu, client_cpu) in placements() {
        for (mode, workers) in LOADS {
            let number = workers.to_string();
            if !options.cells.iter().all(|word| [mode, placement, number.as_str()].contains(&word.as_str())) {
                continue;
            }
            let server = Server::start(&server_cpu)?;
            let cell = Cell { mode, workers, client_cpu: &client_cpu, server: &server };
            let pairs = cell.measure(&options)?;
            let speed = |(bare, driver): &(Side, Side)| driver.rate / bare.rate;
            let cpu = |(bare, driver): &(Side, Side)| driver.cpu_s / bare.cpu_s;
            let (ratio, (low, high)) = (median(pairs.iter().map(speed)), interval(pairs.iter().map(speed)));
            passed &= ratio >= wanted(mode);
            println!(
                "{mode:<6} {workers:>7}  {placement:<9} {:>9.0} {:>9.0} {:>7.2}% {:>7.2}%–{:.2}% {:>8.2}%  {}",
                median(pairs.iter().map(|pair| pair.0.rate)),
                median(pairs.iter().map(|pair| pair.1.rate)),
                ratio * 100.0,
                low * 100.0,
                high * 100.0,
                median(pairs.iter().map(cpu)) * 100.0,
                if ratio >= wanted(mode) { "PASS" } else { "FAIL" },
            );
        }
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One process.
struct Side {
    /// Operations per second.
    rate: f64,
    /// CPU time over its whole life.
    cpu_s: f64,
}

/// One line of the report.
struct Cell<'a> {
    mode: &'static str,
    workers: u32,
    client_cpu: &'a str,
    server: &'a Server,
}

impl Cell<'_> {
    /// Bare and driver, pair by pair.
    fn measure(&self, options: &Options) -> Result<Vec<(Side, Side)>> {
        let operations = self.calibrate(options.seconds)?;
        (0..options.pairs)
            .map(|pair| {
                let driver = || if options.control { self.bare(operations) } else { self.driver(operations) };
                // Whatever changes with time changes sides with every pair.
                if pair % 2 == 0 {
                    let bare = self.bare(operations)?;
                    Ok((bare, driver()?))
                } else {
                    let driver = driver()?;
                    Ok((self.bare(operations)?, driver))
                }
            })
            .collect()
    }

    /// How many operations take this long.
    fn calibrate(&self, seconds: f64) -> Result<u64> {
        let mut operations = 10 * u64::from(self.workers).max(100);
        loop {
            let rate = self.bare(operations)?.rate;
            let wanted = ((rate * seconds) as u64).next_multiple_of(u64::from(self.workers));
            // A short try says little.
            if wanted <= 3 * operations {
                return Ok(wanted);
            }
            operations = wanted.min(20 * operations);
        }
    }

    fn bare(&self, operations: u64) -> Result<Side> {
        let (workers, port) = (self.workers.to_string(), self.server.port.to_string());
        let mut child = Process::start(&[
            "child",
            self.client_cpu,
            "bare",
            self.mode,
            &workers,
            &port,
            &operations.to_string(),
        ])?;
        child.read()?;
        self.server.flush()?;
        child.say("go")?;
        let nanos: u64 = child.read()?.trim().parse()?;
        Ok(Side { rate: operations as f64 * 1e9 / nanos as f64, cpu_s: child.end()? })
    }

    fn driver(&self, operations: u64) -> Result<Side> {
        let mut child = Process::start(&["child", self.client_cpu, "driver"])?;
        child.say(&serde_json::to_string(&job(self.mode, self.workers, self.server.port, operations))?)?;
        child.read()?;
        self.server.flush()?;
        child.say(r#"{"go":true}"#)?;
        let line = child.read()?;
        let DriverEvent::Done(done) = serde_json::from_str(&line)? else { return Err(line.into()) };
        Ok(Side { rate: done.operations as f64 / done.elapsed_ns.as_secs_f64(), cpu_s: child.end()? })
    }
}

/// This executable, started anew as one of the sides; killed when dropped.
struct Process {
    /// Absent when it has ended.
    child: Option<Child>,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(args: &[&str]) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().ok_or("the child has an input")?;
        let output = BufReader::new(child.stdout.take().ok_or("the child has an output")?);
        Ok(Self { child: Some(child), input, output })
    }

    fn say(&mut self, line: &str) -> Result<()> {
        Ok(writeln!(self.input, "{line}")?)
    }

    fn read(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.output.read_line(&mut line)? {
            0 => Err("a child ended too early".into()),
            _ => Ok(line),
        }
    }

    /// Waits for its end; returns the seconds of CPU time that it used.
    fn end(mut self) -> Result<f64> {
        let ended = self.child.take().ok_or("the child has ended")?.wait4()?;
        if !ended.status.success() {
            return Err(format!("a child failed: {}", ended.status).into());
        }
        Ok((ended.rusage.utime + ended.rusage.stime).as_secs_f64())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

/// The order statistics between which the median lies with a probability of at least 95% (by the sign test); the
/// extremes if there are too few values for that.
fn interval(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let sorted = sorted(values);
    let n = sorted.len();
    let (mut term, mut tail, mut rank) = (0.5_f64.powi(n as i32), 0.0, 0);
    while rank < n / 2 && tail + term <= 0.025 {
        tail += term;
        term *= (n - rank) as f64 / (rank + 1) as f64;
        rank += 1;
    }
    let rank = rank.saturating_sub(1);
    (sorted[rank], sorted[n - 1 - rank])
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

// ---------------------------------------------------------------------------------------- the server, and CPUs

/// A redis-server of our own; killed when dropped.
struct Server {
    child: Child,
    port: u16,
    _directory: TempDir,
}

impl Server {
    fn start(cpu: &str) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let before = pin(cpu)?;
        let started = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        unpin(before)?;
        let mut server = Self { child: started?, port, _directory: directory };
        let log = BufReader::new(server.child.stdout.take().ok_or("the server has an output")?);
        if log.lines().map_while(std::result::Result::ok).any(|line| line.contains("accept connections")) {
            Ok(server)
        } else {
            Err(format!("redis-server did not start on port {port}").into())
        }
    }

    fn flush(&self) -> Result<()> {
        let mut connection = Client::open(("127.0.0.1", self.port))?.get_connection()?;
        Ok(redis::cmd("FLUSHALL").arg("SYNC").exec(&mut connection)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(target_os = "linux")]
use linux::{pin, placements, unpin};

#[cfg(target_os = "linux")]
mod linux {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    use super::Result;

    /// Name, CPU of the server, CPU of the client.
    pub(super) fn placements() -> Vec<(&'static str, String, String)> {
        let Ok(allowed) = sched_getaffinity(None) else { return Vec::new() };
        let mut cpus = (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu)).map(|cpu| cpu.to_string());
        let first = cpus.next().unwrap_or_default();
        let mut placements = vec![("same-core", first.clone(), first.clone())];
        placements.extend(cpus.next().map(|second| ("separate-cpus", first, second)));
        placements
    }

    /// Binds this process, and all that it starts, to one CPU; returns what it was allowed before.
    pub(super) fn pin(cpu: &str) -> Result<CpuSet> {
        let before = sched_getaffinity(None)?;
        let mut set = CpuSet::new();
        set.set(cpu.parse()?);
        sched_setaffinity(None, &set)?;
        Ok(before)
    }

    pub(super) fn unpin(before: CpuSet) -> Result<()> {
        Ok(sched_setaffinity(None, &before)?)
    }
}

#[cfg(not(target_os = "linux"))]
use elsewhere::{pin, placements, unpin};

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::Result;

    pub(super) fn placements() -> Vec<(&'static str, String, String)> {
        vec![("free", String::new(), String::new())]
    }

    /// What a process is allowed where nothing can be forbidden.
    pub(super) struct Everything;

    pub(super) fn pin(_cpu: &str) -> Result<Everything> {
        Ok(Everything)
    }

    pub(super) fn unpin(_before: Everything) -> Result<()> {
        Ok(())
    }
}
