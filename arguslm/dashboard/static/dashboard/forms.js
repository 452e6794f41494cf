// A form with `data-url` is sent to the API as JSON.

import { tell } from "./actions.js";
import { ApiError, call } from "./api.js";
import * as faults from "./faults.js";
import { fieldsOf, showParts, valuesOf } from "./fields.js";
import { refresh } from "./live.js";

/** @param {HTMLFormElement} form @param {HTMLButtonElement | null} button @param {string} url */
async function submit(form, button, url) {
  const isTest = url !== form.dataset.url;
  faults.clearFaults(form);
  if (!hasChoices(form)) return;
  const label = button?.textContent;
  if (button) button.disabled = true;
  if (button?.dataset.busy) button.textContent = `${button.dataset.busy} …`;
  try {
    // A test is a POST even where the form itself changes something.
    const answer = await call((!isTest && form.dataset.method) || "POST", url, valuesOf(form));
    if (form.dataset.next && !isTest) return location.assign(form.dataset.next.replace("{id}", answer.id));
    tell(answer, isTest ? undefined : form.dataset.done);
    if (!isTest) settle(form);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    faults.showFaults(form, error);
  } finally {
    if (button) button.disabled = false;
    if (button && label) button.textContent = label;
  }
}

/** What the browser cannot check: lists of models, and boxes of which one must be ticked. @param {HTMLFormElement} form */
function hasChoices(form) {
  const groups = /** @type {HTMLElement[]} */ ([...form.querySelectorAll("[data-picker][data-required], [data-one]")]);
  const empty = groups.filter((one) => !one.closest("[hidden]") && !one.querySelector(".chosen li, :checked"));
  for (const one of empty) faults.mark(one, one.dataset.picker ? "Choose a model." : "Choose at least one.");
  return !empty.length;
}

/** What was made leaves an empty form behind; what was changed stays in it, secrets apart. */
function settle(/** @type {HTMLFormElement} */ form) {
  if (form.dataset.method === "POST") form.reset();
  for (const field of fieldsOf(form)) if (field.type === "password") field.value = "";
  form.dispatchEvent(new Event("change", { bubbles: true }));
  void refresh();
}

export function listen() {
  faults.listen();
  document.addEventListener("submit", (event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (!form.dataset.url) return;
    event.preventDefault();
    void submit(form, /** @type {any} */ (event.submitter), form.dataset.url);
  });
  document.addEventListener("click", (event) => {
    const button = /** @type {Element} */ (event.target).closest("button[data-try]");
    const form = button?.closest("form");
    if (!form?.dataset.test || !form.reportValidity()) return;
    void submit(form, /** @type {HTMLButtonElement} */ (button), form.dataset.test);
  });
  document.addEventListener("change", (event) => {
    const form = /** @type {Element} */ (event.target).closest("form");
    if (form) showParts(form);
  });
  for (const form of document.forms) showParts(form);
}
