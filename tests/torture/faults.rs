//! The bad things that happen, one function for each kind, and what every case does after them.

use std::fmt;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::ops::AddAssign;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rustix::process::Signal;

use crate::invariants::{Wrongs, complete, nobody_left};
use crate::place::{Foreigner, PATIENCE, Place, Size, read, shim};
use crate::waiting::{Changes, process};

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// SIGKILL for the coordinator, the agent, a driver, its worker or a server.
    Kill,
    /// SIGSTOP and SIGCONT for one of them, or SIGINT or SIGTERM for the coordinator.
    Stop,
    /// A disk that fills up.
    Disk,
    /// A journal that ends in the middle of one of its last records.
    Truncation,
    /// A wall clock that jumps.
    Clock,
    /// A file or a directory that somebody takes away.
    Removal,
    /// Ports that somebody else has.
    Ports,
    /// A second coordinator of the same experiment.
    Pair,
}

impl Kind {
    pub(crate) const ALL: [Self; 8] = [
        Self::Kill,
        Self::Stop,
        Self::Disk,
        Self::Truncation,
        Self::Clock,
        Self::Removal,
        Self::Ports,
        Self::Pair,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Kill => "KILLS",
            Self::Stop => "STOPS",
            Self::Disk => "DISKS",
            Self::Truncation => "TRUNCATIONS",
            Self::Clock => "CLOCKS",
            Self::Removal => "REMOVALS",
            Self::Ports => "PORTS",
            Self::Pair => "PAIRS",
        }
    }

    /// How many of them a long run has.
    pub(crate) const fn usual(self) -> usize {
        match self {
            Self::Kill => 1000,
            Self::Stop | Self::Disk => 200,
            // Every byte of the last records, of which there are fewer.
            Self::Truncation => 4000,
            Self::Clock | Self::Removal => 100,
            Self::Pair => 50,
            Self::Ports => 20,
        }
    }
}

/// What was done, and what went wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Done {
    counts: [usize; 8],
    complete: usize,
    wrongs: Wrongs,
}

impl Done {
    fn count(&mut self, kind: Kind) {
        self.counts[kind as usize] += 1;
    }

    /// How many faults of a kind there were.
    pub(crate) fn of(&self, kind: Kind) -> usize {
        self.counts[kind as usize]
    }
}

impl AddAssign for Done {
    fn add_assign(&mut self, other: Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.complete += other.complete;
        self.wrongs.lost += other.wrongs.lost;
        self.wrongs.doubled += other.wrongs.doubled;
        self.wrongs.left += other.wrongs.left;
        self.wrongs.touched += other.wrongs.touched;
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for kind in Kind::ALL {
            write!(f, "{} {}, ", kind.name().to_lowercase(), self.of(kind))?;
        }
        let Wrongs { lost, doubled, left, touched } = self.wrongs;
        let complete = self.complete;
        write!(f, "runs completed {complete}; lost {lost}, doubled {doubled}, left {left}, touched {touched}")
    }
}

/// One case from its beginning to its last check.
pub(crate) fn case(
    kind: Kind,
    index: usize,
    mut rng: ChaCha8Rng,
    foreigner: &mut Foreigner,
) -> (Done, Result<(), String>) {
    let mut done = Done::default();
    let size = if kind == Kind::Truncation { Size::Small } else { Size::Full };
    let mut place = Place::new(size, foreigner);
    let outcome = match kind {
        Kind::Kill | Kind::Stop | Kind::Removal | Kind::Pair => {
            disturbed(kind, &mut place, &mut rng, &mut done)
        }
        Kind::Disk => full(&mut place, &mut rng, &mut done),
        Kind::Truncation => cut(&place, index, &mut rng, &mut done),
        Kind::Clock => stepped(&mut place, &mut rng, &mut done),
        Kind::Ports => taken(&place, &mut done),
    };
    let planned = match kind {
        Kind::Truncation => 2,
        Kind::Ports => 4,
        _ => PLANNED,
    };
    let outcome = outcome.and_then(|()| finish(&place)).and_then(|()| {
        done.complete += 1;
        complete(&place, planned, foreigner, &mut done.wrongs)
    });
    (done, outcome)
}

