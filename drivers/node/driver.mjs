/** A driver in JavaScript: all of it but the client library, which is handed in. */

import { createRequire } from "node:module";

import { Phase } from "./phase.mjs";
import { Failure, Input, checkGo, readJob, say } from "./protocol.mjs";

/** Long enough for hundreds of connections at once over a slow link; a server that is not there refuses sooner. */
export const CONNECT_TIMEOUT = 30_000;

/**
 * Carries out one job and ends the process.
 *
 * A worker is an asynchronous function with a client, and so a connection, of its own. What a library has to offer:
 *
 * - `name` and `version`
 * - `canPipeline`: whether several operations may share a round trip
 * - `connect(server)`: resolves to a client that is connected and does not reconnect
 * - `isConnected(client)`
 * - `roundTrip(client, operations)`: stores the `value` of every operation under its `key` with SET, and resolves to
 *   what GET of the same keys then fetches, in order
 * - `access(client, operations)`: fetches the `key` of every operation that `reads`, stores the `value` of the others, and
 *   resolves to an array that has what was fetched at the places of those that do
 * - `send(client, commands)`: sends commands, each a list of words, and rejects if the server answers one with an error
 * - `delete(client, keys)`
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
  const clients = await connect(library, job);
  await warmUp(library, job, clients);
  const measured = Phase.measured(job);
  say({
    event: "ready",
    client: `${library.name} ${library.version}`,
    runtime: `Node.js ${process.versions.node}`,
    workers: job.workers,
  });
  checkGo(await input.line());
  await measured.run(library, clients);
  return measured.summary();
}

function connect(library, { server, workers }) {
  const name = server.unix_socket ?? `${server.host}:${server.port}`;
  const connected = Array.from({ length: workers }, async (_, number) => {
    try {
      return await library.connect(server);
    } catch (error) {
      // An error that stands for one at each of several addresses has no message of its own.
      const reason = error.message || error.code;
      throw new Failure("connection", `worker ${number}: failed to connect to ${name}: ${reason}`);
    }
  });
  return Promise.all(connected);
}

async function warmUp(library, job, clients) {
  const phase = Phase.warmup(job);
  if (phase.isEmpty) return;
  try {
    await phase.run(library, clients);
  } catch (error) {
    throw new Failure(error.kind, `warm-up: ${error.message}`);
  }
}
