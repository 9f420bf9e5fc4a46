# /// script
# requires-python = ">=3.10"
# dependencies = [
#     "arq==0.28.0",
#     "redis==5.3.1",
#     "hiredis==3.5.0",
# ]
# ///
"""arq: an event loop for each program. Its redis-py is the newest that the library may be used with."""

import kit

if __name__ == "__main__":
    kit.main("arq", options={"poll_delay_ms": kit.POSITIVE})

import os  # noqa: E402

import arq  # noqa: E402
import hiredis  # noqa: E402
import redis  # noqa: E402
from arq.connections import RedisSettings  # noqa: E402

CLIENT = f"arq {arq.__version__}, redis-py {redis.__version__} + hiredis {hiredis.__version__}"
# How a program learns of its slots: the command line does not say it.
SLOTS = "ORCHESTRATE_SLOTS"
LOGGING = {"version": 1, "loggers": {"arq": {"level": "WARNING"}}}

server = kit.job()["server"]
settings = RedisSettings(
    host=server["host"],
    port=server["port"],
    unix_socket_path=server["unix_socket"],
    password=server["password"],
)


async def run(_, *task):
    return await kit.run_async(*task)


class WorkerSettings:
    functions = [run]
    redis_settings = settings
    max_jobs = int(os.environ.get(SLOTS, 1))
    if not kit.results():
        keep_result = 0
    if kit.option("poll_delay_ms"):
        poll_delay = kit.option("poll_delay_ms") / 1000


async def connect():
    global pool
    pool = await arq.create_pool(settings)


async def hand_over(*task):
    return await pool.enqueue_job("run", *task)


async def result(job):
    return await job.result()


def worker(slots, number):
    return [kit.program("arq"), "--custom-log-dict", "arq_tasks.LOGGING", "arq_tasks.WorkerSettings"], {SLOTS: str(slots)}


async def left():
    """A task stays in the queue until it has been executed."""
    return await pool.zcard(pool.default_queue_name)
