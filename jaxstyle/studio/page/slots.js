// Slots: the pictures that a tool reads. Each takes files that are dropped or chosen, and pictures of the session.

import { $, ask, h, picturePath, speak } from "./dom.js";

export class Slots {
  /** `changed()` is called when other pictures are chosen, `brought()` after files have come; each has `most` bytes at most. */
  constructor(changed, brought, most) {
    this.changed = changed;
    this.brought = brought;
    this.most = most;
    this.chosen = { contents: ["landscape"], styles: ["brushwork"] };
    this.pictures = [];
    this.kinds = [];
  }

  /** The chosen pictures of the tool at hand. */
  order() {
    return Object.fromEntries(this.kinds.map((kind) => [kind.name, this.chosen[kind.name] ?? []]));
  }

  show(kinds) {
    this.kinds = kinds;
    const needed = kinds.filter((kind) => kind.needed).map((kind) => this.slot(kind));
    const other = kinds.filter((kind) => !kind.needed).map((kind) => this.slot(kind));
    const folded = h("details", { class: "optional" }, h("summary", {}, "Masks and other pictures"), ...other);
    $("slots").replaceChildren(...needed, ...(other.length ? [folded] : []));
    $("slots").hidden = !kinds.length;
    $("slots").classList.toggle("single", needed.length === 1);
  }

  /** Takes up the session's pictures. */
  update(pictures) {
    this.pictures = pictures;
    const open = $("slots").querySelector("details")?.open;
    this.show(this.kinds);
    if (open) $("slots").querySelector("details").open = true;
  }

  choose(kind, id) {
    const before = this.chosen[kind.name] ?? [];
    const without = before.filter((other) => other !== id);
    const again = without.length < before.length;
    if (kind.several) this.chosen[kind.name] = again && (without.length || !kind.needed) ? without : [...without, id];
    else this.chosen[kind.name] = again && !kind.needed ? [] : [id];
    this.show(this.kinds);
    this.changed();
  }

  slot(kind) {
    const label = kind.label[0].toUpperCase() + kind.label.slice(1);
    const chosen = this.pictures.filter((one) => this.chosen[kind.name]?.includes(one.id));
    const file = h("input", {
      type: "file", accept: "image/*", class: "unseen", multiple: kind.several, "aria-label": `Files for ${label}`,
      onchange: () => this.upload(kind, file.files),
    });
    const views = chosen.map((one) => h("img", { src: picturePath(one.id), alt: one.name }));
    const names = chosen.map((one) => one.name).join(", ") || "none";
    const drop = h("label", { class: "drop" }, file, ...views, h("span", {}, "Drop or choose a file"));
    for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
    for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      this.upload(kind, event.dataTransfer.files);
    });
    const shelf = this.pictures.map((one) => h("button", {
      type: "button", "aria-pressed": String(chosen.includes(one)), title: one.name, onclick: () => this.choose(kind, one.id),
    }, h("img", { src: picturePath(one.id), alt: `${label}: ${one.name}`, loading: "lazy" })));
    return h("div", { class: "slot", "data-slot": kind.name },
      h("h2", {}, label, h("small", {}, names)), drop, h("div", { class: "shelf", role: "group", "aria-label": label }, ...shelf));
  }

  /** Sends files to the studio and chooses them. */
  async upload(kind, files) {
    let came = 0;
    for (const file of kind.several ? files : [...files].slice(0, 1)) {
      $("wrong").textContent = "";
      speak(`Reading ${file.name}`);
      try {
        if (file.size > this.most) throw new Error(`${file.name} is too large: at most ${this.most / 2 ** 20} MiB are taken`);
        const picture = await ask("pictures", file, { "X-Name": encodeURIComponent(file.name) });
        if (!this.pictures.some((one) => one.id === picture.id)) this.pictures = [...this.pictures, picture];
        if (kind.several && this.chosen[kind.name]?.every((id) => this.pictures.find((one) => one.id === id)?.example))
          this.chosen[kind.name] = [];
        this.choose(kind, picture.id);
        speak(`${picture.name} is chosen`);
        came += 1;
      } catch (error) {
        $("wrong").textContent = error.message;
      }
    }
    if (came) this.brought();
  }
}
