/** One stretch of work for all workers, the warm-up or the measured part: what is to be done, when, and what was. */

import { Histogram, Progress } from "./latency.mjs";
import { until } from "./pace.mjs";
import { Failure } from "./protocol.mjs";
import { Script } from "./script.mjs";
import { Space } from "./space.mjs";
import { filler, shown } from "./text.mjs";

// Moments and spans are in milliseconds, as `performance.now()` counts them, with nanoseconds behind the point.

/** So many keys are deleted by one command. */
const DELETE_BATCH = 1000;

/** So many decimal digits of the index stand in a value of a given size; the rest of it is filler. */
const VALUE_DIGITS = 12;

export class Phase {
  /** The first failure of any worker. All others end at their next operation. */
  failure = null;
  #latency = new Histogram();
  #progress = new Progress();

  constructor(job, { operations, duration_ns, rate, infix }) {
    this.job = job;
    this.operations = operations;
    this.duration = duration_ns == null ? Infinity : duration_ns / 1e6;
    this.rate = rate;
    this.infix = infix;
    this.workers = Array.from({ length: job.workers }, (_, number) => new Worker(this, number));
  }

  /** The part that is not counted. It has no rate even if the measured part has one: it is there to get warm. */
  static warmup(job) {
    return new Phase(job, { ...job.warmup, infix: "w" });
  }

  /** The part that is. */
  static measured(job) {
    return new Phase(job, { ...job.workload, infix: "" });
  }

  get isEmpty() {
    return this.operations === 0 || this.duration === 0;
  }

  /** Has every worker do its share with its client; deletes the keys then if the job asks for it, also after a failure. */
  async run(library, clients) {
    this.start = performance.now();
    this.deadline = this.start + this.duration;
    await Promise.all(this.workers.map((worker, number) => worker.run(library, clients[number])));
    // Those that were there before are not to be deleted, and of what is listed nobody knows its keys.
    if (this.job.delete_keys && this.job.workload.kind === "set-get") await this.#deleteKeys(library);
    if (this.failure) throw this.failure;
  }

  /** Counts operations that ended `now` and took `span` each. */
  record(now, span, operations) {
    this.#latency.record(span * 1e6, operations);
    this.#progress.record(now - this.start, operations);
  }

  summary() {
    const nanos = (span) => Math.round(span * 1e6);
    const { workers, start, rate } = this;
    const elapsed = nanos(workers.reduce((last, worker) => Math.max(last, worker.lastReply ?? start), start) - start);
    const sum = (of) => workers.reduce((sum, worker) => sum + of(worker), 0);
    return {
      elapsed_ns: elapsed,
      operations: sum((worker) => worker.done),
      errors: 0,
      latency: this.#latency.pairs(),
      progress: this.#progress.pairs(elapsed),
      ...this.#calls(),
      ...(rate != null && { max_lag_ns: nanos(workers.reduce((max, worker) => Math.max(max, worker.maxLag), 0)) }),
    };
  }

  /** Calls of each command, where the workload leaves open which of them an operation is. */
  #calls() {
    const calls = {};
    const count = (name, more) => (calls[name] = (calls[name] ?? 0) + more);
    for (const { space, script, done, reads } of this.workers) {
      if (space) {
        count("get", reads);
        count("set", done - reads);
      }
      for (const [name, more] of Object.entries(script?.calls ?? {})) count(name, more);
    }
    return this.job.workload.kind === "set-get" ? {} : { calls };
  }

  /** By name and on a connection of its own, for those of the workers may be broken. */
  async #deleteKeys(library) {
    try {
      const client = await library.connect(this.job.server, this.job.options ?? {});
      for (const { stem, begun } of this.workers) {
        for (let first = 0; first < begun; first += DELETE_BATCH) {
          const length = Math.min(DELETE_BATCH, begun - first);
          await library.delete(client, Array.from({ length }, (_, nth) => `${stem}${first + nth}`));
        }
      }
    } catch (error) {
      // If the work has failed it is that failure that is told.
      this.failure ??= new Failure("other", `deleting the keys: ${error.message}`);
    }
  }
}

class Worker {
  /** Operations of which at least the request may have been sent: indexes below this may exist as keys. */
  begun = 0;
  /** Operations whose reply has come. */
  done = 0;
  /** GETs among them, where operations are about keys that are there. */
  reads = 0;
  lastReply = null;
  /** The largest delay of a start. */
  maxLag = 0;

