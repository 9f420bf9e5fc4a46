/** The mark of each task on the server, over a connection that is not the library's. */

import { connect } from "node:net";

export class Marks {
  #address;
  #socket = null;
  #waiting = [];
  #partial = "";

  /** Connects with the first mark, and anew with the first one after the connection was lost. */
  constructor(address) {
    this.#address = address;
  }

  /** Sets the bit of a task, and resolves to whether it was set before. */
  async set(key, task) {
    this.#socket ??= this.#connect();
    return (await this.#call("SETBIT", key, String(task), "1")) === ":1";
  }

  #connect() {
    const { password, ...place } = this.#address;
    const socket = connect({ ...place, noDelay: true });
    socket.setEncoding("latin1");
    socket.on("data", (text) => this.#receive(text));
    let reason = new Error("the connection of the marks is closed");
    socket.on("error", (error) => (reason = error));
    socket.on("close", () => this.#lose(reason));
    this.#socket = socket;
    // Replies come in order, so that nobody has to wait for this one but whom it fails.
    if (password !== undefined) this.#call("AUTH", password).catch((error) => socket.destroy(error));
    return socket;
  }

  #call(...words) {
    const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(`*${words.length}\r\n${parts.join("")}`);
    });
  }

  /** All replies are of one line. */
  #receive(text) {
    const lines = (this.#partial + text).split("\r\n");
    this.#partial = lines.pop();
    for (const line of lines) {
      const { resolve, reject } = this.#waiting.shift();
      if (line.startsWith("-")) reject(new Error(line.slice(1)));
      else resolve(line);
    }
  }

  #lose(error) {
    this.#socket = null;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
