// Chooses models by searching the API: `<fieldset data-picker="field name">`.

import { ApiError, call } from "./api.js";

const OFFERED = 12;
const PAUSE_MS = 200;

/** @typedef {{id: string, label: string}} Choice */

class Picker {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.many = "many" in root.dataset;
    /** @type {Choice[]} */
    this.chosen = [];
    /** @type {Choice[]} */
    this.offered = [];
    this.box = /** @type {HTMLInputElement} */ (root.querySelector("[data-search]"));
    this.chosenList = /** @type {HTMLElement} */ (root.querySelector(".chosen"));
    this.offeredList = /** @type {HTMLElement} */ (root.querySelector(".offered"));
    this.field = document.createElement("input");
    this.field.type = "hidden";
    this.field.name = root.dataset.picker ?? "";
    if (this.many) this.field.dataset.kind = "ids";
    root.append(this.field);
    this.takeGiven();
    this.listen();
    void this.search();
  }

  /** What the server has put into the list is chosen already. */
  takeGiven() {
    for (const item of /** @type {NodeListOf<HTMLElement>} */ (this.chosenList.querySelectorAll("[data-id]"))) {
      this.chosen.push({ id: item.dataset.id ?? "", label: item.textContent ?? "" });
    }
    this.show();
  }

  listen() {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    this.box.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.search(), PAUSE_MS);
    });
    this.box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      const first = this.open()[0];
      if (first) this.choose(first);
    });
    this.root.closest("form")?.addEventListener("reset", () => {
      this.chosen = [];
      this.show();
    });
  }

  async search() {
    const asked = this.box.value.trim();
    const query = new URLSearchParams(this.root.dataset.query);
    query.set("limit", String(OFFERED + this.chosen.length));
    if (asked) query.set("search", asked);
    try {
      const { items } = await call("GET", `/api/v1/models?${query}`);
      if (this.box.value.trim() !== asked) return;
      this.offered = items.map((/** @type {any} */ llm) => ({
        id: llm.id,
        label: `${llm.custom_name || llm.model_id} · ${llm.provider_name}`,
      }));
      this.show();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.offeredList.textContent = error.message;
    }
  }

  open() {
    return this.offered.filter((one) => !this.chosen.some((other) => other.id === one.id));
  }

  /** @param {Choice} choice */
  choose(choice) {
    this.chosen = this.many ? [...this.chosen, choice] : [choice];
    this.box.value = "";
    this.box.focus();
    void this.search();
    this.show();
  }

  /** @param {Choice} choice */
  drop(choice) {
    this.chosen = this.chosen.filter((one) => one !== choice);
    this.show();
  }

  show() {
    this.field.value = this.chosen.map((one) => one.id).join(" ");
    this.chosenList.replaceChildren(
      ...this.chosen.map((one) => item(one.label, "Remove", () => this.drop(one))),
    );
    const open = this.open().slice(0, OFFERED);
    this.offeredList.replaceChildren(
      ...open.map((one) => item(one.label, "Choose", () => this.choose(one))),
    );
    if (!open.length) this.offeredList.textContent = this.box.value ? "No model matches." : "";
    this.root.closest("form")?.dispatchEvent(new Event("chosen"));
  }
}

/** @param {string} label @param {string} verb @param {() => void} act */
function item(label, verb, act) {
  const line = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "chip";
  button.textContent = label;
  button.setAttribute("aria-label", `${verb} ${label}`);
  button.addEventListener("click", act);
  line.append(button);
  return line;
}

for (const root of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-picker]"))) {
  new Picker(root);
}
