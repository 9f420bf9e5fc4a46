/** ioredis. With `--pipe`, SET and GET of an operation share a round trip; tasks and messages never do. */

import { Cluster, Redis } from "ioredis";

import { CONNECT_TIMEOUT, serve, tlsOptions, versionOf } from "./driver.mjs";

const pipe = process.argv.includes("--pipe");

await serve({
  name: "ioredis",
  version: versionOf("ioredis"),
  canPipeline: pipe,
  options: { auto_pipelining: [true, false] },
  // A pipeline to a cluster would be one to each of its nodes, of which it is not known how much goes to which.
  supports: ["tls", "username", "db", ...(pipe ? [] : ["cluster"])],
  connect,
  isConnected: (client) => (client.isCluster ? client.nodes("master").every(isReady) : isReady(client)),
  roundTrip: pipe ? pipelined : oneByOne,
  access: pipe ? accessPipelined : access,
  send: pipe ? sendPipelined : send,
  // One by one, since keys of a cluster may be on different nodes.
  delete: (client, keys) => Promise.all(keys.map((key) => client.del(key))),
  ...(!pipe && { queue: { list: list(), stream: stream() }, pubsub: pubsub() }),
});

async function connect(server, options) {
  const { host, port, unix_socket: path, username, password, db, tls, cluster } = server;
  const address = path == null ? { host, port, noDelay: true } : { path };
  const node = {
    username: username ?? undefined,
    password: password ?? undefined,
    ...(tls && { tls: tlsOptions(tls) }),
    connectTimeout: CONNECT_TIMEOUT,
    autoResendUnfulfilledCommands: false,
  };
  const common = {
    lazyConnect: true,
    // A connection that is lost fails the trial: one made anew, and commands kept for it, would hide that.
    enableOfflineQueue: false,
    enableAutoPipelining: options.auto_pipelining ?? false,
  };
  const client = cluster
    ? new Cluster([{ host, port }], {
        ...common,
        clusterRetryStrategy: null,
        redisOptions: { ...node, noDelay: true },
        // Addresses are used as the nodes name them.
        dnsLookup: (name, callback) => callback(null, name),
      })
    : new Redis({ ...address, ...node, ...common, db: db ?? 0, retryStrategy: null });
  // `connect` only says that the connection is closed; why is told here, before.
  let reason;
  client.on("error", (error) => (reason = error));
  try {
    await client.connect();
  } catch (error) {
    throw reason ?? error;
  }
  if (cluster) await Promise.all(client.nodes("master").map((master) => master.ping()));
  return client;
}

function isReady(client) {
  return client.status === "ready" && client.stream.writable;
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
    push: (client, key, task) => client.lpush(key, task),
    take: async (client, key) => (await client.brpop(key, 1))?.[1] ?? null,
    move: (client, key, taken) => client.blmove(key, taken, "RIGHT", "LEFT", 1),
    remove: (client, taken, task) => client.lrem(taken, 1, task),
  };
}

function stream() {
  return {
    createGroup: (client, key) => client.xgroup("CREATE", key, "workers", "0", "MKSTREAM"),
    add: (client, key, task) => client.xadd(key, "*", "task", task),
    async read(client, key, consumer, acknowledges) {
      const options = ["COUNT", 1, "BLOCK", 1000, ...(acknowledges ? [] : ["NOACK"])];
      const streams = await client.xreadgroup("GROUP", "workers", consumer, ...options, "STREAMS", key, ">");
      if (streams === null) return null;
      const [[, [[id, [, task]]]]] = streams;
      return { id, task };
    },
    acknowledge: (client, key, id) => client.xack(key, "workers", id),
  };
}

function pubsub() {
  return {
    async subscribe(client, channels, receive) {
      client.on("message", (_, message) => receive(message));
      await client.subscribe(...channels);
    },
    async unsubscribe(client, channels) {
      await client.unsubscribe(...channels);
      client.removeAllListeners("message");
    },
    publish: (client, channel, message) => client.publish(channel, message),
    isListening: async (client) => client.status === "ready",
  };
}

async function pipelined(client, operations) {
  const pipeline = client.pipeline();
  for (const { key, value } of operations) pipeline.set(key, value).get(key);
  return (await executed(pipeline)).filter((_, nth) => nth % 2 === 1);
}

function accessPipelined(client, operations) {
  const pipeline = client.pipeline();
  for (const { key, value, reads } of operations) reads ? pipeline.get(key) : pipeline.set(key, value);
  return executed(pipeline);
}

async function send(client, commands) {
  for (const command of commands) await client.call(...command);
}

function sendPipelined(client, commands) {
  const pipeline = client.pipeline();
  for (const command of commands) pipeline.call(...command);
  return executed(pipeline);
}

async function executed(pipeline) {
  const replies = await pipeline.exec();
  const failed = replies.find(([error]) => error);
  if (failed) throw failed[0];
  return replies.map(([, reply]) => reply);
}
