/** node-redis. With `--pipe`, SET and GET of an operation share a round trip. */

import { MultiErrorReply, createClient } from "redis";

import { CONNECT_TIMEOUT, serve, versionOf } from "./driver.mjs";

const pipe = process.argv.includes("--pipe");

await serve({
  name: "node-redis",
  version: versionOf("redis"),
  canPipeline: pipe,
  connect,
  isConnected: (client) => client.isReady,
  roundTrip: pipe ? pipelined : oneByOne,
  delete: (client, keys) => client.del(keys),
});

async function connect({ host, port, unix_socket: path, password }) {
  const address = path == null ? { host, port, noDelay: true } : { path };
  const client = createClient({
    // A connection that is lost fails the trial: one made anew, and commands kept for it, would hide that.
    socket: { ...address, connectTimeout: CONNECT_TIMEOUT, reconnectStrategy: false },
    disableOfflineQueue: true,
    // A trial has a timeout of its own, and one here (5 seconds, by default) would add a timer to every command.
    commandOptions: { timeout: undefined },
    password: password ?? undefined,
  });
  // The same error rejects the commands that it concerns, but one that nobody listens for would end the process.
  client.on("error", () => {});
  return client.connect();
}

async function oneByOne(client, [{ key, value }]) {
  await client.set(key, value);
  return [await client.get(key)];
}

async function pipelined(client, operations) {
  const multi = client.multi();
  for (const { key, value } of operations) multi.set(key, value).get(key);
  try {
    const replies = await multi.execAsPipeline();
    return replies.filter((_, nth) => nth % 2 === 1);
  } catch (error) {
    // It only says how many commands failed; the first one says why.
    throw error instanceof MultiErrorReply ? error.replies[error.errorIndexes[0]] : error;
  }
}
