# /// script
# requires-python = ">=3.10"
# dependencies = [
#     "redis==8.1.0",
#     "hiredis==3.5.0",
#     "uvloop==0.23.0",
#     "async-timeout==5.0.1 ; python_full_version < '3.11.3'",
# ]
# ///
"""redis-py as a client: ``redis_py.py sync|asyncio [--pipe] [--no-transaction] [--uvloop] [--hiredis]``.

``sync`` and ``sync --pipe`` are ``test_sync`` and ``test_sync_pipe`` of the article, ``asyncio`` is ``test_async`` with
what has become of aioredis: it is part of redis-py today.
"""

import argparse
import sys

import harness

parser = argparse.ArgumentParser(description="redis-py as a client, for orchestrate")
parser.add_argument("kind", choices=["sync", "asyncio"])
parser.add_argument("--pipe", action="store_true", help="SET and GET of an operation share a round trip")
parser.add_argument("--no-transaction", action="store_true", help="pipelines without MULTI and EXEC around them")
parser.add_argument("--uvloop", action="store_true", help="asyncio on uvloop")
parser.add_argument("--hiredis", action="store_true", help="replies are parsed, and requests packed, in C")
options = parser.parse_args()

if not options.hiredis:
    # redis-py takes hiredis if it can import it. With this it cannot, as if it were not installed.
    sys.modules["hiredis"] = None

import redis  # noqa: E402
import redis.asyncio  # noqa: E402
import redis.utils  # noqa: E402
from redis.backoff import NoBackoff  # noqa: E402

if bool(redis.utils.HIREDIS_AVAILABLE) != options.hiredis:
    raise SystemExit(f"hiredis is {'not ' * options.hiredis}used, against what was asked for")

CLIENT = f"redis-py {redis.__version__}"
if options.hiredis:
    import hiredis

    CLIENT += f" + hiredis {hiredis.__version__}"


def arguments(job, retry):
    """How every worker connects. Nothing is tried twice: a retry would hide a failure and count as one operation."""
    server = job["server"]
    if server["unix_socket"]:
        place = {"unix_socket_path": server["unix_socket"]}
    else:
        place = {"host": server["host"], "port": server["port"]}
    return {**place, "password": server["password"], "decode_responses": True, "retry": retry(NoBackoff(), 0)}


class Sync(harness.Threads):
    client = CLIENT
    workloads = ("set-get", "read-write", "commands")
    runtime = f"{harness.interpreter()}, threads"
    pipelines = options.pipe

    def __init__(self, job):
        keywords = arguments(job, redis.retry.Retry)
        self.work_of = SYNC[job["workload"]["kind"]][options.pipe]
        self.clients = [redis.Redis(**keywords) for _ in range(job["workers"])]

    def connect(self):
        for r in self.clients:
            r.ping()

    def work(self, workers):
        self.run(lambda worker, number: self.work_of(self.clients[number], worker), workers)

    def delete(self, keys):
        self.clients[0].delete(*keys)


def sync(r, worker):
    for i in worker.operations():
        key, value = worker.pair(i)
        r.set(key, value)
        fetched = r.get(key)
        worker.check(fetched, value)


def sync_pipe(r, worker):
    for batch in worker.batches():
        pairs = [worker.pair(i) for i in batch]
        pipe = r.pipeline(transaction=not options.no_transaction)
        for key, value in pairs:
            pipe.set(key, value)
            pipe.get(key)
        replies = pipe.execute()
        for (_, value), fetched in zip(pairs, replies[1::2]):
            worker.check(fetched, value)


def sync_read_write(r, worker):
    for key, value, read in worker.accesses():
        if read:
            worker.check(r.get(key), value)
        else:
            r.set(key, value)


def queue(pipe, accesses):
    for key, value, read in accesses:
        if read:
            pipe.get(key)
        else:
            pipe.set(key, value)


def sync_read_write_pipe(r, worker):
    for batch in worker.batches():
        accesses = [worker.access(i) for i in batch]
        pipe = r.pipeline(transaction=not options.no_transaction)
        queue(pipe, accesses)
        replies = pipe.execute()
        for (_, value, read), reply in zip(accesses, replies):
            worker.check(reply, value if read else True)


def sync_commands(r, worker):
    for commands in worker.commands():
        for command in commands:
            r.execute_command(*command)


def sync_commands_pipe(r, worker):
    for batch in worker.batches():
        commands = [command for i in batch for command in worker.rendered(i)]
        pipe = r.pipeline(transaction=not options.no_transaction)
        for command in commands:
            pipe.execute_command(*command)
        pipe.execute()
        worker.count(commands)


# The loops of each workload, without and with a pipeline.
SYNC = {
    "set-get": (sync, sync_pipe),
    "read-write": (sync_read_write, sync_read_write_pipe),
    "commands": (sync_commands, sync_commands_pipe),
}


class Asyncio(harness.Tasks):
    client = CLIENT
    workloads = ("set-get", "read-write", "commands")
    pipelines = options.pipe

    def __init__(self, job):
        super().__init__(options.uvloop)
        keywords = arguments(job, redis.asyncio.retry.Retry)
        self.work_of = ASYNCIO[job["workload"]["kind"]][options.pipe]
        self.clients = [redis.asyncio.Redis(**keywords) for _ in range(job["workers"])]

    def connect(self):
        self.run([r.ping() for r in self.clients])

    def work(self, workers):
        self.run([self.work_of(r, worker) for r, worker in zip(self.clients, workers)])

    def delete(self, keys):
        self.run([self.clients[0].delete(*keys)])


async def asyncio(r, worker):
    for i in worker.operations():
        key, value = worker.pair(i)
        await r.set(key, value)
        fetched = await r.get(key)
        worker.check(fetched, value)


async def asyncio_pipe(r, worker):
    for batch in worker.batches():
        pairs = [worker.pair(i) for i in batch]
        pipe = r.pipeline(transaction=not options.no_transaction)
        for key, value in pairs:
            pipe.set(key, value)
            pipe.get(key)
        replies = await pipe.execute()
        for (_, value), fetched in zip(pairs, replies[1::2]):
            worker.check(fetched, value)


async def asyncio_read_write(r, worker):
    for key, value, read in worker.accesses():
        if read:
            worker.check(await r.get(key), value)
        else:
            await r.set(key, value)


async def asyncio_read_write_pipe(r, worker):
    for batch in worker.batches():
        accesses = [worker.access(i) for i in batch]
        pipe = r.pipeline(transaction=not options.no_transaction)
        queue(pipe, accesses)
        replies = await pipe.execute()
        for (_, value, read), reply in zip(accesses, replies):
            worker.check(reply, value if read else True)


async def asyncio_commands(r, worker):
    for commands in worker.commands():
        for command in commands:
            await r.execute_command(*command)


async def asyncio_commands_pipe(r, worker):
    for batch in worker.batches():
        commands = [command for i in batch for command in worker.rendered(i)]
        pipe = r.pipeline(transaction=not options.no_transaction)
        for command in commands:
            pipe.execute_command(*command)
        await pipe.execute()
        worker.count(commands)


ASYNCIO = {
    "set-get": (asyncio, asyncio_pipe),
    "read-write": (asyncio_read_write, asyncio_read_write_pipe),
    "commands": (asyncio_commands, asyncio_commands_pipe),
}

harness.main(Sync if options.kind == "sync" else Asyncio)
