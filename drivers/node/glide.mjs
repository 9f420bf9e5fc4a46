/**
 * Valkey GLIDE, whose core is in Rust: each client talks to it over a socket within the process.
 *
 * Its packages are in a directory of their own, `glide`, for not every system on which Node.js runs has a core.
 */

import { readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";

import { CONNECT_TIMEOUT, serve, tlsOptions } from "./driver.mjs";
import { Failure } from "./protocol.mjs";

const require = createRequire(new URL("./glide/", import.meta.url));
const glide = require("@valkey/valkey-glide");
const { ClosingError, ConnectionError, GlideClient, GlideClusterClient, ListDirection, Logger } = glide;
const { PubSubChannelModes } = glide.GlideClientConfiguration;

/**
 * What has been sent fails as soon as the connection is lost. What is asked for afterwards waits for another one, so long at
 * most; and nothing turns that off. No request that the server is about to answer takes as long.
 */
const REQUEST_TIMEOUT = 30_000;

/** Nor can it be told not to connect anew, and without any delay it would do nothing else. */
const RECONNECT = { numberOfRetries: 1, factor: 500, exponentBase: 2 };

/** What is done with the messages of each client. */
const receivers = new WeakMap();

// The core leaves the socket behind over which it is spoken to.
process.on("exit", () => {
  const left = readdirSync("/tmp").filter((name) => name.startsWith(`glide-socket-${process.pid}-`));
  for (const name of left) rmSync(`/tmp/${name}`, { force: true });
});

// What fails is told by an error, and need not be told again on standard error.
Logger.setLoggerConfig("off");

await serve({
  name: "valkey-glide",
  version: require("./node_modules/@valkey/valkey-glide/package.json").version,
  canPipeline: false,
  supports: ["tls", "username", "db", "cluster"],
  connect,
  isConnected: (_, error) => !(error instanceof ConnectionError || error instanceof ClosingError),
  roundTrip,
  access,
  send,
  delete: (client, keys) => client.del(keys),
  queue: { list: list(), stream: stream() },
  pubsub: pubsub(),
});

async function connect({ host, port, unix_socket: path, username, password, db, tls, cluster }) {
  if (path != null) throw new Failure("unsupported", "GLIDE cannot connect to a Unix socket");
  if (tls?.cert != null) throw new Failure("unsupported", "GLIDE has no certificate of its own on Node.js");
  const receiver = {};
  const settings = {
    addresses: [{ host, port }],
    useTLS: tls != null,
    credentials: password == null ? undefined : { username, password },
    requestTimeout: REQUEST_TIMEOUT,
    connectionBackoff: RECONNECT,
    // Only a client that was made with this can subscribe to something later and have it handed on.
    pubsubSubscriptions: { channelsAndPatterns: {}, callback: ({ message }) => receiver.receive(message) },
    advancedConfiguration: {
      connectionTimeout: CONNECT_TIMEOUT,
      tcpNoDelay: true,
      ...(tls?.ca != null && { tlsAdvancedConfiguration: { rootCertificates: tlsOptions(tls).ca } }),
    },
  };
  const client = cluster
    ? // A trial is short, and nobody changes its cluster.
      await GlideClusterClient.createClient({ ...settings, periodicChecks: "disabled" })
    : await GlideClient.createClient({ ...settings, databaseId: db || undefined });
  receivers.set(client, receiver);
  return client;
}

async function roundTrip(client, [{ key, value }]) {
  await client.set(key, value);
  return [await client.get(key)];
}

async function access(client, [{ key, value, reads }]) {
  return [await (reads ? client.get(key) : client.set(key, value))];
}

async function send(client, commands) {
  for (const command of commands) await client.customCommand(command);
}

function list() {
  return {
    push: (client, key, task) => client.lpush(key, [task]),
    take: async (client, key) => (await client.brpop([key], 1))?.[1] ?? null,
    move: (client, key, taken) => client.blmove(key, taken, ListDirection.RIGHT, ListDirection.LEFT, 1),
    remove: (client, taken, task) => client.lrem(taken, 1, task),
  };
}

function stream() {
  return {
    createGroup: (client, key) => client.xgroupCreate(key, "workers", "0", { mkStream: true }),
    add: (client, key, task) => client.xadd(key, [["task", task]]),
    async read(client, key, consumer, acknowledges) {
      const options = { count: 1, block: 1000, noAck: !acknowledges };
      const streams = await client.xreadgroup("workers", consumer, { [key]: ">" }, options);
      if (streams === null) return null;
      const [[id, [[, task]]]] = Object.entries(streams[0].value);
      return { id, task };
    },
    acknowledge: (client, key, id) => client.xack(key, "workers", [id]),
  };
}

function pubsub() {
  return {
    async subscribe(client, channels, receive) {
      receivers.get(client).receive = receive;
      await client.subscribe(channels, CONNECT_TIMEOUT);
    },
    unsubscribe: (client, channels) => client.unsubscribe(channels, CONNECT_TIMEOUT),
    publish: (client, channel, message) => client.publish(message, channel),
    // Asks the core, not the server. It does not tell of a connection that was lost and is there again.
    async isListening(client) {
      const { actualSubscriptions } = await client.getSubscriptions();
      return actualSubscriptions[PubSubChannelModes.Exact]?.size > 0;
    },
  };
}
