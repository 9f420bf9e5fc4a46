// Opens the pages that are named on the command line in headless Chromium and does with them what readers do. Prints a
// line of JSON for each page; ends with 1 if a page makes an error, asks for anything, or is hard to use without a mouse
// or without eyes.
//
//     node check.mjs CHROMIUM PAGE...

import { pathToFileURL } from "node:url";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const [executablePath, ...pages] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
});
let failed = false;

for (const path of pages) {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1200, 375]) {
      const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 } });
      const page = await context.newPage();
      const errors = [];
      const requests = [];
      page.on("console", (message) => { if (["error", "warning"].includes(message.type())) errors.push(message.text()); });
      page.on("pageerror", (error) => errors.push(String(error)));
      const url = pathToFileURL(path).href;
      await page.route("**/*", (route) => {
        const asked = route.request().url();
        if (asked === url || asked.startsWith("data:")) return route.continue();
        requests.push(asked);
        return route.abort();
      });
      await page.goto(url);
      const drawMs = await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(() => {
        done(Math.round(performance.now()));
      }))));
      const problems = errors.map((text) => `console: ${text}`).concat(requests.map((asked) => `request: ${asked}`));

      // The key, by keyboard: one series is brought out, and a pressed button does not look like the others.
      const key = page.locator(".key button").first();
      if (await key.count()) {
        const looks = () => key.evaluate((button) => getComputedStyle(button).backgroundColor);
        const before = await looks();
        await key.focus();
        await page.keyboard.press("Space");
        if (!(await page.locator("body").getAttribute("data-hl"))) problems.push("the key brings nothing out");
        if (await looks() === before) problems.push("a pressed button looks like the others");
        await page.keyboard.press("Space");
        if (await page.locator("body").getAttribute("data-hl")) problems.push("the key does not let go");
      }

      // Sorting: there and back again is the same ranking.
      const sort = page.locator(".sort").first();
      if (await sort.count()) {
        const rows = () => page.locator(".rank").first().locator("tbody tr").allTextContents();
        const ranked = await rows();
        await sort.locator("button").last().focus();
        await page.keyboard.press("Enter");
        const sorted = await rows();
        if (sorted.join() === ranked.join()) problems.push("a ranking is not sorted");
        await sort.locator("button").first().focus();
        await page.keyboard.press("Enter");
        if ((await rows()).join() !== ranked.join()) problems.push("a ranking is not put back");
      }

      // The marks: one stop of the tab key, arrows from there.
      const mark = page.locator(".plot:visible .m[tabindex='0']").first();
      if (await mark.count()) {
        await mark.focus();
        const first = await page.locator("#tip").textContent();
        await page.keyboard.press("ArrowRight");
        const second = await page.locator("#tip").textContent();
        if (!first || first === second) problems.push(`marks cannot be walked through: ${first}`);
      }

      // A mark, by pointer.
      const pointed = page.locator("[id$='-throughput'] .plot:visible .m").last();
      if (await pointed.count()) {
        await pointed.scrollIntoViewIfNeeded();
        const box = await pointed.boundingBox();
        await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
        const says = await page.locator("#tip").textContent();
        if (!/median [\d,.]+ /.test(says)) problems.push(`no mark can be pointed at: ${says}`);
        await page.mouse.move(2, 2);
      }

      // Everything that is folded away is looked at as well.
      await page.evaluate(() => { for (const fold of document.querySelectorAll("details")) fold.open = true; });

      const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wider > 0) problems.push(`the page is ${wider} pixels wider than its window`);

      // Each colour and each width once: nearly all the time goes into this.
      if ((colorScheme === "light") === (width === 1200)) {
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() => window.axe.run({ resultTypes: ["violations"] }));
        for (const { id, impact, nodes } of violations) {
          problems.push(`axe: ${id} (${impact}) at ${nodes.length}: ${nodes[0].html.slice(0, 160)}`);
        }
      }
      console.log(JSON.stringify({ path, width, colorScheme, drawMs, requests: requests.length, problems }));
      failed ||= problems.length > 0;
      await context.close();
    }
  }
}
await browser.close();
process.exitCode = failed ? 1 : 0;
