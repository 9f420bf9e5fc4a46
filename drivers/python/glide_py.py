# /// script
# requires-python = ">=3.10"
# dependencies = [
#     "valkey-glide==2.6.0",
#     "valkey-glide-sync==2.6.0",
#     "anyio==4.16.0",
#     "cffi==2.1.1",
#     "protobuf==7.36.2",
# ]
# ///
"""Valkey GLIDE as a client: ``glide_py.py asyncio|sync``.

Both are the same core in Rust, which has threads of its own and one connection for each client. Replies are bytes.
"""

import argparse
import importlib.metadata
import os
import pathlib

import harness

parser = argparse.ArgumentParser(description="Valkey GLIDE as a client, for orchestrate")
parser.add_argument("kind", choices=["asyncio", "sync"])
options = parser.parse_args()

# The two packages have the same names for the same things.
if options.kind == "asyncio":
    import glide

    CLIENT = f"valkey-glide {importlib.metadata.version('valkey-glide')}"
else:
    import glide_sync as glide

    CLIENT = f"valkey-glide-sync {importlib.metadata.version('valkey-glide-sync')}"

# The core logs to standard output, where the protocol is spoken. What goes wrong it says in an exception as well.
glide.Logger.set_logger_config(glide.LogLevel.OFF)


def remove_sockets():
    """The core of the asyncio package is spoken to over a socket, which it leaves behind."""
    for socket in pathlib.Path("/tmp").glob(f"glide-socket-{os.getpid()}-*.sock"):
        socket.unlink(missing_ok=True)


harness.before_leaving.append(remove_sockets)

# A request has 250 ms by default, in which a slow server would be a failure; the core cannot do without any limit. It is
# also how long a client that was idle waits when it finds its connection lost. So it is the five seconds of redis-py.
REQUEST_TIMEOUT_MS = 5_000
# It connects again whatever one says, but may wait so long that a request gives up first, and with it the trial.
RECONNECT = glide.BackoffStrategy(num_of_retries=1, factor=1_000_000, exponent_base=2, jitter_percent=0)


def create(job):
    """A client, or what is to be awaited for one."""
    server, tls = job["server"], job["server"].get("tls")
    if server["unix_socket"]:
        address = glide.NodeAddress(unix_socket_path=server["unix_socket"])
    else:
        address = glide.NodeAddress(server["host"], server["port"])
    password, username = server["password"], server.get("username")
    settings = {
        "use_tls": tls is not None,
        "credentials": glide.ServerCredentials(password, username) if password else None,
        "request_timeout": REQUEST_TIMEOUT_MS,
        "reconnect_strategy": RECONNECT,
    }
    trust = {"tls_config": trusting(tls)} if tls is not None else {}
    if server.get("cluster"):
        advanced = glide.AdvancedGlideClusterClientConfiguration(**trust)
        # A trial is short, and nobody changes its cluster.
        unwatched = glide.PeriodicChecksStatus.DISABLED
        configuration = glide.GlideClusterClientConfiguration(
            [address], advanced_config=advanced, periodic_checks=unwatched, **settings
        )
        return glide.GlideClusterClient.create(configuration)
    advanced = glide.AdvancedGlideClientConfiguration(**trust)
    configuration = glide.GlideClientConfiguration(
        [address], advanced_config=advanced, database_id=server.get("db") or None, **settings
    )
    return glide.GlideClient.create(configuration)


def trusting(files):
    """What makes a client trust a server, by the files of a job."""

    def text(name):
        return pathlib.Path(files[name]).read_bytes() if files.get(name) else None

    return glide.TlsAdvancedConfiguration(
        root_pem_cacerts=text("ca"), client_cert_pem=text("cert"), client_key_pem=text("key")
    )


class Sync(harness.Threads):
    client = CLIENT
    workloads = ("set-get", "read-write", "queue", "pubsub")
    supports = harness.OF_A_CONNECTION
    runtime = f"{harness.interpreter()}, threads"
    pipelines = False

    def __init__(self, job):
        self.job, self.loops = job, SYNC.get(job["workload"]["kind"])

    def connect(self):
        self.clients = [create(self.job) for _ in range(harness.connections(self.job))]
        if self.job["workload"]["kind"] == "pubsub":
            for r in self.clients[:self.job["workers"]]:
                r.subscribe(set(harness.channels(self.job)))

    def work(self, workers):
        self.run(lambda worker, number: loop_of(self.loops, worker)(self.clients[number], worker), workers)

    def make_group(self, key):
        self.clients[0].xgroup_create(key, harness.GROUP, "0", glide.StreamGroupOptions(make_stream=True))

    def delete(self, keys):
        self.clients[0].delete(keys)


