"""What all drivers in Python have in common: the protocol, the phases of a trial, and the clock.

A driver brings a crew: the connected workers of one client library, and the loop that each of them runs. It reads like
the loop of the article, because the rest is here::

    for i in worker.operations():
        key, value = worker.pair(i)
        r.set(key, value)
        fetched = r.get(key)
        worker.check(fetched, value)

Nothing but the standard library is imported here, and nothing that Python 3.8 does not have.
"""

import array
import collections
import itertools
import json
import os
import platform
import queue
import sys
import threading
import time

PROTOCOL = 1
DELETE_BATCH = 1000
# Of the time of a trial, in each of which operations are counted.
PARTS = 48


class Refusal(Exception):
    """Why a driver gives up: one of the protocol's kinds, and a sentence."""

    def __init__(self, kind, error):
        super().__init__(error)
        self.kind = kind


class Worker:
    """One worker in one phase: which operations it does, what it stores, and how long each took."""

    def __init__(self, job, number, infix, operations, deadline):
        workload = job["workload"]
        self.stem = f"{job['key_prefix']}{infix}{number}:"
        self.begun = 0
        self.latencies = array.array("q")
        self.ends = array.array("q")
        self._operations = operations
        self._deadline = deadline
        self._size = workload["value_bytes"]
        self._verify = workload["verify"]
        self._pipeline = workload["pipeline"]

    def operations(self):
        """The index of each operation. It begins when it is handed out and ends when the next one is asked for.

        Two readings of the clock and two appends are all that is done in between.
        """
        clock, record, end = time.perf_counter_ns, self.latencies.append, self.ends.append
        began = clock()
        if self._deadline is None:
            for i in range(self._operations):
                self.begun = i + 1
                began = clock()
                yield i
                ended = clock()
                record(ended - began)
                end(ended)
        else:
            i = 0
            while began < self._deadline:
                self.begun = i + 1
                yield i
                ended = clock()
                record(ended - began)
                end(ended)
                i += 1
                began = clock()

    def batches(self):
        """Ranges of indexes that share a round trip, timed like operations."""
        clock, record, end = time.perf_counter_ns, self.latencies.append, self.ends.append
        first, stop = 0, self._operations if self._deadline is None else sys.maxsize
        while first < stop:
            began = clock()
            if self._deadline is not None and began >= self._deadline:
                return
            batch = range(first, min(first + self._pipeline, stop))
            self.begun = batch.stop
            yield batch
            ended = clock()
            for _ in batch:
                record(ended - began)
                end(ended)
            first = batch.stop

    def pair(self, i):
        """Key and value of an operation."""
        if self._size is None:
            return f"{self.stem}{i}", f"{i}"
        return f"{self.stem}{i}", f"{i:0{self._size}d}"[-self._size:] if self._size else ""

    def check(self, fetched, value):
        """The article's assertion, which no option of the interpreter removes."""
        if fetched != value and self._verify:
            raise Refusal("verification", f"a key of {self.stem} holds {fetched!r:.60}, not {value!r:.60}")

    def keys(self):
        """Every key that may have been written."""
        return [f"{self.stem}{i}" for i in range(self.begun)]


def main(make_crew):
    """Carries out one job, all that a driver does, and ends the process.

    ``make_crew(job)`` returns an object with ``client`` and ``runtime`` (what it is, for the tables), ``pipelines``
    (whether operations can share a round trip), ``connect()``, ``work(workers)``, which lets every worker do its part
    and returns when all are done, and ``delete(keys)``.
    """
    lines = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    try:
        _carry_out(_read_job(lines.get()), make_crew, lines)
    except Refusal as refusal:
        _give_up(refusal.kind, str(refusal))
    except OSError as error:
        _give_up("connection", f"{type(error).__name__}: {error}")
    except Exception as error:  # Whatever a library raises is a failed trial, and this is its reason.
        connection = "Connection" in type(error).__name__
        _give_up("connection" if connection else "other", f"{type(error).__name__}: {error}")
    # The thread that listens ends the process when the input closes.
    threading.Event().wait()


_done = threading.Event()


def _listen(lines):
    """Hands on every line of the input. Its end is the end of the process, whatever that is doing."""
    for line in sys.stdin.buffer:
        lines.put(line)
    os._exit(0 if _done.is_set() else 1)


