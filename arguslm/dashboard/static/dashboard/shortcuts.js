// Keys that lead to the pages and to the search box. Their list is opened by "?".

/** @type {Record<string, string>} */
const PAGES = { o: "/overview", b: "/benchmarks", a: "/alerts", p: "/providers" };
const WITHIN_MS = 1500;
const SEARCH = "[data-filter], [data-search-box], [data-search]";

let goSince = 0;

function showList() {
  const dialog = document.getElementById("shortcuts");
  if (dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
}

/** @param {KeyboardEvent} event */
function isTyping({ target }) {
  return target instanceof Element && target.closest("input, select, textarea, dialog") !== null;
}

/** @param {KeyboardEvent} event */
function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
  const isGoing = event.timeStamp - goSince < WITHIN_MS;
  goSince = event.key === "g" ? event.timeStamp : 0;
  if (isGoing && PAGES[event.key]) return location.assign(PAGES[event.key]);
  if (event.key === "?") return showList();
  if (event.key !== "/") return;
  const boxes = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(SEARCH)]);
  const box = boxes.find((one) => one.offsetParent !== null);
  if (!box) return;
  event.preventDefault();
  box.focus();
}

export function listen() {
  document.addEventListener("keydown", press);
  document.getElementById("show-shortcuts")?.addEventListener("click", showList);
}