  constructor(phase, number) {
    const { job, infix, operations } = phase;
    this.phase = phase;
    this.number = number;
    const { kind } = job.workload;
    this.space = kind === "read-write" ? new Space(job, infix, number) : null;
    this.script = kind === "commands" ? new Script(job, infix, number) : null;
    this.stem = this.space ? job.key_prefix : `${job.key_prefix}${infix}${number}:`;
    this.size = job.workload.value_bytes ?? null;
    const filled = Math.max(0, (this.size ?? 0) - VALUE_DIGITS);
    this.filler = this.space ? "0".repeat(filled) : filler(`${job.seed} ${this.stem}`, filled);
    this.left = operations == null ? Infinity : share(operations, job.workers, number);
  }

  async run(library, client) {
    try {
      await this.#work(library, client);
    } catch (error) {
      const kind = error instanceof Failure ? error.kind : library.isConnected(client, error) ? "other" : "connection";
      this.phase.failure ??= new Failure(kind, `worker ${this.number}: ${error.message}`);
    }
  }

  async #work(library, client) {
    const { phase } = this;
    const { pipeline, verify } = phase.job.workload;
    while (this.left > 0) {
      const operations = this.#operations(Math.min(this.left, pipeline));
      const due = this.#due();
      // In a closed loop nothing is awaited here: others would go on meanwhile, and no operation be charged with it.
      if (due !== null) {
        // What is due after the end is not waited for.
        if (due >= phase.deadline) return;
        await until(due, phase);
      }

      const now = performance.now();
      // What is due before the end is done, however late: left out would be just those that had to wait the longest.
      if ((due === null && now >= phase.deadline) || phase.failure) return;
      if (due !== null) this.maxLag = Math.max(this.maxLag, now - due);
      this.begun += operations.length;
      const fetched = await this.#send(library, client, operations);

      this.lastReply = performance.now();
      // Had it been begun in time, it would have had to wait from then on.
      phase.record(this.lastReply, this.lastReply - (due ?? now), operations.length);
      this.done += operations.length;
      this.left -= operations.length;
      operations.forEach((operation, nth) => {
        if (this.script) return this.script.count(operation.commands);
        if (this.space) this.reads += operation.reads;
        if (verify && operation.reads) checkFetched(operation, fetched[nth]);
      });
    }
  }

  /** Resolves to what was fetched, when all replies are there. */
  async #send(library, client, operations) {
    if (this.space) return library.access(client, operations);
    if (!this.script) return library.roundTrip(client, operations);
    return library.send(client, operations.flatMap(({ commands }) => commands));
  }

  /** The next few operations, which share a round trip. */
  #operations(count) {
    const operations = [];
    for (let index = this.begun; index < this.begun + count; index += 1) {
      const chosen = this.space?.choose(index) ?? { index, reads: true };
      const [key, value] = [this.stem + chosen.index, this.#value(chosen.index)];
      operations.push({ key, value, reads: chosen.reads, commands: this.script?.render(index, key, value) });
    }
    return operations;
  }

  /** As many bytes as the job asks for, all of them ASCII, or the decimal index. */
  #value(index) {
    if (this.size === null) return String(index);
    const digits = String(index).padStart(VALUE_DIGITS, "0");
    return this.filler + digits.slice(digits.length - Math.min(this.size, VALUE_DIGITS));
  }

  /**
   * When the next batch is due; null in a closed loop.
   *
   * Batches are dealt out to the workers in turn, so that with a pipeline of 1 worker w does the operations w,
   * w + workers, w + 2 × workers and so on.
   */
  #due() {
    const { start, rate, job } = this.phase;
    if (rate == null) return null;
    const { pipeline } = job.workload;
    const batch = (this.begun / pipeline) * job.workers + this.number;
    return start + (batch * pipeline * 1000) / rate;
  }
}

/** Of `operations`, the first few workers do one more if they cannot be shared evenly. */
export function share(operations, workers, number) {
  return Math.floor(operations / workers) + (number < operations % workers ? 1 : 0);
}

function checkFetched({ key, value }, fetched) {
  if (fetched === value) return;
  const got = fetched === null ? "nothing" : shown(fetched);
  throw new Failure("verification", `GET of ${shown(key)} returned ${got} where ${shown(value)} was stored`);
}
