/**
 * Versions 1 to 3 of the driver protocol: what comes in on standard input and goes out on standard output, a line each.
 *
 * Neither of them is a stream of this thread. The code of streams is the same for a client's connections, and V8 compiles it
 * for those that it meets in the warm-up: one line of another stream, right before or after `go`, threw all of that away,
 * and the first quarter of a second of every trial was a quarter slower than the rest.
 */

import { writeSync } from "node:fs";
import { Worker } from "node:worker_threads";

const VERSIONS = [1, 2, 3];
const MAX_LINE = 16 * 1024 * 1024;

/** Why a driver gives up: a kind that the protocol knows, and one sentence. */
export class Failure extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

/** Prints one event. If nobody listens any more there is nobody to tell, and the process ends. */
export function say(event) {
  let line = Buffer.from(`${JSON.stringify(event)}\n`);
  while (line.length > 0) {
    try {
      line = line.subarray(writeSync(1, line));
    } catch (error) {
      // Somebody else has made the pipe one that does not wait, and it is full.
      if (error.code !== "EAGAIN") process.exit(1);
    }
  }
}

/**
 * The lines of standard input. Once the first one has come the process ends, at any moment, with its input; how it does
 * may be handed in.
 */
export class Input {
  #lines = [];
  #partial = "";
  #started = false;
  #waiting = null;
  #leave;

  constructor(leave = () => process.exit(1)) {
    this.#leave = leave;
    const reader = new Worker(new URL("./input.mjs", import.meta.url));
    reader.on("message", (text) => (text === null ? this.#end() : this.#receive(text)));
  }

  /** The next line, without its newline. */
  line() {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#deliver();
    });
  }

  #receive(chunk) {
    const lines = (this.#partial + chunk).split("\n");
    this.#partial = lines.pop();
    this.#lines.push(...lines);
    this.#started ||= this.#lines.length > 0;
    if (this.#partial.length > MAX_LINE) this.#lines.push(this.#partial);
    this.#deliver();
  }

  #deliver() {
    if (!this.#waiting || this.#lines.length === 0) return;
    const { resolve, reject } = this.#waiting;
    this.#waiting = null;
    const line = this.#lines.shift();
    if (Buffer.byteLength(line) > MAX_LINE) {
      reject(new Failure("protocol", `a line is longer than ${MAX_LINE} bytes`));
    } else {
      resolve(line);
    }
  }

  #end() {
    if (this.#started) return this.#leave();
    this.#waiting?.reject(new Failure("protocol", "the input ended before a job came"));
  }
}

export function checkGo(line) {
  if (parse(line)?.go !== true) throw new Failure("protocol", `expected {"go":true}, got ${line}`);
}

/** The job in a line, with `warmup` and `workload` known to be sound, if it is of one of the workloads that a driver knows. */
export function readJob(line, workloads = WORKLOADS) {
  const job = parse(line);
  check(job, { protocol: natural, workload: { kind: text } });
  if (!VERSIONS.includes(job.protocol)) {
    const versions = `version ${job.protocol}, this driver speaks versions ${VERSIONS.join(", ")}`;
    throw new Failure("protocol", `the job is of protocol ${versions}`);
  }
  if (!(job.workload.kind in workloads)) {
    throw new Failure("unsupported", `this driver knows no workload of kind \`${job.workload.kind}\``);
  }
  check(job, JOB);
  check(job.workload, workloads[job.workload.kind]);
  const { workload, warmup, workers } = job;
  if (workers === 0 || workload.pipeline === 0 || workload.rate === 0) {
    throw new Failure("protocol", "workers, pipeline and rate must be at least 1");
  }
  if (!isAmount(workload)) throw new Failure("protocol", "the job must name either operations or a duration");
  if (!isAmount(warmup)) throw new Failure("protocol", "the warm-up must name either operations or a duration");
  return job;
}

/** Refuses an option that the library does not have, or not with this value. */
export function checkOptions({ options = {} }, known) {
  for (const [name, value] of Object.entries(options)) {
    if (!(name in known)) {
      const has = Object.keys(known).join(", ") || "none";
      throw new Failure("unsupported", `this client knows no option \`${name}\`; it has ${has}`);
    }
    if (!known[name].includes(value)) {
      throw new Failure("unsupported", `the option \`${name}\` is ${known[name].join(" or ")}, not ${value}`);
    }
  }
}

/** Refuses what a library does not support of a connection. */
export function checkConnection({ server }, supported) {
  const missing = ["tls", "username", "db", "cluster"].find((name) => server[name] && !supported.includes(name));
  if (missing) throw new Failure("unsupported", `this client does not support \`${missing}\` of a connection`);
}

const natural = { name: "a natural number", admits: (value) => Number.isInteger(value) && value >= 0 };
export const text = { name: "a string", admits: (value) => typeof value === "string" };
export const truth = { name: "a boolean", admits: (value) => typeof value === "boolean" };
export const optional = ({ name, admits }) => ({ name, admits: (value) => value == null || admits(value) });

const JOB = {
  mode: text,
  server: {
    host: text,
    port: natural,
    unix_socket: optional(text),
    password: optional(text),
    username: optional(text),
    db: optional(natural),
    cluster: optional(truth),
  },
  workload: {
    operations: optional(natural),
    duration_ns: optional(natural),
    value_bytes: optional(natural),
    pipeline: natural,
    rate: optional(natural),
    verify: truth,
  },
  workers: natural,
  key_prefix: text,
  warmup: { operations: optional(natural), duration_ns: optional(natural) },
  seed: natural,
  delete_keys: optional(truth),
};

const share = { name: "a number from 0 to 1", admits: (value) => value >= 0 && value <= 1 };
export const positive = { name: "a positive whole number", admits: (value) => Number.isInteger(value) && value > 0 };

/** The settings that only some workloads have. */
const WORKLOADS = {
  "set-get": {},
  "read-write": { keys: positive, reads: share, distribution: text },
  commands: { commands: { name: "a list", admits: (value) => Array.isArray(value) && value.length > 0 } },
  queue: { producers: positive, structure: text, acknowledge: truth, backlog: positive },
  pubsub: { publishers: positive, channels: positive, backlog: positive },
};

/** Refuses what does not have a shape: an object of shapes, or something that admits values. */
function check(value, shape, path = "it") {
  const leaf = "admits" in shape;
  if (leaf ? !shape.admits(value) : value === null || typeof value !== "object") {
    // The value is not shown, for it may be a password.
    throw new Failure("protocol", `this is no job: ${path} is not ${leaf ? shape.name : "an object"}`);
  }
  if (leaf) return;
  for (const [key, inner] of Object.entries(shape)) {
    check(value[key], inner, path === "it" ? key : `${path}.${key}`);
  }
}

/** Whether exactly one of the two says how much there is to do. */
function isAmount({ operations, duration_ns }) {
  return (operations == null) !== (duration_ns == null);
}

function parse(line) {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new Failure("protocol", `this is no JSON: ${error.message}`);
  }
}
