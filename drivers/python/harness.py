"""What all drivers in Python have in common: the protocol, the phases of a trial, and the clock.

A driver brings a crew: the connected workers of one client library, and the loop that each of them runs. It reads like
the loop of the article, because the rest is here::

    for i in worker.operations():
        key, value = worker.pair(i)
        r.set(key, value)
        fetched = r.get(key)
        worker.check(fetched, value)

That is the workload ``set-get``. Of keys that are there, ``read-write``::

    for key, value, read in worker.accesses():
        if read:
            worker.check(r.get(key), value)
        else:
            r.set(key, value)

And of the commands that a file lists, ``commands``::

    for commands in worker.commands():
        for command in commands:
            r.execute_command(*command)

Nothing but the standard library is imported here, and nothing that Python 3.8 does not have.
"""

import array
import collections
import itertools
import json
import math
import os
import platform
import queue
import random
import re
import sys
import threading
import time

# The versions of the protocol that are spoken here.
PROTOCOLS = (1, 2)
DELETE_BATCH = 1000
# The workloads that are known here, with the settings that only they have.
WORKLOADS = {"set-get": (), "read-write": ("keys", "reads", "distribution"), "commands": ("commands",)}
# A brace that is written twice, or a placeholder in an argument of a command.
PLACEHOLDER = re.compile(r"\{\{|\}\}|\{(\w+)(?::(\d+))?\}")
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
        self.reads = 0
        self.latencies = array.array("q")
        self.ends = array.array("q")
        self._operations = operations
        self._deadline = deadline
        self._size = workload["value_bytes"]
        self._verify = workload["verify"]
        self._pipeline = workload["pipeline"]
        if workload["kind"] == "read-write":
            # The choices of the warm-up are not those of the measured part.
            self._random = random.Random(f"{job['seed']} {infix} {number}")
            self._choose = _chooser(workload, number / job["workers"], self._random.random)
            self._reads = workload["reads"]
            self.stem = job["key_prefix"]
        if workload["kind"] == "commands":
            self._random = random.Random(f"{job['seed']} {infix} {number}")
            self._commands, self._weights = workload["commands"], workload.get("weights")
            self._number = number
            self.calls = collections.Counter()

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

    def access(self, i):
        """Key, value, and whether to read, of an operation on one of the keys that are there."""
        read = self._random.random() < self._reads
        self.reads += read
        return (*self.pair(self._choose(i)), read)

    def accesses(self):
        """The same of each operation, timed like ``operations``; what the choice takes is left out."""
        clock, record, end = time.perf_counter_ns, self.latencies.append, self.ends.append
        for i in itertools.count() if self._deadline is not None else range(self._operations):
            access = self.access(i)
            began = clock()
            if self._deadline is not None and began >= self._deadline:
                self.reads -= access[2]
                return
            yield access
            ended = clock()
            record(ended - began)
            end(ended)

    def rendered(self, i):
        """The commands of an operation, each a list of words."""
        chosen = self._random.choices(self._commands, self._weights) if self._weights else self._commands
        key, value = self.pair(i)
        known = {"key": key, "value": value, "index": str(i), "worker": str(self._number)}

        def part(found):
            name, below = found.groups()
            if name is None:
                return found.group()[0]
            return known[name] if below is None else str(self._random.randrange(int(below)))

        return [command[:1] + [PLACEHOLDER.sub(part, word) for word in command[1:]] for command in chosen]

    def commands(self):
        """The same of each operation, timed like ``operations``; what it takes to put them together is left out."""
        clock, record, end = time.perf_counter_ns, self.latencies.append, self.ends.append
        for i in itertools.count() if self._deadline is not None else range(self._operations):
            commands = self.rendered(i)
            began = clock()
            if self._deadline is not None and began >= self._deadline:
                return
            yield commands
            ended = clock()
            record(ended - began)
            end(ended)
            self.count(commands)

    def count(self, commands):
        """Counts commands as done."""
        self.calls.update(command[0].lower() for command in commands)

    def pair(self, i):
        """Key and value of an operation, or of a key that is there."""
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


