// Figures over time: single checks as dots and a line, hours or days as median and span.

import { readout } from "./readout.js";
import { figure, html, plain, svg, timeTicks, valueScale } from "./svg.js";
import { exact } from "./times.js";

/**
 * @typedef {{t: number, n: number, down: number, degraded: number, uncertainty?: number | null,
 *   ttft: number | null, latency: number | null, tps: number | null,
 *   spans?: Record<string, [number, number]>}} Point
 * @typedef {{t: number, status: string, error: string | null}} Failure
 * @typedef {{start: number, end: number, bucket_s: number | null, points: Point[],
 *   failures: Failure[], summaries: Record<string, Summary>}} Series
 * @typedef {{n: number, median: number | null, tail: number | null, percent: number,
 *   is_rough: boolean}} Summary
 * @typedef {{name: "ttft" | "latency" | "tps", title: string, unit: string}} Metric
 */

const HEIGHT = 170;
const MARGIN = { left: 56, right: 12, top: 16, bottom: 24 };

/** @param {Series} series @param {Metric} metric @param {number} width */
export function timePlot(series, metric, width) {
  const known = series.points.filter((p) => p[metric.name] !== null);
  const values = known.flatMap((p) => p.spans?.[metric.name] ?? [Number(p[metric.name])]);
  const x = timeScale(series, width);
  const y = valueScale(values, HEIGHT - MARGIN.bottom, MARGIN.top + 12);
  const label = `${metric.title} in ${metric.unit} over time, ${known.length} points`;
  const plot = svg("svg", { class: "plot", width, height: HEIGHT, role: "img", "aria-label": label });
  plot.append(...axes(series, x, y, width), ...spans(series, metric, x, y));
  plot.append(svg("path", { class: "line", d: linePath(series, metric, x, y) }));
  plot.append(svg("path", { class: "dots", d: known.map((p) => `M${x(p.t)} ${y(Number(p[metric.name]))}h0`).join("") }));
  plot.append(...series.failures.map((f) => failureMark(f, x(f.t))));
  const line = readout(plot, stopsOf(series, metric, known, x, y), hintOf(series, known.length));
  const unit = ` ${metric.unit}${y.isLog ? ", logarithmic" : ""}`;
  const middle = html("span", "middle", saidOfAll(series.summaries[metric.name]));
  const title = html("figcaption", "", html("strong", "", metric.title), unit, middle);
  return html("figure", "plot", title, plot, line);
}

/** @param {Summary} summary */
function saidOfAll({ n, median, tail, percent, is_rough }) {
  if (!n) return "";
  const about = is_rough ? "≈ " : "";
  return `median ${figure(median)} · P${percent} ${about}${figure(tail)} · n ${n.toLocaleString("en-US")}`;
}

/** @param {Series} series @param {number} width */
function timeScale(series, width) {
  const room = width - MARGIN.left - MARGIN.right;
  return (/** @type {number} */ t) =>
    Math.round((MARGIN.left + (room * (t - series.start)) / (series.end - series.start)) * 10) / 10;
}

/** @param {Series} series @param {(t: number) => number} x @param {import("./svg.js").Scale} y @param {number} width */
function axes(series, x, y, width) {
  const right = width - MARGIN.right;
  const rows = y.ticks.flatMap((value) => [
    svg("line", { class: "grid", x1: MARGIN.left, x2: right, y1: y(value), y2: y(value) }),
    svg("text", { x: MARGIN.left - 6, y: y(value) + 4, "text-anchor": "end" }, plain(value)),
  ]);
  const columns = timeTicks(series.start, series.end, width / 90).flatMap(({ at, label }) => [
    svg("line", { class: "tick", x1: x(at), x2: x(at), y1: HEIGHT - MARGIN.bottom, y2: HEIGHT - MARGIN.bottom + 4 }),
    svg("text", { x: x(at), y: HEIGHT - 6, "text-anchor": "middle" }, label),
  ]);
  const zone = svg("text", { class: "zone", x: MARGIN.left - 6, y: HEIGHT - 6, "text-anchor": "end" }, "UTC");
  return [...rows, ...columns, zone];
}

/** A longer silence than usual is a gap, not a slope. @param {Series} series */
function gapOf(series) {
  if (series.bucket_s) return series.bucket_s * 2500;
  return 3 * usualStep(series.points);
}

/** The median time between two points, in ms. @param {Point[]} points */
export function usualStep(points) {
  const steps = points.slice(1).map((p, i) => p.t - points[i].t).sort((a, b) => a - b);
  return steps[Math.floor(steps.length / 2)] ?? Infinity;
}

/** @param {Series} series @param {Metric} metric @param {(t: number) => number} x @param {(v: number) => number} y */
function linePath(series, metric, x, y) {
  const gap = gapOf(series);
  let path = "";
  /** @type {number | null} */
  let before = null;
  for (const point of series.points) {
    const value = point[metric.name];
    if (value === null) {
      before = null;
      continue;
    }
    const joined = before !== null && point.t - before <= gap;
    path += `${joined ? "L" : "M"}${x(point.t)} ${Math.round(y(value) * 10) / 10}`;
    before = point.t;
  }
  return path;
}

/** @param {Series} series @param {Metric} metric @param {(t: number) => number} x @param {(v: number) => number} y */
function spans(series, metric, x, y) {
  return series.points.flatMap((p) => {
    const span = p.spans?.[metric.name];
    return span ? [svg("line", { class: "span", x1: x(p.t), x2: x(p.t), y1: y(span[0]), y2: y(span[1]) })] : [];
  });
}

/** @param {Failure} failure @param {number} x */
function failureMark(failure, x) {
  const shape = failure.status === "down" ? `M${x} 11m-4 -4l8 8m0 -8l-8 8` : `M${x} 6l5 9h-10z`;
  return svg("path", { class: `failure ${failure.status}`, d: shape });
}

/** @param {Series} series @param {Metric} metric @param {Point[]} known @param {(t: number) => number} x @param {(v: number) => number} y */
function stopsOf(series, metric, known, x, y) {
  const good = known.map((p) => ({ x: x(p.t), y: y(Number(p[metric.name])), text: said(p, metric, series) }));
  const bad = series.failures.map((f) => ({
    x: x(f.t),
    y: 11,
    text: `${exact(f.t)}: ${f.status}. ${f.error ?? ""}`,
  }));
  return [...good, ...bad].sort((a, b) => a.x - b.x);
}

/** @param {Point} point @param {Metric} metric @param {Series} series */
function said(point, metric, series) {
  const value = `${figure(point[metric.name])} ${metric.unit}`;
  if (series.bucket_s === null) {
    const sure = metric.unit === "ms" && point.uncertainty != null ? ` ± ${figure(point.uncertainty)}` : "";
    return `${exact(point.t)}: ${value}${sure}`;
  }
  const [low, high] = point.spans?.[metric.name] ?? [null, null];
  const middle = `around ${exact(point.t)}: median ${value}, 90 % from ${figure(low)} to ${figure(high)}`;
  return `${middle}; ${point.n} checks, ${point.down} down`;
}

/** @param {Series} series @param {number} count */
function hintOf(series, count) {
  if (!count && !series.failures.length) return "No check in this time.";
  const length = series.bucket_s === 86400 ? "a day" : "an hour";
  const kind = series.bucket_s === null ? "Each dot is a check." : `Each dot is the median of ${length}; nine in ten checks lie along its bar.`;
  const failed = series.failures.some((f) => f.status === "down") ? " ✕ is a failed check." : "";
  return `${kind}${failed} Point at it, or use the arrow keys, to read it.`;
}
