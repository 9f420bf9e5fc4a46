"""Drives plainredis for orchestrate: ``driver.py PATH/plainredis.py``, with the library at that path.

One driver measures both sides of a pull request, so that they differ in the library alone. ``harness`` comes with
orchestrate, in drivers/python; the action puts it on PYTHONPATH.
"""

import os
import sys

import harness

sys.path.insert(0, os.path.dirname(os.path.abspath(sys.argv[1])))
import plainredis  # noqa: E402


class Crew(harness.Threads):
    client = f"plainredis {plainredis.__version__}"
    runtime = f"{harness.interpreter()}, threads"
    pipelines = False

    def __init__(self, job):
        server = job["server"]
        place = {name: server[name] for name in ("host", "port", "unix_socket", "password")}
        self.clients = [plainredis.Client(**place) for _ in range(job["workers"])]

    def connect(self):
        for client in self.clients:
            client.connect()

    def work(self, workers):
        self.run(lambda worker, number: set_get(self.clients[number], worker), workers)

    def delete(self, keys):
        self.clients[0].execute("DEL", *keys)


def set_get(client, worker):
    for i in worker.operations():
        key, value = worker.pair(i)
        client.set(key, value)
        worker.check(client.get(key), value)


harness.main(Crew)
