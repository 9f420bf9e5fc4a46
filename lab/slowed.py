"""A client over a plain socket that is slower than it need be by a known share: ``slowed.py SHARE --harness=PATH``.

After each operation it spins for ``SHARE`` of the time that the operation took. With a share of 0 it does the same work
and does not wait, so two such clients differ in the share alone. Where other programs compete for the same CPU the
difference is larger, because the scheduler preempts sooner whoever uses the CPU up. It exists to find out which differences
a comparison detects: see false_alarms.py. One worker, no library.
"""

import pathlib
import socket
import sys
import time

SHARE = float(sys.argv[1])
# The path is a word of the command line because a driver is identified by the files that its command names.
sys.path.insert(0, str(pathlib.Path(sys.argv[2].partition("=")[2]).parent))
import harness


class Plain:
    client = f"plain socket, slowed by {SHARE:g}"
    runtime = harness.interpreter()
    pipelines = False

    def __init__(self, job):
        self.server = job["server"]
        if job["workers"] != 1:
            raise harness.Refusal("unsupported", "this client has one worker")

    def connect(self):
        if self.server["unix_socket"]:
            self.connection = socket.socket(socket.AF_UNIX)
            self.connection.connect(self.server["unix_socket"])
        else:
            self.connection = socket.create_connection((self.server["host"], self.server["port"]))
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.replies = self.connection.makefile("rb")
        if self.server["password"]:
            self.call("AUTH", self.server["password"])

    def call(self, *words):
        encoded = [word.encode() for word in words]
        parts = [b"*%d\r\n" % len(encoded)] + [b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded]
        self.connection.sendall(b"".join(parts))
        head = self.replies.readline()
        if head.startswith(b"-"):
            raise harness.Refusal("other", head.decode().strip())
        if head.startswith(b"$") and head != b"$-1\r\n":
            return self.replies.read(int(head[1:]) + 2)[:-2].decode()
        if not head:
            raise harness.Refusal("connection", "the server closed the connection")

    def work(self, workers):
        (worker,) = workers
        clock = time.perf_counter_ns
        # From the end of the last operation: the loop's own time is slowed as well, or the share would be smaller.
        began = clock()
        for i in worker.operations():
            key, value = worker.pair(i)
            self.call("SET", key, value)
            worker.check(self.call("GET", key), value)
            done = clock()
            until = done + SHARE * (done - began)
            while clock() < until:
                pass
            began = clock()

    def delete(self, keys):
        self.call("DEL", *keys)


harness.main(Plain)
