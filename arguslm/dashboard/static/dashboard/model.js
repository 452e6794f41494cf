import { ApiError, read } from "./api.js";
import { uptimeStrip } from "./strip.js";
import { timePlot } from "./timeplot.js";

const host = document.getElementById("plots");
/** @type {import("./timeplot.js").Series | null} */
let series = null;
/** @type {string | null} */
let newest = null;
let drawnWidth = 0;

/** @type {import("./timeplot.js").Metric[]} */
const METRICS = [
  { name: "ttft", title: "Time to first token", unit: "ms" },
  { name: "latency", title: "Latency", unit: "ms" },
  { name: "tps", title: "Speed", unit: "tokens/s" },
];

async function load() {
  if (!host?.dataset.series) return;
  try {
    const response = await read(host.dataset.series);
    series = response && (await response.json());
    draw();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // The next refresh tries again; what is drawn already stays.
    newest = null;
    if (!series) host.textContent = error.message;
  }
}

function draw() {
  // A plot that is being read is not replaced under the reader's hands.
  if (!host?.clientWidth || !series || host.matches(":focus-within")) return;
  const width = host.clientWidth;
  drawnWidth = width;
  host.replaceChildren(
    uptimeStrip(series, width),
    ...METRICS.map((metric) => timePlot(/** @type {any} */ (series), metric, width)),
  );
}

/** The table is refreshed by the page; the plots follow when its first row is another. */
function follow() {
  const first = document.querySelector("#checks tbody tr")?.id ?? null;
  if (first !== newest) void load();
  newest = first;
}

newest = document.querySelector("#checks tbody tr")?.id ?? null;
document.addEventListener("refreshed", follow);
document.addEventListener("zone", draw);
if (host) new ResizeObserver(() => host.clientWidth !== drawnWidth && draw()).observe(host);
void load();
