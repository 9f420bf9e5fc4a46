/** What a task does. */

import { createRequire } from "node:module";
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";

import { Failure } from "../../node/protocol.mjs";

export const ECHO = "echo";

const UNITS = { ns: 1e-6, us: 1e-3, ms: 1, s: 1e3 };
const TIME = /^(\d+(?:\.\d+)?)(ns|us|ms|s)$/;
const FUNCTION = /^([^:]+):([^:]+)$/;

/** Of the thread, where Node.js can tell it; otherwise of the process, in which nobody else works meanwhile. */
const cpuUsage = (process.threadCpuUsage ?? process.cpuUsage).bind(process);

/** The time in milliseconds that a body takes by itself, as far as that is known, and what makes its function. */
export function readBody(body) {
  if (body === "noop") return { span: 0, make: () => () => {} };
  if (body === ECHO) return { span: 0, make: () => (task, text) => text ?? String(task) };
  const [kind, of = "", ...more] = body.split(" ");
  const [, amount, unit] = TIME.exec(of) ?? [];
  const [, module, name] = FUNCTION.exec(of) ?? [];
  const span = amount * UNITS[unit];
  if (more.length === 0) {
    if (kind === "sleep" && unit) return { span, make: () => () => sleep(span) };
    if (kind === "cpu" && unit) return { span, make: () => () => burn(span) };
    if (kind === "call" && name) return { span: 0, make: load.bind(null, locate(module, body), name) };
  }
  throw new Failure("unsupported", `this driver knows no body \`${body}\``);
}

/** Timers count whole milliseconds from when the event loop last looked, and so may fire early. */
async function sleep(span) {
  const end = performance.now() + span;
  for (let left = span; left > 0; left = end - performance.now()) await pause(Math.ceil(left));
}

function burn(span) {
  const start = cpuUsage();
  for (;;) {
    const { user, system } = cpuUsage(start);
    if (user + system >= span * 1e3) return;
  }
}

/** As `require` finds it from the working directory, so that NODE_PATH counts. */
function locate(module, body) {
  const { resolve } = createRequire(pathToFileURL(`${process.cwd()}/`));
  for (const name of [module, `./${module}`]) {
    try {
      return resolve(name);
    } catch (error) {
      if (error.code !== "MODULE_NOT_FOUND") throw error;
    }
  }
  throw new Failure("other", `the module for the body \`${body}\` was found neither in ${process.cwd()} nor on NODE_PATH`);
}

async function load(file, name) {
  const module = await import(pathToFileURL(file));
  const called = module[name] ?? module.default?.[name];
  if (typeof called !== "function") throw new Failure("other", `${file} has no function \`${name}\``);
  return (task) => called(task);
}
