// Small tools for plots: elements, scales, ticks.

import { ahead, clock } from "./times.js";

const NS = "http://www.w3.org/2000/svg";

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {...(Node | string)} children
 * @returns {SVGElement}
 */
export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

/** @param {string} name @param {string} className @param {...(Node | string)} children */
export function html(name, className, ...children) {
  const element = document.createElement(name);
  element.className = className;
  element.append(...children);
  return element;
}

/** @typedef {((value: number) => number) & {ticks: number[], isLog: boolean}} Scale */

/**
 * From zero to the top, or logarithmic when a few values tower over the rest.
 * @param {number[]} values
 * @param {number} from
 * @param {number} to
 * @returns {Scale}
 */
export function valueScale(values, from, to) {
  const sorted = values.filter((v) => v > 0).sort((a, b) => a - b);
  const top = sorted.at(-1) ?? 1;
  const middle = sorted[Math.floor(sorted.length / 2)] ?? 1;
  return top > 8 * middle ? logScale(sorted[0], top, from, to) : linearScale(top, from, to);
}

/** @param {number} top @param {number} from @param {number} to @returns {Scale} */
function linearScale(top, from, to) {
  const step = niceStep(top / 4);
  const end = Math.ceil(top / step) * step;
  const ticks = [];
  for (let i = 0; i * step <= end + step / 2; i += 1) ticks.push(i * step);
  const scale = (/** @type {number} */ v) => from + ((to - from) * v) / end;
  return Object.assign(scale, { ticks, isLog: false });
}

/** @param {number} low @param {number} high @param {number} from @param {number} to @returns {Scale} */
function logScale(low, high, from, to) {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const length = Math.max(last - first, 1);
  const scale = (/** @type {number} */ v) =>
    from + ((to - from) * (Math.log10(Math.max(v, 10 ** first)) - first)) / length;
  const ticks = Array.from({ length: length + 1 }, (_, i) => 10 ** (first + i));
  return Object.assign(scale, { ticks, isLog: true });
}

/** The next of 1, 2, 5 × 10^k. @param {number} rough */
function niceStep(rough) {
  const unit = 10 ** Math.floor(Math.log10(rough || 1));
  return unit * ([1, 2, 5, 10].find((m) => m * unit >= rough) ?? 10);
}

const MINUTE = 60000;
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7200].map((m) => m * MINUTE);

/**
 * Round times of the chosen clock between two moments, with labels.
 * @param {number} start
 * @param {number} end
 * @param {number} most
 */
export function timeTicks(start, end, most) {
  const step = TIME_STEPS.find((s) => (end - start) / s <= most) ?? 10 * 1440 * MINUTE;
  const ticks = [];
  const first = Math.ceil((start + ahead(start)) / step) * step;
  for (let wall = first; ; wall += step) {
    // Where the clock is put forward or back meanwhile, the later ticks follow it.
    const at = wall - ahead(wall - ahead(start));
    if (at > end) return ticks;
    const text = clock(at);
    ticks.push({ at, label: step >= 1440 * MINUTE ? text.slice(5, 10) : text.slice(11, 16) });
  }
}

/** Three digits that matter, as the server writes them. @param {number | null | undefined} value */
export function figure(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  const digits = size < 10 ? 2 : size < 100 ? 1 : 0;
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A tick without needless zeros. @param {number} value */
export function plain(value) {
  return value.toLocaleString("en-US", { maximumSignificantDigits: 4 });
}
