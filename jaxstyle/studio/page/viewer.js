// The viewer: a picture beside what it was made from, with a divider to drag, and a zoom to its pixels.

import { $, h } from "./dom.js";

export class Viewer {
  constructor() {
    this.zoom = "fit";
    this.compares = true;
    this.shown = ""; // address of the picture that is shown, or on its way
    for (const button of document.querySelectorAll("[data-zoom]"))
      button.addEventListener("click", () => this.setZoom(button.dataset.zoom));
    $("compare").addEventListener("click", () => {
      this.compares = !this.compares;
      this.arrange();
    });
  }

  /** Shows a picture, and `before` under the divider; both are addresses, `before` may be null. */
  async show(after, before, name) {
    if (after === this.shown) return;
    this.shown = after;
    const picture = h("img", { src: after, alt: name });
    try {
      await picture.decode(); // so that nothing flickers
    } catch {
      return;
    }
    if (this.shown !== after) return;
    if (this.canvas && this.before === before) {
      this.picture.replaceWith(picture);
      this.picture = picture;
    } else this.build(picture, before);
    $("tools").hidden = false;
    this.arrange();
  }

  build(picture, before) {
    this.before = before;
    this.picture = picture;
    const cut = h("input", {
      type: "range", class: "cut", min: 0, max: 100, step: 0.5, value: 50,
      "aria-label": "Divider: what it was made from on the left, the result on the right",
      oninput: () => this.canvas.style.setProperty("--cut", `${cut.value}%`),
    });
    const compared = before ? [h("img", { src: before, alt: "What it was made from", class: "before" }), cut,
      h("span", { class: "handle", "aria-hidden": "true" })] : [];
    this.canvas = h("div", { class: "canvas" }, picture, ...compared);
    $("pane").replaceChildren(this.canvas);
  }

  empty(text) {
    this.canvas = null;
    this.shown = "";
    $("tools").hidden = true;
    $("pane").replaceChildren(h("p", { class: "empty" }, text));
  }

  setZoom(zoom) {
    this.zoom = zoom;
    this.arrange();
    const pane = $("pane");
    pane.scrollTo((pane.scrollWidth - pane.clientWidth) / 2, (pane.scrollHeight - pane.clientHeight) / 2);
  }

  arrange() {
    for (const button of document.querySelectorAll("[data-zoom]"))
      button.setAttribute("aria-pressed", String(button.dataset.zoom === this.zoom));
    $("compare").hidden = !this.before;
    $("compare").setAttribute("aria-pressed", String(this.compares));
    if (!this.canvas) return;
    const { naturalWidth: width, naturalHeight: height } = this.picture;
    this.canvas.classList.toggle("compared", Boolean(this.before) && this.compares);
    this.canvas.classList.toggle("fitted", this.zoom === "fit");
    this.canvas.classList.toggle("enlarged", Number(this.zoom) > 1);
    this.canvas.style.setProperty("--ratio", String(width / height));
    this.canvas.style.setProperty("--width", `${(width * Number(this.zoom)) / devicePixelRatio}px`);
  }
}
