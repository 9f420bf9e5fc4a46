/** Counts latencies to three significant digits, and operations by the time at which they were done. */

/** Slots of one width; the first 2 × STEPS slots are a nanosecond wide, the next STEPS two, the next four, and so on. */
const STEPS = 1024;

/** More than 2^53 ns, the largest number that is exact here and a hundred days, is not told apart. */
const DOUBLINGS = 42;

export class Histogram {
  #counts = new Float64Array((DOUBLINGS + 2) * STEPS);

  record(nanos, operations) {
    let doublings = 0;
    while (nanos >= 2 * STEPS && doublings < DOUBLINGS) {
      nanos /= 2;
      doublings += 1;
    }
    this.#counts[doublings * STEPS + Math.floor(nanos)] += operations;
  }

  /** Sorted pairs of a slot's lower bound in nanoseconds and its count. */
  pairs() {
    const pairs = [];
    this.#counts.forEach((count, slot) => {
      const doublings = Math.max(0, Math.floor(slot / STEPS) - 1);
      if (count > 0) pairs.push([(slot - doublings * STEPS) * 2 ** doublings, count]);
    });
    return pairs;
  }
}

/** So many slots there are at most; a trial that fills them has between half as many and all. */
const SLOTS = 64;

/** Counts operations in time slots since the start. When a time lies beyond the last slot, all slots double in width. */
export class Progress {
  #counts = new Float64Array(SLOTS);
  /** Of a slot, in milliseconds: never whole, for V8 would compile for small integers, and anew when there are larger ones. */
  #width = 2 ** 20 / 1e6;

  record(since, operations) {
    while (since >= SLOTS * this.#width) this.#widen();
    this.#counts[Math.floor(since / this.#width)] += operations;
  }

  /** Pairs of the nanoseconds since the start and the operations done by then; the last slot ends with the trial. */
  pairs(elapsed) {
    const width = Math.round(this.#width * 1e6);
    const pairs = [];
    let done = 0;
    for (let slot = 0; slot < SLOTS && slot * width <= elapsed; slot += 1) {
      done += this.#counts[slot];
      pairs.push([Math.min((slot + 1) * width, elapsed), done]);
    }
    return pairs;
  }

  #widen() {
    this.#counts = this.#counts.map((_, slot) => (2 * slot < SLOTS ? this.#counts[2 * slot] + this.#counts[2 * slot + 1] : 0));
    this.#width *= 2;
  }
}
