"""What every Python driver has in common: the driver protocol around a loop that calls a client library.

A script that imports this brings the library: how to connect, what to do with a connection, how to delete keys. What
is here reads the job, warms up, says `ready`, waits for `go`, paces, takes the time of every operation, verifies, and
says `done` or `failed`, as docs/protocols.md has it. It imports nothing but the standard library, and never redis.

A loop reads like code that has nothing to do with measuring:

    for key, value in worker.operations():
        r.set(key, value)
        fetched = r.get(key)
        worker.check(fetched)

The clock is read twice an operation: when the key and the value are ready, before the loop gets them, and in `check`,
before the replies are looked at. What lies between the two belongs to the client library and the server.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import platform
import random
import resource
import select
import string
import sys
import threading
import time
from array import array
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from time import monotonic_ns
from typing import Any, AsyncIterator, Callable, Iterator, NamedTuple

PROTOCOL = 1

# A longer line is an error.
MAX_LINE = 16 * 1024 * 1024

# So many keys are deleted by one command.
DELETE_BATCH = 1000

# Nobody waits longer than this, in seconds, without looking whether another worker has failed.
LONGEST_WAIT = 0.1

# So many decimal digits of the index stand in a value of a given size; the rest of it is filler.
VALUE_DIGITS = 12

# Of a value that is not the right one, this much is shown.
SHOWN = 40


class Failure(Exception):
    """Why a driver gives up: one of the protocol's kinds, and a sentence."""

    def __init__(self, kind: str, error: str) -> None:
        super().__init__(error)
        self.kind = kind


class Mode(NamedTuple):
    """What a script tells of the mode that its arguments chose."""

    client: str
    runtime: str
    can_pipeline: bool
    crew: Crew


def serve(choose_mode: Callable[[], Mode]) -> None:
    """Carries out one job. Does not return: the process is over."""
    try:
        job = read_job()
        mode = choose_mode()
        if job.pipeline > 1 and not mode.can_pipeline:
            raise Failure("unsupported", f"`{job.mode}` cannot pipeline (asked for {job.pipeline})")
        exit_when_input_closes()
        event, status = carry_out(job, mode), 0
    except Failure as failure:
        event, status = {"event": "failed", "kind": failure.kind, "error": str(failure)}, 1
    work_is_over.set()
    say(event)
    # Everything has been said. Closing every connection and taking down the interpreter would only take time.
    os._exit(status)


def carry_out(job: Job, mode: Mode) -> dict:
    """Connects, warms up, and does the work; what there is to say of it."""
    crew = mode.crew
    allow_open_files(job.workers)
    crew.connect(job)

    warmup = Phase(job, job.warmup, infix="w")
    work(warmup, crew, crew.workers(warmup))

    phase = Phase(job, job.amount, rate=job.rate)
    workers = crew.workers(phase)
    say({"event": "ready", "client": mode.client, "runtime": mode.runtime, "workers": job.workers})
    await_go()
    work(phase, crew, workers)
    return summary(phase, workers)


def work(phase: Phase, crew: Crew, workers: list[Worker]) -> None:
    """Has the workers work through a phase. Their keys are deleted after a failure too, but then it is that failure
    that is told."""
    phase.start()
    crew.work(workers)
    if phase.job.delete_keys:
        try:
            crew.delete(key for worker in workers for key in worker.keys())
        except Failure as failure:
            phase.fail(failure)
    if phase.failure:
        raise phase.failure


def summary(phase: Phase, workers: list[Worker]) -> dict:
    done = {
        "event": "done",
        "elapsed_ns": max(worker.last_reply or phase.began for worker in workers) - phase.began,
        "operations": sum(worker.done for worker in workers),
        "errors": 0,
        "latency": histogram(workers),
    }
    if phase.rate:
        done["max_lag_ns"] = max(worker.max_lag for worker in workers)
    return done


