# /// script
# requires-python = ">=3.10"
# dependencies = [
#     "redis==8.1.0",
#     "hiredis==3.5.0",
#     "uvloop==0.23.0",
#     "async-timeout==5.0.1 ; python_full_version < '3.11.3'",
# ]
# ///
"""What the drivers cost: the article's own loops, bare, against the same loops in a driver.

    uv run --script lab/python_harness_tax.py [PAIRS]

Both sides of a pair are fresh processes on one CPU (where the system can bind them), with the same interpreter, the same
library, the same redis-server and the same warm-up; they take turns in going first. Printed is the median over the pairs
of driver's rate ÷ bare rate, with a 95% bootstrap interval.
"""

import asyncio
import json
import os
import pathlib
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

OPERATIONS, WARMUP = 10_000, 1_000
BARE = pathlib.Path(__file__).resolve()
DRIVER = BARE.parents[1] / "drivers/python/redis_py.py"
UV = ["uv", "run", "--quiet", "--offline", "--script"]
CASES = {"py-sync x1": (["sync"], 1), "py-uvloop x100": (["asyncio", "--uvloop"], 100)}


# --------------------------------------------------------------------------------- the article's functions, bare


def test_sync(n, r):
    for i in range(n):
        key = f"test_sync:keys:{i}"
        value = f"{i}"
        r.set(key, value)
        fetched = r.get(key)
        assert value == fetched


async def test_async(n, r, cid):
    for i in range(n):
        key = f"test_async:keys:{cid}:{i}"
        value = f"{i}"
        await r.set(key, value)
        fetched = await r.get(key)
        assert fetched == value


def bare_sync(port, workers):
    sys.modules["hiredis"] = None
    import redis

    r = redis.StrictRedis("127.0.0.1", port, decode_responses=True)
    test_sync(WARMUP, r)
    began = time.perf_counter()
    test_sync(OPERATIONS, r)
    return time.perf_counter() - began


def bare_uvloop(port, workers):
    sys.modules["hiredis"] = None
    import redis.asyncio
    import uvloop

    clients = [redis.asyncio.StrictRedis(host="127.0.0.1", port=port, decode_responses=True) for _ in range(workers)]
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)

    async def runner(n):
        tasks = [asyncio.ensure_future(test_async(n // workers, r, i)) for i, r in enumerate(clients)]
        await asyncio.wait(tasks)

    loop.run_until_complete(runner(WARMUP))
    began = time.perf_counter()
    loop.run_until_complete(runner(OPERATIONS))
    return time.perf_counter() - began


# ------------------------------------------------------------------------------------------------ the two sides


def bare(case, port):
    name = "sync" if CASES[case][0] == ["sync"] else "uvloop"
    command = [*UV, str(BARE), "--bare", name, str(port), str(CASES[case][1])]
    return OPERATIONS / float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def driver(case, port):
    arguments, workers = CASES[case]
    job = {
        "protocol": 1,
        "mode": case,
        "server": {"host": "127.0.0.1", "port": port, "unix_socket": None, "password": None},
        "workload": {
            "kind": "set-get", "operations": OPERATIONS, "duration_ns": None, "value_bytes": None, "pipeline": 1,
            "rate": None, "verify": True,
        },
        "workers": workers,
        "key_prefix": "t:",
        "warmup": {"operations": WARMUP},
        "seed": 1,
        "delete_keys": False,
    }
    command = [*UV, str(DRIVER), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        print(json.dumps(job), file=process.stdin, flush=True)
        ready = json.loads(process.stdout.readline())
        assert ready["event"] == "ready", ready
        print('{"go":true}', file=process.stdin, flush=True)
        done = json.loads(process.stdout.readline())
        assert done["event"] == "done", done
        process.stdin.close()
    return OPERATIONS / (done["elapsed_ns"] / 1e9)


def main(pairs):
    for script in (BARE, DRIVER):
        subprocess.run(["uv", "sync", "--quiet", "--script", str(script)], check=True)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    directory = tempfile.mkdtemp()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", directory],
        stdout=subprocess.DEVNULL,
    )
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.01)
        for case in CASES:
            report(case, [pair(case, port, first) for first in range(pairs)])
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(directory)


def pair(case, port, number):
    sides = [("bare", bare), ("driver", driver)]
    rates = {name: side(case, port) for name, side in (sides if number % 2 == 0 else sides[::-1])}
    return rates["driver"], rates["bare"]


def report(case, rates):
    ratios = [driver / bare for driver, bare in rates]
    resample = random.Random(1)
    medians = sorted(statistics.median(resample.choices(ratios, k=len(ratios))) for _ in range(2000))
    median, low, high = statistics.median(ratios), medians[50], medians[-51]
    verdict = "at least 98%" if median >= 0.98 else "below 98%"
    print(
        f"{case}: driver {statistics.median(driver for driver, _ in rates):.0f}/s, bare"
        f" {statistics.median(bare for _, bare in rates):.0f}/s, median ratio {median:.2%}"
        f" [{low:.2%}, {high:.2%}] over {len(rates)} pairs: {verdict}"
    )


if sys.argv[1:2] == ["--bare"]:
    print({"sync": bare_sync, "uvloop": bare_uvloop}[sys.argv[2]](int(sys.argv[3]), int(sys.argv[4])))
else:
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