/// Gives the same command until the run is complete.
fn finish(place: &Place) -> Result<(), String> {
    if is_complete(place) {
        return sweep(place);
    }
    for _ in 0..6 {
        let code = place.wait(&mut place.start(&["torture.toml"]))?;
        nobody_left(place)?;
        match code {
            Some(0) => return Ok(()),
            // Trials that failed are tried again; a server or a host may come back.
            Some(1 | 3) => {}
            other => return Err(format!("exit code {other:?} without a fault\n{}", place.output())),
        }
    }
    Err(format!("the same command does not complete the run\n{}", place.output()))
}

/// Whether nothing is left to do: the journal tells of the end, and the tables are there.
fn is_complete(place: &Place) -> bool {
    let Some(journal) = place.journal() else { return false };
    let text = read(&journal);
    let last = text.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty());
    // The exit code was that of a complete run: a coordinator that was killed behind the end lacks its tables.
    last.is_some_and(|line| line.starts_with(b"{\"end\":{\"why\":\"complete\""))
        && place.sandbox.path().join("complete").exists()
}

/// An agent that was killed could not remove its directory: the next one does.
fn sweep(place: &Place) -> Result<(), String> {
    fs::write(
        place.sandbox.path().join("sweep.toml"),
        "name = 'sweep'\n[workload]\noperations = 1\n[[matrix]]\nmodes = 'sync'\n[run]\nrepetitions = 1\nwarmup = 0\n",
    )
    .map_err(|error| error.to_string())?;
    match place.wait(&mut place.start(&["sweep.toml"]))? {
        Some(0) => Ok(()),
        other => Err(format!("exit code {other:?} of another experiment\n{}", place.output())),
    }
}

/// Comes back at a random moment of a run: somewhere between two attempts, or somewhere in its first second. False if it
/// ended before.
fn wait_for_a_moment(place: &Place, child: &mut Child, rng: &mut ChaCha8Rng) -> bool {
    let wanted = if rng.random_bool(0.7) { rng.random_range(0..18) } else { 0 };
    let mut pause = Duration::from_micros(rng.random_range(0..30_000));
    if wanted == 0 {
        pause = Duration::from_micros(rng.random_range(0..900_000));
    }
    if wanted > 0 && !wait_for_attempts(place, child, place.attempts() + wanted) {
        return false;
    }
    std::thread::sleep(pause);
    matches!(child.try_wait(), Ok(None))
}

/// Waits until the journal has so many attempts, or all but the last one. False if the run ended before.
fn wait_for_attempts(place: &Place, child: &mut Child, wanted: usize) -> bool {
    let changes = Changes::new();
    loop {
        // First of all, so that nothing is missed of what happens from now on.
        let above = ["", "results", "results/torture"];
        above.iter().for_each(|directory| changes.watch(&place.sandbox.path().join(directory), false));
        place.sandbox.runs("torture").iter().for_each(|run| changes.watch(run, true));
        if place.attempts() >= wanted.min(PLANNED - 1) {
            return true;
        }
        if !matches!(child.try_wait(), Ok(None)) {
            return false;
        }
        // Nobody has waited for it, so that its number is still its own.
        let Some(run) = process(child.id().cast_signed()) else { return false };
        changes.wait(&run, PATIENCE);
    }
}

