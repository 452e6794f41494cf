// Keeps the parts marked `data-live` as the server sees them now. The server renders them; here
// the page is only fetched again and compared.

import { read } from "./api.js";
import { morph } from "./morph.js";
import { showTimes } from "./times.js";

const CALM_MS = 10000;
/** @type {[string, number][]} */
const PACES = [["fast", 1500], ["slow", 30000]];

/** @type {string | null} */
let etag = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let running = Promise.resolve();

/** Fetches the page and brings its live parts up to date, after any refresh under way. */
export function refresh() {
  running = running.then(once, once);
  return running;
}

async function once() {
  clearTimeout(timer);
  try {
    const response = await read(location.href, etag);
    showOffline(false);
    if (response) {
      etag = response.headers.get("ETag");
      apply(await response.text());
    }
  } catch {
    showOffline(true);
  }
  schedule();
}

/** @param {string} html */
function apply(html) {
  const newer = new DOMParser().parseFromString(html, "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const match = newer.getElementById(part.id);
    if (match) morph(part, match);
  }
  document.title = newer.title;
  showTimes();
  document.dispatchEvent(new Event("refreshed"));
}

function schedule() {
  clearTimeout(timer);
  if (document.hidden) return;
  const asked = PACES.find(([name]) => document.querySelector(`[data-pace=${name}]`));
  timer = setTimeout(refresh, asked?.[1] ?? CALM_MS);
}

/** @param {boolean} is */
function showOffline(is) {
  const line = document.getElementById("offline");
  if (line) line.hidden = !is;
}

export function keepLive() {
  document.addEventListener("visibilitychange", () => (document.hidden ? schedule() : refresh()));
  schedule();
}
