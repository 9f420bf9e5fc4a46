"""What the task-queue libraries in Python have in common, as far as their workers need it.

A library's file serves twice. As a script it is the driver, and ``main`` is all of it that runs then; the course of a trial
is in ``course.py``. As a module, which producers and workers import alike, it declares the task, ``run`` or ``run_async``,
and says of the library:

- ``CLIENT``: what it is, for the tables;
- ``hand_over(number, …)``: hands one task over, and returns what ``result`` takes;
- ``result(handle)``: waits for a task's result, through the library's own API;
- ``worker(slots, number)``: the command line of a worker program, and variables of its environment;
- ``left()``: how many tasks the library has on the server, waiting or taken.

An asynchronous library has coroutines in place of the functions that talk to the server, and ``connect()`` before them.

A task leaves its traces in files that driver and workers share: they cost the server nothing, and all processes of a host have the
same monotonic clock. Tasks of the measured part have the numbers 0, 1, 2 …, those before it -1, -2, -3 …
"""

import collections
import functools
import importlib
import inspect
import json
import os
import re
import socket
import struct
import sys
import threading
import time
import urllib.parse

# The variable that says where the files are.
DIRECTORY = "ORCHESTRATE_TASKS"
# In that directory: the job; what is there as long as tasks are to wait for each other; numbers of tasks that were executed
# again; start and end of each task before the measured part, and of it.
JOB, MEETING, TWICE, BEFORE, MEASURED = "job", "meeting", "twice", "before", "measured"
# Of one task: start and end, which is negative if the body has raised an exception. 0 is not yet.
TIMES = struct.Struct("<qq")
TIME = struct.Struct("<q")
CLOSED = "the server closed the connection"
# How often is looked whether something has come about that nobody announces, in seconds.
PAUSE = 0.001
# In nanoseconds.
UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
# What an option may be.
FLAG, POSITIVE = (False, True), range(1, 1 << 31)


def main(name, variants=(), options=None):
    """Is the driver of the library of that name; ``options`` are those of a job, and what each may be."""
    # Not at the top, here and below: it would be part of every worker's cold start.
    import argparse

    parser = argparse.ArgumentParser(description=f"{name} as a task queue, for orchestrate")
    parser.add_argument("--harness", required=True, help="what the drivers in Python have in common")
    if variants:
        parser.add_argument("variant", choices=variants)
    arguments = parser.parse_args()
    here, harness = os.path.dirname(os.path.abspath(__file__)), os.path.dirname(os.path.abspath(arguments.harness))
    sys.path.append(harness)
    # For the workers: their programs import the library's file by its name.
    known = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([here] + ([known] if known else []))
    course = importlib.import_module("course")
    module = os.path.splitext(os.path.basename(sys.argv[0]))[0]
    course.Driver(name, module, getattr(arguments, "variant", None), options or {}).serve()


@functools.lru_cache(maxsize=None)
def job():
    """The driver's job, and the ``variant`` of the library that its command line names."""
    with open(path(JOB), encoding="utf-8") as file:
        return json.load(file)


def option(name, default=None):
    """What the job asks for, or else the default."""
    return (job().get("options") or {}).get(name, default)


def variant():
    return job()["variant"]


def results():
    """Whether results of tasks are to be stored."""
    return job()["workload"]["results"]


def url(unix="unix"):
    """The server, as the libraries like to be told; ``unix`` is the scheme for a socket in the file system."""
    server = job()["server"]
    password = f":{urllib.parse.quote(server['password'], safe='')}@" if server["password"] else ""
    if server["unix_socket"]:
        return f"{unix}://{password}{urllib.parse.quote(server['unix_socket'])}"
    host = f"[{server['host']}]" if ":" in server["host"] else server["host"]
    return f"redis://{password}{host}:{server['port']}"


def program(name):
    """The path of a library's own program: it is installed beside the interpreter."""
    return os.path.join(os.path.dirname(sys.executable), name)


def run(number, text=None):
    """Executes a task, in a worker of a library that blocks."""
    with _Execution(number):
        while number < 0 and os.path.exists(path(MEETING)):
            time.sleep(PAUSE)
        outcome = _body(time.sleep)(number, text)
        return _awaited(outcome) if inspect.isawaitable(outcome) else outcome


async def run_async(number, text=None):
    """The same in a worker that is an event loop."""
    import asyncio

    async with _Execution(number):
        while number < 0 and os.path.exists(path(MEETING)):
            await asyncio.sleep(PAUSE)
        outcome = _body(asyncio.sleep)(number, text)
        return await outcome if inspect.isawaitable(outcome) else outcome


def body_time(body):
    """How long a body takes by itself, in nanoseconds."""
    found = re.fullmatch(r"(?:sleep|cpu) (\d+(?:\.\d+)?)(ns|us|ms|s)", body)
    return round(float(found[1]) * UNITS[found[2]]) if found else 0


@functools.lru_cache(maxsize=None)
def _body(sleep):
    """What tasks do: a function of number and text."""
    body = job()["workload"]["body"]
    kind, _, rest = body.partition(" ")
    duration = body_time(body)
    if kind == "sleep":
        return lambda number, text: sleep(duration / 1e9)
    if kind == "cpu":
        return lambda number, text: _burn(duration)
    if kind == "echo":
        return echoed
    if kind == "call":
        function = called(rest)
        return lambda number, text: function(number)
    return lambda number, text: None


