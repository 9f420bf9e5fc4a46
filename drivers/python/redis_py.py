# /// script
# requires-python = ">=3.10"
# dependencies = [
#     "redis==8.1.0",
#     "hiredis==3.5.0",
#     "uvloop==0.23.0; platform_python_implementation == 'CPython'",
#     "async-timeout==5.0.1; python_full_version < '3.11.3'",
# ]
# ///
"""redis-py, blocking or with asyncio."""

import argparse
import asyncio
import functools
import sys

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("api", choices=["sync", "asyncio"])
parser.add_argument("--pipe", action="store_true", help="SET and GET in one pipeline")
parser.add_argument("--no-transaction", action="store_true", help="a pipeline without MULTI and EXEC")
parser.add_argument("--uvloop", action="store_true", help="the event loop of uvloop in place of asyncio's own")
parser.add_argument("--hiredis", action="store_true", help="hiredis in place of redis-py's own parser")
parser.add_argument("--check", action="store_true", help="only find out whether all of this can be had here")
args = parser.parse_args()

if not args.hiredis:
    # redis-py uses it wherever it can be imported.
    sys.modules["hiredis"] = None

import redis
import redis.asyncio
import redis.asyncio.retry
import redis.backoff
import redis.retry

# From here on: the harness is not to leave a __pycache__ in the source tree, libraries are to have theirs.
sys.dont_write_bytecode = True

from driver import Failure, Mode, Server, TaskWorker, Tasks, Threads, ThreadWorker, check, python, serve


def set_get(r: redis.Redis, worker: ThreadWorker) -> None:
    for key, value in worker.operations():
        r.set(key, value)
        fetched = r.get(key)
        worker.check(fetched)


def set_get_pipe(r: redis.Redis, worker: ThreadWorker, transaction: bool) -> None:
    for batch in worker.batches():
        pipe = r.pipeline(transaction)
        for key, value in batch:
            pipe.set(key, value)
            pipe.get(key)
        replies = pipe.execute()
        worker.check(*replies[1::2])


async def set_get_asyncio(r: redis.asyncio.Redis, worker: TaskWorker) -> None:
    async for key, value in worker.operations():
        await r.set(key, value)
        fetched = await r.get(key)
        worker.check(fetched)


async def set_get_pipe_asyncio(r: redis.asyncio.Redis, worker: TaskWorker, transaction: bool) -> None:
    async for batch in worker.batches():
        pipe = r.pipeline(transaction)
        for key, value in batch:
            pipe.set(key, value)
            pipe.get(key)
        replies = await pipe.execute()
        worker.check(*replies[1::2])


def connect(server: Server) -> redis.Redis:
    r = redis.Redis(retry=redis.retry.Retry(redis.backoff.NoBackoff(), 0), **settings(server))
    r.ping()
    return r


async def connect_asyncio(server: Server) -> redis.asyncio.Redis:
    r = redis.asyncio.Redis(retry=redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 0), **settings(server))
    await r.ping()
    return r


def settings(server: Server) -> dict:
    """What both kinds of client are made with, but for `retry`: redis-py would send a command again, up to ten times,
    and nobody would see that it had failed."""
    return {
        "host": server.host,
        "port": server.port,
        "unix_socket_path": server.unix_socket,
        "password": server.password,
        "decode_responses": True,
        # Long enough for hundreds of connections at once over a slow link.
        "socket_connect_timeout": 30,
        # A trial has a timeout of its own, and one here (five seconds by default) would cost every command.
        "socket_timeout": None,
    }


def delete(r: redis.Redis, keys: list[str]) -> None:
    r.delete(*keys)


async def delete_asyncio(r: redis.asyncio.Redis, keys: list[str]) -> None:
    await r.delete(*keys)


def is_lost(error: Exception) -> bool:
    return isinstance(error, (redis.ConnectionError, redis.TimeoutError))


def choose_mode() -> Mode:
    client = f"redis-py {redis.__version__}"
    if args.hiredis:
        client += f" + hiredis {hiredis_version()}"
    set_get_piped = set_get_pipe if args.api == "sync" else set_get_pipe_asyncio
    piped = functools.partial(set_get_piped, transaction=not args.no_transaction)
    if args.api == "sync":
        if args.uvloop:
            raise Failure("unsupported", "a blocking client has no event loop: --uvloop goes with asyncio")
        crew = Threads(connect, piped if args.pipe else set_get, delete, is_lost)
        return Mode(client, python(), args.pipe, crew)
    if args.uvloop:
        loop, name = uvloop_loop()
    else:
        loop, name = asyncio.new_event_loop(), "asyncio"
    crew = Tasks(loop, connect_asyncio, piped if args.pipe else set_get_asyncio, delete_asyncio, is_lost)
    return Mode(client, f"{python()}, {name}", args.pipe, crew)
