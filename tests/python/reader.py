"""A driver for existing keys that cheats in the way that its argument names, or, as ``honest``, in none.

It is made of the kit that the shipped Python drivers are made of, so that what is found is the cheat and nothing else.
"""

import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../drivers/python"))

import harness  # noqa: E402

CHEAT = sys.argv[1]
assert CHEAT in {"honest", "never-reads", "only-reads", "silent", "new-keys", "other-values", "half"}, CHEAT


class Plain:
    client = "plain socket"
    runtime = harness.interpreter()
    workloads = ("read-write",)
    pipelines = False

    def __init__(self, job):
        self.server, self.workers = job["server"], job["workers"]

    def connect(self):
        place = (self.server["host"], self.server["port"])
        self.connections = [socket.create_connection(place) for _ in range(self.workers)]
        self.replies = [connection.makefile("rb") for connection in self.connections]

    def call(self, number, *words):
        encoded = [word.encode() for word in words]
        parts = [b"*%d\r\n" % len(encoded)] + [b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded]
        self.connections[number].sendall(b"".join(parts))
        head = self.replies[number].readline()
        if head.startswith(b"$") and head != b"$-1\r\n":
            return self.replies[number].read(int(head[1:]) + 2)[:-2].decode()
        return None

    def work(self, workers):
        for number, worker in enumerate(workers):
            for nth, (key, value, read) in enumerate(worker.accesses()):
                if CHEAT == "half" and nth % 2:
                    continue
                if CHEAT == "only-reads":
                    worker.reads += not read
                    read = True
                if read and CHEAT != "never-reads":
                    worker.check(self.call(number, "GET", key), value)
                elif CHEAT == "new-keys":
                    self.call(number, "SET", key + "-" + str(nth), value)
                elif CHEAT == "other-values":
                    self.call(number, "SET", key, value + "!")
                else:
                    self.call(number, "SET", key, value)

    def delete(self, keys):
        raise NotImplementedError("there is nothing to delete")


if CHEAT == "silent":
    say = harness._say
    harness._say = lambda **event: say(**{name: value for name, value in event.items() if name != "calls"})
harness.main(Plain)
