/**
 * One stretch of work in which some clients hand over what others wait for: tasks through a queue, or messages through
 * channels.
 *
 * What is the same in both is here. How they go through the server is in `queue.mjs` and `channels.mjs`.
 */

import { setTimeout as sleep } from "node:timers/promises";

import { Channels } from "./channels.mjs";
import { Histogram, Progress } from "./latency.mjs";
import { until } from "./pace.mjs";
import { Failure } from "./protocol.mjs";
import { Queue } from "./queue.mjs";
import { Tasks } from "./task.mjs";

// Moments and spans are in milliseconds, as `performance.now()` counts them, with nanoseconds behind the point.

/** After a failure the others get so long to end before keys are deleted: a second of waiting for a task, and a bit. */
const GRACE = 1500;

/** What a task goes through, of each workload of this kind. */
const WAYS = { queue: Queue, pubsub: Channels };

/** How many clients hand over, beside the workers; none in other workloads. */
export function senders({ workload: { kind, producers, publishers } }) {
  return kind in WAYS ? (producers ?? publishers) : 0;
}

export class Exchange {
  /** The first failure of anybody. All others end at their next step. */
  failure = null;
  /** Tasks that have their number, so that the next one's is this. */
  begun = 0;
  /** Tasks that no longer count against the backlog. */
  #taken = 0;
  #done = 0;
  #lastDone = null;
  #maxLag = 0;
  #latency = new Histogram();
  #progress = new Progress();
  /** Senders that are not through. */
  #sending;
  /** What senders wait for while the backlog is full. */
  #room = null;
  #failed = deferred();

  constructor(job, { operations, duration_ns, rate, infix }) {
    const { kind, backlog, value_bytes } = job.workload;
    this.job = job;
    this.isWarmup = infix !== "";
    this.operations = operations ?? Infinity;
    this.duration = duration_ns == null ? Infinity : duration_ns / 1e6;
    this.rate = rate;
    this.backlog = rate == null ? backlog : Infinity;
    this.tasks = new Tasks(value_bytes, `${job.seed} ${infix}`);
    this.way = new WAYS[kind](this, job, job.key_prefix + infix);
  }

  /** The part that is not counted. It has no rate even if the measured part has one: it is there to get warm. */
  static warmup(job) {
    return new Exchange(job, { ...job.warmup, infix: "w" });
  }

  /** The part that is. */
  static measured(job) {
    return new Exchange(job, { ...job.workload, infix: "" });
  }

  get isEmpty() {
    return this.operations === 0 || this.duration === 0;
  }

  /** Has the first clients receive what the others send; then deletes the keys if asked to, also after a failure. */
  async run(library, clients) {
    const { job, way } = this;
    const receivers = clients.slice(0, job.workers);
    this.start = performance.now();
    this.deadline = this.start + this.duration;
    const attempt = async (name, client, work) => {
      try {
        await work();
      } catch (error) {
        const kind = error instanceof Failure ? error.kind : library.isConnected(client, error) ? "other" : "connection";
        this.fail(new Failure(kind, `${name}: ${error.message}`));
      }
    };
    const each = (work) =>
      Promise.all(receivers.map((client, number) => attempt(`worker ${number}`, client, () => work(client, number))));

    const work = async () => {
      await each((client, number) => way.open(library, client, number));
      const receiving = each((client, number) => way.receive(library, client, number));
      const sending = clients.slice(job.workers);
      this.#sending = sending.length;
      await Promise.all(
        sending.map((client, number) => attempt(`${way.sender} ${number}`, client, () => this.#send(library, client))),
      );
      await receiving;
      // In the measured part this would be one more command, and the connection is about to be closed.
      if (this.isWarmup && !this.failure) await each((client) => way.close(library, client));
    };
    const working = work();
    // Those that wait for a task that will not come need not be waited for, unless they could make a key anew.
    await Promise.race([working, this.#failed.promise]);
    if (job.delete_keys) await this.#deleteKeys(library, working);
    if (!this.failure && job.workload.verify) this.#verify();
    if (this.failure) throw this.failure;
  }

  /** The first one counts; whoever waits for room is to see it. */
  fail(failure) {
    this.failure ??= failure;
    this.#failed.resolve();
    this.#wake();
  }

  /** Counts the latency of a task that somebody has got, and returns its number. */
  got(task, now) {
    const [number, since] = this.tasks.read(task, this.begun);
    this.#latency.record(Math.max(0, (now - this.start) * 1e6 - since), 1);
    return number;
  }

  /**
   * A task has left the backlog.
   *
   * Those that wait for room are only called when half of it is free, for they would have to be called for every task.
   */
  took() {
    this.#taken += 1;
    if (this.#room && this.begun - this.#taken <= this.backlog / 2) this.#wake();
  }

  /** A task is done. */
  finish(now) {
    this.#done += 1;
    this.#lastDone = now;
    this.#progress.record(now - this.start, 1);
  }

  summary() {
    const nanos = (span) => Math.round(span * 1e6);
    const elapsed = nanos((this.#lastDone ?? this.start) - this.start);
    return {
      elapsed_ns: elapsed,
      operations: this.#done,
      errors: 0,
      latency: this.#latency.pairs(),
      progress: this.#progress.pairs(elapsed),
      ...(this.job.workload.verify && { delivered: this.way.tallies[0].delivered }),
      ...(this.rate != null && { max_lag_ns: nanos(this.#maxLag) }),
    };
  }

  async #send(library, client) {
    const { rate, start, deadline, operations } = this;
    for (;;) {
      while (this.begun - this.#taken >= this.backlog && !this.failure) {
        this.#room ??= deferred();
        await this.#room.promise;
      }
      if (this.failure) return;
      // A number is only taken by who uses it, so that there are no holes. What is due before the end is sent, however late.
      const due = rate == null ? null : start + (this.begun * 1000) / rate;
      if (this.begun >= operations || (due ?? performance.now()) >= deadline) break;
      const number = this.begun++;
      if (due !== null) {
        await until(due, this);
        if (this.failure) return;
      }
      const now = performance.now();
      if (due !== null) this.#maxLag = Math.max(this.#maxLag, now - due);
      const task = this.tasks.write(number, Math.round(((due ?? now) - start) * 1e6));
      await this.way.send(library, client, number, task);
    }
    this.#sending -= 1;
    if (this.#sending === 0) await this.way.end(library, client);
  }

  #wake() {
    this.#room?.resolve();
    this.#room = null;
  }

  #verify() {
    const [first, ...others] = this.way.tallies;
    if (this.#done !== this.begun) {
      this.fail(new Failure("verification", `of ${this.begun} that were sent ${this.#done} were received`));
    }
    for (const other of others) {
      if (String(other) === String(first)) continue;
      this.fail(new Failure("verification", `one subscriber got ${other}, where another got ${first}`));
    }
  }

  /** By name and on a connection of its own, for those of the workers may be broken. */
  async #deleteKeys(library, working) {
    if (this.way.keys.length === 0) return;
    if (this.failure) await Promise.race([working, sleep(GRACE)]);
    try {
      await library.delete(await library.connect(this.job.server, this.job.options ?? {}), this.way.keys);
    } catch (error) {
      // If the work has failed it is that failure that is told.
      this.fail(new Failure("other", `deleting the keys: ${error.message}`));
    }
  }
}

function deferred() {
  const made = {};
  made.promise = new Promise((resolve) => (made.resolve = resolve));
  return made;
}
