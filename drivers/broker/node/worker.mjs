/** A worker program: executes tasks of the library that is named, so many at once as it is told, while the driver lives. */

import { readBody } from "./body.mjs";
import { FIRST_FILE } from "./crew.mjs";
import { Marks } from "./marks.mjs";
import { inheritFiles } from "./trail.mjs";

process.on("disconnect", () => process.exit());

try {
  await work(process.argv[2]);
} catch (error) {
  process.send({ failed: error.message });
}

async function work(libraryName) {
  const { address, slots, body, results, verify, keyPrefix } = await message();
  const files = inheritFiles(FIRST_FILE);
  const marks = new Marks(address);
  const met = message();
  const library = await import(`./${libraryName}.mjs`);
  const perform = await readBody(body).make();

  async function execute({ number, text, part }) {
    const isMeasured = part === undefined;
    const trail = isMeasured ? files.measured : files.before;
    trail.begin(number);
    try {
      const result = await (part === "meeting" ? met : perform(number, text));
      const wasMarked = verify && (await marks.set(keyPrefix + (isMeasured ? "done" : "wdone"), number));
      if (wasMarked && isMeasured) files.twice.add(number);
      return result;
    } catch (error) {
      if (isMeasured) files.raised.add(number);
      throw error;
    } finally {
      trail.end(number);
    }
  }

  const complain = ({ message }) => console.error(`${library.name}: ${message}`);
  library.work(address, { slots, results, execute, complain });
}

/** The next that the driver has to say. */
function message() {
  return new Promise((resolve) => process.once("message", resolve));
}
