"""The course of a trial with a task-queue library, from the job to the last word."""

import importlib
import importlib.util
import json
import os
import re
import shutil
import tempfile
import time

import harness
import kit
import producers
from phase import NAMED, Phase, Trail
from programs import Programs, told

WORKLOADS = {"tasks": ("processes", "producers", "backlog", "body", "results")}
# Where the files are that driver and workers share: in memory, where there is such a place.
SHARED = "/dev/shm"
# In nanoseconds: how long nothing may happen until no more is waited for, besides what a task takes; how long workers may take
# to start, and to come together; when more tasks are handed over to those that have not; how often is looked whether anything
# happens at all.
PATIENCE, COLD_START, MEETING, MORE, GLANCE = 10_000_000_000, 60_000_000_000, 30_000_000_000, 200_000_000, 100_000_000


class Driver:
    """One trial of one library."""

    def __init__(self, name, module, variant, options):
        self._name, self._module, self._variant, self._options = name, module, variant, options
        self._programs = Programs(self._program_ended)
        self._phase = None

    def serve(self):
        harness.before_leaving.append(self._clear_away)
        harness.serve(self._carry_out, WORKLOADS)

    def _carry_out(self, job, lines):
        _check(job)
        harness.check_connection(job)
        options = harness.options_of(job, self._options)
        _share({**job, "variant": self._variant})
        kit.Connection().call("PING")
        library = importlib.import_module(self._module)
        self._job, self._producers = job, producers.of(library)
        workload, warmup, slots = job["workload"], job["warmup"], job["workers"]
        before, measured = Trail(kit.BEFORE), Trail(kit.MEASURED)

        cold_start_ns = self._start_cold(library, before)
        self._meet(before)
        if warmup.get("operations") or warmup.get("duration_ns"):
            self._begin(Phase(job, before, warmup.get("operations"), warmup.get("duration_ns")), workload["producers"])
            self._wait_for_all("the warm-up")
        harness.say_ready(
            lines,
            client=library.CLIENT,
            runtime=f"{harness.interpreter()}, {self._producers.runtime}",
            workers=slots,
            processes=self._programs.pids,
            cold_start_ns=cold_start_ns,
            **options,
        )

        phase = self._begin(Phase(job, measured, workload["operations"], workload["duration_ns"]), workload["producers"])
        patience = PATIENCE + kit.body_time(workload["body"]) + (1e9 / workload["rate"] if workload["rate"] else 0)
        self._wait(patience)
        claim = phase.claim()
        if claim["lost"]:
            claim["left"] = self._producers.left()
        harness.say_done(twice=_twice(), **claim)

    def _start_cold(self, library, trail):
        """Has a task wait for the worker programs, starts these, and says how long it took until the task began."""
        phase = self._begin(Phase(self._job, trail, operations=1, silent=True), 1)
        while not phase.handed:
            _raise(phase.failure)
            time.sleep(kit.PAUSE)
        processes = self._job["workload"]["processes"]
        share, rest = divmod(self._job["workers"], processes)
        started = time.monotonic_ns()
        for number in range(processes):
            command, variables = library.worker(share + (number < rest), number)
            self._programs.start(command, variables)
        self._wait_for_all("the start", COLD_START)
        return phase.first_start() - started

    def _meet(self, trail):
        """Proves that all slots are there: as many tasks are executed at once, each of which waits for the others."""
        slots, most = self._job["workers"], 0
        meeting = kit.path(kit.MEETING)
        os.close(os.open(meeting, os.O_CREAT))
        phase = self._begin(Phase(self._job, trail, operations=slots, silent=True), 1)
        more = phase.start + MORE
        while most < slots:
            _raise(phase.failure)
            now = time.monotonic_ns()
            most = max(most, phase.executing())
            if now - phase.start > MEETING:
                raise harness.Refusal("other", f"only {most} of {slots} slots came to execute a task at once")
            # A worker that prefetches may hold back what another could execute.
            if now > more and not phase.producing:
                phase.extend(slots)
                self._producers.start(phase, 1)
                more = now + MORE
            time.sleep(kit.PAUSE)
        os.unlink(meeting)
        self._wait_for_all("the meeting")

    def _begin(self, phase, count):
        self._phase = phase
        self._producers.start(phase, count)
        return phase

    def _wait_for_all(self, what, patience=None):
        phase = self._phase
        if not self._wait(patience or PATIENCE + kit.body_time(self._job["workload"]["body"])):
            raise harness.Refusal("other", f"{what} came to no end: {phase.state()}")

    def _wait(self, patience):
        """Waits until all tasks of the phase have ended. Returns whether they have, or nothing more happens."""
        phase, seen, since, glance = self._phase, None, 0, 0
        while not phase.is_over():
            _raise(phase.failure)
            now = time.monotonic_ns()
            if now >= glance:
                glance = now + GLANCE
                state = phase.handed, phase.ended()
                if state != seen:
                    seen, since = state, now
                elif now - since > patience:
                    phase.stop()
                    return False
            # While producers are at work, time is theirs.
            time.sleep(10 * kit.PAUSE if phase.producing else kit.PAUSE)
        _raise(phase.failure)
        return True

    def _program_ended(self, status):
        """Whatever the driver is doing: without one of its worker programs the trial has failed."""
        where = self._phase.state() if self._phase.is_measured else "before the measured part"
        harness.give_up("other", f"a worker program of {self._name} {told(status)}; {where}")

    def _clear_away(self):
        self._programs.kill()
        if kit.DIRECTORY in os.environ:
            shutil.rmtree(os.environ[kit.DIRECTORY], ignore_errors=True)