/// Starts the command again and again, and does one bad thing to each.
fn disturbed(kind: Kind, place: &mut Place, rng: &mut ChaCha8Rng, done: &mut Done) -> Result<(), String> {
    for _ in 0..rng.random_range(1..=3) {
        let mut run = place.start(&["torture.toml"]);
        if wait_for_a_moment(place, &mut run, rng) {
            let happened = match kind {
                Kind::Kill => kill(place, &run, rng),
                Kind::Stop => stop(place, &run, rng),
                Kind::Removal => remove(place, rng)?,
                _ => second(place, rng)?,
            };
            if happened {
                done.count(kind);
            }
        }
        let code = place.wait(&mut run)?;
        restore(place)?;
        nobody_left(place)?;
        match code {
            Some(0) => {
                // The same command would begin a new run now.
                fs::write(place.sandbox.path().join("complete"), "").map_err(|error| error.to_string())?;
                return Ok(());
            }
            None | Some(1 | 3 | 130) => {}
            // A journal that somebody replaced, or an experiment that somebody changed, is not gone on with.
            Some(2) if kind == Kind::Removal => {}
            other => return Err(format!("exit code {other:?}\n{}", place.output())),
        }
    }
    Ok(())
}

/// Words by which the parts of a run are known, and the one part to hit.
const PARTS: [&str; 5] = ["torture.toml", " agent", " driver", "redis-server", "worker.py"];

fn kill(place: &Place, run: &Child, rng: &mut ChaCha8Rng) -> bool {
    hit(place, run, rng, |place, pid, words, _| place.signal(pid, words, Signal::KILL))
}