def _burn(duration):
    end = time.thread_time_ns() + duration
    while time.thread_time_ns() < end:
        pass


def echoed(number, text=None):
    """What the body ``echo`` returns."""
    return str(number) if text is None else text


def called(function):
    """The function of a user, ``module:function``."""
    module, _, name = function.partition(":")
    return getattr(importlib.import_module(module), name)


def _awaited(outcome):
    """What a user's asynchronous function comes to in a worker that blocks."""
    import asyncio

    async def awaited():
        return await outcome

    return asyncio.run(awaited())


class _Execution:
    """The traces of one task, around its body. What comes first stays: a task that has ended may be executed again."""

    def __init__(self, number):
        self._number = number
        self._index = number if number >= 0 else -1 - number
        self._file = _file(MEASURED if number >= 0 else BEFORE)

    def __enter__(self):
        self._begin()

    def __exit__(self, raised, *_):
        if job()["workload"]["verify"]:
            self._marked(_marks().call(*self._mark()))
        self._end(raised)

    async def __aenter__(self):
        self._begin()

    async def __aexit__(self, raised, *_):
        if job()["workload"]["verify"]:
            marks = await _async_marks()
            self._marked(await marks.call(*self._mark()))
        self._end(raised)

    def _begin(self):
        self._began = not any(os.pread(self._file, TIME.size, TIMES.size * self._index + TIME.size))
        if self._began:
            os.pwrite(self._file, TIME.pack(time.monotonic_ns()), TIMES.size * self._index)

    def _mark(self):
        """The command that tells the server of this execution."""
        return "SETBIT", job()["key_prefix"] + ("done" if self._number >= 0 else "wdone"), self._index, 1

    def _marked(self, reply):
        if reply == b"1" and self._number >= 0:
            os.write(_file(TWICE, os.O_WRONLY | os.O_APPEND), TIME.pack(self._number))

    def _end(self, raised):
        if self._began:
            now = time.monotonic_ns()
            os.pwrite(self._file, TIME.pack(-now if raised else now), TIMES.size * self._index + TIME.size)


def _request(words):
    encoded = [str(word).encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)


def _reply(line):
    """What a reply of one line says."""
    if line.startswith(b"-"):
        raise ConnectionError(line[1:].decode())
    return line[1:]


class Connection:
    """A plain connection to the server that no library knows of."""

    def __init__(self):
        server = job()["server"]
        if server["unix_socket"]:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.connect(server["unix_socket"])
        else:
            self._socket = socket.create_connection((server["host"], server["port"]))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if server["password"]:
            self.call("AUTH", server["password"])

    def call(self, *words):
        """The reply to a command that is answered by one line."""
        self._socket.sendall(_request(words))
        line = b""
        while not line.endswith(b"\r\n"):
            received = self._socket.recv(4096)
            if not received:
                raise ConnectionError(CLOSED)
            line += received
        return _reply(line[:-2])


class AsyncConnection:
    """The same for an event loop. Calls do not wait for each other: the server answers them in order."""

    @classmethod
    async def open(cls):
        import asyncio

        server = job()["server"]
        self = cls()
        self._calls = collections.deque()
        if server["unix_socket"]:
            streams = asyncio.open_unix_connection(server["unix_socket"])
        else:
            streams = asyncio.open_connection(server["host"], server["port"])
        self._reader, self._writer = await streams
        self._reading = asyncio.create_task(self._read())
        if server["password"]:
            await self.call("AUTH", server["password"])
        return self

    def call(self, *words):
        """A future of the reply to a command that is answered by one line."""
        import asyncio

        call = asyncio.get_running_loop().create_future()
        if self._reading.done():
            call.set_exception(ConnectionError(CLOSED))
        else:
            self._calls.append(call)
            self._writer.write(_request(words))
        return call

    async def _read(self):
        try:
            while line := await self._reader.readline():
                call = self._calls.popleft()
                if call.done():
                    continue
                try:
                    call.set_result(_reply(line[:-2]))
                except ConnectionError as error:
                    call.set_exception(error)
        finally:
            for call in self._calls:
                if not call.done():
                    call.set_exception(ConnectionError(CLOSED))


def _marks():
    """The connection for marks, one for each thread. A child process does not share its parent's."""
    if getattr(_here, "process", None) != os.getpid():
        _here.process, _here.connection = os.getpid(), Connection()
    return _here.connection


_here = threading.local()


def _async_marks():
    """The same for the event loop of this process. A task that is cancelled while it waits for it leaves it to the others."""
    import asyncio

    return asyncio.shield(_connecting(asyncio.get_running_loop()))


@functools.lru_cache(maxsize=None)
def _connecting(loop):
    """Connects once."""
    return loop.create_task(AsyncConnection.open())


def path(name):
    """Of one of the files that driver and workers share."""
    return os.path.join(os.environ[DIRECTORY], name)


@functools.lru_cache(maxsize=None)
def _file(name, flags=os.O_RDWR):
    """Stays open as long as the process lives."""
    return os.open(path(name), flags)
