"""Producers: threads where the API of a library blocks, coroutines of one event loop where it does not.

Both do what ``produce`` says. A library that blocks gets the form of an asynchronous one, whose coroutines never wait: a
thread carries such a coroutine to its end in a single step, and there need not be two loops that do the same.
"""

import asyncio
import inspect
import selectors
import threading
import time

import harness
import kit
import phase as phases


async def produce(library, sleep, phase):
    """What one producer does."""
    while (k := phase.next()) is not None:
        if k == phases.FULL:
            await sleep(kit.PAUSE)
            continue
        while (early := phase.early(k)) > 0:
            await sleep(max(0, early - harness.THREAD_SLACK) / 1e9)
        task = phase.task(k)
        since = time.monotonic_ns()
        phase.begin(k, since)
        handle = await library.hand_over(*task)
        phase.handed_over(k, since, time.monotonic_ns())
        if phase.awaits_results:
            phase.received(k, await library.result(handle))


async def _guarded(library, sleep, phase):
    """The same; whoever waits for the phase learns of a failure."""
    try:
        await produce(library, sleep, phase)
    except Exception as failure:
        phase.failure = failure
    finally:
        phase.leave()


class Threads:
    runtime = "threads"

    def __init__(self, library):
        self._library = library

    def start(self, phase, count):
        for _ in range(count):
            phase.join()
            producer = _guarded(self, _blocking_sleep, phase)
            threading.Thread(target=_in_one_step, args=(producer,), daemon=True).start()

    async def hand_over(self, *task):
        return self._library.hand_over(*task)

    async def result(self, handle):
        return self._library.result(handle)

    def left(self):
        return self._library.left()


async def _blocking_sleep(seconds):
    time.sleep(seconds)


def _in_one_step(coroutine):
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise RuntimeError("a library that blocks has awaited something")


class Coroutines:
    runtime = "asyncio"

    def __init__(self, library):
        self._library = library
        # The default selector of Linux counts whole milliseconds, and would hand a task over so much too late.
        self._loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._run(library.connect())

    def start(self, phase, count):
        for _ in range(count):
            phase.join()
            asyncio.run_coroutine_threadsafe(_guarded(self._library, asyncio.sleep, phase), self._loop)

    def left(self):
        return self._run(self._library.left())

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


def of(library):
    """The producers of a library: how it hands a task over says which they are."""
    return Coroutines(library) if inspect.iscoroutinefunction(library.hand_over) else Threads(library)