fn hit(
    place: &Place,
    run: &Child,
    rng: &mut ChaCha8Rng,
    what: impl Fn(&Place, i32, &str, &mut ChaCha8Rng) -> bool,
) -> bool {
    let words = PARTS[rng.random_range(0..PARTS.len())];
    if words == PARTS[0] {
        return what(place, run.id().cast_signed(), words, rng);
    }
    // A driver lives for milliseconds: the first one that comes by. Nothing tells of a new process but another look.
    for _ in 0..200 {
        let found = place.sandbox.processes().into_iter().find(|(pid, command)| {
            command.contains(words)
                && *pid != run.id().cast_signed()
                && !(words == " driver" && command.contains(" agent"))
        });
        if let Some((pid, _)) = found
            && what(place, pid, words, rng)
        {
            return true;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    false
}

fn stop(place: &Place, run: &Child, rng: &mut ChaCha8Rng) -> bool {
    if rng.random_bool(0.4) {
        let signal = if rng.random_bool(0.5) { Signal::INT } else { Signal::TERM };
        let stopped = place.signal(run.id().cast_signed(), PARTS[0], signal);
        if rng.random_bool(0.2) {
            std::thread::sleep(Duration::from_micros(rng.random_range(0..20_000)));
            place.signal(run.id().cast_signed(), PARTS[0], signal);
        }
        return stopped;
    }
    hit(place, run, rng, |place, pid, words, rng| {
        let stopped = place.signal(pid, words, Signal::STOP);
        if stopped {
            std::thread::sleep(Duration::from_millis(rng.random_range(1..400)));
            place.signal(pid, words, Signal::CONT);
        }
        stopped
    })
}

/// Takes something away from a run. What is only renamed is put back by [`restore`].
fn remove(place: &Place, rng: &mut ChaCha8Rng) -> Result<bool, String> {
    let broken = |error: std::io::Error| error.to_string();
    let Some(journal) = place.journal() else { return Ok(false) };
    let run = journal.parent().expect("a journal is in a directory");
    let away = place.sandbox.path().join("away");
    match rng.random_range(0..8) {
        0 | 1 => {
            fs::write(place.sandbox.path().join("back"), run.display().to_string()).map_err(broken)?;
            fs::rename(run, &away).map_err(broken)?;
        }
        2 => fs::remove_dir_all(run).map_err(broken)?,
        3 => fs::remove_file(&journal).map_err(broken)?,
        4 => fs::remove_file(run.join(".lock")).map_err(broken)?,
        5 => {
            let _ = fs::remove_file(run.join("experiment.toml"));
        }
        6 => {
            // The lock of the host.
            let _ = fs::remove_file(place.sandbox.path().join("tmp/orchestrate.lock"));
        }
        _ => {
            // What the agent has among temporary files: directories and sockets of its servers.
            let all = fs::read_dir(place.sandbox.path().join("tmp")).map_err(broken)?;
            for path in all.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
                let _ = fs::remove_dir_all(path);
            }
        }
    }
    Ok(true)
}

fn restore(place: &Place) -> Result<(), String> {
    let back = place.sandbox.path().join("back");
    if let Ok(run) = fs::read_to_string(&back) {
        fs::remove_file(&back).map_err(|error| error.to_string())?;
        if Path::new(&run).exists() {
            return Err(format!("{run} is there again, though it was taken away\n{}", place.output()));
        }
        fs::rename(place.sandbox.path().join("away"), run).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// The same command a second time, while the first one is at work: the one or the other gets through, or one after the other.
fn second(place: &Place, rng: &mut ChaCha8Rng) -> Result<bool, String> {
    let fresh: &[&str] = if rng.random_bool(0.2) { &["--fresh", "torture.toml"] } else { &["torture.toml"] };
    let code = place.wait(&mut place.start(fresh))?;
    match code {
        Some(0 | 3) => Ok(true),
        other => Err(format!("exit code {other:?} of the second one\n{}", place.output())),
    }
}

/// A disk that is full at some byte, for the coordinator, for the agent and its servers, or for all of them.
fn full(place: &mut Place, rng: &mut ChaCha8Rng, done: &mut Done) -> Result<(), String> {
    let name = if rng.random_bool(0.75) { "results" } else { "tmp" };
    if rng.random_bool(0.5) && place.mount(name, 4 << 20) {
        return full_disk(place, name, rng, done);
    }
    let Some(shim) = shim() else {
        assert!(std::env::var_os("CI").is_none(), "this test needs a C compiler");
        return Ok(());
    };
    for _ in 0..rng.random_range(1..=3) {
        let (role, most) = if rng.random_bool(0.8) { ("coordinator", 300_000) } else { ("agent", 2_000) };
        // Up to the first byte, up to the tables, and everything in between.
        let bytes = if rng.random_bool(0.3) { rng.random_range(0..4_000) } else { rng.random_range(0..most) };
        place.environment =
            [("LD_PRELOAD", shim.display().to_string()), ("TORTURE_DISK", format!("{role}:{bytes}"))].into();
        let code = place.wait(&mut place.start(&["torture.toml"]))?;
        place.environment.clear();
        done.count(Kind::Disk);
        nobody_left(place)?;
        match code {
            Some(0) => {
                fs::write(place.sandbox.path().join("complete"), "").map_err(|error| error.to_string())?;
                return Ok(());
            }
            Some(1 | 3) => {}
            other => {
                return Err(format!(
                    "exit code {other:?} on a full disk ({role}, {bytes})\n{}",
                    place.output()
                ));
            }
        }
        expect_no_empty_directory(place)?;
    }
    Ok(())
}

/// A run that could not begin leaves nothing.
fn expect_no_empty_directory(place: &Place) -> Result<(), String> {
    let without = place.sandbox.runs("torture").into_iter().find(|run| !run.join("journal.jsonl").is_file());
    match without {
        Some(run) => Err(format!("{} was left without a journal\n{}", run.display(), place.output())),
        None => Ok(()),
    }
}

/// A real disk that somebody fills and empties again.
fn full_disk(place: &mut Place, name: &str, rng: &mut ChaCha8Rng, done: &mut Done) -> Result<(), String> {
    let filler = place.sandbox.path().join(name).join("filler");
    for _ in 0..rng.random_range(1..=3) {
        let broken = |error: std::io::Error| error.to_string();
        let fill = |rng: &mut ChaCha8Rng| -> Result<(), String> {
            let mut file = fs::File::create(&filler).map_err(broken)?;
            let block = [0; 4096];
            while file.write_all(&block).is_ok() {}
            let size = file.metadata().map_err(broken)?.len();
            let free = 4096 * rng.random_range(0..12);
            file.set_len(size.saturating_sub(free)).map_err(broken)
        };
        let before = rng.random_bool(0.3);
        if before {
            fill(rng)?;
        }
        let mut run = place.start(&["torture.toml"]);
        if !before && wait_for_a_moment(place, &mut run, rng) {
            fill(rng)?;
        }
        let code = place.wait(&mut run)?;
        if filler.exists() {
            done.count(Kind::Disk);
            fs::remove_file(&filler).map_err(broken)?;
        }
        nobody_left(place)?;
        match code {
            Some(0) => {
                fs::write(place.sandbox.path().join("complete"), "").map_err(broken)?;
                return Ok(());
            }
            Some(1 | 3) => {}
            other => return Err(format!("exit code {other:?} on a full disk ({name})\n{}", place.output())),
        }
        expect_no_empty_directory(place)?;
    }
    Ok(())
}

/// A journal that ends at one byte of its last records. Each case takes the next bytes; a short form takes some at random.
fn cut(place: &Place, index: usize, rng: &mut ChaCha8Rng, done: &mut Done) -> Result<(), String> {
    let broken = |error: std::io::Error| error.to_string();
    if place.wait(&mut place.start(&["torture.toml"]))? != Some(0) {
        return Err(format!("the run does not complete\n{}", place.output()));
    }
    let journal = place.journal().ok_or("no journal")?;
    let whole = read(&journal);
    let lines: Vec<usize> = std::iter::once(0)
        .chain(whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1))
        .collect();
    // The last trial and the end behind it; the last position is the end of the file.
    let from = lines[lines.len() - 3];
    let places = whole.len() - from;
    for step in 0..4 {
        let every = std::env::var_os("TORTURE_EVERY_BYTE").is_some();
        let at = if every { from + (4 * index + step) % places } else { from + rng.random_range(0..places) };
        fs::write(&journal, &whole[..at]).map_err(broken)?;
        for table in ["trials.csv", "run.json"] {
            let _ = fs::remove_file(journal.with_file_name(table));
        }
        let code = place.wait(&mut place.start(&["torture.toml"]))?;
        done.count(Kind::Truncation);
        if code != Some(0) {
            return Err(format!(
                "exit code {code:?} after the journal was cut off at {at}\n{}",
                place.output()
            ));
        }
        let now = read(&journal);
        let kept = whole[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if now.get(..kept) != Some(&whole[..kept]) {
            return Err(format!("what was before the cut at {at} is not as it was"));
        }
        let trials = now.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{\"trial\"")).count();
        if trials != 2 || place.sandbox.runs("torture").len() != 1 {
            return Err(format!("{trials} trials after the cut at {at}\n{}", place.output()));
        }
    }
    fs::write(place.sandbox.path().join("complete"), "").map_err(broken)
}

/// A wall clock that jumps while a run is at work.
fn stepped(place: &mut Place, rng: &mut ChaCha8Rng, done: &mut Done) -> Result<(), String> {
    let Some(shim) = shim() else {
        assert!(std::env::var_os("CI").is_none(), "this test needs a C compiler");
        return Ok(());
    };
    let broken = |error: std::io::Error| error.to_string();
    let clock = place.sandbox.path().join("clock");
    fs::write(&clock, 0_i64.to_ne_bytes()).map_err(broken)?;
    let file = fs::File::options().write(true).open(&clock).map_err(broken)?;
    place.environment =
        [("LD_PRELOAD", shim.display().to_string()), ("TORTURE_CLOCK", clock.display().to_string())].into();
    for _ in 0..rng.random_range(1..=3) {
        let mut run = place.start(&["torture.toml"]);
        if wait_for_a_moment(place, &mut run, rng) {
            // A second, an hour, or a year, forwards or backwards.
            let most = [1_000_000_000_i64, 3_600_000_000_000, 31_536_000_000_000_000][rng.random_range(0..3)];
            let ahead = rng.random_range(-most..most);
            std::os::unix::fs::FileExt::write_all_at(&file, &ahead.to_ne_bytes(), 0).map_err(broken)?;
            done.count(Kind::Clock);
            // With a step alone a run completes; with a kill behind it the next session has another time.
            if rng.random_bool(0.3) {
                kill(place, &run, rng);
            }
        }
        let code = place.wait(&mut run)?;
        nobody_left(place)?;
        match code {
            Some(0) => {
                fs::write(place.sandbox.path().join("complete"), "").map_err(broken)?;
                break;
            }
            None | Some(1 | 3) => {}
            other => {
                return Err(format!("exit code {other:?} after a step of the clock\n{}", place.output()));
            }
        }
    }
    Ok(())
}

/// Hosts whose servers may have one of three ports: with two of them taken a run completes, and with all of them it says so.
fn taken(place: &Place, done: &mut Done) -> Result<(), String> {
    let broken = |error: std::io::Error| error.to_string();
    // Three ports in a row that were free a moment ago.
    let (first, mut listeners) = (0..100)
        .find_map(|_| {
            let one = TcpListener::bind("127.0.0.1:0").ok()?;
            let port = one.local_addr().ok()?.port();
            let two = TcpListener::bind(("127.0.0.1", port.checked_add(1)?)).ok()?;
            let three = TcpListener::bind(("127.0.0.1", port.checked_add(2)?)).ok()?;
            Some((port, vec![one, two, three]))
        })
        .ok_or("no three ports in a row are free")?;
    let host = |name: &str, address: &str| {
        let tmp = place.sandbox.path().join(format!("tmp-{name}"));
        fs::create_dir_all(&tmp).map(|()| {
            format!(
                "[host.{name}]\ntransport = 'command'\nprefix = ['env', 'TMPDIR={}']\nagent = '{}'\n{address}\n",
                tmp.display(),
                env!("CARGO_BIN_EXE_orchestrate")
            )
        })
    };
    let (a, b) = (
        host("a", "").map_err(broken)?,
        host("b", &format!("address = '127.0.0.1:{first}-{}'", first + 2)).map_err(broken)?,
    );
    place.sandbox.write(
        "torture.toml",
        &format!(
            "name = 'torture'\n{a}{b}[workload]\noperations = 20\n[[matrix]]\nhosts = {{ client = 'a', server = 'b' }}\n\
             modes = ['sync', 'async']\n[run]\nrepetitions = 2\nwarmup = 0\n"
        ),
    );
    let code = place.wait(&mut place.start(&["torture.toml"]))?;
    done.count(Kind::Ports);
    if code != Some(3) || !place.output().contains(&first.to_string()) {
        return Err(format!("exit code {code:?} with every port taken\n{}", place.output()));
    }
    nobody_left(place)?;
    expect_no_empty_directory(place)?;
    listeners.remove(1);
    let code = place.wait(&mut place.start(&["torture.toml"]))?;
    done.count(Kind::Ports);
    if code != Some(0) {
        return Err(format!("exit code {code:?} with one port free\n{}", place.output()));
    }
    drop(listeners);
    fs::write(place.sandbox.path().join("complete"), "").map_err(broken)
}

/// A run that is complete, and a place to do to it what no fault may.
pub(crate) fn completed(foreigner: &Foreigner) -> Place {
    let place = Place::new(Size::Full, foreigner);
    assert_eq!(place.wait(&mut place.start(&["torture.toml"])), Ok(Some(0)), "{}", place.output());
    place
}

/// Trials of the experiment.
pub(crate) const PLANNED: usize = 18;
