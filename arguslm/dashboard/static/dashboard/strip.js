// Was it up? One cell per stretch of time.

import { readout } from "./readout.js";
import { html, svg } from "./svg.js";
import { usualStep } from "./timeplot.js";
import { exact } from "./times.js";

const HEIGHT = 46;
const BASE = 26;
const RISE = 22;
const FALL = 16;
const MARGIN = { left: 56, right: 12 };
const CELL = 9;

/** @param {import("./timeplot.js").Series} series @param {number} width */
export function uptimeStrip(series, width) {
  const room = width - MARGIN.left - MARGIN.right;
  const count = cellCount(series, room);
  const length = (series.end - series.start) / count;
  const cells = Array.from({ length: count }, (_, i) => ({ at: series.start + i * length, n: 0, down: 0, degraded: 0 }));
  for (const point of series.points) {
    const cell = cells[Math.min(Math.floor((point.t - series.start) / length), count - 1)];
    if (!cell) continue;
    cell.n += point.n;
    cell.down += point.down;
    cell.degraded += point.degraded;
  }
  const plot = svg("svg", { class: "plot strip", width, height: HEIGHT, role: "img", "aria-label": "Up or down over time" });
  const step = room / count;
  cells.forEach((cell, i) => plot.append(...cellMarks(cell, MARGIN.left + i * step, step)));
  const stops = cells.map((cell, i) => ({ x: MARGIN.left + (i + 0.5) * step, y: BASE, text: said(cell, length) }));
  const line = readout(plot, stops, "Answered checks rise above the line, degraded ones on top; failed ones hang below it. No bar: not checked.");
  return html("figure", "plot", html("figcaption", "", html("strong", "", "Uptime")), plot, line);
}

/** As many as fit, but none shorter than the usual pause: it would stay empty. @param {any} series @param {number} room */
function cellCount(series, room) {
  const pauses = (series.end - series.start) / (1.1 * usualStep(series.points));
  return Math.max(Math.floor(Math.min(room / CELL, pauses || Infinity)), 1);
}

/** What was answered rises above the line, what failed hangs below it: no colour is needed. */
function cellMarks(/** @type {any} */ cell, /** @type {number} */ x, /** @type {number} */ step) {
  const bar = (/** @type {string} */ kind, /** @type {number} */ y, /** @type {number} */ height) =>
    svg("rect", { class: kind, x: x + 1, y, width: step - 2, height });
  if (!cell.n) return [bar("none", BASE - 1, 1)];
  const answered = (RISE * (cell.n - cell.down)) / cell.n;
  const degraded = share(cell.degraded, cell.n, answered);
  const marks = [];
  if (answered) marks.push(bar("up", BASE - answered + degraded, answered - degraded));
  if (degraded) marks.push(bar("degraded", BASE - answered, degraded));
  if (cell.down) marks.push(bar("down", BASE + 1, share(cell.down, cell.n, FALL)));
  return marks;
}

/** A single one of many is still to be seen. @param {number} part @param {number} all @param {number} room */
function share(part, all, room) {
  return part && Math.max((room * part) / all, Math.min(room, 4));
}

/** @param {any} cell @param {number} length */
function said(cell, length) {
  const span = `${exact(cell.at)} and ${Math.max(Math.round(length / 60000), 1)} min on`;
  if (!cell.n) return `${span}: not checked.`;
  return `${span}: ${cell.n} checks, ${cell.down} down, ${cell.degraded} degraded.`;
}
