"""A driver for tasks and messages that cheats in the way that its argument names, or, as ``honest``, in none.

It pushes each task and takes it, one after the other, on two plain sockets, and says what a driver of the kit would say.
"""

import collections
import json
import os
import socket
import sys
import threading
import time

CHEAT = sys.argv[1]
assert CHEAT in {"honest", "drops", "twice", "fewer", "leaves", "silent", "forgets", "deaf", "loud"}, CHEAT


def say(**event):
    print(json.dumps(event), flush=True)


class Connection:
    def __init__(self, server):
        self.socket = socket.create_connection((server["host"], server["port"]))
        self.replies = self.socket.makefile("rb")

    def call(self, *words):
        encoded = [str(word).encode() for word in words]
        parts = [b"*%d\r\n" % len(encoded)] + [b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded]
        self.socket.sendall(b"".join(parts))
        return self.reply()

    def reply(self):
        head = self.replies.readline().rstrip()
        if head[:1] == b"$" and head != b"$-1":
            return self.replies.read(int(head[1:]) + 2)[:-2].decode()
        if head[:1] == b"*" and head != b"*-1":
            return [self.reply() for _ in range(int(head[1:]))]
        return head


job = json.loads(sys.stdin.readline())
work, prefix, workers = job["workload"], job["key_prefix"], job["workers"]
kind, count = work["kind"], work["operations"]
pusher, taker = Connection(job["server"]), [Connection(job["server"]) for _ in range(workers)]
say(event="ready", client="plain socket", runtime="Python", workers=workers)
assert json.loads(sys.stdin.readline()) == {"go": True}
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0))).start()

start = time.monotonic_ns()
got, latency = [], []
if kind == "pubsub" and CHEAT != "deaf":
    for connection in taker:
        connection.call("SUBSCRIBE", f"{prefix}channel:0")


def queue(k):
    """Pushes a task and takes it."""
    pusher.call("LPUSH", f"{prefix}queue", f"{k}:{time.monotonic_ns() - start}")
    if not work["acknowledge"]:
        return taker[0].call("BRPOP", f"{prefix}queue", 1)[1]
    task = taker[0].call("BLMOVE", f"{prefix}queue", f"{prefix}taken:0", "RIGHT", "LEFT", 1)
    if CHEAT != "forgets":
        taker[0].call("LREM", f"{prefix}taken:0", 1, task)
    return task


def pubsub(k):
    """Publishes a message and hears it."""
    pusher.call("PUBLISH", f"{prefix}channel:0", f"{k}:{time.monotonic_ns() - start}")
    return f"{k}:" if CHEAT == "deaf" else [connection.reply()[2] for connection in taker][0]


for k in range(count):
    if CHEAT == "fewer" and k == 7:
        got.append(k)
        continue
    began = time.monotonic_ns()
    task = (queue if kind == "queue" else pubsub)(k)
    latency.append(time.monotonic_ns() - began)
    got.append(int(task.split(":")[0]))
if kind == "queue":
    for _ in range(workers):
        if CHEAT == "leaves":
            pusher.call("LPUSH", f"{prefix}queue", "end")
            taker[0].call("BRPOP", f"{prefix}nothing", "0.01")
        elif CHEAT != "loud":
            queue("end")
else:
    pusher.call("PUBLISH", f"{prefix}channel:0", "end")
    if CHEAT == "loud":
        pusher.call("PUBLISH", f"{prefix}channel:0", "end")
if CHEAT == "drops":
    got.pop(7)
if CHEAT == "twice":
    got[7] = got[8]
elapsed = time.monotonic_ns() - start
buckets = collections.Counter()
for ns in latency + [latency[0]] * (count - len(latency)):
    step = 10 ** max(0, len(str(ns)) - 3)
    buckets[ns // step * step] += workers if kind == "pubsub" else 1
xor = 0
for k in got:
    xor ^= k
done = dict(elapsed_ns=elapsed, operations=count, errors=0, latency=sorted(buckets.items()))
if CHEAT != "silent":
    done["delivered"] = {"sum": sum(got), "xor": xor}
say(event="done", **done)
