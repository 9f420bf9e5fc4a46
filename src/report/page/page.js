"use strict";
// What a reader can do beyond reading: bring a series out in all pictures and tables, point at a picture or walk through its
// marks with the arrow keys, and sort a ranking. Everything is drawn when this runs, and can be read if it does not.

const began = performance.now();
const tip = document.getElementById("tip");
for (const hint of document.querySelectorAll(".scripted")) hint.hidden = false;

// The key: pointing at a name brings it out, pressing it keeps it.
let kept = "";
const bringOut = (look) => { if (look) document.body.dataset.hl = look; else delete document.body.dataset.hl; };
for (const item of document.querySelectorAll(".key li")) {
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-pressed", "false");
  button.append(...item.childNodes);
  item.append(button);
  button.addEventListener("click", () => {
    kept = kept === item.dataset.k ? "" : item.dataset.k;
    for (const other of document.querySelectorAll(".key button")) {
      other.setAttribute("aria-pressed", String(kept !== "" && other.parentNode.dataset.k === kept));
    }
    bringOut(kept);
  });
  item.addEventListener("pointerenter", () => bringOut(item.dataset.k));
  item.addEventListener("pointerleave", () => bringOut(kept));
}

function say(text, x, y) {
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.width - 4))}px`;
  tip.style.top = `${y + 18 + box.height > innerHeight ? Math.max(4, y - box.height - 12) : y + 18}px`;
}

function hush(plot) {
  tip.hidden = true;
  for (const mark of plot.querySelectorAll(".near")) mark.classList.remove("near");
}

const middle = (mark) => {
  const box = mark.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
};

// The mark nearest to the pointer, and all that stand above or below it: in a picture of lines those at the same place.
function pointAt(plot, event) {
  let [best, least] = [null, 60];
  const places = [...plot.querySelectorAll(".m")].map((mark) => [mark, ...middle(mark)]);
  for (const place of places) {
    const distance = Math.hypot(place[1] - event.clientX, (place[2] - event.clientY) / 2);
    if (distance < least) [best, least] = [place, distance];
  }
  hush(plot);
  if (!best) return;
  const isLines = plot.querySelector(".ln") !== null;
  const here = isLines ? places.filter((place) => Math.abs(place[1] - best[1]) < 0.8) : [best];
  here.sort((a, b) => a[2] - b[2]);
  for (const [mark] of here) mark.classList.add("near");
  say([...new Set(here.map(([mark]) => mark.getAttribute("aria-label")))].slice(0, 14).join("\n"), event.clientX, event.clientY);
}

function walk(marks, event) {
  const at = marks.indexOf(document.activeElement);
  const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: marks.length - 1 }[event.key];
  if (event.key === "Escape") { tip.hidden = true; return; }
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  marks[Math.max(0, Math.min(to, marks.length - 1))].focus();
}

for (const plot of document.querySelectorAll(".plot")) {
  const marks = [...plot.querySelectorAll(".m")];
  // One stop of the tab key for each picture; the arrow keys walk on from there.
  for (const mark of marks) mark.setAttribute("tabindex", mark === marks[0] ? "0" : "-1");
  plot.addEventListener("pointermove", (event) => pointAt(plot, event));
  plot.addEventListener("pointerleave", () => hush(plot));
  plot.addEventListener("focusin", (event) => {
    say(event.target.getAttribute("aria-label"), ...middle(event.target));
    for (const mark of marks) mark.setAttribute("tabindex", mark === event.target ? "0" : "-1");
  });
  plot.addEventListener("focusout", () => hush(plot));
  plot.addEventListener("keydown", (event) => walk(marks, event));
}

// Rankings: sorted by another column, the groups have no meaning, and are not shown.
const number = (row, key) => {
  const text = row.dataset.keys.split(" ")[key];
  return text === "" || text === undefined ? null : Number(text);
};
for (const table of document.querySelectorAll(".rank")) {
  const rows = [...table.querySelectorAll("tbody tr:not(.group)")];
  if (rows.length < 6) continue;
  const bodies = [...table.tBodies];
  const headings = [...table.querySelectorAll("thead th")].map((th) => th.firstChild.textContent);
  const names = ["result", ...headings.filter((name) => /^(p50|p99|client|server|memory)/.test(name))];
  const all = ["result", "p50", "p99", "client", "server", "memory"];
  const bar = document.createElement("div");
  bar.className = "sort";
  bar.append("Sort by ");
  const sort = (name) => {
    for (const button of bar.children) button.setAttribute("aria-pressed", String(button.dataset.by === name));
    if (name === "result") {
      for (const body of bodies) { body.append(...body.rowsAsRanked); table.append(body); }
      return;
    }
    const key = all.findIndex((begin) => name.startsWith(begin));
    const sorted = name === "name"
      ? [...rows].sort((a, b) => a.querySelector("b").textContent.localeCompare(b.querySelector("b").textContent))
      : [...rows].sort((a, b) => (number(a, key) ?? Infinity) - (number(b, key) ?? Infinity));
    for (const body of bodies.slice(1)) body.remove();
    bodies[0].replaceChildren(...sorted);
  };
  for (const body of bodies) body.rowsAsRanked = [...body.rows];
  for (const name of [...names, "name"]) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.by = name;
    button.textContent = name.replace(/,.*/, "");
    button.setAttribute("aria-pressed", String(name === "result"));
    button.addEventListener("click", () => sort(name));
    bar.append(button);
  }
  table.before(bar);
}
document.documentElement.dataset.readyMs = String(Math.round(performance.now() - began));
