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

Tasks of a ``queue`` go from producers to consumers, which are in this process too. Each of the two has a loop for the
command that it uses::

    for key, task in producer:
        r.lpush(key, task)

    while consumer.waits():
        popped = r.brpop(consumer.key, timeout=1)
        if popped:
            consumer.took(popped[1])

And so do the messages of ``pubsub``. With asyncio the same is ``async for``.

Nothing but the standard library is imported here, and nothing that Python 3.8 does not have.
"""

import array
import collections
import functools
import itertools
import json
import math
import operator
import os
import platform
import queue
import random
import re
import sys
import threading
import time

# The versions of the protocol that are spoken here.
PROTOCOLS = (1, 2, 3)
# What not every client supports of a connection.
OF_A_CONNECTION = ("tls", "username", "db", "cluster")
DELETE_BATCH = 1000
# The workloads that are known here, with the settings that only they have.
WORKLOADS = {
    "set-get": (),
    "read-write": ("keys", "reads", "distribution"),
    "commands": ("commands",),
    "queue": ("producers", "structure", "acknowledge", "backlog"),
    "pubsub": ("publishers", "channels", "backlog"),
}
# Of those in which something is pushed, the setting that says by how many.
PUSHERS = {"queue": "producers", "pubsub": "publishers", "tasks": "producers"}
# The group of a stream's consumers, and what tells a consumer that there are no more tasks.
GROUP, END = "workers", "end"
# How long before it is due a sleep ends, in nanoseconds; from then on others are let in again and again. A thread is
# woken up tens of microseconds late, an event loop counts whole milliseconds.
THREAD_SLACK, LOOP_SLACK = 100_000, 1_100_000
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
        return self._timed(self.access)

    def rendered(self, i):
        """The commands of an operation, each a list of words. They are counted as done."""
        chosen = self._random.choices(self._commands, self._weights) if self._weights else self._commands
        self.calls.update(command[0].lower() for command in chosen)
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
        return self._timed(self.rendered)

    def _timed(self, draw):
        """What ``draw`` makes of the index of each operation. The clock runs from when it is made."""
        clock, record, end, deadline = time.perf_counter_ns, self.latencies.append, self.ends.append, self._deadline
        ended = clock()
        for i in itertools.count() if deadline is not None else range(self._operations):
            if deadline is not None and ended >= deadline:
                return
            drawn = draw(i)
            began = clock()
            yield drawn
            ended = clock()
            record(ended - began)
            end(ended)

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


class Flow:
    """What the producers and the consumers of one phase share: numbers, how many are on their way, and where to.

    Threads and tasks of an event loop use it alike. A producer that finds no room leaves behind what wakes it.
    """

    FULL = -1

    def __init__(self, job, infix, operations, duration_ns, start):
        workload = job["workload"]
        self.start = start
        # The warm-up is a closed loop, whatever comes after it.
        self.rate = None if infix else workload["rate"]
        self.size = workload["value_bytes"] or 0
        self.begun = 0
        self._operations = sys.maxsize if operations is None else operations
        self._deadline = None if duration_ns is None else start + duration_ns
        self._backlog = workload["backlog"] or 1000
        self._taken = 0
        self._lock = threading.Lock()
        self._waiting = []
        self._producing = workload[PUSHERS[workload["kind"]]]
        if workload["kind"] == "queue":
            self.places = [f"{job['key_prefix']}{infix}queue"]
            self.taken_keys = [f"{job['key_prefix']}{infix}taken:{number}" for number in range(job["workers"])]
            self.acknowledge = workload["acknowledge"]
            self._left, self._ends = None, job["workers"]
        else:
            self.places = _channels(job, infix)
            # Of each message, how many subscribers do not have it yet.
            self._left, self._ends = [], 1
            self._copies = job["workers"]

    def begin(self, wake):
        """The next number, or None after the last. FULL if too many are on their way: ``wake`` is called later."""
        with self._lock:
            k = self.begun
            if k >= self._operations:
                return None
            if self._deadline is not None:
                begins = time.perf_counter_ns() if self.rate is None else self.due(k)
                if begins >= self._deadline:
                    return None
            if self.rate is None and k - self._taken >= self._backlog:
                self._waiting.append(wake)
                return self.FULL
            self.begun = k + 1
            if self._left is not None:
                self._left.append(self._copies)
            return k

    def take(self, k):
        """Counts that a consumer has this number. Returns whether all that are to have it do."""
        with self._lock:
            if self._left is not None:
                self._left[k] -= 1
                if self._left[k] != 0:
                    return False
            self._taken += 1
            # Not for each place that becomes free: waking up costs more than a task does.
            if self._waiting and self.begun - self._taken <= self._backlog // 2:
                for wake in self._waiting:
                    wake()
                self._waiting.clear()
            return True

    def finish(self):
        """How many marks of the end a producer has to push that has no more tasks: all of them, if it is the last."""
        with self._lock:
            self._producing -= 1
            return 0 if self._producing else self._ends

    def due(self, k):
        """When a number is due in an open loop, by the clock."""
        return self.start + int(k * 1e9 / self.rate)


class Producer:
    """One producer in one phase: pairs of where to push, and what. They are timed from when they are handed out."""

    latencies = ends = ()

    def __init__(self, flow, command):
        self.command = command
        self.max_lag = 0
        self._flow = flow

    def __iter__(self):
        flow, room = self._flow, threading.Event()
        while True:
            k = flow.begin(room.set)
            if k is None:
                break
            if k == flow.FULL:
                room.wait()
                room.clear()
                continue
            while self._early(k) > 0:
                time.sleep(max(0, self._early(k) - THREAD_SLACK) / 1e9)
            yield self._pair(k)
        for _ in range(flow.finish()):
            yield flow.places[0], END

    async def __aiter__(self):
        import asyncio

        flow, room = self._flow, asyncio.Event()
        while True:
            k = flow.begin(room.set)
            if k is None:
                break
            if k == flow.FULL:
                await room.wait()
                room.clear()
                continue
            while self._early(k) > 0:
                await asyncio.sleep(max(0, self._early(k) - LOOP_SLACK) / 1e9)
            yield self._pair(k)
        for _ in range(flow.finish()):
            yield flow.places[0], END

    def _early(self, k):
        """How long it is until this number is due, in nanoseconds."""
        return 0 if self._flow.rate is None else self._flow.due(k) - time.perf_counter_ns()

    def _pair(self, k):
        flow, since = self._flow, time.perf_counter_ns()
        if flow.rate is not None:
            due = flow.due(k)
            self.max_lag = max(self.max_lag, since - due)
            since = due
        text = f"{k}:{since - flow.start}"
        if len(text) < flow.size:
            text = f"{text}:".ljust(flow.size, "x")
        return flow.places[k % len(flow.places)], text


class Consumer:
    """One consumer in one phase: what it took, and how long that had been on its way."""

    def __init__(self, flow, number, command):
        self.command = command
        self.name = f"{number}"
        self.latencies = array.array("q")
        self.ends = array.array("q")
        self.numbers = array.array("q")
        self._flow = flow
        self._ended = False
        if command != "subscribe":
            self.key, self.taken_key = flow.places[0], flow.taken_keys[number]
            self.acknowledge = flow.acknowledge

    def waits(self):
        """Whether there may be more for this consumer."""
        return not self._ended

    def took(self, task):
        """What the consumer has got just now. If nothing is to be acknowledged it is done."""
        now, flow = time.perf_counter_ns(), self._flow
        if task == END:
            self._ended = True
            return
        try:
            k, since = map(int, task.split(":", 2)[:2])
        except ValueError:
            k = since = -1
        if not 0 <= k < flow.begun or len(task) < flow.size:
            raise Refusal("verification", f"consumer {self.name} got {task!r:.60}, which nobody has pushed")
        self.latencies.append(now - flow.start - since)
        self.numbers.append(k)
        if flow.take(k):
            self.ends.append(now)

    def acknowledged(self, removed):
        """What was taken last is done: so many the server no longer has, says the reply to the acknowledgement."""
        if removed != 1:
            raise Refusal("verification", f"consumer {self.name} acknowledged one task, the server {removed!r:.60}")
        if not self._ended:
            self.ends[-1] = time.perf_counter_ns()


def connections(job):
    """How many connections a crew has: one for each worker and, behind them, one for each that pushes."""
    workload = job["workload"]
    return job["workers"] + (workload[PUSHERS[workload["kind"]]] if workload["kind"] in PUSHERS else 0)


def channels(job):
    """All that a subscriber subscribes to when it connects, so that it misses no message of any phase."""
    return _channels(job, "w") + _channels(job, "")


def _channels(job, infix):
    return [f"{job['key_prefix']}{infix}channel:{number}" for number in range(job["workload"]["channels"])]


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
    ``set-get`` if it has none), ``options`` (the values that each of its options may have, if it has any; it finds those
    that are asked for in the job), ``pipelines`` (whether operations can share a round trip), ``connect()``,
    ``work(workers)``, which lets every worker do its part and returns when all are done, and ``delete(keys)``. What it
    supports of a connection beside a host, a port, a Unix socket and a password is ``supports`` of its class, any of
    ``OF_A_CONNECTION``: a job that needs more is refused before there is one.

    With the workload ``queue`` or ``pubsub`` the workers are consumers, and behind them producers; each has the name of
    the ``command`` that its loop uses: ``lpush``, ``brpop``, ``blmove``, ``xadd``, ``xreadgroup``, ``publish`` or
    ``subscribe``. For streams a crew has ``make_group(key)``; its subscribers subscribe to ``channels(job)`` when they connect.
    """
    serve(lambda job, lines: _carry_out(job, make_crew, lines))


