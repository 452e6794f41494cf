// Was it up? One cell per stretch of time.

import { readout } from "./readout.js";
import { html, svg } from "./svg.js";
import { usualStep } from "./timeplot.js";
import { exact } from "./times.js";

const HEIGHT = 34;
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
  const stops = cells.map((cell, i) => ({ x: MARGIN.left + (i + 0.5) * step, y: 18, text: said(cell, length) }));
  const line = readout(plot, stops, "A full bar is up, a half bar partly down or degraded, a short one down; no bar: not checked.");
  return html("figure", "plot", html("figcaption", "", html("strong", "", "Uptime")), plot, line);
}

/** As many as fit, but none shorter than the usual pause: it would stay empty. @param {any} series @param {number} room */
function cellCount(series, room) {
  const pauses = (series.end - series.start) / (1.1 * usualStep(series.points));
  return Math.max(Math.floor(Math.min(room / CELL, pauses || Infinity)), 1);
}

/** The bar's height says it too, not its colour alone. @param {any} cell @param {number} x @param {number} step */
function cellMarks(cell, x, step) {
  if (!cell.n) return [svg("rect", { class: "none", x: x + 1, y: 29, width: step - 2, height: 1 })];
  const kind = cell.down === cell.n ? "down" : cell.down || cell.degraded ? "degraded" : "up";
  const height = { up: 24, degraded: 15, down: 7 }[kind];
  return [svg("rect", { class: kind, x: x + 1, y: 30 - height, width: step - 2, height, rx: 1 })];
}

/** @param {any} cell @param {number} length */
function said(cell, length) {
  const span = `${exact(cell.at)} and ${Math.max(Math.round(length / 60000), 1)} min on`;
  if (!cell.n) return `${span}: not checked.`;
  return `${span}: ${cell.n} checks, ${cell.down} down, ${cell.degraded} degraded.`;
}
