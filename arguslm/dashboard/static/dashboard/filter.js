// Narrows a table while somebody types. Enter asks the server when it has more rows than shown.

function apply() {
  const box = /** @type {HTMLInputElement | null} */ (document.querySelector("[data-filter]"));
  const table = box && document.querySelector(box.dataset.filter ?? "");
  if (!box || !table) return;
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of /** @type {NodeListOf<HTMLElement>} */ (table.querySelectorAll("[data-text]"))) {
    const text = row.dataset.text?.toLowerCase() ?? "";
    row.hidden = !words.every((word) => text.includes(word));
    if (!row.hidden) shown += 1;
  }
  for (const body of table.querySelectorAll("tbody")) {
    body.hidden = body.querySelector("[data-text]:not([hidden])") === null;
  }
  const none = document.getElementById("no-match");
  if (none) none.hidden = shown > 0;
}

export function listen() {
  document.addEventListener("input", (event) => {
    if (/** @type {Element} */ (event.target).matches("[data-filter]")) apply();
  });
  document.addEventListener("submit", (event) => {
    const isFilter = /** @type {Element} */ (event.target).querySelector("[data-filter]");
    if (isFilter && !document.querySelector("[data-more]")) event.preventDefault();
  });
  document.addEventListener("refreshed", apply);
  apply();
}
