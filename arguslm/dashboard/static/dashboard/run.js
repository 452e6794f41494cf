// A benchmark while it runs and afterwards.

import { ApiError, read } from "./api.js";
import { refresh } from "./live.js";
import { ecdfPlot, stripPlot } from "./runplots.js";
import { follow } from "./stream.js";
import { span } from "./times.js";
import { showVerdicts } from "./verdicts.js";

const host = document.getElementById("plots");
const verdicts = document.getElementById("verdicts");
/** @type {import("./runplots.js").Sample[]} */
let samples = [];
let drawing = false;
let asking = false;
let drawnWidth = 0;

/** Thousands of dots are not drawn anew with every one that comes. */
function pauseMs() {
  const count = samples.reduce((sum, sample) => sum + sample.ttft.length, 0);
  return count > 1000 ? count / 4 : 0;
}

function draw() {
  if (drawing || !host) return;
  drawing = true;
  setTimeout(() => {
    drawing = false;
    if (!host.clientWidth || host.matches(":focus-within")) return;
    const width = host.clientWidth;
    drawnWidth = width;
    if (!samples.some((sample) => sample.ttft.length)) {
      host.textContent = "No request has been answered.";
      return;
    }
    host.replaceChildren(stripPlot(samples, width), ecdfPlot(samples, width));
  }, drawnWidth ? pauseMs() : 0);
}

/** The figures of the table are the server's: asked for again, but not with every result. */
function askFigures() {
  if (asking) return;
  asking = true;
  setTimeout(() => {
    asking = false;
    void refresh();
  }, 1000 + 4 * pauseMs());
}

/** @param {any} event */
function take(event) {
  if (event.type === "result") {
    const sample = samples.find((one) => one.id === event.model_id);
    const ttft = event.measurement.ttft_ms;
    if (event.error !== null && sample) sample.failed += 1;
    else if (ttft !== null) sample?.ttft.push(ttft);
    draw();
    askFigures();
  } else if (event.type === "progress") {
    showProgress(event);
  } else if (event.type === "complete" || event.type === "error") {
    ended();
  }
}

function ended() {
  progress = null;
  void refresh();
  if (verdicts) void showVerdicts(verdicts);
}

/** @typedef {{current_model: string | null, completed: number, total: number, eta_s: number | null}} Progress */

/** @type {Progress | null} */
let progress = null;

/** @param {Progress} newest */
function showProgress(newest) {
  progress = newest;
  const { completed, total, eta_s, current_model } = newest;
  const bar = document.getElementById("progress");
  const text = document.getElementById("progress-text");
  if (bar instanceof HTMLProgressElement) bar.value = completed;
  const left = eta_s === null ? "" : `, about ${span(eta_s)} left`;
  const last = current_model ? `; last answer from ${current_model}` : "";
  if (text) text.textContent = `${completed.toLocaleString("en-US")} of ${total.toLocaleString("en-US")}${left}${last}`;
}

async function start() {
  if (!host?.dataset.points || !host.dataset.stream) return;
  const response = await read(host.dataset.points);
  const found = response && (await response.json());
  samples = found.models;
  draw();
  new ResizeObserver(() => host.clientWidth !== drawnWidth && draw()).observe(host);
  if (found.is_open) follow(host.dataset.stream, found.seq, take, ended);
  else ended();
}

// The refreshed page knows how far the run is, but not how long it will take.
document.addEventListener("refreshed", () => progress && showProgress(progress));
start().catch((error) => {
  if (!(error instanceof ApiError)) throw error;
  if (host) host.textContent = error.message;
});
