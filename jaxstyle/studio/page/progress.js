// How far a run is: status, bar, time left, and its losses as curves.

import { $, duration, h, post, speak } from "./dom.js";

const WORDS = {
  queued: "Waiting for its turn", running: "Painting", stopping: "Stopping", stopped: "Stopped",
  finished: "Done", failed: "That did not work",
};
const WIDTH = 320, HEIGHT = 120;
const DECADES = 4; // shown at most, as the distance to the photo begins at nothing
const SVG = "http://www.w3.org/2000/svg";

export class Progress {
  constructor() {
    this.act("stop", "stop");
    this.act("go-on", "resume");
  }

  act(id, action) {
    $(id).addEventListener("click", () => post(`runs/${this.run.id}/${action}`).catch((error) => speak(error.message)));
  }

  show(run) {
    const { progress } = run;
    if (this.run?.id === run.id && this.status !== run.status) speak(`${run.title}: ${WORDS[run.status]}`);
    this.run = run;
    this.status = run.status;
    $("progress").hidden = false;
    $("status").textContent = run.status === "running" && progress.share === undefined ? "Preparing" : WORDS[run.status];
    $("left").textContent = run.status === "running" && progress.left != null ? `${duration(progress.left)} left` : "";
    $("bar").value = run.status === "finished" ? 1 : progress.share ?? 0;
    $("detail").textContent = run.message ||
      (progress.scale ? `${progress.scale.join(" × ")} px, step ${progress.step} of ${progress.steps}` : "");
    $("detail").classList.toggle("wrong", run.status === "failed");
    $("stop").hidden = !["queued", "running"].includes(run.status);
    $("go-on").hidden = run.status !== "stopped";
    this.draw(run.curve);
  }

  /** Draws the terms over the steps: on a logarithmic scale where all are positive. */
  draw(rows) {
    const curve = rows.map(families);
    if (curve.length < 2) return $("curves").replaceChildren();
    const names = Object.keys(curve.at(-1)).filter((name) => name !== "step");
    const log = curve.every((row) => names.every((name) => row[name] > 0));
    const value = (row, name) => (log ? Math.log(row[name]) : row[name]);
    const all = curve.flatMap((row) => names.map((name) => value(row, name)));
    const high = Math.max(...all), last = curve.at(-1);
    const low = log ? Math.max(Math.min(...all), high - DECADES * Math.LN10) : Math.min(...all);
    const span = high - low || 1;
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `Losses at step ${last.step}: ${names.map((n) => `${n} ${short(last[n])}`).join(", ")}`);
    names.forEach((name, i) => {
      const line = document.createElementNS(SVG, "polyline");
      const points = curve.map((row) => [
        (WIDTH * row.step) / (this.run.progress.steps || last.step), 4 + (HEIGHT - 8) * Math.min(1, 1 - (value(row, name) - low) / span),
      ]);
      line.setAttribute("points", points.map((point) => point.map((x) => x.toFixed(1)).join(",")).join(" "));
      line.setAttribute("class", `c${i % 6}`);
      svg.append(line);
    });
    const legend = names.map((name, i) => h("li", {}, h("i", { class: `c${i % 6}` }), name, h("b", {}, short(last[name]))));
    $("curves").replaceChildren(svg, h("ul", { class: "legend" }, ...legend));
  }
}

/** A row with the terms of one kind, `style/relu1_1` and so on, added up; a loss that is minus their sum is left out. */
function families({ step, loss, gradient, update, ...terms }) {
  const sums = loss < 0 ? { step } : { step, loss };
  for (const [name, value] of Object.entries(terms)) {
    const family = name.split("/")[0].replaceAll("_", " ");
    sums[family] = (sums[family] ?? 0) + value;
  }
  return sums;
}

const short = (value) => Number(value.toPrecision(3)).toString();
