// A form with `data-url` is sent to the API as JSON; `a.b` as a name makes an object `a`.
// Errors are shown at their fields.

import { ApiError, call } from "./api.js";
import { tell } from "./actions.js";
import { refresh } from "./live.js";
import { notice } from "./notices.js";

/** @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Field */

/** @type {Record<string, (field: Field) => unknown>} */
const KINDS = {
  number: (field) => Number(field.value),
  // Left empty on purpose: no limit.
  optional: (field) => (field.value.trim() ? Number(field.value) : null),
  flag: (field) => /** @type {HTMLInputElement} */ (field).checked,
  list: (field) => [field.value],
  words: (field) => field.value.split(/[\s,;]+/).filter(Boolean),
  ids: (field) => field.value.split(" "),
  headers: (field) => Object.fromEntries(field.value.split("\n").filter((l) => l.trim()).map(pair)),
};

/** @param {string} line "Name: value" */
function pair(line) {
  const colon = line.indexOf(":");
  if (colon < 0) return [line.trim(), ""];
  return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
}

/** @param {HTMLFormElement} form @returns {Field[]} */
function fieldsOf(form) {
  return /** @type {Field[]} */ ([...form.elements]).filter((e) => "name" in e && e.name);
}

/** @param {Field} field */
function counts(field) {
  if (field.disabled || field.closest("[hidden]")) return false;
  if (field.type === "radio") return /** @type {HTMLInputElement} */ (field).checked;
  return ["flag", "optional"].includes(field.dataset.kind ?? "") || field.value.trim() !== "";
}

/** What the form says, empty fields left out. @param {HTMLFormElement} form */
export function valuesOf(form) {
  /** @type {Record<string, any>} */
  const values = {};
  for (const field of fieldsOf(form).filter(counts)) {
    const path = field.name.split(".");
    const last = path.pop() ?? "";
    const place = path.reduce((at, name) => (at[name] ??= {}), values);
    place[last] = (KINDS[field.dataset.kind ?? ""] ?? ((one) => one.value))(field);
  }
  return values;
}

/** @param {HTMLFormElement} form @param {HTMLButtonElement | null} button @param {string} url */
async function submit(form, button, url) {
  const { method = "POST", next, done } = form.dataset;
  clearErrors(form);
  if (button) button.disabled = true;
  try {
    const answer = await call(method, url, valuesOf(form));
    const isTest = url !== form.dataset.url;
    if (next && !isTest) return location.assign(next.replace("{id}", answer.id));
    tell(answer, isTest ? undefined : done);
    if (!isTest) settle(form);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    showErrors(form, error);
  } finally {
    if (button) button.disabled = false;
  }
}

/** What was made leaves an empty form behind; what was changed stays in it, secrets apart. */
function settle(/** @type {HTMLFormElement} */ form) {
  if (form.dataset.method === "POST") form.reset();
  for (const field of fieldsOf(form)) if (field.type === "password") field.value = "";
  form.dispatchEvent(new Event("change", { bubbles: true }));
  void refresh();
}

/** @param {HTMLFormElement} form @param {ApiError} error */
function showErrors(form, error) {
  /** @type {HTMLElement | undefined} */
  let first;
  const left = [];
  for (const [name, texts] of Object.entries(error.errors)) {
    const field = place(form, name);
    if (!field) left.push(`${name}: ${texts.join(" ")}`);
    else first = mark(field, texts.join(" ")) ?? first;
  }
  if (!Object.keys(error.errors).length) left.push(error.message);
  if (left.length) notice(left.join(" "), "bad");
  first?.focus();
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

/** @param {HTMLElement} at @param {string} text */
function mark(at, text) {
  const line = document.createElement("span");
  line.className = "error";
  line.id = `error-${Math.random().toString(36).slice(2)}`;
  line.textContent = text;
  at.closest("details")?.setAttribute("open", "");
  if (at instanceof HTMLFieldSetElement) at.append(line);
  else at.after(line);
  const field = at instanceof HTMLFieldSetElement ? at.querySelector("input") : at;
  field?.setAttribute("aria-invalid", "true");
  field?.setAttribute("aria-describedby", line.id);
  return field ?? undefined;
}

/** @param {HTMLFormElement} form */
function clearErrors(form) {
  for (const line of form.querySelectorAll(".error")) line.remove();
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
  }
}

/** Parts with `data-when="name=value|other"` are shown while that choice is made. */
function showParts(/** @type {HTMLFormElement} */ form) {
  for (const part of form.querySelectorAll("[data-when]")) {
    const [name, value = ""] = /** @type {HTMLElement} */ (part).dataset.when?.split("=") ?? [];
    const chosen = fieldsOf(form).find((f) => f.name === name && counts(f));
    /** @type {HTMLElement} */ (part).hidden = !value.split("|").includes(chosen?.value ?? "");
  }
}

export function listen() {
  document.addEventListener("submit", (event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (!form.dataset.url) return;
    event.preventDefault();
    void submit(form, /** @type {any} */ (event.submitter), form.dataset.url);
  });
  document.addEventListener("click", (event) => {
    const button = /** @type {Element} */ (event.target).closest("button[data-try]");
    const form = button?.closest("form");
    if (!form?.dataset.test) return;
    void submit(form, /** @type {HTMLButtonElement} */ (button), form.dataset.test);
  });
  document.addEventListener("change", (event) => {
    const form = /** @type {Element} */ (event.target).closest("form");
    if (form) showParts(form);
  });
  for (const form of document.forms) showParts(form);
}
