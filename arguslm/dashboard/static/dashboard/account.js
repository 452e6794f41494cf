// The form of a new account: its fields belong to the chosen provider and come from the server.

import { read } from "./api.js";
import { notice } from "./notices.js";

const choice = /** @type {HTMLSelectElement | null} */ (document.getElementById("type"));
const place = document.getElementById("account-form");

async function showFields() {
  if (!choice || !place) return;
  const asked = choice.value;
  try {
    const response = await read(`?type=${encodeURIComponent(asked)}`);
    if (!response || choice.value !== asked) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const form = page.querySelector("#account-form > form");
    place.replaceChildren(...(form ? [document.importNode(form, true)] : []));
  } catch (error) {
    notice(/** @type {Error} */ (error).message, "bad");
  }
}

choice?.addEventListener("change", showFields);
