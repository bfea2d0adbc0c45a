// Photos that are selected, the bar of what can be done with them, and taking it back.

import { api, h, icon, iconButton, t, toast, tried } from "./base.js";
import { suggest } from "./suggest.js";

/** Photos of one request at most. */
const MOST = 1000;

/** Say that photos show (or do not show) something, with a way back for ten seconds. */
export async function correct(photos, said, { name = (said.shows ?? said.shows_not)[0], after = () => {} } = {}) {
  const changed = [];
  for (const images of portions(photos)) changed.push(...(await api("/api/corrections", { images, ...said })).images);
  after();
  const text = t(said.shows ? "said.shows" : "said.shows_not", { n: photos.length, name });
  // Of what had been said before, undoing would take back something else.
  if (!changed.length) return toast(text);
  const undo = async () => {
    for (const images of portions(changed.map((id) => ({ id })))) await api("/api/corrections/undo", { images });
  };
  offer(text, undo, after);
}

/** Say it; a name that is not known yet becomes an own tag. */
export async function say(photos, name, shows, options = {}) {
  try {
    await correct(photos, shows ? { shows: [name] } : { shows_not: [name] }, options);
  } catch (error) {
    if (!shows || error.status !== 400) throw error;
    await begin(photos, name, options);
  }
}

async function begin(photos, name, { after = () => {} }) {
  let wnid;
  for (const images of portions(photos)) ({ wnid } = await api("/api/own-tags", { name, images }));
  after();
  const undo = () => api(`/api/own-tags/${encodeURIComponent(wnid)}`, null, { method: "DELETE" });
  offer(t("said.begun", { n: photos.length, name }), undo, after);
}

function* portions(photos) {
  for (let at = 0; at < photos.length; at += MOST) yield photos.slice(at, at + MOST).map((photo) => photo.id);
}

function offer(text, undo, after) {
  const back = async () => {
    await undo();
    after();
    toast(t("undone"));
  };
  toast(text, () => tried(back));
}

export class Selection {
  /** `grid` draws the tiles; `bar` is the element that rises. */
  constructor(grid, bar) {
    Object.assign(this, { grid, bar });
    this.photos = new Map();
    this.last = null;
    this.count = h("span", { className: "count", role: "status" });
    bar.append(this.count, ...this.buttons());
  }

  buttons() {
    return [
      h("button", { type: "button", onclick: () => this.ask(true) }, icon("check"), t("selection.is")),
      h("button", { type: "button", onclick: () => this.ask(false) }, icon("cross"), t("selection.is_not")),
      h("button", { type: "button", onclick: () => this.download() }, icon("list"), t("selection.list")),
      h("button", { type: "button", onclick: () => tried(() => this.retry()) }, icon("retry"), t("selection.retry")),
      iconButton("cross", t("selection.clear"), () => this.clear(), { className: "quiet" }),
    ];
  }

  has = (id) => this.photos.has(id);

  mark(tile, photo) {
    tile.classList.toggle("selected", this.has(photo.id));
    tile.lastElementChild.setAttribute("aria-pressed", String(this.has(photo.id)));
  }

  toggle(photo) {
    if (this.has(photo.id)) this.photos.delete(photo.id);
    else this.photos.set(photo.id, photo);
    this.last = photo.id;
    this.show();
  }

  /** Select all from the one that was touched last to this one. */
  extend(photo) {
    const all = this.grid.timeline.sections.flatMap((section) => section.photos);
    const [a, b] = [all.findIndex(({ id }) => id === (this.last ?? photo.id)), all.indexOf(photo)].sort((a, b) => a - b);
    for (const one of all.slice(Math.max(0, a), b + 1)) this.photos.set(one.id, one);
    this.last = photo.id;
    this.show();
  }

  clear() {
    this.photos.clear();
    this.show();
  }

  show() {
    for (const tile of this.grid.place.querySelectorAll(".tile")) this.mark(tile, { id: Number(tile.dataset.id) });
    this.count.textContent = t("selection.count", this.photos.size);
    this.bar.hidden = !this.photos.size;
    this.form?.remove();
    document.body.classList.toggle("selecting", this.photos.size > 0);
    document.body.classList.toggle("raised", this.photos.size > 0);
  }

  ask(shows) {
    this.form?.remove();
    const input = h("input", { required: true, maxLength: 200, placeholder: t("selection.name"), autocomplete: "off" });
    input.setAttribute("aria-label", t(shows ? "selection.is" : "selection.is_not"));
    const label = h("label", {}, input);
    this.form = h("form", {}, label, h("button", { className: "primary" }, t(shows ? "selection.say" : "selection.say_not")));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      tried(() => say([...this.photos.values()], input.value.trim(), shows, { after: () => this.clear() }));
    });
    this.bar.append(this.form);
    suggest(input, { tagsOnly: true });
    input.focus();
  }

  /** Have the files read again, whether they failed or not. */
  async retry() {
    let images = 0;
    for (const ids of portions([...this.photos.values()])) images += (await api("/api/retry", { ids, force: true })).images;
    this.clear();
    toast(t("retry.done", images));
  }

  download() {
    const lines = [...this.photos.values()].map((photo) => `${photo.root}/${photo.path}\n`);
    const address = URL.createObjectURL(new Blob(lines, { type: "text/plain" }));
    h("a", { href: address, download: "photos.txt" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }
}
