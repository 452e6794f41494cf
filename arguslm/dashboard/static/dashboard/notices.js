/**
 * Says something at the edge of the page, for people who see and for those who listen.
 * @param {string} text
 * @param {"good" | "bad" | "news" | "kept"} kind a kept one stays until it is closed
 * @param {string} [link] the page that says more
 * @param {string} [secret] to be copied, shown after the text
 */
export function notice(text, kind = "good", link = undefined, secret = undefined) {
  const line = document.createElement("p");
  line.className = `notice ${kind}`;
  const words = document.createElement(link ? "a" : "span");
  words.textContent = (kind === "bad" ? "Failed: " : "") + text;
  if (link) words.setAttribute("href", link);
  if (secret) words.append(" ", shown(secret));
  const close = document.createElement("button");
  close.type = "button";
  close.className = "quiet";
  close.textContent = "Close";
  close.addEventListener("click", () => line.remove());
  line.append(words, close);
  document.getElementById("notices")?.append(line);
  if (kind === "kept") return;
  setTimeout(() => line.remove(), kind === "good" ? 8000 : 20000);
}

/** @param {string} secret */
function shown(secret) {
  const code = document.createElement("code");
  code.textContent = secret;
  // Selected with one click, ready to be copied: the clipboard needs a secure page.
  code.tabIndex = 0;
  code.addEventListener("click", () => getSelection()?.selectAllChildren(code));
  code.addEventListener("focus", () => getSelection()?.selectAllChildren(code));
  return code;
}
