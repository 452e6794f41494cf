// Rings when an alert opens or changes: the page is then brought up to date at once.

import { refresh } from "./live.js";
import { notice } from "./notices.js";

const FINAL = new Set([4401, 4403]);
const LONGEST_PAUSE_MS = 30000;
const FLAPPING_FROM = 3;

/** @type {Set<string> | null} */
let known = null;

/** @typedef {{id: string, state: string, message: string, reopened: number}} One */

/**
 * A relapse is news as well, as long as it does not flap.
 * @param {One} one
 */
const mark = (one) => `${one.id} ${Math.min(one.reopened, FLAPPING_FROM)}`;

/** @param {{items: One[]}} news */
function take({ items }) {
  const before = known;
  known = new Set([...(before ?? []), ...items.map(mark)]);
  if (!before) return;
  for (const one of items.filter((each) => each.state === "open" && !before.has(mark(each))).slice(0, 3)) {
    notice(one.message, "news", `/alerts/${one.id}`);
  }
  // A hidden page looks when it is shown again.
  if (!document.hidden) void refresh();
}

export function listen() {
  let pause = 1000;
  const connect = () => {
    const url = new URL("/api/v1/alerts/stream", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    socket.addEventListener("message", ({ data }) => {
      const news = JSON.parse(data);
      if (news.type !== "alerts") return;
      pause = 1000;
      take(news);
    });
    socket.addEventListener("close", ({ code }) => {
      if (FINAL.has(code)) return;
      setTimeout(connect, pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    });
  };
  connect();
}
