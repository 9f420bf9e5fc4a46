/** Reads standard input on a thread of its own, and hands on what comes: text, and null when it ends. */

import { createReadStream } from "node:fs";
import { Socket } from "node:net";
import { parentPort } from "node:worker_threads";

const input = open();
input.setEncoding("utf8");
input.on("data", (text) => parentPort.postMessage(text));
for (const end of ["end", "error"]) input.on(end, () => parentPort.postMessage(null));

/** A pipe is read when something comes. A read that waits would keep the process from ending, but none from a file does. */
function open() {
  try {
    return new Socket({ fd: 0, readable: true, writable: false });
  } catch {
    return createReadStream("", { fd: 0 });
  }
}
