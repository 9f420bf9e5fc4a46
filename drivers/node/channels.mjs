/** Channels of the server, of which every worker receives each message. */

import { Failure } from "./protocol.mjs";
import { Tally } from "./tally.mjs";
import { END } from "./task.mjs";

/** Who only listens is told of nothing when the connection is lost, so it is looked after this often, in milliseconds. */
const LOOK = 500;

export class Channels {
  sender = "publisher";
  keys = [];

  constructor(exchange, { workload: { channels }, workers }, prefix) {
    this.exchange = exchange;
    this.names = Array.from({ length: channels }, (_, channel) => `${prefix}channel:${channel}`);
    this.tallies = Array.from({ length: workers }, () => new Tally());
    /** For each worker, what is called when it has got the end, and the promise of that. */
    this.ends = this.tallies.map(() => {
      const end = {};
      end.come = new Promise((resolve) => (end.resolve = resolve));
      return end;
    });
    /** Messages that every worker has got, and how many workers have got no more than those. */
    this.least = 0;
    this.slowest = workers;
  }

  async open({ pubsub }, client, worker) {
    await pubsub.subscribe(client, this.names, (message) => this.#hear(worker, message));
  }

  async close({ pubsub }, client) {
    await pubsub.unsubscribe(client, this.names);
  }

  async send({ pubsub }, client, number, message) {
    await pubsub.publish(client, this.names[number % this.names.length], message);
  }

  async end({ pubsub }, client) {
    await pubsub.publish(client, this.names[0], END);
  }

  async receive({ pubsub }, client, worker) {
    const look = setInterval(async () => {
      const isListening = await pubsub.isListening(client).catch(() => false);
      if (!isListening) this.exchange.fail(new Failure("connection", `worker ${worker}: the connection is lost`));
    }, LOOK);
    await this.ends[worker].come;
    clearInterval(look);
  }

  #hear(worker, message) {
    const now = performance.now();
    if (message === END) return this.ends[worker].resolve();
    const tally = this.tallies[worker];
    try {
      tally.add(this.exchange.got(message, now));
    } catch (error) {
      // Nobody waits for what a library calls, so there is nobody who could catch it.
      return this.exchange.fail(new Failure(error.kind ?? "other", `worker ${worker}: ${error.message}`));
    }
    if (tally.count === this.least + 1) this.#leave(now);
  }

  /** One of the slowest has got one more message. When the last of them has, everybody has got that one. */
  #leave(now) {
    this.slowest -= 1;
    if (this.slowest > 0) return;
    this.least += 1;
    this.slowest = this.tallies.filter(({ count }) => count === this.least).length;
    this.exchange.took();
    this.exchange.finish(now);
  }
}