def serve(course, workloads=WORKLOADS):
    """The same for a driver whose trials take another course: it is given the job, and the lines that come after it.

    ``workloads`` are those that it knows, as in ``WORKLOADS``. What it leaves behind if the process just ends, it has
    ``before_leaving`` clear away.
    """
    lines = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    try:
        course(_read_job(lines.get(), workloads), lines)
    except Refusal as refusal:
        give_up(refusal.kind, str(refusal))
    except OSError as error:
        give_up("connection", f"{type(error).__name__}: {error}")
    except Exception as error:  # Whatever a library raises is a failed trial, and this is its reason.
        connection = "Connection" in type(error).__name__
        give_up("connection" if connection else "other", f"{type(error).__name__}: {error}")
    # The thread that listens ends the process when the input closes.
    threading.Event().wait()


_done = threading.Event()
_last_word, _leaving = threading.Lock(), threading.Lock()
# What is called when the process ends, in whatever way it decides to.
before_leaving = []


def _leave(status):
    """Ends the process at once, whatever it is doing, and for whichever thread comes first."""
    _leaving.acquire()
    for last in before_leaving:
        last()
    os._exit(status)


def _listen(lines):
    """Hands on every line of the input. Its end is the end of the process, whatever that is doing."""
    for line in sys.stdin.buffer:
        lines.put(line)
    _leave(0 if _done.is_set() else 1)


