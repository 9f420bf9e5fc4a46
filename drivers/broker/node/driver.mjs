/**
 * A driver of task-queue libraries in JavaScript: `driver.mjs LIBRARY` carries out one job with the library of the module
 * `LIBRARY.mjs`. What such a module exports:
 *
 * - `name` and `packageName`
 * - `connect(address, { awaits, fail })`: resolves to what producers need; `fail(error)` is to be called if the connection is
 *   lost, or cannot be made. That is `handOver(task)`, which resolves when the library has the task; `result(handed)`, which
 *   resolves to the result of what `handOver` resolved to, if results are awaited; and `left()`, which resolves to how many
 *   tasks the library has that have not ended
 * - `work(address, { slots, results, execute, complain })`: from then on calls `execute(task)` for each task, so many at once
 *   as there are slots, and `complain(error)` for errors that are not of a task
 *
 * An address has either host and port or the path of a Unix socket, and a password unless that is undefined.
 */

import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

import { share } from "../../node/phase.mjs";
import { Failure, Input, checkConnection, checkGo, checkOptions, readJob, say } from "../../node/protocol.mjs";
import { optional, positive, text, truth } from "../../node/protocol.mjs";
import { Alarm } from "./alarm.mjs";
import { ECHO, readBody } from "./body.mjs";
import { Crew } from "./crew.mjs";
import { Stage } from "./stage.mjs";
import { makeFiles } from "./trail.mjs";

const WORKLOADS = {
  tasks: { processes: positive, producers: positive, backlog: optional(positive), body: text, results: truth },
};

// Moments and spans are in milliseconds, as `performance.now()` counts them.

/** Nothing may happen for so long, besides what a body takes, until nothing more is waited for. */
const PATIENCE = 10_000;

/** Many worker programs on few CPUs take their time to start. */
const COLD_START = 60_000;

/** The slots may take so long to come together; so often more tasks are handed over, and is looked, until they have. */
const [MEETING, MORE, LOOK] = [30_000, 200, 1];

/** In a warm-up so many tasks for each slot are under way at most: each may take seconds. */
const WARM = 10;

/** So many numbers of tasks stand in the last word. */
const NAMED = 100;

class Trial {
  #libraryName;
  #library;
  #crew = new Crew();
  #files = makeFiles();
  #isDone = false;
  #fail;
  /** Rejects with what happens while the driver does something else. */
  #trouble = new Promise((_, reject) => (this.#fail = (kind, message) => reject(new Failure(kind, message))));

