/** The commands of an operation, of a workload that lists them: which they are, and with which arguments. */

import { generator } from "./space.mjs";

/** A brace that is written twice, or a placeholder in an argument. */
const PLACEHOLDER = /\{\{|\}\}|\{(\w+)(?::(\d+))?\}/g;

/** The choices of one worker in one phase, to be asked for in the order of the operations. */
export class Script {
  /** How often each command was done, by its name as a server counts it. */
  calls = {};
  #random;

  constructor({ workload: { commands, weights }, seed }, infix, number) {
    this.commands = commands;
    this.weights = weights;
    this.number = number;
    this.#random = generator(`${seed} ${infix} ${number}`);
  }

  /** The commands of an operation, each a list of words. */
  render(index, key, value) {
    const known = { key, value, index: String(index), worker: String(this.number) };
    const part = (found, name, below) => {
      if (name === undefined) return found[0];
      return below === undefined ? known[name] : String(Math.floor(this.#random() * below));
    };
    return this.#chosen().map(([name, ...words]) => [name, ...words.map((word) => word.replace(PLACEHOLDER, part))]);
  }

  count(commands) {
    for (const [name] of commands) {
      const counted = name.toLowerCase();
      this.calls[counted] = (this.calls[counted] ?? 0) + 1;
    }
  }

  #chosen() {
    if (!this.weights) return this.commands;
    let drawn = this.#random() * this.weights.reduce((sum, weight) => sum + weight, 0);
    const nth = this.weights.findIndex((weight) => (drawn -= weight) < 0);
    return [this.commands[nth]];
  }
}
