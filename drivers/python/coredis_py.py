# /// script
# requires-python = ">=3.10"
# dependencies = [
#     "coredis==6.9.0",
#     "anyio==4.16.0",
#     "beartype==0.23.1",
# ]
# ///
"""coredis as a client, on asyncio: ``coredis_py.py``. It parses replies and packs requests in compiled code."""

import asyncio

import coredis
import harness
from coredis.retry import NoRetryPolicy


# The library's words for the files of a job.
TLS_FILES = {"ca_certs": "ca", "certfile": "cert", "keyfile": "key"}


class Coredis(harness.Tasks):
    client = f"coredis {coredis.__version__}"
    workloads = ("set-get", "read-write", "queue", "pubsub")
    supports = harness.OF_A_CONNECTION
    pipelines = False

    def __init__(self, job):
        super().__init__(uvloop=False)
        server = job["server"]
        if server["unix_socket"]:
            place = {"unix_socket_path": server["unix_socket"]}
        else:
            place = {"host": server["host"], "port": server["port"]}
        tls = server.get("tls")
        if tls is not None:
            place |= {"ssl": True, "ssl_cert_reqs": "required", "ssl_check_hostname": True}
            place |= {f"ssl_{name}": tls.get(key) for name, key in TLS_FILES.items()}
        # One connection for each worker, to each node of a cluster, and nothing is tried twice: a retry would hide a failure.
        keywords = {**place, "max_connections": 1, "retry_policy": NoRetryPolicy(), "decode_responses": True}
        keywords |= {"username": server.get("username"), "password": server["password"]}
        if server.get("cluster"):
            make = coredis.RedisCluster
            keywords |= {"max_connections_per_node": True, "non_atomic_cross_slot": True}
        else:
            make = coredis.Redis
            keywords["db"] = server.get("db", 0)
        self.job, self.loops = job, LOOPS.get(job["workload"]["kind"])
        self.clients = [make(**keywords) for _ in range(harness.connections(job))]
        # What each loop works with: the client or its subscription.
        self.ends = list(self.clients)
        self.holders = []

    def connect(self):
        self.run([self.held_open(r) for r in self.clients])
        self.run([r.ping() for r in self.clients])
        if self.job["workload"]["kind"] == "pubsub":
            channels, subscribers = harness.channels(self.job), self.clients[:self.job["workers"]]
            self.ends[:len(subscribers)] = [
                r.pubsub(channels=channels, ignore_subscribe_messages=True, retry_policy=None, subscription_timeout=60)
                for r in subscribers
            ]
            self.run([self.held_open(p) for p in self.ends[:len(subscribers)]])

    async def held_open(self, client):
        """Enters the context that a client has to be used in. A task holds it to the end of the process."""
        opened = asyncio.get_running_loop().create_future()

        async def hold():
            try:
                async with client:
                    opened.set_result(None)
                    await asyncio.Event().wait()
            except Exception as error:
                if opened.done():
                    raise
                opened.set_exception(error)

        self.holders.append(asyncio.ensure_future(hold()))
        await opened

    def work(self, workers):
        loops = self.loops
        self.run([
            (loops[worker.command] if isinstance(loops, dict) else loops)(r, worker)
            for r, worker in zip(self.ends, workers)
        ])

    def make_group(self, key):
        self.run([self.clients[0].xgroup_create(key, harness.GROUP, identifier="0", mkstream=True)])

    def delete(self, keys):
        self.run([self.clients[0].delete(keys)])


async def set_get(r, worker):
    for i in worker.operations():
        key, value = worker.pair(i)
        await r.set(key, value)
        fetched = await r.get(key)
        worker.check(fetched, value)


async def read_write(r, worker):
    for key, value, read in worker.accesses():
        if read:
            worker.check(await r.get(key), value)
        else:
            await r.set(key, value)


async def lpush(r, producer):
    async for key, task in producer:
        await r.lpush(key, [task])


async def brpop(r, consumer):
    while consumer.waits():
        popped = await r.brpop([consumer.key], timeout=1)
        if popped:
            consumer.took(popped[1])


async def blmove(r, consumer):
    right, left = coredis.PureToken.RIGHT, coredis.PureToken.LEFT
    while consumer.waits():
        task = await r.blmove(consumer.key, consumer.taken_key, right, left, timeout=1)
        if task:
            consumer.took(task)
            consumer.acknowledged(await r.lrem(consumer.taken_key, 1, task))


async def xadd(r, producer):
    async for key, task in producer:
        await r.xadd(key, {"task": task})


async def xreadgroup(r, consumer):
    acknowledge, streams = consumer.acknowledge, {consumer.key: ">"}
    while consumer.waits():
        read = await r.xreadgroup(harness.GROUP, consumer.name, streams, count=1, block=1000, noack=not acknowledge)
        for entry in (read or {}).get(consumer.key, ()):
            consumer.took(entry.field_values["task"])
            if acknowledge:
                consumer.acknowledged(await r.xack(consumer.key, harness.GROUP, [entry.identifier]))


async def publish(r, producer):
    async for channel, message in producer:
        await r.publish(channel, message)


async def subscribe(p, consumer):
    async for message in p:
        consumer.took(message["data"])
        if not consumer.waits():
            return


# The loops of each workload, of producers and consumers by the command that they use.
LOOPS = {
    "set-get": set_get,
    "read-write": read_write,
    "queue": {"lpush": lpush, "brpop": brpop, "blmove": blmove, "xadd": xadd, "xreadgroup": xreadgroup},
    "pubsub": {"publish": publish, "subscribe": subscribe},
}

harness.main(Coredis)
