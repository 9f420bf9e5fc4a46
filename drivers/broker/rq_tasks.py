# /// script
# requires-python = ">=3.10"
# dependencies = [
#     "rq==3.0.0",
#     "redis==8.1.0",
#     "hiredis==3.5.0",
# ]
# ///
"""RQ: a pool of workers, each of which executes one task at a time, in a process forked for it or in its own."""

import kit

if __name__ == "__main__":
    kit.main("RQ", options={"worker": ("fork", "simple")})

import hiredis  # noqa: E402
import redis  # noqa: E402
import rq  # noqa: E402
import rq.version  # noqa: E402

CLIENT = f"RQ {rq.version.VERSION}, redis-py {redis.__version__} + hiredis {hiredis.__version__}"
WORKERS = {"fork": "rq.worker.Worker", "simple": "rq.worker.SimpleWorker"}

# Its program reads this from here: on its command line everybody could see the password.
REDIS_URL = kit.url()
queue = rq.Queue(connection=redis.Redis.from_url(REDIS_URL))
# A result that is kept for 0 seconds is not stored.
keep = {} if kit.results() else {"result_ttl": 0}


def hand_over(*task):
    return queue.enqueue(kit.run, *task, **keep)


def result(job):
    """There may be none after so many seconds: it is asked for again."""
    while not job.latest_result(timeout=60):
        pass
    return job.return_value()


def worker(slots, number):
    arguments = ["--config", "rq_tasks", "--num-workers", str(slots), "--worker-class", WORKERS[kit.option("worker", "fork")]]
    return [kit.program("rq"), "worker-pool", "--logging-level", "WARNING", *arguments], {}


def left():
    """In the queue, on the way to a worker, and with one."""
    return queue.count + queue.connection.llen(queue.intermediate_queue_key) + queue.started_job_registry.get_job_count(False)