def _say(**event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def say_ready(lines, **facts):
    """Says what the driver is, and waits for its go."""
    _say(event="ready", **facts)
    if json.loads(lines.get()) != {"go": True}:
        raise Refusal("protocol", "go was due")


def say_done(**claim):
    """The last word. From then on the end of the input is a good end."""
    _last_word.acquire()
    _done.set()
    _say(event="done", **claim)


def give_up(kind, error):
    """The last word of a driver that gives up, and its end; unless another thread has said the last word."""
    if _last_word.acquire(blocking=False):
        _say(event="failed", kind=kind, error=error)
        _leave(1)


def _read_job(line, workloads):
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
        for name in workloads.get(kind, ()):
            workload[name]
        amounts = [workload[name] for name in ("operations", "duration_ns") if workload[name] is not None]
    except (KeyError, TypeError) as error:
        raise Refusal("protocol", f"the job lacks {error}") from error
    if kind not in workloads:
        raise Refusal("unsupported", f"this driver knows no workload of kind `{kind}`")
    if rate is not None and kind not in PUSHERS:
        raise Refusal("unsupported", "this driver cannot keep to a rate")
    if kind == "queue" and workload["structure"] not in ("list", "stream"):
        raise Refusal("unsupported", f"this driver knows no queue that is a `{workload['structure']}`")
    if len(amounts) != 1 or job["workers"] < 1 or pipeline < 1:
        raise Refusal("protocol", "a job has operations or a duration, and at least one worker and a pipeline of 1")
    return job


def check_connection(job, supported=()):
    """Refuses what a client does not support of a connection."""
    for name in OF_A_CONNECTION:
        # TLS that needs no files is an empty table.
        if job["server"].get(name) not in (None, 0, False) and name not in supported:
            raise Refusal("unsupported", f"this client does not support `{name}` of a connection")


def _carry_out(job, make_crew, lines):
    workload = job["workload"]
    # Before there is one: its library would stumble over what it does not know.
    check_connection(job, getattr(make_crew, "supports", ()))
    crew = make_crew(job)
    if workload["kind"] not in getattr(crew, "workloads", ("set-get",)):
        raise Refusal("unsupported", f"this driver knows no workload of kind `{workload['kind']}`")
    options = options_of(job, getattr(crew, "options", {}))
    if workload["pipeline"] > 1 and not crew.pipelines:
        raise Refusal("unsupported", f"this client does not pipeline (asked for {workload['pipeline']})")
    crew.connect()
    warmup = job["warmup"]
    if warmup.get("operations") or warmup.get("duration_ns"):
        _work(job, crew, "w", warmup.get("operations"), warmup.get("duration_ns"))
    say_ready(lines, client=crew.client, runtime=crew.runtime, workers=job["workers"], **options)
    start, workers = _work(job, crew, "", workload["operations"], workload["duration_ns"])
    elapsed = max([start] + [worker.ends[-1] for worker in workers if worker.ends]) - start
    done = dict(
        elapsed_ns=elapsed,
        operations=sum(len(worker.ends) for worker in workers),
        errors=0,
        latency=buckets(worker.latencies for worker in workers),
        progress=progress_of(start, elapsed, (worker.ends for worker in workers)),
    )
    if workload["kind"] == "read-write":
        reads = sum(worker.reads for worker in workers)
        done["calls"] = {"get": reads, "set": done["operations"] - reads}
    if workload["kind"] == "commands":
        done["calls"] = sum((worker.calls for worker in workers), collections.Counter())
    if workload["kind"] in PUSHERS:
        if workload["verify"]:
            done["delivered"] = _delivered(workload, workers[:job["workers"]])
        if workload["rate"] is not None:
            done["max_lag_ns"] = max(producer.max_lag for producer in workers[job["workers"]:])
    say_done(**done)


def options_of(job, known):
    """The options of the job, for ``ready``; ``known`` are the values that each may have, or a range of numbers."""
    asked = job.get("options") or {}
    for name, value in asked.items():
        if name not in known:
            has = ", ".join(known) or "none"
            raise Refusal("unsupported", f"this client knows no option `{name}`; it has {has}")
        # True is no 1 here.
        if isinstance(known[name], range):
            first, last = known[name][0], known[name][-1]
            fits, values = type(value) is int and value in known[name], f"a whole number from {first} to {last}"
        else:
            fits = any(value is may_be or value == may_be and type(value) is type(may_be) for may_be in known[name])
            values = " or ".join(json.dumps(may_be) for may_be in known[name])
        if not fits:
            raise Refusal("unsupported", f"the option `{name}` is {values}, not {json.dumps(value)}")
    return {"options": asked} if asked else {}


def _work(job, crew, infix, operations, duration_ns):
    """Has all workers do a phase. Returns when it began, by the clock, and the workers."""
    if job["workload"]["kind"] in PUSHERS:
        return _push(job, crew, infix, operations, duration_ns)
    count = job["workers"]
    start = time.perf_counter_ns()
    deadline = None if duration_ns is None else start + duration_ns
    share, rest = divmod(operations or 0, count)
    workers = [Worker(job, number, infix, share + (number < rest), deadline) for number in range(count)]
    crew.work(workers)
    if job.get("delete_keys") and job["workload"]["kind"] == "set-get":
        _delete(crew, [key for worker in workers for key in worker.keys()])
    return start, workers


def _push(job, crew, infix, operations, duration_ns):
    """The same of consumers and producers, which stand behind them."""
    workload = job["workload"]
    if workload["kind"] == "pubsub":
        push, take = "publish", "subscribe"
    elif workload["structure"] == "stream":
        push, take = "xadd", "xreadgroup"
    else:
        push, take = "lpush", "blmove" if workload["acknowledge"] else "brpop"
    start = time.perf_counter_ns()
    flow = Flow(job, infix, operations, duration_ns, start)
    workers = [Consumer(flow, number, take) for number in range(job["workers"])]
    workers += [Producer(flow, push) for _ in range(workload[PUSHERS[workload["kind"]]])]
    if push == "xadd":
        crew.make_group(flow.places[0])
    crew.work(workers)
    if job.get("delete_keys") and workload["kind"] == "queue":
        _delete(crew, flow.places + (flow.taken_keys if take == "blmove" else []))
    return start, workers


def _delete(crew, keys):
    for first in range(0, len(keys), DELETE_BATCH):
        crew.delete(keys[first:first + DELETE_BATCH])


def _delivered(workload, consumers):
    """Sum and exclusive or of the numbers that arrived. Of subscribers, who have all of them, the first speaks."""
    def over(these):
        numbers = [k for consumer in these for k in consumer.numbers]
        return {"sum": sum(numbers), "xor": functools.reduce(operator.xor, numbers, 0)}

    if workload["kind"] == "queue":
        return over(consumers)
    first = over(consumers[:1])
    for consumer in consumers[1:]:
        if over([consumer]) != first:
            raise Refusal("verification", f"subscriber {consumer.name} got other messages than the first one")
    return first


def buckets(latencies):
    """Sorted pairs of lower bound and count, to three significant digits, of several series together."""
    counts = collections.Counter()
    for latency, count in collections.Counter(itertools.chain.from_iterable(latencies)).items():
        step = 10 ** max(0, len(str(latency)) - 3)
        counts[latency // step * step] += count
    return sorted(counts.items())


def progress_of(start, elapsed, ends):
    """Operations done by the end of each of a few equal parts of the time; ``ends`` are several series of times."""
    width = elapsed // PARTS + 1
    parts = collections.Counter((end - start) // width for end in itertools.chain.from_iterable(ends))
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
        """Calls ``work(worker, number)`` for every worker; with only one, on this thread.

        The first failure is raised at once: others may wait for what will never come.
        """
        if len(workers) == 1:
            work(workers[0], 0)
            return
        outcomes = queue.SimpleQueue()

        def guarded(worker, number):
            try:
                work(worker, number)
            except Exception as error:
                outcomes.put(error)
            else:
                outcomes.put(None)

        threads = [
            threading.Thread(target=guarded, args=pair[::-1], daemon=True) for pair in enumerate(workers)
        ]
        for thread in threads:
            thread.start()
        for _ in threads:
            failure = outcomes.get()
            if failure is not None:
                raise failure
        for thread in threads:
            thread.join()


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
