"""A driver over plain sockets that cheats in the way that its argument names, or, as ``honest``, in none.

All variants are the same program, so that a check that finds a cheat finds the cheat and nothing else.
"""

import collections
import json
import os
import platform
import socket
import sys
import threading
import time

CHEAT = sys.argv[1]
CHEATS = {
    "honest",
    "small-values",
    "uneven-values",
    "no-pipeline",
    "own-pipeline",
    "one-connection",
    "one-worker",
    "slow-start",
    "sets-then-gets",
    "mset",
    "after-done",
    "short-time",
    "microseconds",
    "no-latency",
    "half-latency",
    "endless-latency",
    "all-at-once",
    "closed-loop",
    "from-the-send",
}
assert CHEAT in CHEATS, CHEAT


def say(**event):
    print(json.dumps(event), flush=True)


def refuse(kind, error):
    say(event="failed", kind=kind, error=error)
    os._exit(0)


class Connection:
    def __init__(self, server):
        try:
            if server["unix_socket"]:
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.connect(server["unix_socket"])
            else:
                self.socket = socket.create_connection((server["host"], server["port"]))
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            refuse("connection", str(error))
        self.replies = self.socket.makefile("rb")
        self.lock = threading.Lock()
        if server["password"]:
            self.call(("AUTH", server["password"]))

    def call(self, *commands):
        """One round trip."""
        parts = []
        for words in commands:
            parts.append(b"*%d\r\n" % len(words))
            parts += [b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in words]
        self.socket.sendall(b"".join(parts))
        return [self.reply() for _ in commands]

    def reply(self):
        head = self.replies.readline()
        if head[:1] in (b"", b"-"):
            refuse("other", head.decode().strip() or "the connection was closed")
        if head.startswith(b"$") and head != b"$-1\r\n":
            return self.replies.read(int(head[1:]) + 2)[:-2].decode()
        return head


job = json.loads(sys.stdin.readline())
work, prefix, size = job["workload"], job["key_prefix"], job["workload"]["value_bytes"]
if job["protocol"] != 1:
    refuse("protocol", f"this driver speaks version 1, not {job['protocol']}")
if work["kind"] != "set-get" or work["operations"] is None:
    refuse("unsupported", "SET and GET, and a number of operations, are all that this driver can do")
if CHEAT == "small-values" and size is not None:
    size = 3
batch_size = {"no-pipeline": 1, "own-pipeline": 10 * work["pipeline"]}.get(CHEAT, work["pipeline"])

own = [Connection(job["server"]) for _ in range(1 if CHEAT == "one-connection" else job["workers"])]
latency, written, failed, lags, points = collections.Counter(), [], [], [0], []
# Of an open loop; set when the measured part begins.
started = None


def value_of(index):
    if CHEAT == "uneven-values" and size is not None:
        bytes_of_this = 3 if index % 2 else 2 * size - 3
        return str(index).zfill(bytes_of_this)[-bytes_of_this:]
    return str(index).zfill(size)[-size:] if size else str(index)


def check(key, fetched, value):
    if work["verify"] and fetched != value and not failed:
        failed.append(f"{key} holds {fetched!r}, not {value!r}")


def until_due(nth):
    """Waits for the moment at which the batch with this number is due; the result is that moment."""
    due = started + nth * batch_size * 1_000_000_000 // work["rate"]
    while (wait := due - time.monotonic_ns()) > 0:
        time.sleep(wait / 1e9)
    if CHEAT == "from-the-send" and nth == 100:
        time.sleep(0.2)
    lags.append(time.monotonic_ns() - due)
    return due


