"""The tasks of one phase of a trial: which comes next, which have ended, and when all that was."""

import array
import itertools
import operator
import os
import sys
import threading
import time

import harness
import kit

# What `next` says instead of a task if too many are under way.
FULL = -1
# How many tasks are looked at in one go.
CHUNK = 256
# In a warm-up so many tasks for each slot are under way at most: a library may take seconds for each.
WARM = 10
# The most numbers of tasks that `done` names, and a sentence.
NAMED, TOLD = 100, 10


class Trail:
    """What workers have noted of the tasks in one of the files; ``used`` is how many numbers have been given away."""

    def __init__(self, name):
        self.is_measured = name == kit.MEASURED
        self.used = 0
        self._file = os.open(kit.path(name), os.O_RDONLY)

    def times(self, first, stop):
        """Starts and ends of these tasks, 0 where nothing has been noted yet."""
        length = kit.TIMES.size * (stop - first)
        noted = array.array("q")
        noted.frombytes(os.pread(self._file, length, kit.TIMES.size * first).ljust(length, b"\0"))
        return noted[0::2], noted[1::2]


class Phase:
    """The state that producers share with whoever waits for the end of a phase. A producer counts as active until it runs out of tasks.

    Tasks that are ``silent`` are handed over one after the other whatever becomes of them.
    """

    def __init__(self, job, trail, operations=None, duration_ns=None, silent=False):
        workload = job["workload"]
        self.begun = self.handed = self.enqueue_ns = self.max_lag = 0
        self.failure = None
        self.producing = 0
        self.rate = workload["rate"] if trail.is_measured else None
        self.awaits_results = workload["body"] == "echo" and not silent
        # Of each task: from when its latency counts, whether it has been handed over, when its result was there.
        self.since, self._handed, self._received = array.array("q"), bytearray(), array.array("q")
        self.is_measured = trail.is_measured
        self._trail, self._first = trail, trail.used
        self._operations = sys.maxsize if operations is None else operations
        self._backlog = workload["backlog"] or sys.maxsize
        if silent:
            self._backlog = sys.maxsize
        elif not trail.is_measured:
            self._backlog = min(self._backlog, WARM * job["workers"])
        self._room = self._looked = self._head = 0
        self._size, self._verify = workload["value_bytes"], workload["verify"]
        self._lock = threading.Lock()
        self.start = time.monotonic_ns()
        self._deadline = None if duration_ns is None else self.start + duration_ns

    def next(self):
        """The next task to hand over; None after the last, FULL if it has to wait until others have ended."""
        with self._lock:
            k = self.begun
            if k >= self._operations:
                return None
            if self._deadline is not None:
                begins = time.monotonic_ns() if self.rate is None else self.due(k)
                if begins >= self._deadline:
                    return None
            if self.rate is None and not self._has_room():
                return FULL
            self.begun = k + 1
            self._trail.used += 1
            self.since.append(0)
            self._handed.append(False)
            self._received.append(0)
            return k

    def _has_room(self):
        """Takes a place among those that are under way. What the files say is looked up when all are taken, and not too often."""
        now = time.monotonic_ns()
        if self._room == 0 and now - self._looked >= kit.PAUSE * 1e9:
            self._looked, self._room = now, max(0, self._backlog - (self.begun - self.ended()))
        if self._room == 0:
            return False
        self._room -= 1
        return True

    def due(self, k):
        return self.start + int(k * 1e9 / self.rate)

    def early(self, k):
        """How long it is until a task is due, in nanoseconds."""
        return 0 if self.rate is None else self.due(k) - time.monotonic_ns()

    def task(self, k):
        """The arguments of a task."""
        index = self._first + k
        number = index if self._trail.is_measured else -1 - index
        if self._size is None:
            return (number,)
        return number, f"{index:0{self._size}d}"[-self._size:] if self._size else ""

    def begin(self, k, now):
        """Notes that a task is handed over from now on."""
        self.since[k] = now
        if self.rate is not None:
            self.since[k] = self.due(k)
            self.max_lag = max(self.max_lag, now - self.since[k])

    def handed_over(self, k, since, now):
        with self._lock:
            self.handed += 1
            self.enqueue_ns += now - since
        self._handed[k] = True

    def received(self, k, result):
        self._received[k] = time.monotonic_ns()
        expected = kit.echoed(*self.task(k))
        if self._verify and result != expected:
            raise harness.Refusal("verification", f"the result of task {k} is {result!r:.60}, not {expected!r:.60}")

    def join(self):
        with self._lock:
            self.producing += 1

    def leave(self):
        with self._lock:
            self.producing -= 1

    def stop(self):
        """There is nothing more to hand over."""
        self._operations = 0

    def extend(self, operations):
        self._operations += operations

    def is_over(self):
        """Whether nothing is left to be handed over, and all that was has ended."""
        return self.producing == 0 and self._settled() == self.begun

    def ended(self):
        """How many tasks have ended."""
        begun = self.begun
        return begun - self._times(self._settled(), begun)[1].count(0)

    def executing(self):
        """How many tasks are being executed now."""
        starts, ends = self._times(self._settled(), self.begun)
        return ends.count(0) - starts.count(0)

    def _settled(self):
        """How many tasks there are before the first that has not ended. Several threads ask; none of them goes too far."""
        head, begun = self._head, self.begun
        while head < begun:
            stop = min(head + CHUNK, begun)
            ends = self._times(head, stop)[1]
            if 0 in ends:
                head += ends.index(0)
                break
            head = stop
        self._head = head
        return head

    def _times(self, first, stop):
        return self._trail.times(self._first + first, self._first + stop)

    def first_start(self):
        return self._times(0, 1)[0][0]

    def state(self):
        """How far the tasks have come, as a sentence tells it."""
        starts, ends = self._times(0, self.begun)
        begun = [k for k in range(len(ends)) if starts[k] and not ends[k]]
        told = ", ".join(map(str, begun[:TOLD])) or "none"
        if len(begun) > TOLD:
            told += f" and {len(begun) - TOLD} more"
        verb = "were" if len(begun) > 1 else "was"
        return f"of {self.handed} tasks {len(ends) - ends.count(0)} had ended, and {told} {verb} begun and not ended"

    def claim(self):
        """What ``done`` says of the tasks. With results that are waited for, a task has ended when its result is there."""
        starts, noted = self._times(0, self.begun)
        ends = self._received if self.awaits_results else array.array("q", map(abs, noted))
        lost = [k for k in range(self.begun) if self._handed[k] and not ends[k]]
        # If none has ended, no time would be no less true, but it cannot be divided by.
        elapsed = (max(ends, default=0) or time.monotonic_ns()) - self.start
        claim = dict(
            elapsed_ns=elapsed,
            operations=self.handed,
            errors=sum(end < 0 for end in noted),
            latency=harness.buckets([itertools.compress(map(operator.sub, ends, self.since), ends)]),
            enqueue_ns=self.enqueue_ns,
            start_latency=harness.buckets([itertools.compress(map(operator.sub, starts, self.since), starts)]),
            lost=lost[:NAMED],
            begun=[k for k in lost if starts[k]][:NAMED],
            progress=harness.progress_of(self.start, elapsed, [filter(None, ends)]),
        )
        if self.rate is not None:
            claim["max_lag_ns"] = self.max_lag
        return claim
