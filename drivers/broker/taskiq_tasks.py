# /// script
# requires-python = ">=3.10"
# dependencies = [
#     "taskiq==0.13.0",
#     "taskiq-redis==1.2.4",
#     "redis==8.1.0",
#     "hiredis==3.5.0",
# ]
# ///
"""taskiq: for each program a process with an event loop, and the one that watches over it."""

import kit

if __name__ == "__main__":
    kit.main("taskiq", options={"broker": ("list", "stream")})

import importlib.metadata  # noqa: E402

import hiredis  # noqa: E402
import redis  # noqa: E402
from redis.asyncio import Redis  # noqa: E402
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend, RedisStreamBroker  # noqa: E402

CLIENT = ", ".join(
    [
        f"taskiq {importlib.metadata.version('taskiq')}",
        f"taskiq-redis {importlib.metadata.version('taskiq-redis')}",
        f"redis-py {redis.__version__} + hiredis {hiredis.__version__}",
    ]
)

is_stream = kit.option("broker") == "stream"
broker = (RedisStreamBroker if is_stream else ListQueueBroker)(kit.url())
if kit.results():
    broker = broker.with_result_backend(RedisAsyncResultBackend(kit.url()))

run = broker.task(task_name="run")(kit.run_async)
connect = broker.startup
hand_over = run.kiq


async def result(task):
    return (await task.wait_result()).return_value


def worker(slots, number):
    arguments = ["--workers=1", f"--max-async-tasks={slots}", "--log-level=WARNING"]
    return [kit.program("taskiq"), "worker", *arguments, "taskiq_tasks:broker"], {}


async def left():
    """In the list; in the stream, with or without a worker that has not acknowledged them."""
    async with Redis(connection_pool=broker.connection_pool) as server:
        if not is_stream:
            return await server.llen(broker.queue_name)
        (group,) = await server.xinfo_groups(broker.queue_name)
        return group["pending"] + group["lag"]
