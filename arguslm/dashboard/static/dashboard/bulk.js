// Switches the monitoring of all models that are shown on or off, one after the other.

import { ApiError, call } from "./api.js";
import { said } from "./cost.js";
import { ask } from "./dialogs.js";
import { refresh } from "./live.js";
import { notice } from "./notices.js";

const host = document.getElementById("bulk");

/** @param {boolean} on */
function switches(on) {
  const rows = [...document.querySelectorAll("#models tr[data-text]:not([hidden])")];
  const found = rows.map((row) => row.querySelector(".monitored [role=switch]"));
  return /** @type {HTMLElement[]} */ (found.filter((one) => one?.getAttribute("aria-checked") !== String(on)));
}

/** @param {number} count */
async function question(count) {
  const text = `Monitor ${count} more models? Each check asks the provider and costs money.`;
  try {
    const found = await call("GET", `/api/v1/monitoring/cost-estimate?provider_id=${host?.dataset.costOf}`);
    return `${text} All models of this account: ${said(found)}`;
  } catch {
    return text;
  }
}

/** @param {HTMLElement} button @param {boolean} on */
async function switchAll(button, on) {
  const wanted = switches(on);
  if (!wanted.length) return notice(on ? "All of them are monitored." : "None of them is monitored.");
  const asked = on ? await question(wanted.length) : `Stop monitoring ${wanted.length} models? Their open alerts are closed.`;
  if (!(await ask(asked, on ? "Monitor them" : "Stop", !on))) return;
  const label = button.textContent;
  button.setAttribute("aria-busy", "true");
  let done = 0;
  try {
    for (const one of wanted) {
      await call("PATCH", one.dataset.url ?? "", { enabled_for_monitoring: on });
      done += 1;
      button.textContent = `${done} of ${wanted.length} …`;
    }
    notice(`${done} models are ${on ? "monitored" : "not monitored any more"}.`);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    notice(`${error.message} ${done} of ${wanted.length} were switched.`, "bad");
  } finally {
    button.textContent = label;
    button.removeAttribute("aria-busy");
    void refresh();
  }
}

for (const button of /** @type {NodeListOf<HTMLElement>} */ (host?.querySelectorAll("[data-bulk]") ?? [])) {
  button.addEventListener("click", () => void switchAll(button, button.dataset.bulk === "on"));
}
