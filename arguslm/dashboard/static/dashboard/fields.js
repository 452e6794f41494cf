// What the fields of a form mean to the API, by their `data-kind`; `a.b` as a name makes an
// object `a`. Names that begin with "_" only choose what is shown.

import { fromField } from "./times.js";

/** @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Field */

/** @type {Record<string, (field: Field) => unknown>} */
const KINDS = {
  number: (field) => Number(field.value),
  // Left empty on purpose: no limit, no text.
  optional: (field) => (field.value.trim() ? Number(field.value) : null),
  blank: (field) => field.value.trim() || null,
  flag: (field) => /** @type {HTMLInputElement} */ (field).checked,
  truth: (field) => field.value === "true",
  list: (field) => [field.value],
  words: (field) => field.value.split(/[\s,;]+/).filter(Boolean),
  ids: (field) => field.value.split(" "),
  moment: (field) => fromField(field.value),
  headers: (field) => Object.fromEntries(field.value.split("\n").filter((l) => l.trim()).map(pair)),
};
// Checkboxes of one name that together make a list.
/** @type {Record<string, (value: string) => unknown>} */
const LISTS = { each: (value) => value, numbers: Number };
const EVEN_IF_EMPTY = new Set(["flag", "optional", "blank", "each", "numbers"]);

/** @param {string} line "Name: value" */
function pair(line) {
  const colon = line.indexOf(":");
  if (colon < 0) return [line.trim(), ""];
  return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
}

/** @param {HTMLFormElement} form @returns {Field[]} */
export function fieldsOf(form) {
  return /** @type {Field[]} */ ([...form.elements]).filter((e) => "name" in e && e.name);
}

/** @param {Field} field */
function counts(field) {
  if (field.disabled || field.closest("[hidden]")) return false;
  if (field.type === "radio") return /** @type {HTMLInputElement} */ (field).checked;
  return EVEN_IF_EMPTY.has(field.dataset.kind ?? "") || field.value.trim() !== "";
}

/** What the form says, empty fields left out. @param {HTMLFormElement} form */
export function valuesOf(form) {
  /** @type {Record<string, any>} */
  const values = {};
  for (const field of fieldsOf(form).filter((one) => counts(one) && !one.name.startsWith("_"))) {
    const path = field.name.split(".");
    const last = path.pop() ?? "";
    const place = path.reduce((at, name) => (at[name] ??= {}), values);
    const kind = field.dataset.kind ?? "";
    if (kind in LISTS) {
      place[last] ??= [];
      if (/** @type {HTMLInputElement} */ (field).checked) place[last].push(LISTS[kind](field.value));
    } else place[last] = (KINDS[kind] ?? ((one) => one.value))(field);
  }
  return values;
}

/**
 * Parts with `data-when="name=value|other"` are shown while that choice is made; what is hidden is
 * neither sent nor asked for.
 * @param {HTMLFormElement} form
 */
export function showParts(form) {
  for (const part of /** @type {NodeListOf<HTMLElement>} */ (form.querySelectorAll("[data-when]"))) {
    const [name, value = ""] = part.dataset.when?.split("=") ?? [];
    const radios = fieldsOf(form).filter((one) => one.name === name);
    const chosen = radios.find((one) => one.type !== "radio" || /** @type {HTMLInputElement} */ (one).checked);
    part.hidden = !value.split("|").includes(chosen?.value ?? "");
  }
  for (const field of fieldsOf(form)) field.disabled = field.closest("[hidden]") !== null;
}
