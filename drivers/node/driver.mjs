/** A driver in JavaScript: all of it but the client library, which is handed in. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { Exchange, senders } from "./exchange.mjs";
import { Phase } from "./phase.mjs";
import { Failure, Input, checkConnection, checkGo, checkOptions, readJob, say } from "./protocol.mjs";

/** Long enough for hundreds of connections at once over a slow link; a server that is not there refuses sooner. */
export const CONNECT_TIMEOUT = 30_000;

/**
 * Carries out one job and ends the process.
 *
 * A worker is an asynchronous function with a client, and so a connection, of its own. What a library has to offer:
 *
 * - `name` and `version`
 * - `canPipeline`: whether several operations may share a round trip
 * - `options`: the values that each of its options may have, if it has any
 * - `connect(server, options)`: resolves to a client that is connected and does not reconnect
 * - `isConnected(client, error)`: whether it still is, after this error if there was one
 * - `roundTrip(client, operations)`: stores the `value` of every operation under its `key` with SET, and resolves to
 *   what GET of the same keys then fetches, in order
 * - `access(client, operations)`: fetches the `key` of every operation that `reads`, stores the `value` of the others, and
 *   resolves to an array that has what was fetched at the places of those that do
 * - `send(client, commands)`: sends commands, each a list of words, and rejects if the server answers one with an error
 * - `delete(client, keys)`
 *
 * Without these it is asked for no tasks (`queue`) and for no messages (`pubsub`). Who takes waits a second at most, and
 * gets null if nothing has come.
 *
 * - `queue.list`: `push(client, key, task)`, `take(client, key)`, `move(client, key, taken)`, which takes and keeps in
 *   another list, and `remove(client, taken, task)` from there
 * - `queue.stream`: `createGroup(client, key)`, which makes the stream too, `add(client, key, task)`,
 *   `read(client, key, consumer, acknowledges)`, which resolves to the `id` and the `task` of the next entry, and
 *   `acknowledge(client, key, id)`
 * - `pubsub`: `subscribe(client, channels, receive)`, which calls `receive(message)` for each message,
 *   `unsubscribe(client, channels)`, `publish(client, channel, message)`, and `isListening(client)`, which resolves to
 *   whether the connection is still there
 */
export async function serve(library) {
  try {
    say({ event: "done", ...(await carryOut(library)) });
    process.exit(0);
  } catch (error) {
    const expected = error instanceof Failure;
    // Anything else is a mistake in here, and where it is will be wanted.
    if (!expected) console.error(error);
    say({ event: "failed", kind: expected ? error.kind : "other", error: error.message });
    process.exit(1);
  }
}

/** The version of an installed package. */
export function versionOf(name) {
  return createRequire(import.meta.url)(`${name}/package.json`).version;
}

async function carryOut(library) {
  const input = new Input();
  const job = readJob(await input.line());
  if (job.workload.pipeline > 1 && !library.canPipeline) {
    throw new Failure("unsupported", `\`${job.mode}\` cannot pipeline (asked for ${job.workload.pipeline})`);
  }
  const { kind } = job.workload;
  const isExchange = senders(job) > 0;
  if (isExchange && !library[kind]) {
    throw new Failure("unsupported", `\`${job.mode}\` does not have the workload \`${kind}\``);
  }
  checkOptions(job, library.options ?? {});
  checkConnection(job, library.supports ?? []);
  const Stretch = isExchange ? Exchange : Phase;
  const measured = Stretch.measured(job);
  const clients = await connect(library, job);
  await warmUp(library, Stretch.warmup(job), clients);
  say({
    event: "ready",
    client: `${library.name} ${library.version}`,
    runtime: `Node.js ${process.versions.node}`,
    workers: job.workers,
    ...(job.options && { options: job.options }),
  });
  checkGo(await input.line());
  await measured.run(library, clients);
  return measured.summary();
}

/** What Node.js is told of TLS to a server: the texts of the files that the job names. */
export function tlsOptions({ ca, cert, key }) {
  const text = (path) => (path == null ? undefined : readFileSync(path));
  return { ca: text(ca), cert: text(cert), key: text(key) };
}

/** The clients of the workers, and behind them those of the producers or publishers, if there are any. */
function connect(library, job) {
  const { server, workers } = job;
  const name = server.unix_socket ?? `${server.host}:${server.port}`;
  const connected = Array.from({ length: workers + senders(job) }, async (_, number) => {
    try {
      return await library.connect(server, job.options ?? {});
    } catch (error) {
      if (error instanceof Failure) throw error;
      // An error that stands for one at each of several addresses has no message of its own.
      const reason = error.message || error.code;
      throw new Failure("connection", `${who(number, job)}: failed to connect to ${name}: ${reason}`);
    }
  });
  return Promise.all(connected);
}

function who(number, { workers, workload: { kind } }) {
  if (number < workers) return `worker ${number}`;
  return `${kind === "queue" ? "producer" : "publisher"} ${number - workers}`;
}

async function warmUp(library, phase, clients) {
  if (phase.isEmpty) return;
  try {
    await phase.run(library, clients);
  } catch (error) {
    throw new Failure(error.kind, `warm-up: ${error.message}`);
  }
}
