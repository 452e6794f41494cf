/**
 * Says something at the edge of the page, for people who see and for those who listen.
 * @param {string} text
 * @param {"good" | "bad" | "kept"} kind a kept one stays until it is closed
 */
export function notice(text, kind = "good") {
  const line = document.createElement("p");
  line.className = `notice ${kind}`;
  line.textContent = (kind === "bad" ? "Failed: " : "") + text;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "quiet";
  close.textContent = "Close";
  close.addEventListener("click", () => line.remove());
  line.append(" ", close);
  const host = document.getElementById("notices");
  host?.append(line);
  if (kind === "kept") return;
  setTimeout(() => line.remove(), kind === "bad" ? 20000 : 8000);
}
