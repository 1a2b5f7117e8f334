// Dials: the settings of a tool, drawn from what the studio tells of them.

import { ask, h } from "./dom.js";

const layers = new Map(); // network -> its layers

export class Dials {
  /** `changed()` is called when a dial is turned. */
  constructor(changed) {
    this.changed = changed;
    this.values = {}; // tool -> dial -> what is not its default
  }

  /** Draws the dials of a tool: those that are shown, and the rest. */
  show(tool, shown, rest) {
    this.tool = tool;
    this.values[tool.name] ??= {};
    shown.replaceChildren(...tool.dials.filter((dial) => dial.shown).map((dial) => this.dial(dial)));
    rest.replaceChildren(...tool.dials.filter((dial) => !dial.shown).map((dial) => this.dial(dial)));
  }

  order() {
    return this.values[this.tool.name];
  }

  set(dial, value) {
    if (value === "" || String(value) === String(dial.value ?? "")) delete this.order()[dial.name];
    else this.order()[dial.name] = value;
    this.changed();
  }

  dial(dial) {
    const id = `dial-${dial.name}`;
    const value = this.order()[dial.name] ?? dial.value ?? "";
    const about = { id, name: dial.name, "aria-describedby": `${id}-help` };
    const help = h("small", { id: `${id}-help` }, dial.help);
    if (dial.kind === "check") {
      const box = h("input", { ...about, type: "checkbox", onchange: () => this.set(dial, box.checked) });
      box.checked = value === true;
      return h("div", { class: "dial check" }, h("label", { for: id }, box, dial.label), help);
    }
    const shown = h("output", { for: id }, dial.kind === "range" ? String(value) : "");
    const field = this[dial.kind](dial, about, value, shown);
    return h("div", { class: `dial ${dial.kind}` }, h("label", { for: id }, dial.label), shown, ...[field].flat(), help);
  }

  range(dial, about, value, shown) {
    const [min, max, step] = dial.range;
    const input = h("input", {
      ...about, type: "range", min, max, step, value,
      oninput: () => { shown.textContent = input.value; },
      onchange: () => this.set(dial, Number(input.value)),
    });
    return input;
  }

  number(dial, about, value) {
    const input = h("input", {
      ...about, type: "number", value, min: dial.least, max: dial.most, step: dial.whole ? 1 : "any",
      placeholder: "automatic", onchange: () => this.set(dial, input.value === "" ? "" : Number(input.value)),
    });
    return input;
  }

  choice(dial, about, value) {
    const select = h("select", { ...about, onchange: () => this.set(dial, select.value) },
      ...dial.choices.map((choice) => h("option", { value: choice }, choice)));
    select.value = value;
    return select;
  }

  text(dial, about, value) {
    const list = dial.layers ? h("datalist", { id: `${about.id}-layers` }) : null;
    const input = h("input", {
      ...about, type: "text", value, list: list?.id, autocomplete: "off", spellcheck: "false",
      placeholder: "automatic", onchange: () => this.set(dial, input.value.trim()),
    });
    if (list) this.layers().then((names) => list.append(...names.map((name) => h("option", { value: name }))), () => {});
    return list ? [input, list] : input;
  }

  /** The layers of the network that is chosen. */
  layers() {
    const network = this.order().features ?? "bundled";
    if (!layers.has(network)) layers.set(network, ask(`layers/${encodeURIComponent(network)}`));
    return layers.get(network);
  }
}
