/**
 * Bee-Queue, whose client of the server is node-redis 3.
 *
 * It keeps what it knows of a task on the server, but not the result: that it publishes.
 */

import Queue from "bee-queue";

export const name = "Bee-Queue";
export const packageName = "bee-queue";

const QUEUE = "tasks";

export async function connect(address, { awaits, fail }) {
  const queue = new Queue(QUEUE, { redis: address, isWorker: false }).on("error", fail);
  await queue.ready();
  return {
    handOver: (task) => queue.createJob(task).save(),
    result: awaits ? results(queue) : null,
    async left() {
      const { waiting, active } = await queue.checkHealth();
      return waiting + active;
    },
  };
}

export function work(address, { slots, results, execute, complain }) {
  const settings = { redis: address, removeOnSuccess: !results };
  new Queue(QUEUE, settings).on("error", complain).process(slots, (job) => execute(job.data));
}

/**
 * By the events of the queue, each of which has the number of its job.
 *
 * Those of a job come to nobody if they are there before the reply to its `save`, and as the two come on different
 * connections, that happens once in a few dozen times.
 */
function results(queue) {
  const early = new Map();
  const awaited = new Map();
  const receive = (id, outcome) => {
    if (!awaited.has(id)) return early.set(id, outcome);
    awaited.get(id)(outcome);
    awaited.delete(id);
  };
  queue.on("job succeeded", (id, result) => receive(id, () => result));
  queue.on("job failed", (id, error) =>
    receive(id, () => {
      throw error;
    }),
  );
  return async ({ id }) => {
    const outcome = early.get(id) ?? (await new Promise((resolve) => awaited.set(id, resolve)));
    early.delete(id);
    return outcome();
  };
}
