/** What values are filled up with, and how those that are not right are shown. */

import { createHash } from "node:crypto";

/** Of a value that is not the right one, this much is shown. */
const SHOWN = 40;

/** Letters that look random, as a server that compresses would find nothing to gain in real data either. */
export function filler(source, length) {
  if (length <= 0) return "";
  const bytes = createHash("shake256", { outputLength: Math.ceil((length * 3) / 4) }).update(source).digest();
  return bytes.toString("base64").slice(0, length);
}

export function shown(value) {
  const string = String(value);
  return JSON.stringify(string.slice(0, SHOWN)) + (string.length > SHOWN ? `… (${string.length} characters)` : "");
}
