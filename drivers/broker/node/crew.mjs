/** The worker programs: processes of the driver's own process group. */

import { fork } from "node:child_process";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

const WORKER = fileURLToPath(new URL("./worker.mjs", import.meta.url));

/** The descriptor of the first file that a worker program inherits, behind standard streams and its channel to the driver. */
export const FIRST_FILE = 4;

export class Crew {
  #programs = [];

  /** Starts a program for each of the shares of the slots. When one fails or ends, `fail` is called with what happened. */
  start(libraryName, shares, settings, descriptors, fail) {
    for (const slots of shares) {
      // What a worker program prints goes to standard error: standard output is for the protocol alone.
      const program = fork(WORKER, [libraryName], { stdio: ["ignore", 2, 2, "ipc", ...descriptors] });
      program.on("error", ({ message }) => fail(`failed: ${message}`));
      program.on("message", ({ failed }) => fail(`failed: ${failed}`));
      program.on("exit", (status, signal) => fail(ending(status, signal)));
      program.send({ ...settings, slots });
      this.#programs.push(program);
    }
  }

  get pids() {
    return this.#programs.map(({ pid }) => pid);
  }

  /** Tells all that they have met. */
  meet() {
    for (const program of this.#programs) program.send({ met: true });
  }

  kill() {
    for (const program of this.#programs) program.kill("SIGKILL");
  }
}

function ending(status, signal) {
  return signal === null ? `exited with status ${status}` : `was ended by signal ${constants.signals[signal]}`;
}
