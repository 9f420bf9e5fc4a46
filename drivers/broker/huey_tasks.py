# /// script
# requires-python = ">=3.10"
# dependencies = [
#     "huey==3.5.4",
#     "redis==8.1.0",
#     "hiredis==3.5.0",
# ]
# ///
"""Huey: one consumer, whose workers are threads."""

import kit

if __name__ == "__main__":
    kit.main("Huey")

import hiredis  # noqa: E402
import huey as library  # noqa: E402
import redis  # noqa: E402

CLIENT = f"Huey {library.__version__}, redis-py {redis.__version__} + hiredis {hiredis.__version__}"

# Without store_none, the result of a task that returns nothing would not be stored.
huey = library.RedisHuey(url=kit.url(), results=kit.results(), store_none=kit.results())
hand_over = huey.task()(kit.run)


def result(handle):
    return handle.get(blocking=True)


def worker(slots, number):
    return [kit.program("huey_consumer"), "--quiet", "--workers", str(slots), "huey_tasks.huey"], {}


def left():
    """In the queue. What a worker has taken is not on the server any more."""
    return huey.pending_count()