def histogram(workers: list[Worker]) -> list[tuple[int, int]]:
    """How often there was which latency, to three significant digits."""
    counts: Counter[int] = Counter()
    for worker in workers:
        for latency, count in Counter(worker.latencies).items():
            step = 10 ** max(0, len(str(latency)) - 3)
            counts[latency // step * step] += count
    return sorted(counts.items())


# --------------------------------------------------------------------------------------- what is asked for


class Server(NamedTuple):
    host: str
    port: int
    unix_socket: str | None
    password: str | None

    def __str__(self) -> str:
        return self.unix_socket or f"{self.host}:{self.port}"


class Amount(NamedTuple):
    """One of the two is given."""

    operations: int | None
    duration_ns: int | None


class Job(NamedTuple):
    mode: str
    server: Server
    amount: Amount
    value_bytes: int | None
    pipeline: int
    rate: int | None
    verify: bool
    workers: int
    key_prefix: str
    warmup: Amount
    seed: int
    delete_keys: bool


def read_job() -> Job:
    line = read_line()
    if not line:
        raise Failure("protocol", "the input ended before a job came")
    try:
        return parse_job(json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Failure("protocol", f"this is no job: {describe(error)}") from error


def parse_job(job: dict) -> Job:
    """Fields that are not known are ignored."""
    if job["protocol"] != PROTOCOL:
        versions = f"the job is of protocol version {job['protocol']}, this driver speaks version {PROTOCOL}"
        raise Failure("protocol", versions)
    workload, server = job["workload"], job["server"]
    if workload["kind"] != "set-get":
        raise Failure("unsupported", f"this driver knows no workload of kind `{workload['kind']}`")
    parsed = Job(
        mode=take(job, "mode", str),
        server=Server(
            host=take(server, "host", str),
            port=take(server, "port", int),
            unix_socket=take_optional(server, "unix_socket", str),
            password=take_optional(server, "password", str),
        ),
        amount=take_amount(workload),
        value_bytes=take_optional(workload, "value_bytes", int),
        pipeline=take(workload, "pipeline", int),
        rate=take_optional(workload, "rate", int),
        verify=take(workload, "verify", bool),
        workers=take(job, "workers", int),
        key_prefix=take(job, "key_prefix", str),
        warmup=take_amount(job["warmup"]),
        seed=take(job, "seed", int),
        delete_keys=take(job, "delete_keys", bool),
    )
    if 0 in (parsed.workers, parsed.pipeline, parsed.rate):
        raise Failure("protocol", "workers, pipeline and rate must be at least 1")
    return parsed


def take(table: dict, name: str, kind: type) -> Any:
    value = table[name]
    # Not isinstance: true and false are integers in Python.
    if type(value) is not kind or (kind is int and value < 0):
        raise ValueError(f"`{name}` is {json.dumps(value)[:SHOWN]}")
    return value


def take_optional(table: dict, name: str, kind: type) -> Any:
    return None if table.get(name) is None else take(table, name, kind)


def take_amount(table: dict) -> Amount:
    amount = Amount(take_optional(table, "operations", int), take_optional(table, "duration_ns", int))
    if (amount.operations is None) == (amount.duration_ns is None):
        raise ValueError("it must name either operations or a duration")
    return amount


# --------------------------------------------------------------------------------------- what is done


class Phase:
    """One stretch of work for all workers, the warm-up or the measured part.

    The warm-up has keys of its own, and no rate even if the measured part has one: it is there to get warm.
    """

    def __init__(self, job: Job, amount: Amount, infix: str = "", rate: int | None = None) -> None:
        self.job = job
        self.amount = amount
        self.infix = infix
        self.rate = rate
        self.began = 0
        self.deadline = math.inf
        self.failure: Failure | None = None

    def start(self) -> None:
        self.began = monotonic_ns()
        if self.amount.duration_ns is not None:
            self.deadline = self.began + self.amount.duration_ns

    def fail(self, failure: Failure) -> None:
        """A worker gives up, and so do all others at their next operation. The first failure is the one that counts."""
        self.failure = self.failure or failure


class Worker:
    """One worker's way through a phase: which operation is next, when, and what came back."""

    def __init__(self, phase: Phase, number: int) -> None:
        job = phase.job
        self.phase = phase
        self.number = number
        self.stem = f"{job.key_prefix}{phase.infix}{number}:"
        self.filler = filler(self.stem, job.value_bytes, job.seed)
        self.share = share(phase.amount.operations, job.workers, number)
        self.batch: list[tuple[str, str]] = []
        self.batch_began = 0
        # Operations of which at least the request may have been sent, and those whose reply has come.
        self.begun = 0
        self.done = 0
        # Eight bytes an operation; they are counted when nothing is timed any more.
        self.latencies = array("q")
        self.last_reply: int | None = None
        self.max_lag = 0

    def key(self, index: int) -> str:
        return f"{self.stem}{index}"

    def value(self, index: int) -> str:
        size = self.phase.job.value_bytes
        if size is None:
            return f"{index}"
        value = f"{self.filler}{index:0{VALUE_DIGITS}}"
        return value[len(value) - size :]

    def keys(self) -> Iterator[str]:
        """Every key that may have been written."""
        return map(self.key, range(self.begun))

    def begin(self) -> float | None:
        """Begins the next operations that share a round trip, and returns 0. If it is too early for them it returns
        the seconds to wait before asking again; if there are none it returns None."""
        phase, first = self.phase, self.begun
        if first == self.share or phase.failure:
            return None
        last = min(first + phase.job.pipeline, self.share)
        self.batch = [(self.key(index), self.value(index)) for index in range(first, last)]
        self.batch_began = now = monotonic_ns()
        if now >= phase.deadline:
            return None
        if phase.rate:
            due = self.due(first)
            # What is due after the end is not waited for.
            if due >= phase.deadline:
                return None
            if now < due:
                return min((due - now) / 1e9, LONGEST_WAIT)
            self.max_lag = max(self.max_lag, now - due)
            # Had it been begun in time, it would have had to wait from then on.
            self.batch_began = due
        self.begun = last
        return 0

    def due(self, index: int) -> int:
        """When the batch that begins with this index is to begin. Batches are dealt out to the workers in turn: with
        a pipeline of 1 worker w does the operations w, w + workers, w + 2 × workers and so on."""
        job = self.phase.job
        batch = index // job.pipeline * job.workers + self.number
        return self.phase.began + batch * job.pipeline * 1_000_000_000 // self.phase.rate

    def check(self, *fetched: str | None) -> None:
        """Ends the batch: what its GETs fetched, in order, must be what was stored."""
        now = monotonic_ns()
        for _ in self.batch:
            self.latencies.append(now - self.batch_began)
        self.last_reply = now
        self.done += len(self.batch)
        if self.phase.job.verify:
            self.verify(fetched)

    def verify(self, fetched: tuple[str | None, ...]) -> None:
        if len(fetched) != len(self.batch):
            raise Failure("verification", f"{len(fetched)} replies to {len(self.batch)} GETs")
        for (key, value), reply in zip(self.batch, fetched):
            if reply != value:
                got = "nothing" if reply is None else shown(reply)
                error = f"GET of {shown(key)} returned {got} where {shown(value)} was stored"
                raise Failure("verification", error)


class ThreadWorker(Worker):
    """A worker that waits by sleeping."""

    def batches(self) -> Iterator[list[tuple[str, str]]]:
        while (wait := self.begin()) is not None:
            if wait:
                time.sleep(wait)
            else:
                yield self.batch

    def operations(self) -> Iterator[tuple[str, str]]:
        for [operation] in self.batches():
            yield operation


class TaskWorker(Worker):
    """A worker that lets others go on while it waits."""

    async def batches(self) -> AsyncIterator[list[tuple[str, str]]]:
        while (wait := self.begin()) is not None:
            if wait:
                await asyncio.sleep(wait)
            else:
                yield self.batch

    async def operations(self) -> AsyncIterator[tuple[str, str]]:
        async for [operation] in self.batches():
            yield operation


def share(operations: int | None, workers: int, number: int) -> float:
    if operations is None:
        return math.inf
    return operations // workers + (number < operations % workers)


def filler(stem: str, size: int | None, seed: int) -> str:
    """Letters that look random, as a server that compresses would find nothing to gain in real data either, and that
    depend on the stem, so that no two workers store the same."""
    letters = string.ascii_lowercase.encode()
    table = bytes(letters[byte % len(letters)] for byte in range(256))
    source = random.Random(f"{seed}:{stem}")
    size = max(0, (size or 0) - VALUE_DIGITS)
    blocks = (source.getrandbits(8 * 4096).to_bytes(4096, "little") for _ in range(0, size, 4096))
    return b"".join(blocks)[:size].translate(table).decode()


def shown(text: str) -> str:
    """In quotes, with what is not printable escaped and what is too long left out."""
    more = f"… ({len(text.encode())} bytes)" if len(text) > SHOWN else ""
    return f'"{ascii(text[:SHOWN])[1:-1]}"{more}'


# --------------------------------------------------------------------------------------- who does it


class Crew:
    """All workers, each with a connection of its own.

    `connect(server)` returns a connection that is open, `loop(connection, worker)` does the worker's operations,
    `delete(connection, keys)` deletes these keys, and `is_lost(error)` tells whether an exception of the library means
    that the server is out of reach.
    """

    def __init__(self, connect: Callable, loop: Callable, delete: Callable, is_lost: Callable) -> None:
        self._connect = connect
        self._loop = loop
        self._delete = delete
        self._is_lost = is_lost

    def connect(self, job: Job) -> None:
        raise NotImplementedError

    def workers(self, phase: Phase) -> list[Worker]:
        raise NotImplementedError

    def work(self, workers: list[Worker]) -> None:
        """Returns when every worker has come to its end. What failed stands in the phase."""
        raise NotImplementedError

    def delete(self, keys: Iterator[str]) -> None:
        raise NotImplementedError

    def _failure(self, what: str, error: Exception) -> Failure:
        if isinstance(error, Failure):
            kind = error.kind
        elif isinstance(error, UnicodeDecodeError):
            # Nothing that was stored looks like this.
            kind = "verification"
        elif isinstance(error, (OSError, EOFError)) or self._is_lost(error):
            kind = "connection"
        else:
            kind = "other"
        return Failure(kind, f"{what}: {describe(error)}")

    def _not_connected(self, error: Exception) -> Failure:
        return Failure("connection", f"failed to connect to {self._server}: {describe(error)}")


class Threads(Crew):
    """A thread for each worker. The functions block."""

    def connect(self, job: Job) -> None:
        self._server = job.server
        self._connections = [self._connection() for _ in range(job.workers)]
        # The main thread is one of them, so that one worker needs no second thread. The others are all started here:
        # later, it would be in the measured part.
        self._pool = ThreadPoolExecutor(max(1, job.workers - 1))
        everybody = threading.Barrier(job.workers)
        for _ in range(1, job.workers):
            self._pool.submit(everybody.wait)
        everybody.wait()

    def workers(self, phase: Phase) -> list[Worker]:
        return [ThreadWorker(phase, number) for number in range(phase.job.workers)]

    def work(self, workers: list[Worker]) -> None:
        mine, *others = zip(self._connections, workers)
        pending = [self._pool.submit(self._work, *other) for other in others]
        self._work(*mine)
        for other in pending:
            other.result()

    def delete(self, keys: Iterator[str]) -> None:
        # On a connection of its own: that of a worker may be what failed.
        connection = self._connection()
        try:
            for some in chunks(keys, DELETE_BATCH):
                self._delete(connection, some)
        except Exception as error:
            raise self._failure("deleting the keys", error) from error

    def _connection(self) -> Any:
        try:
            return self._connect(self._server)
        except Exception as error:
            raise self._not_connected(error) from error

    def _work(self, connection: Any, worker: Worker) -> None:
        try:
            self._loop(connection, worker)
        except Exception as error:
            worker.phase.fail(self._failure(f"worker {worker.number}", error))


class Tasks(Crew):
    """A task for each worker, all on one event loop. The functions are coroutine functions."""

    def __init__(self, event_loop: asyncio.AbstractEventLoop, *functions: Callable) -> None:
        super().__init__(*functions)
        self._run = event_loop.run_until_complete

    def connect(self, job: Job) -> None:
        async def connect_all() -> list:
            return await asyncio.gather(*(self._connection() for _ in range(job.workers)))

        self._server = job.server
        self._connections = self._run(connect_all())

    def workers(self, phase: Phase) -> list[Worker]:
        return [TaskWorker(phase, number) for number in range(phase.job.workers)]

    def work(self, workers: list[Worker]) -> None:
        async def work_all() -> None:
            await asyncio.gather(*map(self._work, self._connections, workers))

        self._run(work_all())

    def delete(self, keys: Iterator[str]) -> None:
        async def delete_all() -> None:
            connection = await self._connection()
            try:
                for some in chunks(keys, DELETE_BATCH):
                    await self._delete(connection, some)
            except Exception as error:
                raise self._failure("deleting the keys", error) from error

        self._run(delete_all())

    async def _connection(self) -> Any:
        try:
            return await self._connect(self._server)
        except Exception as error:
            raise self._not_connected(error) from error

    async def _work(self, connection: Any, worker: Worker) -> None:
        try:
            await self._loop(connection, worker)
        except Exception as error:
            worker.phase.fail(self._failure(f"worker {worker.number}", error))


def chunks(keys: Iterator[str], size: int) -> Iterator[list[str]]:
    while some := list(islice(keys, size)):
        yield some


def allow_open_files(workers: int) -> None:
    """As many as `workers` need, if the system allows it. Where it does not, connecting says so."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = workers + 64
    if soft != resource.RLIM_INFINITY and soft < wanted:
        if hard != resource.RLIM_INFINITY:
            wanted = min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


# --------------------------------------------------------------------------------------- input and output


work_is_over = threading.Event()


def exit_when_input_closes() -> None:
    """From now on the process ends at once when its input closes, whatever it is doing."""

    def watch() -> None:
        # A pipe always tells when it is closed, a socket if it is asked to. What comes in is left for who reads it.
        poll = select.poll()
        poll.register(sys.stdin.fileno(), getattr(select, "POLLRDHUP", 0))
        poll.poll()
        os._exit(0 if work_is_over.is_set() else 1)

    threading.Thread(target=watch, daemon=True).start()


def await_go() -> None:
    line = read_line()
    if not line:
        os._exit(1)
    try:
        go = json.loads(line)
    except ValueError:
        go = None
    if not isinstance(go, dict) or go.get("go") is not True:
        raise Failure("protocol", f"expected {json.dumps({'go': True})}, got {line.strip()[:SHOWN]}")


def read_line() -> str:
    """The next line; an empty one at the end of the input."""
    line = sys.stdin.buffer.readline(MAX_LINE + 2)
    if len(line.rstrip(b"\n")) > MAX_LINE:
        raise Failure("protocol", f"a line is longer than {MAX_LINE} bytes")
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise Failure("protocol", f"a line is not UTF-8: {error}") from error


def say(event: dict) -> None:
    line = json.dumps(event, separators=(",", ":"))
    try:
        print(line, flush=True)
    except OSError:
        # Nobody listens any more.
        os._exit(1)


def describe(error: Exception) -> str:
    """What an exception says, or else its name; those of Python itself, a KeyError above all, say little without it."""
    text = str(error)
    return text if text and not isinstance(error, LookupError) else repr(error)


def python() -> str:
    """The interpreter with its version."""
    version = platform.python_version()
    if sys.implementation.name == "pypy":
        major, minor, micro = sys.pypy_version_info[:3]  # type: ignore[attr-defined]
        return f"PyPy {major}.{minor}.{micro} (Python {version})"
    return f"{platform.python_implementation()} {version}"
