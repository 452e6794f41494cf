// A button with `data-method` and `data-url` asks the API for what it says.

import { ApiError, call } from "./api.js";
import { refresh } from "./live.js";
import { notice } from "./notices.js";

/** @param {HTMLElement} button */
async function act(button) {
  const { method, url, body, confirm: question, next, done, busy } = button.dataset;
  if (!method || !url || button.getAttribute("aria-busy") === "true") return;
  if (question && !window.confirm(question)) return;
  const label = button.textContent;
  button.setAttribute("aria-busy", "true");
  if (busy) button.textContent = `${busy} …`;
  try {
    const answer = await call(method, url, body ? JSON.parse(body) : undefined);
    if (next) return location.assign(next.replace("{id}", answer?.id));
    tell(answer, done);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    notice(error.message, "bad");
  } finally {
    if (busy) button.textContent = label;
    button.removeAttribute("aria-busy");
  }
  await refresh();
}

/**
 * @param {any} answer
 * @param {string} [done]
 */
export function tell(answer, done) {
  if (answer?.signing_secret) notice(`${done} Its signing secret, shown this once: ${answer.signing_secret}`, "kept");
  else if (answer?.ok === true) notice("The receiver took the test.");
  else if (answer?.ok === false) notice(answer.error, "bad");
  else if (answer?.success === false) notice(answer.message, "bad");
  else if (done || answer?.message) notice(done || answer.message);
}

export function listen() {
  document.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    const button = target.closest("button[data-method]");
    if (button instanceof HTMLElement) void act(button);
  });
}
