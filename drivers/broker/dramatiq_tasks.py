# /// script
# requires-python = ">=3.10"
# dependencies = [
#     "dramatiq==2.2.1",
#     "redis==8.1.0",
#     "hiredis==3.5.0",
# ]
# ///
"""Dramatiq: for each program a process whose threads execute tasks, and the one that watches over it."""

import kit

if __name__ == "__main__":
    kit.main("Dramatiq", options={"worker_timeout_ms": kit.POSITIVE, "prefetch": kit.POSITIVE})

import dramatiq  # noqa: E402
import hiredis  # noqa: E402
import redis  # noqa: E402
from dramatiq.brokers.redis import RedisBroker  # noqa: E402
from dramatiq.results import Results  # noqa: E402
from dramatiq.results.backends import RedisBackend  # noqa: E402

CLIENT = f"Dramatiq {dramatiq.__version__}, redis-py {redis.__version__} + hiredis {hiredis.__version__}"
# The library's variables for what its command line does not say.
VARIABLES = {"worker_timeout_ms": "dramatiq_worker_timeout", "prefetch": "dramatiq_queue_prefetch"}
HOUR_MS = 3_600_000

broker = RedisBroker(url=kit.url())
if kit.results():
    broker.add_middleware(Results(backend=RedisBackend(url=kit.url())))
dramatiq.set_broker(broker)

run = dramatiq.actor(kit.run, actor_name="run", **({"store_results": True} if kit.results() else {}))
hand_over = run.send


def result(message):
    return message.get_result(block=True, timeout=HOUR_MS)


def worker(slots, number):
    asked = {variable: str(kit.option(name)) for name, variable in VARIABLES.items() if kit.option(name)}
    return [kit.program("dramatiq"), "--skip-logging", "--processes=1", f"--threads={slots}", "dramatiq_tasks"], asked


def left():
    """All that have not been acknowledged."""
    return broker.client.hlen("dramatiq:default.msgs")
