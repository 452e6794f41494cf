// How often a rule would have fired, before it is saved.

import { busy } from "./actions.js";
import { ApiError, call } from "./api.js";
import { clearFaults, showFaults } from "./faults.js";
import { valuesOf } from "./fields.js";
import { html } from "./svg.js";
import { exact, span } from "./times.js";

const ASKED = ["name", "rule_type", "target_model_id", "target_model_name", "threshold_config"];
const SHOWN = 20;

/** @param {any} found */
function shown(found) {
  const partly = found.models_replayed < found.models_total ? ` Only ${found.models_replayed} of ${found.models_total} models could be replayed in time.` : "";
  const times = found.episodes_total === 1 ? "once" : `${found.episodes_total} times`;
  const head = `In the last ${found.days} days it would have fired ${found.episodes_total ? times : "never"}.${partly}`;
  /** @type {any[]} */
  const episodes = found.items.flatMap((/** @type {any} */ item) => item.episodes.map((/** @type {any} */ one) => ({ ...one, name: item.model_name })));
  episodes.sort((a, b) => b.started_at.localeCompare(a.started_at));
  const rows = episodes.slice(0, SHOWN).map((one) => {
    const start = Date.parse(one.started_at);
    const lasted = one.ended_at ? `for ${span((Date.parse(one.ended_at) - start) / 1000)}` : "still";
    return html("li", "", html("strong", "", one.name), ` ${exact(start)}, ${lasted}: ${one.reason}`);
  });
  const more = episodes.length > SHOWN ? [html("p", "muted", `and ${episodes.length - SHOWN} more`)] : [];
  return [html("p", "note", head), html("ul", "", ...rows), ...more];
}

for (const form of /** @type {NodeListOf<HTMLFormElement>} */ (document.querySelectorAll("form[data-replay]"))) {
  const button = /** @type {HTMLElement | null} */ (form.querySelector("[data-replay-ask]"));
  const place = form.querySelector("[data-replayed]");
  form.addEventListener("reset", () => place?.replaceChildren());
  button?.addEventListener("click", () =>
    busy(button, async () => {
      clearFaults(form);
      const values = valuesOf(form);
      const asked = Object.fromEntries(ASKED.filter((name) => name in values).map((name) => [name, values[name]]));
      try {
        place?.replaceChildren(...shown(await call("POST", form.dataset.replay ?? "", asked)));
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        showFaults(form, error);
      }
    }),
  );
}
