// Small helpers: elements, requests to the studio, words for numbers.

/** An element with attributes (`on…` are listeners, `false` and null are left out) and children. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

export const $ = (id) => document.getElementById(id);

/** The JSON answer to a request below the session's address; throws the studio's sentence where there is one. */
export async function ask(path, body, headers = {}) {
  let answer;
  try {
    answer = await fetch(path, body === undefined ? {} : { method: "POST", body, headers });
  } catch {
    throw new Error("The studio does not answer; is it still running in its terminal?");
  }
  const data = await answer.json().catch(() => ({ error: answer.statusText }));
  if (!answer.ok) throw new Error(data.error);
  return data;
}

export const post = (path, data = {}) => ask(path, JSON.stringify(data), { "Content-Type": "application/json" });

/** `75` as `1 min 15 s`. */
export function duration(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Tells a screen reader; the page shows it elsewhere. */
export function speak(text) {
  $("spoken").textContent = text;
}

export const picturePath = (id) => `pictures/${id}`;
export const resultPath = (run, name) => `runs/${run.id}/results/${encodeURIComponent(name)}`;
