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
    for (const width of [1100, 380]) {
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

      // The legend, by keyboard.
      const legend = page.locator("[data-toggles]").first();
      if (await legend.count()) {
        const series = page.locator(".panel", { has: page.locator("[data-toggles]") }).first()
          .locator(`[data-series="${await legend.getAttribute("data-toggles")}"]`);
        await legend.focus();
        await page.keyboard.press("Space");
        if (await series.first().getAttribute("display") !== "none") problems.push("the legend does not hide");
        await page.keyboard.press("Space");
        if (await series.first().getAttribute("display") !== null) problems.push("the legend does not show again");
      }

      // The axes: there and back again is the same picture.
      const axis = page.locator("[data-axis]").first();
      if (await axis.count()) {
        const lines = () => axis.evaluate((button) => [...button.closest("figure").querySelectorAll(".line, .mark, .dots, .band, .bar")]
          .map((shape) => shape.getAttribute("d") + shape.getAttribute("transform")).join());
        const before = await lines();
        await axis.focus();
        await page.keyboard.press("Enter");
        const other = await lines();
        if (other === before || other.includes("NaN")) problems.push("the axis does not switch");
        await page.keyboard.press("Enter");
        // What was rounded on the way may differ by a tenth of a pixel.
        const numbers = (text) => text.match(/-?\d+(\.\d+)?/g).map(Number);
        const [a, b] = [numbers(before), numbers(await lines())];
        if (a.length !== b.length || a.some((x, i) => Math.abs(x - b[i]) > 0.35)) problems.push("the axis does not switch back");
      }

      // The marks: one stop of the tab key, arrows from there.
      const mark = page.locator(".plot:visible .mark[tabindex='0']").first();
      if (await mark.count()) {
        await mark.focus();
        const first = await page.locator("#tip").textContent();
        await page.keyboard.press("ArrowRight");
        const second = await page.locator("#tip").textContent();
        if (!first || first === second) problems.push(`marks cannot be walked through: ${first}`);
      }

      // A single trial, by pointer: some of the figure of the drift are not hidden behind a mark.
      const dots = page.locator(".plot:visible [data-dots]").last();
      if (await dots.count()) {
        await dots.scrollIntoViewIfNeeded();
        const places = await dots.evaluate((shape) => shape.getAttribute("d").split("M").slice(1).map((dot) => {
          const at = new DOMPoint(...dot.slice(0, -2).split(" ").map(Number)).matrixTransform(shape.getScreenCTM());
          return [at.x, at.y];
        }));
        let says = "";
        for (const [x, y] of places) {
          await page.mouse.move(x, y);
          says = await page.locator("#tip").textContent();
          if (says.includes("a trial")) break;
        }
        if (!/ · a trial · .*: -?[\d,.]+$/.test(says)) problems.push(`no trial can be pointed at: ${says}`);
      }

      const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wider > 0) problems.push(`the page is ${wider} pixels wider than its window`);

      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run());
      for (const { id, impact, nodes } of violations) {
        if (["serious", "critical"].includes(impact)) problems.push(`axe: ${id} (${impact}) at ${nodes.length}: ${nodes[0].html.slice(0, 160)}`);
      }
      const lesser = violations.filter(({ impact }) => !["serious", "critical"].includes(impact)).map(({ id }) => id);
      console.log(JSON.stringify({ path, width, colorScheme, drawMs, requests: requests.length, problems, lesser }));
      failed ||= problems.length > 0;
      await context.close();
    }
  }
}
await browser.close();
process.exitCode = failed ? 1 : 0;