def _say(**event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def _give_up(kind, error):
    _say(event="failed", kind=kind, error=error)
    os._exit(1)


def _read_job(line):
    try:
        job = json.loads(line)
        version = job["protocol"]
    except (ValueError, KeyError, TypeError) as error:
        raise Refusal("protocol", f"this is no job: {error!r}") from error
    if version != PROTOCOL:
        raise Refusal("protocol", f"the job is of protocol version {version}, this driver speaks version {PROTOCOL}")
    try:
        workload = job["workload"]
        job["server"], job["key_prefix"], job["warmup"], workload["value_bytes"], workload["verify"]
        kind, pipeline, rate = workload["kind"], workload["pipeline"], workload["rate"]
        amounts = [workload[name] for name in ("operations", "duration_ns") if workload[name] is not None]
    except (KeyError, TypeError) as error:
        raise Refusal("protocol", f"the job lacks {error}") from error
    if kind != "set-get":
        raise Refusal("unsupported", f"this driver knows no workload of kind `{kind}`")
    if rate is not None:
        raise Refusal("unsupported", "this driver cannot keep to a rate")
    if len(amounts) != 1 or job["workers"] < 1 or pipeline < 1:
        raise Refusal("protocol", "a job has operations or a duration, and at least one worker and a pipeline of 1")
    return job


def _carry_out(job, make_crew, lines):
    crew = make_crew(job)
    workload = job["workload"]
    if workload["pipeline"] > 1 and not crew.pipelines:
        raise Refusal("unsupported", f"this client does not pipeline (asked for {workload['pipeline']})")
    crew.connect()
    warmup = job["warmup"]
    _work(job, crew, "w", warmup.get("operations"), warmup.get("duration_ns"))
    _say(event="ready", client=crew.client, runtime=crew.runtime, workers=job["workers"])
    if json.loads(lines.get()) != {"go": True}:
        raise Refusal("protocol", "go was due")
    start, workers = _work(job, crew, "", workload["operations"], workload["duration_ns"])
    _done.set()
    elapsed = max([start] + [worker.ends[-1] for worker in workers if worker.ends]) - start
    _say(
        event="done",
        elapsed_ns=elapsed,
        operations=sum(len(worker.latencies) for worker in workers),
        errors=0,
        latency=_buckets(workers),
        progress=_progress(start, elapsed, workers),
    )


def _work(job, crew, infix, operations, duration_ns):
    """Has all workers do a phase. Returns when it began, by the clock, and the workers."""
    count = job["workers"]
    start = time.perf_counter_ns()
    deadline = None if duration_ns is None else start + duration_ns
    share, rest = divmod(operations or 0, count)
    workers = [Worker(job, number, infix, share + (number < rest), deadline) for number in range(count)]
    crew.work(workers)
    if job.get("delete_keys"):
        keys = [key for worker in workers for key in worker.keys()]
        for first in range(0, len(keys), DELETE_BATCH):
            crew.delete(keys[first:first + DELETE_BATCH])
    return start, workers


def _buckets(workers):
    """Sorted pairs of lower bound and count, to three significant digits."""
    buckets = collections.Counter()
    for latency, count in collections.Counter(ns for worker in workers for ns in worker.latencies).items():
        step = 10 ** max(0, len(str(latency)) - 3)
        buckets[latency // step * step] += count
    return sorted(buckets.items())


def _progress(start, elapsed, workers):
    """Operations done by the end of each of a few equal parts of the time."""
    width = elapsed // PARTS + 1
    parts = collections.Counter((end - start) // width for worker in workers for end in worker.ends)
    done = itertools.accumulate(parts[part] for part in range(PARTS))
    return [[min((part + 1) * width, elapsed), operations] for part, operations in enumerate(done)]


def interpreter():
    """Such as ``CPython 3.11.7``."""
    version = platform.python_version()
    if platform.python_implementation() == "PyPy":
        version += " (PyPy {}.{}.{})".format(*sys.pypy_version_info[:3])
    return f"{platform.python_implementation()} {version}"


class Threads:
    """The part of a blocking crew that knows nothing of its library: a thread for every worker."""

    def run(self, work, workers):
        """Calls ``work(worker, number)`` for every worker; with only one, on this thread."""
        if len(workers) == 1:
            work(workers[0], 0)
            return
        failures = []

        def guarded(worker, number):
            try:
                work(worker, number)
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=guarded, args=pair[::-1]) for pair in enumerate(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]


class Tasks:
    """The part of an asyncio crew that knows nothing of its library: a task for every worker, on one event loop."""

    def __init__(self, uvloop):
        import asyncio

        self._asyncio = asyncio
        if uvloop:
            import uvloop as library

            self.loop, name = library.new_event_loop(), f"uvloop {library.__version__}"
        else:
            self.loop, name = asyncio.new_event_loop(), "asyncio"
        asyncio.set_event_loop(self.loop)
        self.runtime = f"{interpreter()}, {name}"

    def run(self, coroutines):
        """Runs all of them to their ends, and returns what they return. The first failure is raised."""

        async def together():
            return await self._asyncio.gather(*coroutines)

        return self.loop.run_until_complete(together())
