/** Which key of those that are there an operation is about, and whether it reads or writes. */

import { createHash } from "node:crypto";

import { Failure } from "./protocol.mjs";

/** The choices of one worker in one phase, to be asked for in the order of the operations. */
export class Space {
  #random;
  #index;

  constructor({ workload: { keys, reads, distribution }, workers, seed }, infix, number) {
    const random = generator(`${seed} ${infix} ${number}`);
    this.#random = random;
    this.reads = reads;
    if (distribution === "uniform") this.#index = () => Math.floor(random() * keys);
    else if (distribution === "zipf") this.#index = () => zipf(keys, random);
    else if (distribution === "sequential") {
      const first = Math.floor((number / workers) * keys);
      this.#index = (operation) => (first + operation) % keys;
    } else throw new Failure("unsupported", `this driver knows no distribution \`${distribution}\``);
  }

  choose(operation) {
    return { reads: this.#random() < this.reads, index: this.#index(operation) };
  }
}

/** Numbers from 0 to below 1, always the same from the same text: xorshift128 (Marsaglia 2003). */
export function generator(text) {
  const digest = createHash("sha256").update(text).digest();
  let [a, b, c, d] = [0, 4, 8, 12].map((at) => digest.readUInt32LE(at) | 1);
  return () => {
    const t = a ^ (a << 11);
    [a, b, c] = [b, c, d];
    d = d ^ (d >>> 19) ^ t ^ (t >>> 8);
    return (d >>> 0) / 2 ** 32;
  };
}

/** By rejection-inversion (Hörmann and Derflinger 1996), for the exponent 1. */
function zipf(keys, random) {
  const [high, low] = [Math.log(keys + 0.5), Math.log(1.5) - 1];
  for (;;) {
    const u = high + random() * (low - high);
    const x = Math.exp(u);
    const k = Math.min(Math.max(Math.floor(x + 0.5), 1), keys);
    if (k - x <= 2 - 2.5 * Math.exp(-0.5) || u >= Math.log(k + 0.5) - 1 / k) return k - 1;
  }
}
