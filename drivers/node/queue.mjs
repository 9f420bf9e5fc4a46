/** A queue on the server, of which each task is taken by one worker. */

import { Failure } from "./protocol.mjs";
import { Tally } from "./tally.mjs";
import { END } from "./task.mjs";

export class Queue {
  sender = "producer";
  /** One for all workers: each task is for one of them. */
  tallies = [new Tally()];

  constructor(exchange, { workload: { structure, acknowledge }, workers }, prefix) {
    if (!(structure in STRUCTURES)) throw new Failure("unsupported", `this driver knows no structure \`${structure}\``);
    this.exchange = exchange;
    this.acknowledges = acknowledge;
    this.workers = workers;
    this.structure = new STRUCTURES[structure](`${prefix}queue`, acknowledge, `${prefix}taken:`, workers);
  }

  /** Everything that may be there, also after a failure. */
  get keys() {
    return this.structure.keys;
  }

  async open({ queue }, client, worker) {
    if (worker === 0) await this.structure.create(queue, client);
  }

  async close() {}

  async send({ queue }, client, _, task) {
    await this.structure.push(queue, client, task);
  }

  async end({ queue }, client) {
    for (let worker = 0; worker < this.workers; worker += 1) await this.structure.push(queue, client, END);
  }

  async receive({ queue }, client, worker) {
    const { exchange, structure, acknowledges } = this;
    for (;;) {
      const taken = await structure.take(queue, client, worker);
      const now = performance.now();
      if (exchange.failure) return;
      if (taken === null) continue;
      const isEnd = taken.task === END;
      if (!isEnd) {
        this.tallies[0].add(exchange.got(taken.task, now));
        exchange.took();
      }
      if (acknowledges) await structure.acknowledge(queue, client, worker, taken);
      if (isEnd) return;
      exchange.finish(acknowledges ? performance.now() : now);
    }
  }
}

/** Pushed on the left and taken from the right. What is to be acknowledged stays in a list of the worker that has it. */
class List {
  constructor(key, acknowledges, taken, workers) {
    this.key = key;
    this.taken = Array.from({ length: acknowledges ? workers : 0 }, (_, worker) => taken + worker);
    this.keys = [key, ...this.taken];
  }

  /** A list is there when something is in it. */
  create() {}

  push({ list }, client, task) {
    return list.push(client, this.key, task);
  }

  async take({ list }, client, worker) {
    const { key, taken } = this;
    const task = await (taken.length > 0 ? list.move(client, key, taken[worker]) : list.take(client, key));
    return task === null ? null : { task };
  }

  acknowledge({ list }, client, worker, { task }) {
    return list.remove(client, this.taken[worker], task);
  }
}

/** A stream of which one group of consumers reads. Its entries stay. */
class Stream {
  constructor(key, acknowledges) {
    this.key = key;
    this.acknowledges = acknowledges;
    this.keys = [key];
  }

  create({ stream }, client) {
    return stream.createGroup(client, this.key);
  }

  push({ stream }, client, task) {
    return stream.add(client, this.key, task);
  }

  take({ stream }, client, worker) {
    return stream.read(client, this.key, String(worker), this.acknowledges);
  }

  acknowledge({ stream }, client, _, { id }) {
    return stream.acknowledge(client, this.key, id);
  }
}

const STRUCTURES = { list: List, stream: Stream };
