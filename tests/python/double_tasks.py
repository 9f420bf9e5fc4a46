"""A task-queue library of a few lines, which keeps its promises or does not, on the kit of those that are real.

``double_tasks.py honest``, or one of the other variants. Those that lie do what a driver can do to hide it.
"""

import os
import signal
import sys
import threading

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
    """The connection of the kit, and the commands that a queue needs."""

    def __init__(self):
        super().__init__()
        self._replies = self._socket.makefile("rb")

    def take(self, key):
        """What stood longest in a list."""
        self._socket.sendall(b"*3\r\n$5\r\nBRPOP\r\n$%d\r\n%b\r\n$1\r\n0\r\n" % (len(key), key.encode()))
        *_, taken = [self._replies.readline() for _ in range(5)]
        return taken.decode().strip()


server = threading.local()


def connected():
    """A connection of one's own for each thread."""
    if not hasattr(server, "connection"):
        server.connection = Server()
    return server.connection


def hand_over(number, text=""):
    connected().call("LPUSH", QUEUE, f"{number} {text}")
    return number


def result(number):
    return connected().take(f"result:{number}")


def worker(slots, number):
    return [sys.executable, "-c", f"import double_tasks; double_tasks.work({slots})"], {}


def left():
    return int(connected().call("LLEN", QUEUE))


def work(slots):
    """A program that has children execute tasks, and another one when one has died."""
    if kit.variant() == "killed-program":
        execute()
    while True:
        for _ in range(slots):
            if os.fork() == 0:
                execute()
        slots = 1
        os.wait()


def execute():
    while True:
        number, _, text = connected().take(QUEUE).partition(" ")
        number = int(number)
        variant = kit.variant() if number == AT else "honest"
        if variant.startswith("killed"):
            begin_and_die(number)
        if not variant.startswith("drops"):
            outcome = kit.run(number, text or None)
            if kit.results():
                connected().call("LPUSH", f"result:{number}", outcome)
        if variant.startswith("again"):
            kit.run(number)


def begin_and_die(number):
    with kit._Execution(number):
        os.kill(os.getpid(), signal.SIGKILL)
