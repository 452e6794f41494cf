// The events of a benchmark over a WebSocket, taken up again where they broke off.

const FINAL = new Set([1000, 4400, 4401, 4403, 4404]);
const LONGEST_PAUSE_MS = 10000;

/**
 * @param {string} path
 * @param {number} after the last `seq` that is known already; 0: none
 * @param {(event: any) => void} tell
 * @param {() => void} ended called once when nothing can follow
 */
export function follow(path, after, tell, ended) {
  let seq = after;
  let pause = 500;
  const connect = () => {
    const url = new URL(path, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    if (seq > 0) url.searchParams.set("after", String(seq));
    const socket = new WebSocket(url);
    socket.addEventListener("message", ({ data }) => {
      const event = JSON.parse(data);
      if (typeof event.seq !== "number" || event.seq <= seq) return;
      seq = event.seq;
      pause = 500;
      tell(event);
    });
    socket.addEventListener("close", ({ code }) => {
      if (FINAL.has(code)) return ended();
      setTimeout(connect, pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    });
  };
  connect();
}
