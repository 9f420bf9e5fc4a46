/**
 * What workers leave for the driver in files that both have open, so that nothing of it takes the way through the server.
 *
 * The files have no names any more when a worker program starts: it inherits them, and nothing is left behind however it ends.
 */

import { accessSync, constants, fstatSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** In memory, where there is such a place. */
const SHARED = "/dev/shm";

/** Bytes of a number. */
const WORD = BigUint64Array.BYTES_PER_ELEMENT;

/**
 * The monotonic clock when `performance.now()` began to count. The two are read one after the other, the first time with a
 * millisecond between them; whatever lies between makes this too small, so the largest of a few is the best.
 */
const ORIGIN = Array.from({ length: 10 }, readOrigin).reduce((one, other) => (one > other ? one : other));

/** The files of a trial; a worker program inherits those with these descriptors, in this order. */
export function makeFiles() {
  // Stamps are written at positions of their own, and notes always at the end.
  const descriptors = [make("before", "wx+"), make("measured", "wx+"), make("twice", "ax+"), make("raised", "ax+")];
  return { ...open(descriptors), descriptors };
}

/** The same in a worker program, in which the first of them has this descriptor. */
export function inheritFiles(first) {
  return open([first, first + 1, first + 2, first + 3]);
}

function open([before, measured, twice, raised]) {
  return { before: new Trail(before), measured: new Trail(measured), twice: new Notes(twice), raised: new Notes(raised) };
}

function make(name, flags) {
  const path = join(isWritable(SHARED) ? SHARED : tmpdir(), `orchestrate-${process.pid}-${name}`);
  const descriptor = openSync(path, flags, 0o600);
  unlinkSync(path);
  return descriptor;
}

function isWritable(directory) {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function readOrigin() {
  return process.hrtime.bigint() - BigInt(Math.round(performance.now() * 1e6));
}

/** A stamp as `performance.now()` of this process counts. */
export function moment(stamp) {
  return Number(stamp - ORIGIN) / 1e6;
}

/** When the body of each task began and when it ended, or 0: two numbers of 64 bits, nanoseconds of the monotonic clock. */
export class Trail {
  #file;
  #stamp = new BigUint64Array(1);

  constructor(file) {
    this.#file = file;
  }

  begin(task) {
    this.#write(2 * task);
  }

  end(task) {
    this.#write(2 * task + 1);
  }

  /** Of so many tasks from the first on, beginnings and ends in turn, as many as fit into `stamps`. */
  read(first, stamps) {
    const words = readSync(this.#file, stamps, 0, stamps.byteLength, 2 * first * WORD) / WORD;
    return stamps.fill(0n, words);
  }

  #write(word) {
    this.#stamp[0] = process.hrtime.bigint();
    writeSync(this.#file, this.#stamp, 0, WORD, word * WORD);
  }
}

/** Numbers of tasks of which there is something to be said. */
export class Notes {
  #file;

  constructor(file) {
    this.#file = file;
  }

  add(task) {
    writeSync(this.#file, BigUint64Array.of(BigInt(task)));
  }

  get count() {
    return fstatSync(this.#file).size / WORD;
  }

  /** The first of them, so many at most, each once and in order. */
  first(most) {
    const numbers = new BigUint64Array(this.count);
    if (numbers.length > 0) readSync(this.#file, numbers, 0, numbers.byteLength, 0);
    return [...new Set(Array.from(numbers.sort(), Number))].slice(0, most);
  }
}
