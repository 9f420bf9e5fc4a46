/** Which tasks somebody got: nothing was lost or came twice if their sum and their exclusive or are right. */
export class Tally {
  count = 0;
  /** Exact up to 2^53, as far as a hundred million tasks go. */
  #sum = 0;
  // Operators on bits know 32 of them.
  #high = 0;
  #low = 0;

  add(number) {
    this.count += 1;
    this.#sum += number;
    this.#high ^= number / 2 ** 32;
    this.#low ^= number;
  }

  get delivered() {
    return { sum: this.#sum, xor: this.#high * 2 ** 32 + (this.#low >>> 0) };
  }

  toString() {
    const { sum, xor } = this.delivered;
    return `${this.count} with the sum ${sum} and the exclusive or ${xor}`;
  }
}
