/** node-redis. With `--pipe`, SET and GET of an operation share a round trip; tasks and messages never do. */

import { MultiErrorReply, createClient } from "redis";

import { CONNECT_TIMEOUT, serve, tlsOptions, versionOf } from "./driver.mjs";

const pipe = process.argv.includes("--pipe");

await serve({
  name: "node-redis",
  version: versionOf("redis"),
  canPipeline: pipe,
  options: { protocol: [2, 3] },
  supports: ["tls", "username", "db"],
  connect,
  isConnected: (client) => client.isReady,
  roundTrip: pipe ? pipelined : oneByOne,
  access: pipe ? accessPipelined : access,
  send: pipe ? sendPipelined : send,
  delete: (client, keys) => client.del(keys),
  ...(!pipe && { queue: { list: list(), stream: stream() }, pubsub: pubsub() }),
});

async function connect({ host, port, unix_socket: path, username, password, db, tls }, { protocol }) {
  const address = path == null ? { host, port, noDelay: true } : { path };
  const client = createClient({
    // A connection that is lost fails the trial: one made anew, and commands kept for it, would hide that.
    socket: {
      ...address,
      ...(tls && { tls: true, ...tlsOptions(tls) }),
      connectTimeout: CONNECT_TIMEOUT,
      reconnectStrategy: false,
    },
    disableOfflineQueue: true,
    // A trial has a timeout of its own, and one here (5 seconds, by default) would add a timer to every command.
    commandOptions: { timeout: undefined },
    username: username ?? undefined,
    password: password ?? undefined,
    database: db ?? 0,
    ...(protocol && { RESP: protocol }),
  });
  // The same error rejects the commands that it concerns, but one that nobody listens for would end the process.
  client.on("error", () => {});
  return client.connect();
}

async function oneByOne(client, [{ key, value }]) {
  await client.set(key, value);
  return [await client.get(key)];
}

async function access(client, [{ key, value, reads }]) {
  return [await (reads ? client.get(key) : client.set(key, value))];
}

function list() {
  return {
    push: (client, key, task) => client.lPush(key, task),
    take: async (client, key) => (await client.brPop(key, 1))?.element ?? null,
    move: (client, key, taken) => client.blMove(key, taken, "RIGHT", "LEFT", 1),
    remove: (client, taken, task) => client.lRem(taken, 1, task),
  };
}

function stream() {
  return {
    createGroup: (client, key) => client.xGroupCreate(key, "workers", "0", { MKSTREAM: true }),
    add: (client, key, task) => client.xAdd(key, "*", { task }),
    async read(client, key, consumer, acknowledges) {
      const options = { COUNT: 1, BLOCK: 1000, NOACK: !acknowledges };
      const streams = await client.xReadGroup("workers", consumer, { key, id: ">" }, options);
      if (streams === null) return null;
      const [{ id, message }] = streams[0].messages;
      return { id, task: message.task };
    },
    acknowledge: (client, key, id) => client.xAck(key, "workers", id),
  };
}

function pubsub() {
  return {
    subscribe: (client, channels, receive) => client.subscribe(channels, receive),
    unsubscribe: (client, channels) => client.unsubscribe(channels),
    publish: (client, channel, message) => client.publish(channel, message),
    isListening: async (client) => client.isReady,
  };
}

async function pipelined(client, operations) {
  const multi = client.multi();
  for (const { key, value } of operations) multi.set(key, value).get(key);
  return (await executed(multi)).filter((_, nth) => nth % 2 === 1);
}

function accessPipelined(client, operations) {
  const multi = client.multi();
  for (const { key, value, reads } of operations) reads ? multi.get(key) : multi.set(key, value);
  return executed(multi);
}

async function send(client, commands) {
  for (const command of commands) await client.sendCommand(command);
}

function sendPipelined(client, commands) {
  const multi = client.multi();
  for (const command of commands) multi.addCommand(command);
  return executed(multi);
}

async function executed(multi) {
  try {
    return await multi.execAsPipeline();
  } catch (error) {
    // It only says how many commands failed; the first one says why.
    throw error instanceof MultiErrorReply ? error.replies[error.errorIndexes[0]] : error;
  }
}
