// A button with `data-method` and `data-url` asks the API for what it says.

import { ApiError, call } from "./api.js";
import { ask } from "./dialogs.js";
import { refresh } from "./live.js";
import { notice } from "./notices.js";

/** @param {HTMLElement} button */
async function act(button) {
  const { method, url, body, confirm: question, verb = "Go on", next, done } = button.dataset;
  if (!method || !url || button.getAttribute("aria-busy") === "true") return;
  const isDanger = button.classList.contains("danger");
  if (question && !(await ask(question, verb, isDanger))) return;
  await busy(button, async () => {
    const answer = await call(method, url, body ? JSON.parse(body) : undefined);
    if (next) return location.assign(next.replace("{id}", answer?.id));
    tell(answer, done);
  });
  await refresh();
}

/**
 * Marks the button as busy while `work` goes on, and says what the API refused.
 * @param {HTMLElement} button
 * @param {() => Promise<void>} work
 */
export async function busy(button, work) {
  const label = button.textContent;
  const word = button.dataset.busy;
  button.setAttribute("aria-busy", "true");
  if (word) button.textContent = `${word} …`;
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    notice(error.message, "bad");
  } finally {
    if (word) button.textContent = label;
    button.removeAttribute("aria-busy");
  }
}

/**
 * @param {any} answer
 * @param {string} [done]
 */
export function tell(answer, done) {
  if (answer?.signing_secret) notice(`${done} Its signing secret, shown this once:`, "kept", undefined, answer.signing_secret);
  else if (answer?.ok === true) notice(`The receiver took the test in ${Math.round(answer.duration_ms)} ms.`);
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
