"use strict";
// What a reader can do with the figures: switch axes, hide series, point at marks and walk through them with the arrow
// keys. Everything is already drawn when this runs, and stays readable if it does not.

const began = performance.now();
const tip = document.getElementById("tip");
const numbers = (text) => text.split(" ").map(Number);

// From a value to a place, on the scale that the plot has now.
function placer(plot, axis) {
  const kind = plot.getAttribute(`data-${axis}`);
  if (!kind) return null;
  const [low, high] = numbers(plot.getAttribute(`data-${axis}-${kind}`));
  const [from, to] = numbers(plot.getAttribute(`data-${axis}-px`));
  const fraction = kind === "log" ? (v) => Math.log(v / low) / Math.log(high / low) : (v) => (v - low) / (high - low);
  return (v) => Math.round((from + fraction(v) * (to - from)) * 10) / 10;
}

// The rows of strips are where they were drawn: 19 pixels each, after 8.
const row = (v) => 8 + 19 * (v + 0.5);

function groups(text, size) {
  const all = numbers(text);
  return Array.from({ length: all.length / size }, (_, i) => all.slice(i * size, i * size + size));
}

function place(plot) {
  const x = placer(plot, "x");
  const y = placer(plot, "y") || row;
  for (const [name, size, path] of [
    ["dots", 2, (all) => all.map(([a, b]) => `M${x(a)} ${y(b)}h0`).join("")],
    ["line", 2, (all) => "M" + all.map(([a, b]) => `${x(a)} ${y(b)}`).join("L")],
    ["bar", 3, ([[low, high, at]]) => `M${x(low)} ${y(at)}H${x(high)}`],
    ["band", 3, (all) => {
      const upper = all.map(([a, , high]) => `${x(a)} ${y(high)}`);
      const lower = all.map(([a, low]) => `${x(a)} ${y(low)}`).reverse();
      return `M${upper.concat(lower).join("L")}Z`;
    }],
  ]) {
    for (const shape of plot.querySelectorAll(`[data-${name}]`)) {
      shape.setAttribute("d", path(groups(shape.getAttribute(`data-${name}`), size)));
    }
  }
  for (const mark of plot.querySelectorAll("[data-mark]")) {
    const [a, b] = numbers(mark.getAttribute("data-mark"));
    mark.setAttribute("transform", `translate(${x(a)} ${y(b)})`);
  }
}

function switchAxis(button) {
  const axis = button.dataset.axis;
  const log = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(log));
  for (const plot of button.closest("figure").querySelectorAll(".plot")) {
    plot.setAttribute(`data-${axis}`, log ? "log" : "lin");
    for (const ticks of plot.querySelectorAll(`[data-ticks^="${axis}-"]`)) {
      const on = ticks.dataset.ticks === `${axis}-${log ? "log" : "lin"}`;
      if (on) ticks.removeAttribute("display"); else ticks.setAttribute("display", "none");
    }
    place(plot);
  }
}

function toggle(button) {
  const on = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(on));
  for (const series of button.closest(".panel").querySelectorAll(`[data-series="${button.dataset.toggles}"]`)) {
    if (on) series.removeAttribute("display"); else series.setAttribute("display", "none");
  }
}

function say(text, x, y) {
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.width - 4))}px`;
  tip.style.top = `${y + 18 + box.height > innerHeight ? Math.max(4, y - box.height - 12) : y + 18}px`;
}

const hush = () => { tip.hidden = true; };
const shown = (mark) => !mark.closest("[display=none]");
const marksOf = (plot) => [...plot.querySelectorAll(".mark")].filter(shown);

// What the mark says that is nearest to the pointer, if one is nearer than so many pixels.
function nearestMark(plot, event, least) {
  let best = null;
  for (const mark of marksOf(plot)) {
    const box = mark.getBoundingClientRect();
    const distance = Math.hypot(box.x + box.width / 2 - event.clientX, box.y + box.height / 2 - event.clientY);
    if (distance < least) { least = distance; best = mark; }
  }
  return best?.getAttribute("aria-label");
}

// The same of a single trial.
function nearestTrial(plot, event, least) {
  const x = placer(plot, "x");
  const y = placer(plot, "y");
  const number = (v) => v.toLocaleString("en", { maximumSignificantDigits: 5 });
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(plot.getScreenCTM().inverse());
  let says = null;
  for (const dots of [...plot.querySelectorAll("[data-dots]")].filter(shown)) {
    for (const [a, b] of groups(dots.dataset.dots, 2)) {
      const distance = Math.hypot(x(a) - at.x, (y || row)(b) - at.y);
      if (distance >= least) continue;
      least = distance;
      const vertical = y ? ` · ${plot.dataset.yLabel}: ${number(b)}` : "";
      says = `${dots.parentNode.dataset.name} · a trial · ${plot.dataset.xLabel}: ${number(a)}${vertical}`;
    }
  }
  return says;
}

function walk(plot, event) {
  const marks = marksOf(plot);
  const at = marks.indexOf(document.activeElement);
  const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: marks.length - 1 }[event.key];
  if (event.key === "Escape") { hush(); return; }
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  marks[Math.max(0, Math.min(to, marks.length - 1))].focus();
}

for (const button of document.querySelectorAll("[data-axis]")) button.addEventListener("click", () => switchAxis(button));
for (const button of document.querySelectorAll("[data-toggles]")) button.addEventListener("click", () => toggle(button));
for (const tools of document.querySelectorAll(".tools")) tools.hidden = tools.children.length === 0;
for (const plot of document.querySelectorAll(".plot")) {
  const marks = plot.querySelectorAll(".mark");
  // One stop of the tab key for each plot; the arrow keys walk on from there.
  for (const mark of marks) mark.setAttribute("tabindex", mark === marks[0] ? "0" : "-1");
  plot.addEventListener("pointermove", (event) => {
    const says = nearestMark(plot, event, 8) || nearestTrial(plot, event, 8) || nearestMark(plot, event, 22);
    if (says) say(says, event.clientX, event.clientY); else hush();
  });
  plot.addEventListener("pointerleave", hush);
  plot.addEventListener("focusin", (event) => {
    const box = event.target.getBoundingClientRect();
    say(event.target.getAttribute("aria-label"), box.x + box.width / 2, box.y + box.height / 2);
    for (const mark of marks) mark.setAttribute("tabindex", mark === event.target ? "0" : "-1");
  });
  plot.addEventListener("focusout", hush);
  plot.addEventListener("keydown", (event) => walk(plot, event));
}
document.documentElement.dataset.readyMs = String(Math.round(performance.now() - began));
