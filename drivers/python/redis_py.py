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
from redis.cluster import RedisCluster  # noqa: E402

if bool(redis.utils.HIREDIS_AVAILABLE) != options.hiredis:
    raise SystemExit(f"hiredis is {'not ' * options.hiredis}used, against what was asked for")

CLIENT = f"redis-py {redis.__version__}"
if options.hiredis:
    import hiredis

    CLIENT += f" + hiredis {hiredis.__version__}"


# Tasks and messages go one to a call, so there is nothing that could share a round trip.
WORKLOADS = ("set-get", "read-write", "commands") + (() if options.pipe else ("queue", "pubsub"))


# A pipeline to a cluster would be one to each of its nodes, of which it is not known how much goes to which.
SUPPORTS = tuple(name for name in harness.OF_A_CONNECTION if not (options.pipe and name == "cluster"))


# Options that an experiment may give: the library's own name for each, and what it may be.
OPTIONS = {"protocol": ("protocol", (2, 3)), "single_connection": ("single_connection_client", (True, False))}


def arguments(job, retry):
    """How every worker connects. Nothing is tried twice: a retry would hide a failure and count as one operation."""
    server = job["server"]
    if server["unix_socket"]:
        place = {"unix_socket_path": server["unix_socket"]}
    else:
        place = {"host": server["host"], "port": server["port"]}
    tls = server.get("tls")
    if tls is not None:
        files = {"ssl_ca_certs": tls.get("ca"), "ssl_certfile": tls.get("cert"), "ssl_keyfile": tls.get("key")}
        place |= {"ssl": True, **files}
    login = {"username": server.get("username"), "password": server["password"]}
    if server.get("cluster"):
        if "single_connection" in job.get("options", {}):
            raise harness.Refusal("unsupported", "a client of a cluster has no option `single_connection`")
        # A node that is lost fails what is sent to it: to look for another one would hide that.
        login["cluster_error_retry_attempts"] = 0
    else:
        login["db"] = server.get("db", 0)
    asked = {OPTIONS[name][0]: value for name, value in job.get("options", {}).items() if name in OPTIONS}
    return {**place, **login, **asked, "decode_responses": True, "retry": retry(NoBackoff(), 0)}


# Every node of a cluster is to be connected to before the work begins.
PING = {
    redis.Redis: {},
    redis.asyncio.Redis: {},
    RedisCluster: {"target_nodes": RedisCluster.PRIMARIES},
    redis.asyncio.RedisCluster: {"target_nodes": RedisCluster.PRIMARIES},
}


def loop_of(loops, worker):
    """Of a workload's loops that of one worker: by its command if it produces or consumes."""
    return loops[worker.command] if isinstance(loops, dict) else loops[options.pipe]


class Sync(harness.Threads):
    client = CLIENT
    workloads = WORKLOADS
    supports = SUPPORTS
    runtime = f"{harness.interpreter()}, threads"
    pipelines = options.pipe
    options = {name: values for name, (_, values) in OPTIONS.items()}

    def __init__(self, job):
        keywords = arguments(job, redis.retry.Retry)
        self.job, self.loops = job, SYNC[job["workload"]["kind"]]
        make = RedisCluster if job["server"].get("cluster") else redis.Redis
        self.clients = [make(**keywords) for _ in range(harness.connections(job))]
        # What each loop works with: the client, or its subscription, which closes when nobody holds the client any more.
        self.ends = list(self.clients)

    def connect(self):
        for r in self.clients:
            r.ping(**PING[type(r)])
        if self.job["workload"]["kind"] == "pubsub":
            subscribers = self.clients[:self.job["workers"]]
            self.ends[:len(subscribers)] = [subscribed(r, harness.channels(self.job)) for r in subscribers]

    def work(self, workers):
        self.run(lambda worker, number: loop_of(self.loops, worker)(self.ends[number], worker), workers)

    def make_group(self, key):
        self.clients[0].xgroup_create(key, harness.GROUP, id="0", mkstream=True)

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


def sync_lpush(r, producer):
    for key, task in producer:
        r.lpush(key, task)


def sync_brpop(r, consumer):
    while consumer.waits():
        popped = r.brpop(consumer.key, timeout=1)
        if popped:
            consumer.took(popped[1])


def sync_blmove(r, consumer):
    while consumer.waits():
        task = r.blmove(consumer.key, consumer.taken_key, 1, "RIGHT", "LEFT")
        if task:
            consumer.took(task)
            consumer.acknowledged(r.lrem(consumer.taken_key, 1, task))


def sync_xadd(r, producer):
    for key, task in producer:
        r.xadd(key, {"task": task})


