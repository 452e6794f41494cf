// Which model of a benchmark is faster, with the evidence.

import { ApiError, call } from "./api.js";
import { figure, html } from "./svg.js";

/** @type {Record<string, string>} */
const METRICS = { ttft_ms: "TTFT", total_latency_ms: "Latency", tpot_ms: "Time per token", tps: "Speed" };
/** @type {Record<string, string>} */
const SHAPES = { faster: "up", slower: "down", no_detectable_difference: "none", inconclusive: "none", invalid: "degraded", no_baseline: "none" };
const HEADS = ["Model", "Against", "Verdict", "Ratio", "p", "Detectable"];
const NUMBERS = new Set(["Ratio", "p", "Detectable"]);

/** @param {any} one */
function cellsOf(one) {
  const state = html("span", `status ${SHAPES[one.state] ?? "none"}`, html("span", "mark"), one.state.replaceAll("_", " "));
  const { ratio } = one;
  const interval = ratio?.interval ? html("span", "n", ` ${figure(ratio.interval.low)}–${figure(ratio.interval.high)}`) : "";
  const share = one.minimum_detectable_effect;
  return [
    one.model_name,
    one.baseline_model_name,
    html("span", "", state, html("span", "cause", one.reason ?? "")),
    html("span", "", ratio ? figure(ratio.value) : "–", interval),
    one.p_adjusted === null ? "–" : one.p_adjusted < 0.001 ? "<0.001" : one.p_adjusted.toFixed(3),
    share === null ? "–" : `${Math.round(share * 100)} %`,
  ];
}

/** @param {any} metric */
function table(metric) {
  const head = html("tr", "", ...HEADS.map((text) => html("th", NUMBERS.has(text) ? "number" : "", text)));
  const rows = metric.comparisons.map((/** @type {any} */ one) => {
    const [model, ...others] = cellsOf(one);
    const cells = others.map((content, i) => {
      const cell = html("td", NUMBERS.has(HEADS[i + 1]) ? "number" : "", content);
      cell.dataset.label = HEADS[i + 1];
      return cell;
    });
    return html("tr", "", html("th", "", model), ...cells);
  });
  return html("table", "grid", html("thead", "", head), html("tbody", "", ...rows));
}

/** One table at a time: all pairs of all figures at once are too many to read. @param {any[]} metrics */
function tables(metrics) {
  const place = html("div", "", table(metrics[0]));
  const buttons = metrics.map((metric) => {
    const button = html("button", "chip", METRICS[metric.metric] ?? metric.metric);
    button.setAttribute("type", "button");
    button.addEventListener("click", () => {
      place.replaceChildren(table(metric));
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
    });
    return button;
  });
  buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === 0)));
  return [html("div", "chips", ...buttons), place];
}

/** @param {HTMLElement} host */
export async function showVerdicts(host) {
  try {
    const found = await call("GET", host.dataset.compare ?? "");
    const metrics = found.metrics.filter((/** @type {any} */ metric) => metric.comparisons.length);
    if (!metrics.length) return;
    const how = "Mann–Whitney with Holm's adjustment inside each figure. A difference counts with p ≤ 0.05 and an effect above what this installation can measure; the ratio is that of the model to the one it is held against, with its interval. Detectable is the smallest difference that so many requests could have shown.";
    host.replaceChildren(html("h2", "", "Which is faster?"), ...tables(metrics), html("p", "muted", how));
    host.hidden = false;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
  }
}
