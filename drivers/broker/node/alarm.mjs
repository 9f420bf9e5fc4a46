/**
 * Waiting for a moment without being busy meanwhile, for the time that producers are busy is measured.
 *
 * Timers count whole milliseconds. A thread can wait to the microsecond if it is blocked meanwhile, and so it is another one.
 * This module is both: what calls it, and that thread.
 */

import { Worker, parentPort } from "node:worker_threads";

import { until } from "../../node/pace.mjs";

/** So many milliseconds before a moment the thread wakes the other, which takes about as long. */
const HEAD_START = 0.2;

export class Alarm {
  #thread = new Worker(new URL(import.meta.url));
  #waiting = [];

  constructor() {
    this.#thread.on("message", () => this.#waiting.shift()());
  }

  /** Resolves at this moment, or earlier if the stage has failed. It may not lie before that of who came before. */
  async until(due, stage) {
    const end = process.hrtime.bigint() + BigInt(Math.max(0, Math.round((due - HEAD_START - performance.now()) * 1e6)));
    this.#thread.postMessage(end);
    await new Promise((resolve) => this.#waiting.push(resolve));
    await until(due, stage);
  }
}

/** The thread takes one moment after the other. */
parentPort?.on("message", (end) => {
  const cell = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  Atomics.wait(cell, 0, 0, Number(end - process.hrtime.bigint()) / 1e6);
  parentPort.postMessage(null);
});
