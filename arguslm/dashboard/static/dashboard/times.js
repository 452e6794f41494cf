// Moments as words and as clock times, in UTC or in the reader's own zone.

const STEPS = /** @type {const} */ ([
  [60, 1, "s"],
  [3600, 60, "min"],
  [48 * 3600, 3600, "h"],
  [Infinity, 86400, "d"],
]);

function isLocal() {
  return /** @type {HTMLSelectElement | null} */ (document.getElementById("zone"))?.value === "local";
}

/** @type {Record<string, Intl.DateTimeFormat>} */
const made = {};

/** @param {boolean} local */
function formatter(local) {
  // Sweden writes dates as ISO 8601 does.
  return (made[String(local)] ??= new Intl.DateTimeFormat("sv-SE", {
    dateStyle: "short",
    timeStyle: "medium",
    timeZone: local ? undefined : "UTC",
  }));
}

/** @param {number} at in ms since 1970; as 2026-01-31 23:59:59 on the clock that was chosen */
export function clock(at) {
  return formatter(isLocal()).format(at);
}

/** @param {number} at */
export function zone(at) {
  if (!isLocal()) return "UTC";
  const minutes = -new Date(at).getTimezoneOffset();
  const size = Math.abs(minutes);
  const rest = size % 60 ? `:${String(size % 60).padStart(2, "0")}` : "";
  return `UTC${minutes < 0 ? "−" : "+"}${Math.floor(size / 60)}${rest}`;
}

/** How far the chosen clock is ahead of UTC, in ms. @param {number} at */
export function ahead(at) {
  return isLocal() ? -new Date(at).getTimezoneOffset() * 60000 : 0;
}

/** @param {number} at in ms since 1970 */
export function exact(at) {
  return `${clock(at)} ${zone(at)}`;
}

/** What a `datetime-local` field means on the chosen clock. @param {string} value */
export function fromField(value) {
  const at = new Date(isLocal() ? value : `${value}Z`);
  return Number.isNaN(at.getTime()) ? value : at.toISOString();
}

/** @param {number} seconds */
export function span(seconds) {
  const size = Math.abs(seconds);
  if (size >= 3600 && size < 10 * 3600) {
    return `${Math.floor(size / 3600)} h ${Math.floor((size % 3600) / 60)} min`;
  }
  if (size >= 48 * 3600 && size < 10 * 86400) {
    return `${Math.floor(size / 86400)} d ${Math.floor((size % 86400) / 3600)} h`;
  }
  for (const [below, unit, name] of STEPS) {
    if (size < below) return `${Math.floor(size / unit)} ${name}`;
  }
  return "";
}

/**
 * @param {number} at in ms since 1970
 * @param {number} now the same
 */
export function relative(at, now) {
  const seconds = (at - now) / 1000;
  if (Math.abs(seconds) < 2) return "now";
  return seconds > 0 ? `in ${span(seconds)}` : `${span(seconds)} ago`;
}

/** @type {Record<string, (at: number, now: number) => string>} */
const SHAPES = {
  exact: (at) => exact(at),
  age: (at, now) => span((now - at) / 1000),
  over: (at, now) => `more than ${span((now - at) / 1000)}`,
};

/** Writes every time of the page as what it is to somebody who looks now. */
export function showTimes() {
  const now = Date.now();
  for (const time of document.querySelectorAll("time")) {
    const at = Date.parse(time.dateTime);
    const kind = time.dataset.as;
    const text = (SHAPES[kind ?? ""] ?? relative)(at, now);
    if (time.textContent !== text) time.textContent = text;
    const title = kind === "exact" ? relative(at, now) : exact(at);
    if (time.title !== title) time.title = title;
  }
  for (const told of document.querySelectorAll("[data-zone-told]")) told.textContent = `Time in ${zone(now)}.`;
}
