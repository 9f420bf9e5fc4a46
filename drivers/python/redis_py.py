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
    runtime = f"{harness.interpreter()}, threads"
    pipelines = options.pipe

    def __init__(self, job):
        keywords = arguments(job, redis.retry.Retry)
        self.clients = [redis.Redis(**keywords) for _ in range(job["workers"])]

    def connect(self):
        for r in self.clients:
            r.ping()

    def work(self, workers):
        loop = sync_pipe if options.pipe else sync
        self.run(lambda worker, number: loop(self.clients[number], worker), workers)

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


class Asyncio(harness.Tasks):
    client = CLIENT
    pipelines = options.pipe

    def __init__(self, job):
        super().__init__(options.uvloop)
        keywords = arguments(job, redis.asyncio.retry.Retry)
        self.clients = [redis.asyncio.Redis(**keywords) for _ in range(job["workers"])]

    def connect(self):
        self.run([r.ping() for r in self.clients])

    def work(self, workers):
        loop = asyncio_pipe if options.pipe else asyncio
        self.run([loop(r, worker) for r, worker in zip(self.clients, workers)])

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


harness.main(Sync if options.kind == "sync" else Asyncio)
