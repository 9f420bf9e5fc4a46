/** One stretch of tasks: producers hand them over, and their stamps are watched until all of them have ended. */

import { setTimeout as sleep } from "node:timers/promises";

import { Histogram, Progress } from "../../node/latency.mjs";
import { Failure } from "../../node/protocol.mjs";
import { filler, shown } from "../../node/text.mjs";
import { ECHO } from "./body.mjs";
import { moment } from "./trail.mjs";

// Moments and spans are in milliseconds, as `performance.now()` counts them, with nanoseconds behind the point.

/** How often stamps are looked at: if somebody waits for what they say, and while the time is the producers'. */
const [LOOK, GLANCE] = [1, 10];

/** So many tasks that follow each other are looked at together. */
const BLOCK = 256;

/** So many decimal digits of its number stand in a task's text; the rest of it is filler. */
const TEXT_DIGITS = 12;

/** So many numbers of tasks stand in a message. */
const NAMED = 10;

class Block {
  /** From when the latency of each task counts; 0 if it has not been handed to the library. */
  since = new Float64Array(BLOCK);
  hasEnded = new Uint8Array(BLOCK);
  /** How many have not ended, begun or not. */
  open = BLOCK;
}

export class Stage {
  /** The first failure of a producer. All others end at their next step. */
  failure = null;
  /** Tasks that the library has taken over. */
  handed = 0;
  ended = 0;
  start = performance.now();
  /** Tasks that have a number, so that the next one's is this, and those of them that the library has been given. */
  #numbered = 0;
  #given = 0;
  /** Tasks whose results producers wait for. */
  #awaited = new Set();
  #blocks = [];
  /** In all blocks before this one every task has ended. */
  #firstOpen = 0;
  #stamps = new BigUint64Array(2 * BLOCK);
  #producing = 0;
  #backlog = Infinity;
  /** What those are called by who wait for the backlog to have room. */
  #waiting = [];
  #isGivenUp = false;
  /** Tasks of which everything has come that is waited for, and when the last of it came. */
  #finished = 0;
  #lastFinish = null;
  /** Only with a rate. */
  #maxLag = null;
  #enqueue = 0;
  #latency = new Histogram();
  #startLatency = new Histogram();
  #progress = new Progress();

  /** Of tasks that leave their stamps in `trail`; `part` is what these are told if they are not the measured ones. */
  constructor(job, producer, trail, part) {
    const { body, value_bytes, producers } = job.workload;
    this.producer = producer;
    this.trail = trail;
    this.part = part;
    this.producers = producers;
    this.awaits = body === ECHO;
    this.size = value_bytes ?? null;
    this.filler = filler(`${job.seed} ${part ?? ""}`, Math.max(0, this.size - TEXT_DIGITS));
  }

  /** Has producers hand tasks over, with a rate by an alarm, and resolves as `settle` does. */
  run({ operations, duration_ns, rate, backlog, alarm }, patience) {
    this.start = performance.now();
    const plan = {
      first: this.#numbered,
      end: this.#numbered + (operations ?? Infinity),
      deadline: this.start + (duration_ns == null ? Infinity : duration_ns / 1e6),
      rate,
      alarm,
    };
    this.#backlog = rate == null ? (backlog ?? Infinity) : Infinity;
    for (let producer = 0; producer < this.producers; producer += 1) this.#produce(producer, plan);
    return this.settle(patience);
  }

