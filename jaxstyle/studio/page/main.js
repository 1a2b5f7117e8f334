// The page: tabs, orders, the stream of what happens, and the session's history.

import { Dials } from "./dials.js";
import { $, ask, h, picturePath, post, resultPath, speak } from "./dom.js";
import { Progress } from "./progress.js";
import { Slots } from "./slots.js";
import { Viewer } from "./viewer.js";

const session = await ask("session");
const tools = new Map(session.tools.map((tool) => [tool.name, tool]));
const runs = new Map();
const slots = new Slots(() => describe(), () => startAtOnce(), session.max_bytes);
const dials = new Dials(() => describe());
const viewer = new Viewer();
const progress = new Progress();
const WORDS = {
  stylize: ["Paint it", "Choose a photo and a painting, then make a picture."],
  texture: ["Make a texture", "Choose a picture, then make a texture like it."],
  dream: ["Dream", "Choose a photo, then dream on it."],
  visualize: ["Look inside", "Choose a layer and channels, then look inside."],
};
let tool, selected, picked, waiting;

function order(name = tool.name) {
  return { tool: name, pictures: slots.order(), settings: name === tool.name ? dials.order() : shared(name) };
}

/** The dials that another tool has too, with their values here. */
function shared(name) {
  const known = new Set(tools.get(name).dials.map((dial) => dial.name));
  return Object.fromEntries(Object.entries(dials.order()).filter(([dial]) => known.has(dial)));
}

function showTool(name) {
  tool = tools.get(name);
  for (const tab of $("tabs").children) {
    tab.setAttribute("aria-selected", String(tab.dataset.tool === name));
    tab.tabIndex = tab.dataset.tool === name ? 0 : -1;
  }
  slots.show(tool.pictures);
  dials.show(tool, $("dials"), $("more").querySelector(".dials"));
  $("at-once").hidden = name !== "stylize";
  $("make").textContent = WORDS[name][0];
  describe();
  show();
}

/** Asks for the command and the Python call of the order as it stands; a mistake is told under the dials. */
function describe() {
  clearTimeout(waiting);
  waiting = setTimeout(async () => {
    try {
      const recipe = await post("recipe", order());
      const [command, python] = $("recipe").querySelectorAll("pre");
      command.textContent = recipe.command;
      python.textContent = recipe.python;
      $("wrong").textContent = "";
      $("make").disabled = false;
    } catch (error) {
      $("wrong").textContent = error.message;
      $("make").disabled = true;
    }
  }, 150);
}

async function start(name) {
  try {
    const run = await post("runs", order(name));
    take(run);
    select(run.id);
    speak(`${run.title} is queued`);
    $("stage").scrollIntoView({ block: "nearest" });
  } catch (error) {
    $("wrong").textContent = error.message;
  }
}

/** A photo or a painting that was brought is seen at once, unless another picture is being made. */
function startAtOnce() {
  const busy = [...runs.values()].some((run) => run.tool !== "apply" && ["queued", "running", "stopping"].includes(run.status));
  const { contents = [], styles = [] } = slots.order();
  if (tool.name === "stylize" && contents.length && styles.length && !busy) start("apply");
}

/** Takes up what the studio tells of a run. */
function take(run) {
  const curve = run.since ? runs.get(run.id)?.curve.slice(0, run.since) ?? [] : [];
  runs.set(run.id, { ...run, curve: [...curve, ...run.curve] });
}

function select(id) {
  if (id !== selected) picked = null;
  selected = id;
  show();
}

/** Draws the selected run and the history. */
function show() {
  drawHistory();
  const run = runs.get(selected);
  if (!run) {
    $("progress").hidden = true;
    $("results").hidden = true;
    return viewer.empty(WORDS[tool.name][1]);
  }
  progress.show(run);
  const over = run.results.length && !["queued", "running", "stopping"].includes(run.status);
  const name = over ? run.results.find((one) => one === picked) ?? run.results[0] : null;
  const before = run.photo && run.results.length < 2 ? picturePath(run.photo) : null;
  if (name) viewer.show(`${resultPath(run, name)}?of=${run.preview}`, before, `${run.title}: ${name}`);
  else if (run.preview) viewer.show(`runs/${run.id}/preview?of=${run.preview}`, before, `${run.title}, so far`);
  else if (before && !run.message) viewer.show(before, null, "The photo");
  else viewer.empty(run.message || "Preparing …");
  $("save").hidden = $("again").hidden = !name;
  if (name) {
    $("save").href = `${resultPath(run, name)}?save`;
    $("save").download = name;
    $("again").onclick = () => reuse(run, name);
  }
  drawResults(run, over ? name : null);
}

