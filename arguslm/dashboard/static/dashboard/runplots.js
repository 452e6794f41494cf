// Every TTFT of a benchmark, and the share of requests that were at least as fast.

import { readout } from "./readout.js";
import { figure, html, plain, svg, valueScale } from "./svg.js";

/** @typedef {{id: string, name: string, ttft: number[], failed: number}} Sample */

const ROW = 30;
const MARGIN = { right: 48, top: 8, bottom: 36 };
const COLOURS = 8;
const DASHES = 4;

/** Beyond eight models the colours come again, with another dash. @param {number} place */
function look(place) {
  return `s${place % COLOURS} d${(place + Math.floor(place / COLOURS)) % DASHES}`;
}

/** @param {Sample[]} samples @param {number} left @param {number} width @param {number} height */
function frame(samples, left, width, height) {
  const x = valueScale(samples.flatMap((s) => s.ttft), left, width - MARGIN.right);
  const bottom = height - MARGIN.bottom;
  const ticks = x.ticks.flatMap((value) => [
    svg("line", { class: "grid", x1: x(value), x2: x(value), y1: MARGIN.top, y2: bottom }),
    svg("text", { x: x(value), y: bottom + 15, "text-anchor": "middle" }, plain(value)),
  ]);
  const unit = `time to first token in ms${x.isLog ? ", logarithmic" : ""}`;
  const label = svg("text", { x: (left + width) / 2, y: height - 4, "text-anchor": "middle" }, unit);
  return { x, parts: [...ticks, label] };
}

/** One row per model, one dot per request, a bar at the median. @param {Sample[]} samples @param {number} width */
export function stripPlot(samples, width) {
  const left = Math.min(180, width * 0.35);
  const height = samples.length * ROW + MARGIN.top + MARGIN.bottom;
  const { x, parts } = frame(samples, left, width, height);
  const plot = svg("svg", { class: "plot", width, height, role: "img", "aria-label": "Time to first token of every request, by model" });
  plot.append(...parts);
  /** @type {import("./readout.js").Stop[]} */
  const stops = [];
  samples.forEach((sample, row) => {
    const middle = MARGIN.top + (row + 0.5) * ROW;
    const y = (/** @type {number} */ i) => middle + (((i * 7) % 11) - 5) * 1.4;
    plot.append(svg("text", { x: left - 8, y: middle + 4, "text-anchor": "end" }, shortened(sample.name, left / 7)));
    if (sample.ttft.length) {
      const at = x(median(sample.ttft));
      plot.append(svg("line", { class: "median", x1: at, x2: at, y1: middle - 11, y2: middle + 11 }));
    }
    if (sample.failed) {
      const text = svg("text", { class: "failed", x: width - 8, y: middle + 4, "text-anchor": "end" }, `✕ ${sample.failed}`);
      text.append(svg("title", {}, `${sample.failed} requests failed`));
      plot.append(text);
    }
    plot.append(svg("path", { class: "dots faint", d: sample.ttft.map((v, i) => `M${x(v).toFixed(1)} ${y(i).toFixed(1)}h0`).join("") }));
    sample.ttft.forEach((v, i) => stops.push({ x: x(v), y: y(i), text: `${sample.name}, request ${i + 1}: ${figure(v)} ms` }));
  });
  const failed = samples.some((sample) => sample.failed) ? " ✕ counts the failed ones." : "";
  const line = readout(plot, stops, `Each dot is a request, the bar is the median.${failed}`);
  return html("figure", "plot", html("figcaption", "", html("strong", "", "Every request")), plot, line);
}

/** @param {number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = (sorted.length - 1) / 2;
  return (sorted[Math.floor(half)] + sorted[Math.ceil(half)]) / 2;
}

/** @param {string} text @param {number} most */
function shortened(text, most) {
  return text.length > most ? `${text.slice(0, Math.max(most - 1, 1))}…` : text;
}

/** @param {Sample[]} samples @param {number} width */
export function ecdfPlot(samples, width) {
  const left = 56;
  const height = 240;
  const { x, parts } = frame(samples, left, width, height);
  const bottom = height - MARGIN.bottom;
  const y = (/** @type {number} */ share) => bottom - (bottom - MARGIN.top) * share;
  const plot = svg("svg", { class: "plot", width, height, role: "img", "aria-label": "Share of requests by time to first token" });
  plot.append(...parts);
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    plot.append(svg("line", { class: "grid", x1: left, x2: width - MARGIN.right, y1: y(share), y2: y(share) }));
    plot.append(svg("text", { x: left - 6, y: y(share) + 4, "text-anchor": "end" }, `${share * 100} %`));
  }
  /** @type {import("./readout.js").Stop[]} */
  const stops = [];
  const drawn = samples.filter((s) => s.ttft.length);
  drawn.forEach((sample) => {
    const place = samples.indexOf(sample);
    const steps = stepsOf(sample.ttft);
    plot.append(svg("path", { class: `step ${look(place)}`, d: stepPath(steps, x, y) }));
    for (const [value, share] of steps) {
      stops.push({ x: x(value), y: y(share), text: `${sample.name}: ${Math.round(share * 100)} % of ${sample.ttft.length} within ${figure(value)} ms` });
    }
  });
  stops.sort((a, b) => a.x - b.x);
  const line = readout(plot, stops, "The curve further to the left is the faster one.");
  const title = html("figcaption", "", html("strong", "", "Share of requests within a time"));
  return html("figure", "plot", title, plot, legend(samples, drawn), line);
}

/** @param {number[]} values @returns {[number, number][]} */
function stepsOf(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.map((value, i) => [value, (i + 1) / sorted.length]);
}

/** @param {[number, number][]} steps @param {(v: number) => number} x @param {(s: number) => number} y */
function stepPath(steps, x, y) {
  return `M${x(steps[0][0])} ${y(0)}${steps.map(([v, s]) => `H${x(v).toFixed(1)}V${y(s).toFixed(1)}`).join("")}`;
}

/** @param {Sample[]} all @param {Sample[]} drawn */
function legend(all, drawn) {
  const items = drawn.map((sample) => {
    const stroke = svg("path", { class: `step ${look(all.indexOf(sample))}`, d: "M0 6H26" });
    const swatch = svg("svg", { width: 26, height: 12, "aria-hidden": "true" }, stroke);
    return html("li", "", swatch, ` ${sample.name}`);
  });
  return html("ul", "legend", ...items);
}
