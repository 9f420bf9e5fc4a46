/** BullMQ, whose client of the server is ioredis. */

import { Queue, QueueEvents, Worker } from "bullmq";

export const name = "BullMQ";
export const packageName = "bullmq";

const QUEUE = "tasks";

export async function connect(address, { awaits, fail }) {
  const settings = { connection: address };
  const queue = new Queue(QUEUE, settings).on("error", fail);
  await queue.waitUntilReady();
  const events = awaits ? new QueueEvents(QUEUE, settings).on("error", fail) : null;
  await events?.waitUntilReady();
  return {
    handOver: (task) => queue.add("task", task),
    result: (job) => job.waitUntilFinished(events),
    left: () => queue.getJobCountByTypes("waiting", "active"),
  };
}

export function work(address, { slots, results, execute, complain }) {
  // The result is a part of what is kept of a task that is done: as long as the library likes, or not at all.
  const kept = results ? {} : { removeOnComplete: { count: 0 } };
  const settings = { connection: address, concurrency: slots, ...kept };
  new Worker(QUEUE, (job) => execute(job.data), settings).on("error", complain);
}
