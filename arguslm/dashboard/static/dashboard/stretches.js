// Stretches of time in which checks failed, or in which there was none.

import { usualStep } from "./timeplot.js";

/** @typedef {{from: number, to: number, status: string, count: number}} Outage */

// Marks nearer than this would lie on each other.
const NEAR_PX = 9;

/**
 * Failures of one kind in a row as one stretch.
 * @param {import("./timeplot.js").Series} series
 * @param {(t: number) => number} x
 * @returns {Outage[]}
 */
export function outages(series, x) {
  /** @type {Outage[]} */
  const found = [];
  for (const { t, status } of series.failures) {
    const last = found.at(-1);
    if (last && last.status === status && x(t) - x(last.to) < NEAR_PX) {
      last.to = t;
      last.count += 1;
    } else found.push({ from: t, to: t, status, count: 1 });
  }
  return found;
}

/** Longer pauses than usual between checks, the last one up to now. @param {import("./timeplot.js").Series} series */
export function silences(series) {
  const { points } = series;
  const step = series.bucket_s ? series.bucket_s * 1000 : usualStep(points);
  const ends = [...points.slice(1).map((p) => p.t), series.end];
  return points.flatMap((p, i) => (ends[i] - p.t > 3 * step ? [{ from: p.t + step / 2, to: Math.min(ends[i] - step / 2, series.end) }] : []));
}