def batch(worker, indices, infix=""):
    connection = own[worker % len(own)]
    pairs = [(f"{prefix}{infix}{worker}:{index}", value_of(index)) for index in indices]
    begun = time.monotonic_ns()
    if started is not None and CHEAT == "closed-loop":
        time.sleep(2 * batch_size * job["workers"] / work["rate"])
        begun = time.monotonic_ns()
    elif started is not None and CHEAT != "all-at-once":
        due = until_due(indices[0] // batch_size * job["workers"] + worker)
        begun = time.monotonic_ns() if CHEAT == "from-the-send" else due
    with connection.lock:
        if len(pairs) == 1 and batch_size == 1:
            (key, value), = pairs
            connection.call(("SET", key, value))
            fetched = connection.call(("GET", key))
        else:
            sent = [words for key, value in pairs for words in (("SET", key, value), ("GET", key))]
            fetched = connection.call(*sent)[1::2]
    took = time.monotonic_ns() - begun
    for (key, value), got in zip(pairs, fetched):
        check(key, got, value)
    record(took, len(pairs))
    written.extend(key for key, _ in pairs)


def record(took, operations):
    step = 10 ** max(0, len(str(took)) - 3)
    latency[took // step * step] += operations


def in_batches(worker, operations, first=0, infix=""):
    for begin in range(first, operations, batch_size):
        batch(worker, range(begin, min(begin + batch_size, operations)), infix)


def slowly(worker, operations):
    """The first half at a quarter of the speed of the second."""
    for begin in range(0, operations, batch_size):
        begun = time.monotonic_ns()
        batch(worker, range(begin, min(begin + batch_size, operations)))
        if begin < operations // 2:
            time.sleep(3e-9 * (time.monotonic_ns() - begun))
        points.append([time.monotonic_ns() - began, begin])


def share(worker):
    if CHEAT == "one-worker":
        return work["operations"] if worker == 0 else 0
    return work["operations"] // job["workers"] + (worker < work["operations"] % job["workers"])


def all_workers(first, last):
    threads = [threading.Thread(target=in_batches, args=(w, last(w), first(w))) for w in range(job["workers"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def one_after_the_other(commands):
    """As many commands in a round trip as were asked for, on as many connections."""
    per_trip, fetched = max(1, 2 * work["pipeline"] if work["pipeline"] > 1 else 1), []
    for nth, begin in enumerate(range(0, len(commands), per_trip)):
        connection = own[nth % len(own)]
        begun = time.monotonic_ns()
        fetched += connection.call(*commands[begin : begin + per_trip])
        took = time.monotonic_ns() - begun
    return took


def every_pair():
    return [(f"{prefix}{w}:{i}", value_of(i)) for w in range(job["workers"]) for i in range(share(w))]


def measured():
    if work["operations"] > 1_000_000:
        # Nobody waits for the end of so many, and a cheat that prepares them all would not even begin.
        all_workers(lambda w: 0, share)
    elif CHEAT == "sets-then-gets":
        pairs = every_pair()
        one_after_the_other([("SET", *pair) for pair in pairs])
        record(one_after_the_other([("GET", pairs[0][0])] * len(pairs)), len(pairs))
    elif CHEAT == "mset":
        pairs = every_pair()
        own[0].call(("MSET", *(word for pair in pairs for word in pair)))
        one_after_the_other([("SET", *pairs[0])] * len(pairs))
        record(one_after_the_other([("GET", pairs[0][0])] * len(pairs)), len(pairs))
    elif CHEAT == "slow-start":
        for worker in range(job["workers"]):
            slowly(worker, share(worker))
    elif CHEAT == "after-done":
        all_workers(lambda w: 0, lambda w: share(w) // 2)
        record(1000, sum(share(w) - share(w) // 2 for w in range(job["workers"])))
    else:
        all_workers(lambda w: 0, share)


def delete_written():
    if job["delete_keys"] and written:
        own[0].call(("DEL", *written))
    written.clear()


warm_until = time.monotonic_ns() + job["warmup"].get("duration_ns", 0)
count = 0
while count < job["warmup"].get("operations", 0) or time.monotonic_ns() < warm_until:
    batch(0, [count], "w")
    count += 1
delete_written()
latency.clear()

say(event="ready", client=f"cheat {CHEAT}", runtime=f"CPython {platform.python_version()}", workers=job["workers"])
if not sys.stdin.readline():
    sys.exit()
is_done, over = threading.Event(), threading.Event()


def watch():
    sys.stdin.read()
    if not is_done.is_set():
        os._exit(0)
    over.set()


threading.Thread(target=watch, daemon=True).start()
began = time.monotonic_ns()
if work["rate"]:
    started = began
measured()
elapsed = time.monotonic_ns() - began
if failed:
    refuse("verification", failed[0])
delete_written()
if CHEAT == "short-time":
    elapsed = elapsed * 9 // 10
told = collections.Counter()
for nanos, operations in latency.items():
    told[{"microseconds": nanos // 1000, "no-latency": 0, "half-latency": nanos // 2}.get(CHEAT, nanos)] += operations
if CHEAT == "endless-latency":
    told[min(told)] -= 1
    told[1_000_000_000_000] = 1
lag = {"max_lag_ns": max(lags)} if work["rate"] else {}
progress = {"progress": points} if points else {}
is_done.set()
say(
    event="done",
    elapsed_ns=elapsed,
    operations=work["operations"],
    errors=0,
    latency=sorted(told.items()),
    **lag,
    **progress,
)
over.wait()
if CHEAT == "after-done":
    all_workers(lambda w: share(w) // 2, share)
