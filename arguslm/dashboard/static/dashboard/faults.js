// What is wrong with a form, said at its fields.

import { fieldsOf } from "./fields.js";
import { notice } from "./notices.js";

let lastFocus = 0;

/** @param {HTMLFormElement} form @param {import("./api.js").ApiError} error */
export function showFaults(form, error) {
  const left = [];
  for (const [name, texts] of Object.entries(error.errors)) {
    const field = place(form, name);
    if (field) mark(field, texts.join(" "));
    else left.push(`${name}: ${texts.join(" ")}`);
  }
  if (!Object.keys(error.errors).length) left.push(error.message);
  if (left.length) notice(left.join(" "), "bad");
}

/** The field named, or the one that holds it: `model_ids.0` is said at `model_ids`. */
function place(/** @type {HTMLFormElement} */ form, /** @type {string} */ name) {
  for (let path = name; path; path = path.includes(".") ? path.slice(0, path.lastIndexOf(".")) : "") {
    const found = fieldsOf(form).find((f) => f.name === path && f.type !== "hidden");
    const group = form.querySelector(`[data-field="${CSS.escape(path)}"]`);
    const at = group ?? found;
    if (at && !at.closest("[hidden]")) return /** @type {HTMLElement} */ (at);
  }
  return null;
}

/** The first one of several gets the focus. @param {HTMLElement} at @param {string} text */
export function mark(at, text) {
  const isField = "name" in at && !(at instanceof HTMLFieldSetElement);
  const field = isField ? at : at.querySelector("input");
  if (field) clear(field);
  const line = document.createElement("span");
  line.className = "error";
  line.id = `error-${Math.random().toString(36).slice(2)}`;
  line.textContent = text;
  for (let part = at.closest("details"); part; part = part.parentElement?.closest("details") ?? null) part.open = true;
  if (isField) at.after(line);
  else at.append(line);
  field?.setAttribute("aria-invalid", "true");
  field?.setAttribute("aria-describedby", line.id);
  if (performance.now() - lastFocus > 100) /** @type {HTMLElement | null} */ (field)?.focus();
  lastFocus = performance.now();
}

/** @param {Element} field */
function clear(field) {
  const id = field.getAttribute("aria-describedby");
  if (id) document.getElementById(id)?.remove();
  field.removeAttribute("aria-invalid");
  field.removeAttribute("aria-describedby");
}

/** @param {HTMLFormElement} form */
export function clearFaults(form) {
  for (const field of form.querySelectorAll("[aria-invalid]")) clear(field);
  for (const line of form.querySelectorAll(".error")) line.remove();
}

export function listen() {
  // The browser's own sentence, at the field and to stay, instead of a bubble that vanishes.
  document.addEventListener(
    "invalid",
    (event) => {
      event.preventDefault();
      const field = /** @type {HTMLInputElement} */ (event.target);
      // A pattern is explained by the title of its field.
      mark(field, (field.validity.patternMismatch && field.title) || field.validationMessage);
    },
    true,
  );
  document.addEventListener("input", ({ target }) => {
    if (target instanceof Element && target.hasAttribute("aria-invalid")) clear(target);
  });
}