  /** Resolves to whether all tasks that were handed over have ended; if not, nothing more has happened for so long. */
  async settle(patience) {
    let [seen, since] = [null, performance.now()];
    for (;;) {
      this.#look();
      if (this.failure) throw this.failure;
      if (this.#producing === 0 && this.ended === this.handed) return true;
      const now = performance.now();
      const state = this.handed + this.ended + this.#finished;
      if (state !== seen) [seen, since] = [state, now];
      else if (now - since > patience) break;
      await sleep(this.#producing > 0 && this.#backlog === Infinity ? GLANCE : LOOK);
    }
    this.#isGivenUp = true;
    return false;
  }

  /** Hands over one task more. */
  async handOver(part) {
    const number = this.#number();
    return this.#handOver(number, performance.now(), part);
  }

  /** The numbers of tasks that have not ended, or whose result has not come, and those of tasks that are being executed. */
  unfinished() {
    this.#look(true);
    const [lost, begun] = [[], []];
    this.#blocks.forEach((block, nth) => {
      if (block.open === 0) return;
      this.trail.read(nth * BLOCK, this.#stamps);
      block.since.forEach((since, at) => {
        if (since === 0 || block.hasEnded[at]) return;
        lost.push(nth * BLOCK + at);
        if (this.#stamps[2 * at] !== 0n) begun.push(nth * BLOCK + at);
      });
    });
    const open = new Set([...lost, ...this.#awaited]);
    return { lost: [...open].sort((one, other) => one - other), begun };
  }

  get hasBegun() {
    return this.#numbered > 0;
  }

  /** When the body of the first task began. */
  get firstBegin() {
    const [begin] = this.trail.read(0, this.#stamps);
    return moment(begin);
  }

  /** How far it has come, in words. */
  get state() {
    const { begun } = this.unfinished();
    const state = `of ${this.#given} tasks ${this.ended} had ended`;
    if (begun.length === 0) return state;
    return `${state}, and ${listed(begun)} ${begun.length === 1 ? "was" : "were"} begun and not ended`;
  }

  summary() {
    const elapsed = nanos((this.#lastFinish ?? this.start) - this.start);
    return {
      elapsed_ns: elapsed,
      operations: this.handed,
      latency: this.#latency.pairs(),
      start_latency: this.#startLatency.pairs(),
      enqueue_ns: nanos(this.#enqueue),
      ...(this.#maxLag !== null && { max_lag_ns: nanos(this.#maxLag) }),
      progress: this.#progress.pairs(elapsed),
    };
  }

  async #produce(producer, plan) {
    this.#producing += 1;
    try {
      await this.#handOverAll(plan);
    } catch (error) {
      // What the server refuses has this name in both client libraries. All else is that it cannot be reached.
      const kind = error.kind ?? (error.name === "ReplyError" ? "other" : "connection");
      this.failure ??= new Failure(kind, `producer ${producer}: ${error.message}`);
    }
    this.#producing -= 1;
  }

  async #handOverAll({ first, end, deadline, rate, alarm }) {
    for (;;) {
      while (this.#isFull && !this.#isOver) await new Promise((resolve) => this.#waiting.push(resolve));
      // What is due before the end is handed over, however late.
      const due = rate == null ? null : this.start + ((this.#numbered - first) * 1000) / rate;
      if (this.#isOver || this.#numbered >= end || (due ?? performance.now()) >= deadline) return;
      const number = this.#number();
      if (due !== null) await alarm.until(due, this);
      if (this.#isOver) return;
      const now = performance.now();
      if (due !== null) this.#maxLag = Math.max(this.#maxLag, now - due);
      const handed = await this.#handOver(number, due ?? now);
      if (this.awaits) await this.#receive(handed, number, due ?? now);
    }
  }

  async #handOver(number, since, part = this.part) {
    this.#blocks[Math.floor(number / BLOCK)].since[number % BLOCK] = since;
    this.#given += 1;
    const task = { number, ...(this.size !== null && { text: this.#text(number) }), ...(part && { part }) };
    const now = performance.now();
    const handed = await this.producer.handOver(task);
    this.#enqueue += performance.now() - now;
    this.handed += 1;
    return handed;
  }

  async #receive(handed, number, since) {
    const expected = this.size === null ? String(number) : this.#text(number);
    this.#awaited.add(number);
    const result = await this.producer.result(handed).catch(({ message }) => {
      throw new Failure("other", `task ${number} has failed: ${message}`);
    });
    this.#awaited.delete(number);
    this.#finish(since, performance.now());
    if (result !== expected) {
      throw new Failure("verification", `the result of task ${number} is ${shown(result)}, not ${shown(expected)}`);
    }
  }

  #number() {
    if (this.#numbered % BLOCK === 0) this.#blocks.push(new Block());
    return this.#numbered++;
  }

  #text(number) {
    const digits = String(number).padStart(TEXT_DIGITS, "0");
    return this.filler + digits.slice(digits.length - Math.min(this.size, TEXT_DIGITS));
  }

  get #isFull() {
    return this.#numbered - this.ended >= this.#backlog;
  }

  get #isOver() {
    return this.failure !== null || this.#isGivenUp;
  }

  /** Takes notice of tasks that have ended since the last look. */
  #look(isThorough = false) {
    while (this.#blocks[this.#firstOpen]?.open === 0) this.#firstOpen += 1;
    for (let nth = this.#firstOpen; nth < this.#blocks.length; nth += 1) {
      const block = this.#blocks[nth];
      if (block.open > 0) this.#lookAt(block, nth * BLOCK);
      // Tasks end nearly in their order: where none has, hardly any behind it will have.
      if (block.open === BLOCK && !isThorough) break;
    }
    if (!this.#isFull || this.#isOver) for (const goOn of this.#waiting.splice(0)) goOn();
  }

  #lookAt(block, first) {
    const { since, hasEnded } = block;
    const stamps = this.#stamps;
    this.trail.read(first, stamps);
    for (let at = 0; at < BLOCK; at += 1) {
      if (hasEnded[at] || stamps[2 * at + 1] === 0n) continue;
      hasEnded[at] = 1;
      block.open -= 1;
      this.ended += 1;
      this.#startLatency.record(nanos(moment(stamps[2 * at]) - since[at]), 1);
      if (!this.awaits) this.#finish(since[at], moment(stamps[2 * at + 1]));
    }
  }

  #finish(since, now) {
    this.#finished += 1;
    this.#lastFinish = Math.max(this.#lastFinish ?? now, now);
    this.#latency.record(nanos(now - since), 1);
    this.#progress.record(Math.max(0, now - this.start), 1);
  }
}

/** As in `3, 17 and 203`. */
function listed(numbers) {
  const shown = numbers.slice(0, NAMED);
  const more = numbers.length - shown.length;
  const last = more > 0 ? `${more} more` : shown.pop();
  return shown.length > 0 ? `${shown.join(", ")} and ${last}` : String(last);
}

/** Two clocks are read one after the other, so that a span may come out below zero. */
function nanos(span) {
  return Math.max(0, Math.round(span * 1e6));
}