class Asyncio(harness.Tasks):
    client = CLIENT
    workloads = ("set-get", "read-write", "queue", "pubsub")
    supports = harness.OF_A_CONNECTION
    pipelines = False

    def __init__(self, job):
        super().__init__(uvloop=False)
        self.job, self.loops = job, ASYNCIO.get(job["workload"]["kind"])

    def connect(self):
        self.clients = self.run([create(self.job) for _ in range(harness.connections(self.job))])
        if self.job["workload"]["kind"] == "pubsub":
            subscribers = self.clients[:self.job["workers"]]
            self.run([r.subscribe(set(harness.channels(self.job))) for r in subscribers])

    def work(self, workers):
        self.run([loop_of(self.loops, worker)(r, worker) for r, worker in zip(self.clients, workers)])

    def make_group(self, key):
        self.run([self.clients[0].xgroup_create(key, harness.GROUP, "0", glide.StreamGroupOptions(make_stream=True))])

    def delete(self, keys):
        self.run([self.clients[0].delete(keys)])


def loop_of(loops, worker):
    """Of a workload's loops that of one worker: by its command if it produces or consumes."""
    return loops[worker.command] if isinstance(loops, dict) else loops


def text(reply):
    return None if reply is None else reply.decode()


def sync_set_get(r, worker):
    for i in worker.operations():
        key, value = worker.pair(i)
        r.set(key, value)
        fetched = r.get(key)
        worker.check(text(fetched), value)


def sync_read_write(r, worker):
    for key, value, read in worker.accesses():
        if read:
            worker.check(text(r.get(key)), value)
        else:
            r.set(key, value)


def sync_lpush(r, producer):
    for key, task in producer:
        r.lpush(key, [task])


def sync_brpop(r, consumer):
    while consumer.waits():
        popped = r.brpop([consumer.key], 1)
        if popped:
            consumer.took(text(popped[1]))


def sync_blmove(r, consumer):
    right, left = glide.ListDirection.RIGHT, glide.ListDirection.LEFT
    while consumer.waits():
        task = r.blmove(consumer.key, consumer.taken_key, right, left, 1)
        if task:
            consumer.took(text(task))
            consumer.acknowledged(r.lrem(consumer.taken_key, 1, task))


def sync_xadd(r, producer):
    for key, task in producer:
        r.xadd(key, [("task", task)])


def sync_xreadgroup(r, consumer):
    acknowledge, streams = consumer.acknowledge, {consumer.key: ">"}
    once = glide.StreamReadGroupOptions(no_ack=not acknowledge, block_ms=1000, count=1)
    while consumer.waits():
        read = r.xreadgroup(streams, harness.GROUP, consumer.name, once)
        for entries in (read or {}).values():
            for entry, ((_, task),) in entries.items():
                consumer.took(text(task))
                if acknowledge:
                    consumer.acknowledged(r.xack(consumer.key, harness.GROUP, [entry]))


def sync_publish(r, producer):
    for channel, message in producer:
        r.publish(message, channel)


def sync_subscribe(r, consumer):
    while consumer.waits():
        message = r.get_pubsub_message()
        consumer.took(text(message.message))


# The loops of each workload, of producers and consumers by the command that they use.
SYNC = {
    "set-get": sync_set_get,
    "read-write": sync_read_write,
    "queue": {
        "lpush": sync_lpush,
        "brpop": sync_brpop,
        "blmove": sync_blmove,
        "xadd": sync_xadd,
        "xreadgroup": sync_xreadgroup,
    },
    "pubsub": {"publish": sync_publish, "subscribe": sync_subscribe},
}


async def asyncio_set_get(r, worker):
    for i in worker.operations():
        key, value = worker.pair(i)
        await r.set(key, value)
        fetched = await r.get(key)
        worker.check(text(fetched), value)


async def asyncio_read_write(r, worker):
    for key, value, read in worker.accesses():
        if read:
            worker.check(text(await r.get(key)), value)
        else:
            await r.set(key, value)


async def asyncio_lpush(r, producer):
    async for key, task in producer:
        await r.lpush(key, [task])


async def asyncio_brpop(r, consumer):
    while consumer.waits():
        popped = await r.brpop([consumer.key], 1)
        if popped:
            consumer.took(text(popped[1]))


async def asyncio_blmove(r, consumer):
    right, left = glide.ListDirection.RIGHT, glide.ListDirection.LEFT
    while consumer.waits():
        task = await r.blmove(consumer.key, consumer.taken_key, right, left, 1)
        if task:
            consumer.took(text(task))
            consumer.acknowledged(await r.lrem(consumer.taken_key, 1, task))


async def asyncio_xadd(r, producer):
    async for key, task in producer:
        await r.xadd(key, [("task", task)])


async def asyncio_xreadgroup(r, consumer):
    acknowledge, streams = consumer.acknowledge, {consumer.key: ">"}
    once = glide.StreamReadGroupOptions(no_ack=not acknowledge, block_ms=1000, count=1)
    while consumer.waits():
        read = await r.xreadgroup(streams, harness.GROUP, consumer.name, once)
        for entries in (read or {}).values():
            for entry, ((_, task),) in entries.items():
                consumer.took(text(task))
                if acknowledge:
                    consumer.acknowledged(await r.xack(consumer.key, harness.GROUP, [entry]))


async def asyncio_publish(r, producer):
    async for channel, message in producer:
        await r.publish(message, channel)


async def asyncio_subscribe(r, consumer):
    while consumer.waits():
        message = await r.get_pubsub_message()
        consumer.took(text(message.message))


ASYNCIO = {
    "set-get": asyncio_set_get,
    "read-write": asyncio_read_write,
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
