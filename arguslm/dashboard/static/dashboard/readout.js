// Lets a plot be read point by point: with the pointer, or with the arrow keys once it has focus.

import { html, svg } from "./svg.js";

/** @typedef {{x: number, y: number, text: string}} Stop */

/**
 * @param {SVGElement} plot
 * @param {Stop[]} stops
 * @param {string} hint
 * @returns {HTMLElement} the line below the plot that says what is pointed at
 */
export function readout(plot, stops, hint) {
  const line = html("p", "readout", hint);
  const cursor = svg("circle", { class: "cursor", r: 4.5, visibility: "hidden" });
  const hair = svg("line", { class: "hair", y1: 0, y2: plot.getAttribute("height") ?? 0, visibility: "hidden" });
  plot.append(hair, cursor);
  let index = stops.length;
  const show = (/** @type {number} */ next) => {
    index = Math.max(0, Math.min(stops.length - 1, next));
    const stop = stops[index];
    if (!stop) return;
    cursor.setAttribute("cx", String(stop.x));
    cursor.setAttribute("cy", String(stop.y));
    hair.setAttribute("x1", String(stop.x));
    hair.setAttribute("x2", String(stop.x));
    for (const mark of [hair, cursor]) mark.setAttribute("visibility", "visible");
    line.classList.add("read");
    line.textContent = stop.text;
  };
  const hide = () => {
    for (const mark of [hair, cursor]) mark.setAttribute("visibility", "hidden");
    line.classList.remove("read");
    line.textContent = hint;
  };
  plot.setAttribute("tabindex", "0");
  plot.addEventListener("pointermove", (event) => show(nearest(plot, stops, event)));
  plot.addEventListener("pointerleave", hide);
  plot.addEventListener("focus", () => line.setAttribute("aria-live", "polite"));
  plot.addEventListener("blur", () => {
    line.removeAttribute("aria-live");
    hide();
  });
  plot.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    show(index + move);
  });
  return line;
}

/** @param {SVGElement} plot @param {Stop[]} stops @param {PointerEvent} event */
function nearest(plot, stops, event) {
  const box = plot.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  let best = 0;
  let least = Infinity;
  stops.forEach((stop, i) => {
    // Along the axis counts more: one reads a plot from left to right.
    const distance = (stop.x - x) ** 2 + ((stop.y - y) / 3) ** 2;
    if (distance < least) [best, least] = [i, distance];
  });
  return best;
}
