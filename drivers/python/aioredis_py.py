# /// script
# requires-python = "<3.10"
# dependencies = ["aioredis==1.3.1", "async-timeout==4.0.3", "hiredis==2.3.2"]
# ///
"""aioredis as a client, the article's own library: ``aioredis_py.py [--pipe]``.

Its last version of that kind runs on Python up to 3.9, CPython or PyPy.
"""

import argparse

import aioredis
import harness
import hiredis


class Aioredis(harness.Tasks):
    client = f"aioredis {aioredis.__version__} + hiredis {hiredis.__version__}"

    def __init__(self, job, pipe, uvloop):
        super().__init__(uvloop)
        self.job, self.pipelines = job, pipe

    def connect(self):
        server = self.job["server"]
        address = server["unix_socket"] or (server["host"], server["port"])
        connections = [
            aioredis.create_redis(address, password=server["password"]) for _ in range(self.job["workers"])
        ]
        self.clients = self.run(connections)

    def work(self, workers):
        loop = asyncio_pipe if self.pipelines else asyncio
        self.run([loop(r, worker) for r, worker in zip(self.clients, workers)])

    def delete(self, keys):
        self.run([delete(self.clients[0], keys)])


async def asyncio(r, worker):
    for i in worker.operations():
        key, value = worker.pair(i)
        await r.set(key, value)
        fetched = await r.get(key)
        worker.check(fetched.decode("utf-8"), value)


async def asyncio_pipe(r, worker):
    for batch in worker.batches():
        pairs = [worker.pair(i) for i in batch]
        pipe = r.pipeline()
        for key, value in pairs:
            pipe.set(key, value)
            pipe.get(key)
        replies = await pipe.execute()
        for (_, value), fetched in zip(pairs, replies[1::2]):
            worker.check(fetched.decode("utf-8"), value)


async def delete(r, keys):
    await r.delete(*keys)


def main(uvloop):
    parser = argparse.ArgumentParser(description="aioredis as a client, for orchestrate")
    parser.add_argument("--pipe", action="store_true", help="SET and GET of an operation share a round trip")
    options = parser.parse_args()
    harness.main(lambda job: Aioredis(job, options.pipe, uvloop))


if __name__ == "__main__":
    main(uvloop=False)
