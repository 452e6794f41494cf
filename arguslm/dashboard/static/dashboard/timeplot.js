// Figures over time: single checks as dots and a line, hours or days as median and span.

import { readout } from "./readout.js";
import { outages, silences } from "./stretches.js";
import { figure, html, plain, svg, timeTicks, valueScale } from "./svg.js";
import { exact, span, zone } from "./times.js";

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
 * @typedef {(value: number) => number} Place
 */

const HEIGHT = 170;
const MARGIN = { left: 56, right: 14, top: 16, bottom: 24 };
const MARK_Y = 11;

/** @param {Series} series @param {Metric} metric @param {number} width */
export function timePlot(series, metric, width) {
  const known = series.points.filter((p) => p[metric.name] !== null);
  const values = known.flatMap((p) => p.spans?.[metric.name] ?? [Number(p[metric.name])]);
  const x = timeScale(series, width);
  const y = valueScale(values, HEIGHT - MARGIN.bottom, MARGIN.top + 12);
  const label = `${metric.title} in ${metric.unit} over time, ${known.length} points`;
  const plot = svg("svg", { class: "plot", width, height: HEIGHT, role: "img", "aria-label": label });
  plot.append(...bands(series, x), ...axes(series, x, y, width), ...spans(series, metric, x, y));
  plot.append(svg("path", { class: "line", d: linePath(series, metric, x, y) }));
  plot.append(svg("path", { class: "dots", d: known.map((p) => `M${x(p.t)} ${y(Number(p[metric.name]))}h0`).join("") }));
  plot.append(...marks(series, x));
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
  return `median ${figure(median)} · P${percent} ${about}${figure(tail)} · n=${n.toLocaleString("en-US")}`;
}

/** @param {Series} series @param {number} width @returns {Place} */
function timeScale(series, width) {
  const room = width - MARGIN.left - MARGIN.right;
  return (t) => Math.round((MARGIN.left + (room * (t - series.start)) / (series.end - series.start)) * 10) / 10;
}

/** @param {Series} series @param {Place} x @param {import("./svg.js").Scale} y @param {number} width */
function axes(series, x, y, width) {
  const right = width - MARGIN.right;
  const rows = y.ticks.flatMap((value) => [
    svg("line", { class: "grid", x1: MARGIN.left, x2: right, y1: y(value), y2: y(value) }),
    svg("text", { x: MARGIN.left - 6, y: y(value) + 4, "text-anchor": "end" }, plain(value)),
  ]);
  // At the ends a label would stand on the name of the zone, or beyond the edge.
  const room = (/** @type {number} */ at) => x(at) > MARGIN.left + 24 && x(at) < right - 10;
  const columns = timeTicks(series.start, series.end, width / 90).flatMap(({ at, label }) => [
    svg("line", { class: "tick", x1: x(at), x2: x(at), y1: HEIGHT - MARGIN.bottom, y2: HEIGHT - MARGIN.bottom + 4 }),
    ...(room(at) ? [svg("text", { x: x(at), y: HEIGHT - 6, "text-anchor": "middle" }, label)] : []),
  ]);
  const name = svg("text", { class: "zone", x: MARGIN.left - 6, y: HEIGHT - 6, "text-anchor": "end" }, zone(series.end));
  return [...rows, ...columns, name];
}

/** Grey where nothing was checked, red or amber where checks failed. @param {Series} series @param {Place} x */
function bands(series, x) {
  const band = (/** @type {string} */ kind, /** @type {number} */ from, /** @type {number} */ to) =>
    svg("rect", { class: kind, x: x(from), width: Math.max(x(to) - x(from), 1), y: MARGIN.top, height: HEIGHT - MARGIN.top - MARGIN.bottom });
  return [
    ...silences(series).map(({ from, to }) => band("gone", from, to)),
    ...outages(series, x).filter((one) => one.count > 1).map(({ from, to, status }) => band(`outage ${status}`, from, to)),
  ];
}

/** @param {Series} series @param {Place} x */
function marks(series, x) {
  return outages(series, x).map(({ from, to, status }) => {
    const at = (x(from) + x(to)) / 2;
    const shape = status === "down" ? `M${at} ${MARK_Y}m-4 -4l8 8m0 -8l-8 8` : `M${at} ${MARK_Y - 5}l5 9h-10z`;
    return svg("path", { class: `failure ${status}`, d: shape });
  });
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

/** @param {Series} series @param {Metric} metric @param {Place} x @param {Place} y */
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

/** @param {Series} series @param {Metric} metric @param {Place} x @param {Place} y */
function spans(series, metric, x, y) {
  return series.points.flatMap((p) => {
    const span = p.spans?.[metric.name];
    return span ? [svg("line", { class: "span", x1: x(p.t), x2: x(p.t), y1: y(span[0]), y2: y(span[1]) })] : [];
  });
}

/** @param {Series} series @param {Metric} metric @param {Point[]} known @param {Place} x @param {Place} y */
function stopsOf(series, metric, known, x, y) {
  const good = known.map((p) => ({ x: x(p.t), y: y(Number(p[metric.name])), text: said(p, metric, series) }));
  const bad = series.failures.map((f) => ({ x: x(f.t), y: MARK_Y, text: `${exact(f.t)}: ${f.status}. ${f.error ?? ""}` }));
  const still = silences(series).map(({ from, to }) => ({
    x: (x(from) + x(to)) / 2,
    y: HEIGHT - MARGIN.bottom,
    text: `No check from ${exact(from)} on, for ${span((to - from) / 1000)}.`,
  }));
  return [...good, ...bad, ...still].sort((a, b) => a.x - b.x);
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
  const failed = series.failures.some((f) => f.status === "down") ? " ✕ failed." : "";
  const degraded = series.failures.some((f) => f.status === "degraded") ? " △ degraded." : "";
  const gone = silences(series).length ? " Grey: not checked." : "";
  return `${kind}${failed}${degraded}${gone} Point at it, or use the arrow keys, to read it.`;
}