def _chooser(workload, share, random):
    """A function from the index of an operation to that of a key; ``share`` says how far on a worker begins."""
    keys, distribution = workload["keys"], workload["distribution"]
    if distribution == "sequential":
        first = int(share * keys)
        return lambda i: (first + i) % keys
    if distribution == "uniform":
        return lambda _: int(random() * keys)
    if distribution == "zipf":
        return lambda _: _zipf(keys, random)
    raise Refusal("unsupported", f"this driver knows no distribution `{distribution}`")


def _zipf(keys, random):
    """By rejection-inversion (Hörmann and Derflinger 1996), for the exponent 1."""
    high, low = math.log(keys + 0.5), math.log(1.5) - 1
    while True:
        u = high + random() * (low - high)
        x = math.exp(u)
        k = min(max(int(x + 0.5), 1), keys)
        if k - x <= 2 - 2.5 * math.exp(-0.5) or u >= math.log(k + 0.5) - 1 / k:
            return k - 1


def main(make_crew):
    """Carries out one job, all that a driver does, and ends the process.

    ``make_crew(job)`` returns an object with ``client`` and ``runtime`` (what it is, for the tables), ``workloads`` (only
    ``set-get`` if it has none), ``pipelines`` (whether operations can share a round trip), ``connect()``, ``work(workers)``, which lets every worker do its part
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
    if version not in PROTOCOLS:
        spoken = " and ".join(map(str, PROTOCOLS))
        raise Refusal("protocol", f"the job is of protocol version {version}, this driver speaks versions {spoken}")
    try:
        workload = job["workload"]
        job["server"], job["key_prefix"], job["warmup"], workload["value_bytes"], workload["verify"]
        pipeline, rate = workload["pipeline"], workload["rate"]
        kind = workload["kind"]
        for name in WORKLOADS.get(kind, ()):
            workload[name]
        amounts = [workload[name] for name in ("operations", "duration_ns") if workload[name] is not None]
    except (KeyError, TypeError) as error:
        raise Refusal("protocol", f"the job lacks {error}") from error
    if kind not in WORKLOADS:
        raise Refusal("unsupported", f"this driver knows no workload of kind `{kind}`")
    if rate is not None:
        raise Refusal("unsupported", "this driver cannot keep to a rate")
    if len(amounts) != 1 or job["workers"] < 1 or pipeline < 1:
        raise Refusal("protocol", "a job has operations or a duration, and at least one worker and a pipeline of 1")
    return job


def _carry_out(job, make_crew, lines):
    workload = job["workload"]
    crew = make_crew(job)
    if workload["kind"] not in getattr(crew, "workloads", ("set-get",)):
        raise Refusal("unsupported", f"this driver knows no workload of kind `{workload['kind']}`")
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
    done = dict(
        elapsed_ns=elapsed,
        operations=sum(len(worker.latencies) for worker in workers),
        errors=0,
        latency=_buckets(workers),
        progress=_progress(start, elapsed, workers),
    )
    if workload["kind"] == "read-write":
        reads = sum(worker.reads for worker in workers)
        done["calls"] = {"get": reads, "set": done["operations"] - reads}
    if workload["kind"] == "commands":
        done["calls"] = sum((worker.calls for worker in workers), collections.Counter())
    _say(event="done", **done)


def _work(job, crew, infix, operations, duration_ns):
    """Has all workers do a phase. Returns when it began, by the clock, and the workers."""
    count = job["workers"]
    start = time.perf_counter_ns()
    deadline = None if duration_ns is None else start + duration_ns
    share, rest = divmod(operations or 0, count)
    workers = [Worker(job, number, infix, share + (number < rest), deadline) for number in range(count)]
    crew.work(workers)
    if job.get("delete_keys") and job["workload"]["kind"] == "set-get":
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