def _check(job):
    """Refuses what no library can be asked for."""
    workload = job["workload"]
    body = workload["body"]
    kind, _, rest = body.partition(" ")
    if not 1 <= workload["processes"] <= job["workers"] or workload["producers"] < 1:
        raise harness.Refusal("protocol", "there are 1 to `workers` worker programs, and one producer at least")
    if workload["pipeline"] > 1:
        raise harness.Refusal("unsupported", f"tasks are handed over one by one (asked for {workload['pipeline']} at once)")
    if job.get("delete_keys"):
        raise harness.Refusal("unsupported", "the keys of a task-queue library cannot be deleted by name")
    if body == "echo" and not workload["results"]:
        raise harness.Refusal("unsupported", "the body `echo` needs results")
    if kind in ("sleep", "cpu"):
        known = kit.body_time(body) > 0
    elif kind == "call":
        known = ":" in rest
    else:
        known = body in ("noop", "echo")
    if not known:
        raise harness.Refusal("unsupported", f"this driver knows no body `{body}`")
    if kind == "call" and importlib.util.find_spec(rest.partition(":")[0]) is None:
        raise harness.Refusal("other", f"the module for the body `{body}` was not found on PYTHONPATH")


def _share(job):
    """Makes the files that driver and workers share, and tells where they are."""
    parent = SHARED if os.path.isdir(SHARED) and os.access(SHARED, os.W_OK) else tempfile.gettempdir()
    _sweep(parent)
    os.environ[kit.DIRECTORY] = tempfile.mkdtemp(prefix=f"orchestrate-{os.getpid()}-", dir=parent)
    with open(kit.path(kit.JOB), "w", encoding="utf-8") as file:
        json.dump(job, file)
    for name in (kit.BEFORE, kit.MEASURED, kit.TWICE):
        open(kit.path(name), "xb").close()


def _sweep(parent):
    """Removes what drivers have left there that were killed."""
    for name in os.listdir(parent):
        found = re.match(r"orchestrate-(\d+)-", name)
        if found:
            try:
                os.kill(int(found[1]), 0)
            except ProcessLookupError:
                shutil.rmtree(os.path.join(parent, name), ignore_errors=True)
            except PermissionError:
                pass


def _twice():
    """Numbers of tasks that were executed again."""
    with open(kit.path(kit.TWICE), "rb") as file:
        numbers = {number for (number,) in kit.TIME.iter_unpack(file.read())}
    return sorted(numbers)[:NAMED]


def _raise(failure):
    if failure is not None:
        raise failure
