import * as actions from "./actions.js";
import * as filter from "./filter.js";
import * as forms from "./forms.js";
import { keepLive } from "./live.js";
import { showTimes } from "./times.js";

const THEMES = /** @type {const} */ (["automatic", "light", "dark"]);

function themeButton() {
  const button = document.getElementById("theme");
  if (!button) return;
  const root = document.documentElement;
  const show = () => (button.textContent = `Theme: ${root.dataset.theme ?? "automatic"}`);
  button.addEventListener("click", () => {
    const now = THEMES.indexOf(/** @type {any} */ (root.dataset.theme ?? "automatic"));
    const next = THEMES[(now + 1) % THEMES.length];
    if (next === "automatic") delete root.dataset.theme;
    else root.dataset.theme = next;
    try {
      localStorage.setItem("arguslm-theme", next);
    } catch {
      // A browser that keeps nothing still switches for this page.
    }
    show();
  });
  show();
  button.hidden = false;
}

/** A link to a folded part of the page opens it. */
function openTarget() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
}

themeButton();
actions.listen();
forms.listen();
filter.listen();
keepLive();
showTimes();
setInterval(showTimes, 1000);
openTarget();
