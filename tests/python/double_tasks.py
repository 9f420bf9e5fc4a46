"""A task-queue library of a few lines, which keeps its promises or does not, on the kit of those that are real.

``double_tasks.py honest``, or one of the other variants. Those that lie do what a driver can do to hide it.
"""

import os
import signal
import sys

import kit

AT = 3
DISHONEST = ("drops", "drops-and-lies", "again", "again-and-lies", "silent", "stranger", "instant")
VARIANTS = ("honest", "killed-child", "killed-program", *DISHONEST)


def lie(variant):
    """Changes what the driver says."""
    import harness

    say_done, say_ready = harness.say_done, harness.say_ready

    def done(**claim):
        missing = len(claim.pop("lost"))
        claim.pop("begun"), claim.pop("twice"), claim.pop("left", None)
        for name in ("latency", "start_latency"):
            claim[name][0] = (claim[name][0][0], claim[name][0][1] + missing)
        if variant == "silent":
            claim.pop("enqueue_ns")
        if variant == "instant":
            claim["latency"] = [(1000, claim["operations"])]
        say_done(**claim)

    def ready(lines, **facts):
        if variant == "stranger":
            facts["processes"] = [1]
        say_ready(lines, **facts)

    harness.say_done, harness.say_ready = done, ready


if __name__ == "__main__":
    harness = next(word for word in sys.argv if word.startswith("--harness=")).partition("=")[2]
    sys.path.append(os.path.dirname(os.path.abspath(harness)))
    if sys.argv[-1].endswith("-and-lies") or sys.argv[-1] in ("silent", "stranger", "instant"):
        lie(sys.argv[-1])
    os.environ["PYTHONPATH"] = os.path.dirname(os.path.abspath(__file__))
    kit.main("the double", variants=VARIANTS)

CLIENT = "double 1"
QUEUE = "double"


class Server(kit.Connection):
    """The connection of the kit, and one command more."""

    def take(self):
        self._socket.sendall(b"*3\r\n$5\r\nBRPOP\r\n$6\r\ndouble\r\n$1\r\n0\r\n")
        lines = []
        replies = self._socket.makefile("rb")
        while len(lines) < 5:
            lines.append(replies.readline())
        return lines[-1].decode().strip()


server = Server()


def hand_over(number, text=None):
    server.call("LPUSH", QUEUE, number)


def worker(slots, number):
    assert slots == 1, "one task at a time is all that the double can do"
    return [sys.executable, "-c", "import double_tasks; double_tasks.work()"], {}


def left():
    return int(server.call("LLEN", QUEUE))


def work():
    """A program that has a child execute tasks, and another one when that has died."""
    while True:
        child = 0 if kit.variant() == "killed-program" else os.fork()
        if child == 0:
            execute()
        os.waitpid(child, 0)


def execute():
    taker = Server()
    while True:
        number = int(taker.take())
        variant = kit.variant() if number == AT else "honest"
        if variant.startswith("killed"):
            begin_and_die(number)
        if not variant.startswith("drops"):
            kit.run(number)
        if variant.startswith("again"):
            kit.run(number)


def begin_and_die(number):
    with kit._Execution(number):
        os.kill(os.getpid(), signal.SIGKILL)