/** An atlas' pictures, to click. */
function drawResults(run, name) {
  const several = name && run.results.length > 1;
  $("results").hidden = !several;
  if (!several) return;
  $("results").replaceChildren(...run.results.map((one) => h("button", {
    type: "button", "aria-pressed": String(one === name), title: one, onclick: () => { picked = one; show(); },
  }, h("img", { src: resultPath(run, one), alt: one.replace(/\.png$/, ""), loading: "lazy" }))));
}

function drawHistory() {
  const focus = document.activeElement?.dataset?.run;
  $("no-history").hidden = runs.size > 0;
  $("history").replaceChildren(...[...runs.values()].reverse().map((run) => {
    const over = run.results.length && run.status !== "running";
    const view = over ? resultPath(run, run.results[0]) : run.preview ? `runs/${run.id}/preview?of=${run.preview}` : null;
    const note = run.status === "running" ? `${Math.floor(100 * (run.progress.share ?? 0))} %` : run.status;
    const text = h("span", {}, h("b", {}, run.title), h("small", {}, run.names.join(" × ") || Object.values(run.settings).join(", ")),
      h("small", { class: `note ${run.status}` }, note));
    const card = h("button", {
      type: "button", class: "card", "data-run": run.id, "aria-current": run.id === selected ? "true" : false,
      onclick: () => select(run.id),
    }, view ? h("img", { src: view, alt: "" }) : h("i", {}), text);
    const open = ["queued", "running", "stopping"].includes(run.status);
    const remove = h("button", {
      type: "button", class: "remove", "aria-label": `Remove ${run.title} ${run.id}`, onclick: () => discard(run),
    }, "×");
    return h("li", {}, card, ...(open ? [] : [remove]));
  }));
  if (focus) $("history").querySelector(`[data-run="${focus}"]`)?.focus();
}

async function discard(run) {
  await post(`runs/${run.id}/remove`).catch(() => {});
  runs.delete(run.id);
  if (selected === run.id) selected = [...runs.keys()].at(-1);
  show();
}

/** A result as the photo of the next picture. */
async function reuse(run, name) {
  const file = await (await fetch(resultPath(run, name))).blob();
  await slots.upload({ name: "contents", several: false, needed: true }, [new File([file], name)]);
}

/** Follows the session as long as the page is seen; a page that comes back is told everything again. */
let stream;
function follow() {
  stream?.close();
  if (document.hidden) return;
  let first = true;
  stream = new EventSource("events");
  stream.onopen = () => { first = true; };
  stream.onmessage = (event) => {
    const news = JSON.parse(event.data);
    if (news.pictures) slots.update(news.pictures);
    if (first) runs.clear();
    for (const id of runs.keys()) if (!news.ids.includes(id)) runs.delete(id);
    news.runs.forEach(take);
    if (first && !runs.has(selected))
      selected = ([...runs.values()].find((run) => run.status === "running") ?? [...runs.values()].at(-1))?.id;
    first = false;
    show();
  };
}

for (const one of session.tools.filter((each) => each.name !== "apply"))
  $("tabs").append(h("button", {
    type: "button", role: "tab", "data-tool": one.name, "aria-controls": "panel", onclick: () => showTool(one.name),
  }, one.title));
$("tabs").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const all = [...$("tabs").children];
  const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
  next.focus();
  showTool(next.dataset.tool);
});
$("make").addEventListener("click", () => start(tool.name));
$("at-once").addEventListener("click", () => start("apply"));
for (const [i, button] of [...$("recipe").querySelectorAll("button")].entries())
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText($("recipe").querySelectorAll("pre")[i].textContent);
    speak("Copied");
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = i ? "Copy the Python" : "Copy the command"; }, 1500);
  });
window.addEventListener("dragover", (event) => event.preventDefault());
window.addEventListener("drop", (event) => event.preventDefault());
document.addEventListener("visibilitychange", follow);
showTool("stylize");
follow();
