// The menu in the header: what a reader prefers, kept in this browser.

import { showTimes } from "./times.js";

/** @param {string} key @param {string} value */
function keep(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // A browser that keeps nothing still switches for this page.
  }
}

/** @param {string} id */
const choice = (id) => /** @type {HTMLSelectElement | null} */ (document.getElementById(id));

function theme() {
  const root = document.documentElement;
  const select = choice("theme");
  if (!select) return;
  select.value = root.dataset.theme ?? "auto";
  select.addEventListener("change", () => {
    if (select.value === "auto") delete root.dataset.theme;
    else root.dataset.theme = select.value;
    keep("theme", select.value);
  });
}

function zone() {
  const select = choice("zone");
  if (!select) return;
  const own = select.querySelector("[value=local]");
  if (own) own.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
  try {
    if (localStorage.getItem("arguslm-zone") === "local") select.value = "local";
  } catch {
    // Then it is UTC.
  }
  select.addEventListener("change", () => {
    keep("arguslm-zone", select.value);
    showTimes();
    document.dispatchEvent(new Event("zone"));
  });
}

/** The sign-out form is guarded by the token of the cookie: no page holds one. */
function sign(/** @type {HTMLFormElement} */ form) {
  form.addEventListener("submit", () => {
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = "csrfmiddlewaretoken";
    field.value = document.cookie.match(/(?:^|; )arguslm_csrf=([^;]*)/)?.[1] ?? "";
    form.append(field);
  });
}

export function listen() {
  theme();
  zone();
  for (const form of /** @type {NodeListOf<HTMLFormElement>} */ (document.querySelectorAll("form[data-signed]"))) sign(form);
  const menu = /** @type {HTMLDetailsElement | null} */ (document.getElementById("menu"));
  if (!menu) return;
  document.addEventListener("click", (event) => {
    if (!menu.contains(/** @type {Node} */ (event.target))) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary")?.focus();
  });
}
