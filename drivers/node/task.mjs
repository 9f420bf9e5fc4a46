/** The text of a task or a message: its number, and the nanoseconds since `go` from which its latency counts. */

import { Failure } from "./protocol.mjs";
import { filler, shown } from "./text.mjs";

/** What comes behind the last task, for whoever waits for one more. */
export const END = "end";

const TASK = /^(\d+):(\d+)(?::|$)/;

export class Tasks {
  #size;
  #filler;

  /** Of so many bytes, or as many as it takes. */
  constructor(size, seed) {
    this.#size = size ?? 0;
    this.#filler = filler(seed, this.#size);
  }

  write(number, since) {
    const task = `${number}:${since}`;
    return task.length < this.#size ? `${task}:${this.#filler.slice(task.length + 1)}` : task;
  }

  /** The number of a task and since when its latency counts. There are so many as `begun` yet. */
  read(task, begun) {
    const [, number, since] = TASK.exec(task) ?? [];
    if (number === undefined || Number(number) >= begun) {
      throw new Failure("verification", `got ${shown(task)}, which nobody has sent`);
    }
    return [Number(number), Number(since)];
  }
}
