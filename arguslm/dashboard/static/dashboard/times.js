const STEPS = /** @type {const} */ ([
  [60, 1, "s"],
  [3600, 60, "min"],
  [48 * 3600, 3600, "h"],
  [Infinity, 86400, "d"],
]);

/** @param {number} seconds */
export function span(seconds) {
  const size = Math.abs(seconds);
  if (size >= 3600 && size < 10 * 3600) {
    return `${Math.floor(size / 3600)} h ${Math.floor((size % 3600) / 60)} min`;
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

/** @param {number} at in ms since 1970 */
export function exact(at) {
  return `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** Writes every time of the page as what it is to somebody who looks now. */
export function showTimes() {
  const now = Date.now();
  for (const time of document.querySelectorAll("time")) {
    const text = relative(Date.parse(time.dateTime), now);
    if (time.textContent !== text) time.textContent = text;
  }
}