  constructor(libraryName, library) {
    this.#libraryName = libraryName;
    this.#library = library;
    process.on("exit", () => this.#crew.kill());
  }

  async serve() {
    try {
      const summary = await Promise.race([this.#carryOut(), this.#trouble]);
      this.#isDone = true;
      say({ event: "done", ...summary });
    } catch (error) {
      const expected = error instanceof Failure;
      // Anything else is a mistake in here, and where it is will be wanted.
      if (!expected) console.error(error);
      say({ event: "failed", kind: expected ? error.kind : "other", error: error.message });
      process.exit(1);
    }
  }

  async #carryOut() {
    // Worker programs live until then: to stop them would take time, and commands.
    const input = new Input(() => process.exit(this.#isDone ? 0 : 1));
    const job = readJob(await input.line(), WORKLOADS);
    checkTasks(job);
    const body = readBody(job.workload.body);
    const { rate } = job.workload;
    const patience = PATIENCE + body.span;

    const producer = await this.#connect(job);
    const before = new Stage(job, producer, this.#files.before, "before");
    const measured = new Stage(job, producer, this.#files.measured);
    const alarm = rate == null ? null : new Alarm();
    const coldStart = await this.#startCold(job, before, measured);
    await this.#meet(before, job.workers, patience);
    const backlog = Math.min(job.workload.backlog ?? Infinity, WARM * job.workers);
    if (!(await before.run({ ...job.warmup, backlog }, patience))) throw unending("the warm-up", before);
    say({
      event: "ready",
      client: `${this.#library.name} ${versionOf(this.#library.packageName)}`,
      runtime: `Node.js ${process.versions.node}`,
      workers: job.workers,
      processes: this.#crew.pids,
      cold_start_ns: Math.round(coldStart * 1e6),
    });
    checkGo(await input.line());
    await measured.run({ ...job.workload, alarm }, patience + (rate == null ? 0 : 1000 / rate));
    return this.#summary(measured, producer);
  }

  async #connect({ server, workload }) {
    const name = server.unix_socket ?? `${server.host}:${server.port}`;
    // An error that stands for one at each of several addresses has no message of its own.
    const fail = ({ message, code }) => this.#fail("connection", `the connection to ${name}: ${message || code}`);
    try {
      return await this.#library.connect(addressOf(server), { awaits: workload.body === ECHO, fail });
    } catch (error) {
      fail(error);
      return this.#trouble;
    }
  }

  /** Has a task wait for the worker programs and starts these; resolves to how long it then took until its body began. */
  async #startCold(job, before, measured) {
    const { body, results, verify, processes } = job.workload;
    const settings = { address: addressOf(job.server), body, results, verify, keyPrefix: job.key_prefix };
    const shares = Array.from({ length: processes }, (_, nth) => share(job.workers, processes, nth));
    await before.handOver();
    const start = performance.now();
    this.#crew.start(this.#libraryName, shares, settings, this.#files.descriptors, (what) => {
      const where = measured.hasBegun ? measured.state : "before the measured part";
      this.#fail("other", `a worker program of ${this.#library.name} ${what}; ${where}`);
    });
    if (!(await before.settle(COLD_START))) throw unending("the start", before);
    return before.firstBegin - start;
  }

  /** Proves that all slots are there: as many tasks are executed at once, each of which waits for the others. */
  async #meet(before, slots, patience) {
    const start = performance.now();
    let [most, next] = [0, start];
    while (most < slots) {
      const now = performance.now();
      if (now - start > MEETING) {
        throw new Failure("other", `only ${most} of ${slots} slots came to execute a task at once`);
      }
      if (now >= next) {
        // A library that prefetches may hold back what another of its programs could execute.
        for (let task = 0; task < slots; task += 1) await before.handOver("meeting");
        next = performance.now() + MORE;
      }
      await sleep(LOOK);
      most = Math.max(most, before.unfinished().begun.length);
    }
    this.#crew.meet();
    if (!(await before.settle(patience))) throw unending("the meeting", before);
  }

  async #summary(measured, producer) {
    const { lost, begun } = measured.unfinished();
    return {
      ...measured.summary(),
      errors: this.#files.raised.count,
      lost: lost.slice(0, NAMED),
      begun: begun.slice(0, NAMED),
      twice: this.#files.twice.first(NAMED),
      ...(lost.length > 0 && { left: await producer.left() }),
    };
  }
}

/** Refuses what no library can be asked for. */
function checkTasks(job) {
  const { workers, workload, delete_keys } = job;
  if (workload.processes > workers) {
    throw new Failure("protocol", `there cannot be ${workload.processes} worker programs with ${workers} slots`);
  }
  if (workload.pipeline > 1) {
    throw new Failure("unsupported", `tasks are handed over one by one (asked for ${workload.pipeline} at once)`);
  }
  if (delete_keys) throw new Failure("unsupported", "the keys of a task-queue library cannot be deleted by name");
  if (workload.body === ECHO && !workload.results) throw new Failure("unsupported", `the body \`${ECHO}\` needs results`);
  checkOptions(job, {});
  checkConnection(job, []);
}

function addressOf({ host, port, unix_socket: path, password }) {
  return { ...(path == null ? { host, port } : { path }), password: password ?? undefined };
}

function unending(what, stage) {
  return new Failure("other", `${what} came to no end: ${stage.state}`);
}

function versionOf(packageName) {
  return createRequire(import.meta.url)(`${packageName}/package.json`).version;
}

const [libraryName] = process.argv.slice(2);
await new Trial(libraryName, await import(`./${libraryName}.mjs`)).serve();
