/** node-redis. With `--pipe`, SET and GET of an operation share a round trip; tasks and messages never do. */

import { MultiErrorReply, createClient, createCluster } from "redis";

import { CONNECT_TIMEOUT, serve, tlsOptions, versionOf } from "./driver.mjs";

const pipe = process.argv.includes("--pipe");

await serve({
  name: "node-redis",
  version: versionOf("redis"),
  canPipeline: pipe,
  options: { protocol: [2, 3] },
  // A pipeline to a cluster would be one to each of its nodes, of which it is not known how much goes to which.
  supports: ["tls", "username", "db", ...(pipe ? [] : ["cluster"])],
  connect,
  isConnected: (client) => (isCluster(client) ? nodes(client).every((node) => node.isReady) : client.isReady),
  roundTrip: pipe ? pipelined : oneByOne,
  access: pipe ? accessPipelined : access,
  send: pipe ? sendPipelined : send,
  // One by one, since keys of a cluster may be on different nodes.
  delete: (client, keys) => Promise.all(keys.map((key) => client.del(key))),
  ...(!pipe && { queue: { list: list(), stream: stream() }, pubsub: pubsub() }),
});

async function connect(server, { protocol }) {
  const { host, port, unix_socket: path, username, password, db, tls, cluster } = server;
  const address = path == null ? { host, port, noDelay: true } : { path };
  const login = { username: username ?? undefined, password: password ?? undefined };
  const settings = {
    // A connection that is lost fails the trial: one made anew, and commands kept for it, would hide that.
    socket: {
      ...(cluster ? { noDelay: true } : address),
      ...(tls && { tls: true, ...tlsOptions(tls) }),
      connectTimeout: CONNECT_TIMEOUT,
      reconnectStrategy: false,
    },
    disableOfflineQueue: true,
    ...login,
  };
  const common = {
    // A trial has a timeout of its own, and one here (5 seconds, by default) would add a timer to every command.
    commandOptions: { timeout: undefined },
    ...(protocol && { RESP: protocol }),
  };
  const client = cluster
    ? createCluster({ rootNodes: [{ socket: { host, port } }], defaults: settings, ...common })
    : createClient({ ...settings, database: db ?? 0, ...common });
  // The same error rejects the commands that it concerns, but one that nobody listens for would end the process.
  client.on("error", () => {});
  await client.connect();
  if (cluster) await Promise.all(client.masters.map((master) => client.nodeClient(master)));
  return client;
}

function isCluster(client) {
  return client.masters !== undefined;
}

/** The connections to the nodes of a cluster. */
function nodes(client) {
  return client.masters.map((master) => master.client);
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
  if (isCluster(client)) {
    // The word after the name is the first key, of nearly every command.
    for (const command of commands) await client.sendCommand(command[1], false, command);
  } else {
    for (const command of commands) await client.sendCommand(command);
  }
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
