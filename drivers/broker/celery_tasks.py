# /// script
# requires-python = ">=3.10"
# dependencies = [
#     "celery[redis]==5.7.0",
#     "redis==8.1.0",
#     "hiredis==3.5.0",
# ]
# ///
"""Celery: ``celery_tasks.py prefork|threads``, the pool of its workers."""

import kit

if __name__ == "__main__":
    kit.main("Celery", variants=("prefork", "threads"), options={"acks_late": kit.FLAG, "prefetch": kit.POSITIVE})

import celery  # noqa: E402
import hiredis  # noqa: E402
import redis  # noqa: E402

CLIENT = f"Celery {celery.__version__}, redis-py {redis.__version__} + hiredis {hiredis.__version__}"

server = kit.url(unix="redis+socket")
app = celery.Celery("tasks", broker=server, backend=server if kit.results() else None)
app.conf.task_ignore_result = not kit.results()
app.conf.task_acks_late = kit.option("acks_late", app.conf.task_acks_late)
app.conf.worker_prefetch_multiplier = kit.option("prefetch", app.conf.worker_prefetch_multiplier)

run = app.task(kit.run, name="run")
hand_over = run.delay


def result(handle):
    return handle.get()


def worker(slots, number):
    arguments = [f"--pool={kit.variant()}", f"--concurrency={slots}", f"--hostname={number}@%h"]
    return [kit.program("celery"), "--app=celery_tasks", "--quiet", "--no-color", "worker", "--loglevel=WARNING", *arguments], {}


def left():
    """In the queue, and taken by workers that have not acknowledged them."""
    with app.connection_for_read() as connection:
        client = connection.default_channel.client
        return client.llen("celery") + client.hlen("unacked")