def sync_xreadgroup(r, consumer):
    acknowledge, streams = consumer.acknowledge, {consumer.key: ">"}
    while consumer.waits():
        read = r.xreadgroup(harness.GROUP, consumer.name, streams, count=1, block=1000, noack=not acknowledge)
        for _, entries in read:
            for entry, fields in entries:
                consumer.took(fields["task"])
                if acknowledge:
                    consumer.acknowledged(r.xack(consumer.key, harness.GROUP, entry))


def sync_publish(r, producer):
    for channel, message in producer:
        r.publish(channel, message)


def subscribed(r, channels):
    p = r.pubsub()
    p.subscribe(*channels)
    # The answers, one for each channel.
    for _ in channels:
        p.get_message(timeout=None)
    return p


def sync_subscribe(p, consumer):
    for message in p.listen():
        consumer.took(message["data"])
        if not consumer.waits():
            return


# The loops of each workload, without and with a pipeline, or of each command that producers and consumers use.
SYNC = {
    "set-get": (sync, sync_pipe),
    "read-write": (sync_read_write, sync_read_write_pipe),
    "commands": (sync_commands, sync_commands_pipe),
    "queue": {
        "lpush": sync_lpush,
        "brpop": sync_brpop,
        "blmove": sync_blmove,
        "xadd": sync_xadd,
        "xreadgroup": sync_xreadgroup,
    },
    "pubsub": {"publish": sync_publish, "subscribe": sync_subscribe},
}


class Asyncio(harness.Tasks):
    client = CLIENT
    workloads = WORKLOADS
    supports = SUPPORTS
    pipelines = options.pipe
    options = Sync.options

    def __init__(self, job):
        super().__init__(options.uvloop)
        keywords = arguments(job, redis.asyncio.retry.Retry)
        self.job, self.loops = job, ASYNCIO[job["workload"]["kind"]]
        make = redis.asyncio.RedisCluster if job["server"].get("cluster") else redis.asyncio.Redis
        self.clients = [make(**keywords) for _ in range(harness.connections(job))]
        # What each loop works with: the client, or its subscription, which closes when nobody holds the client any more.
        self.ends = list(self.clients)

    def connect(self):
        self.run([r.ping(**PING[type(r)]) for r in self.clients])
        if self.job["workload"]["kind"] == "pubsub":
            subscribers = self.clients[:self.job["workers"]]
            self.ends[:len(subscribers)] = self.run([asyncio_subscribed(r, harness.channels(self.job)) for r in subscribers])

    def work(self, workers):
        self.run([loop_of(self.loops, worker)(r, worker) for r, worker in zip(self.ends, workers)])

    def make_group(self, key):
        self.run([self.clients[0].xgroup_create(key, harness.GROUP, id="0", mkstream=True)])

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


async def asyncio_lpush(r, producer):
    async for key, task in producer:
        await r.lpush(key, task)


async def asyncio_brpop(r, consumer):
    while consumer.waits():
        popped = await r.brpop(consumer.key, timeout=1)
        if popped:
            consumer.took(popped[1])


async def asyncio_blmove(r, consumer):
    while consumer.waits():
        task = await r.blmove(consumer.key, consumer.taken_key, 1, "RIGHT", "LEFT")
        if task:
            consumer.took(task)
            consumer.acknowledged(await r.lrem(consumer.taken_key, 1, task))


async def asyncio_xadd(r, producer):
    async for key, task in producer:
        await r.xadd(key, {"task": task})


async def asyncio_xreadgroup(r, consumer):
    acknowledge, streams = consumer.acknowledge, {consumer.key: ">"}
    while consumer.waits():
        read = await r.xreadgroup(harness.GROUP, consumer.name, streams, count=1, block=1000, noack=not acknowledge)
        for _, entries in read:
            for entry, fields in entries:
                consumer.took(fields["task"])
                if acknowledge:
                    consumer.acknowledged(await r.xack(consumer.key, harness.GROUP, entry))


async def asyncio_publish(r, producer):
    async for channel, message in producer:
        await r.publish(channel, message)


async def asyncio_subscribed(r, channels):
    p = r.pubsub()
    await p.subscribe(*channels)
    # The answers, one for each channel.
    for _ in channels:
        await p.get_message(timeout=None)
    return p


async def asyncio_subscribe(p, consumer):
    async for message in p.listen():
        consumer.took(message["data"])
        if not consumer.waits():
            return


ASYNCIO = {
    "set-get": (asyncio, asyncio_pipe),
    "read-write": (asyncio_read_write, asyncio_read_write_pipe),
    "commands": (asyncio_commands, asyncio_commands_pipe),
    "queue": {
        "lpush": asyncio_lpush,
        "brpop": asyncio_brpop,
        "blmove": asyncio_blmove,
        "xadd": asyncio_xadd,
        "xreadgroup": asyncio_xreadgroup,
    },
    "pubsub": {"publish": asyncio_publish, "subscribe": asyncio_subscribe},
}

harness.main(Sync if options.kind == "sync" else Asyncio)
