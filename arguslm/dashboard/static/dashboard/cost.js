// What the monitoring would cost as the form stands.

import { ApiError, call } from "./api.js";

/** @param {number} usd */
export function dollars(usd) {
  return `$${usd.toLocaleString("en-US", { maximumFractionDigits: usd < 0.1 ? 4 : 2, minimumFractionDigits: 2 })}`;
}

/** @param {any} found an answer of /monitoring/cost-estimate */
export function said(found) {
  const checks = `${Math.round(found.probes_per_day).toLocaleString("en-US")} checks a day of ${found.models} model${found.models === 1 ? "" : "s"}`;
  if (found.models === found.unpriced_models) return `${checks}; the price of none of them is known.`;
  const sums = `about ${dollars(found.per_day_usd)} a day, ${dollars(found.per_month_usd)} in 30 days`;
  const blind = found.unpriced_models ? ` ${found.unpriced_models} of them have no known price and are left out.` : "";
  return `${checks}: ${sums}.${blind}`;
}

/** @param {HTMLFormElement} form @param {HTMLElement} line */
async function estimate(form, line) {
  const query = new URLSearchParams();
  for (const name of form.dataset.cost?.split(" ") ?? []) {
    const field = form.elements.namedItem(name);
    if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement) query.set(name, field.value);
  }
  try {
    const found = await call("GET", `/api/v1/monitoring/cost-estimate?${query}`);
    const cap = found.cap_lasts_days === null ? "" : ` The cap lasts ${Math.floor(found.cap_lasts_days)} days more.`;
    line.textContent = `${said(found)} Spent this month: ${dollars(found.spent_this_month_usd)}.${cap}`;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    line.textContent = error.message;
  }
}

for (const form of /** @type {NodeListOf<HTMLFormElement>} */ (document.querySelectorAll("form[data-cost]"))) {
  const line = /** @type {HTMLElement | null} */ (form.querySelector("[data-cost-told]"));
  const fold = form.closest("details");
  if (!line) continue;
  const look = () => (!fold || fold.open) && estimate(form, line);
  fold?.addEventListener("toggle", look);
  form.addEventListener("change", look);
}
