/** Counts latencies to three significant digits. */

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
