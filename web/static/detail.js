// One photo as large as there is room, and all that is known of it beside it.

import { Refusal, api, bytes, h, iconButton, moment, named, number, percent, sentence, t, toast, tried } from "./base.js";
import { copyButton } from "./frame.js";
import { correct, say } from "./selection.js";
import { bars, quoted } from "./shown.js";
import { suggest } from "./suggest.js";

/** Photos in the strip. */
const SIMILAR = 8;
/** Times that a photo is shown larger than it is. */
const LARGER = 3;

export class Detail {
  /** `href` gives a photo's address; `step` goes to the photo beside, `close` back to the album. */
  constructor(place, { href, step, close }) {
    Object.assign(this, { place, href });
    this.image = h("img", { alt: "" });
    this.image.addEventListener("error", () => this.image.removeAttribute("src"));
    this.about = h("div", { className: "about" });
    const buttons = [
      iconButton("cross", t("detail.close"), close, { className: "close" }),
      iconButton("left", t("detail.previous"), () => step(-1), { className: "previous" }),
      iconButton("right", t("detail.next"), () => step(1), { className: "next" }),
    ];
    this.photo = h("div", { className: "photo" }, this.image, buttons);
    place.append(this.photo, this.about);
    this.swipe(step);
  }

  get isOpen() {
    return !this.place.hidden;
  }

  hide() {
    this.place.hidden = true;
    this.id = null;
    this.image.removeAttribute("src");
  }

  /** Show an image; `known` is what the album has of it already, so that something is there at once. */
  async open(id, known) {
    this.id = id;
    this.place.hidden = false;
    this.about.scrollTop = 0;
    if (known) this.measure(known);
    this.image.src = known?.thumb ?? "";
    if (!known) this.image.removeAttribute("src");
    this.about.replaceChildren();
    this.place.focus({ preventScroll: true });
    await this.load();
  }

  async load() {
    const id = this.id;
    let found;
    try {
      found = await api(`/api/images/${id}`);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (id === this.id) this.about.replaceChildren(h("p", { role: "alert" }, error.message));
      return;
    }
    if (id !== this.id) return;
    this.show(found);
    this.similar(id);
  }

  show(found) {
    this.found = found;
    const name = found.path.split("/").at(-1);
    const label = named(found.results[0]?.label, found.results[0]?.label_zh);
    document.title = `${label ?? name} · tagtray`;
    this.image.alt = label ?? name;
    if (found.width) this.measure(found);
    this.enlarge(found);
    this.strip = h("section", { hidden: true }, h("h2", {}, t("detail.similar")), h("div", { className: "strip" }));
    this.about.replaceChildren(
      h("h2", { className: "unseen" }, label ?? name),
      ...(found.status === "failed" ? [h("p", { className: "wrong" }, sentence(found.error_code, found.error_message))] : []),
      ...(found.results.length ? [this.labels(found), this.tags(found)] : []),
      this.facts(found),
      this.strip,
    );
  }

  /** A photo is as large as there is room, and a small one not larger than can be looked at. */
  measure({ width, height }) {
    this.photo.style.setProperty("--shape", `${width} / ${height}`);
    this.image.style.maxWidth = `${LARGER * width}px`;
    this.image.style.maxHeight = `${LARGER * height}px`;
  }

  enlarge({ preview, id }) {
    if (!preview) return;
    const large = new Image();
    large.onload = () => id === this.id && (this.image.src = preview);
    large.src = preview;
  }

  labels({ results }) {
    const shown = bars();
    shown.fill(results);
    return h("section", {}, h("h2", {}, t("detail.labels")), shown.list);
  }

  tags(found) {
    const chips = found.tags.map((tag) => h("li", { className: "chip" }, ...this.chip(found, tag)));
    const input = h("input", { maxLength: 200, required: true, placeholder: t("detail.this_is"), autocomplete: "off" });
    input.setAttribute("aria-label", t("detail.this_is"));
    const form = h("form", { className: "this-is" }, h("label", {}, input), h("button", {}, t("detail.add")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      tried(() => say([found], input.value.trim(), true, { after: () => this.load() }));
    });
    const list = h("ul", { className: "chips" }, chips);
    const section = h("section", { className: "tags" }, h("h2", {}, t("detail.tags")), list, form);
    suggest(input, { tagsOnly: true });
    return section;
  }

  chip(found, { category, category_zh, score, origin = "model" }) {
    const name = named(category, category_zh);
    const link = h("a", { href: `/gallery?q=${encodeURIComponent(quoted(name))}` }, name);
    const from = h("small", { title: origin === "model" ? percent(score) : "" }, t(`origin.${origin}`));
    const reject = () => tried(() => correct([found], { shows_not: [category] }, { name, after: () => this.load() }));
    return [link, " ", from, iconButton("cross", t("detail.reject", { name }), reject)];
  }

  facts(found) {
    const rows = [
      ["detail.taken", found.taken_at && moment(found.taken_at)],
      ["detail.taken_from", found.taken_from && t(`taken.${found.taken_from}`)],
      ["detail.camera", found.camera],
      ["detail.size", found.width && `${number(found.width)} × ${number(found.height)} · ${found.format} · ${bytes(found.size_bytes)}`],
      ["detail.state", found.status !== "done" && t(`state.${found.status}`)],
      ["detail.path", h("span", { className: "with-copy" }, h("span", {}, found.file), copyButton(found.file))],
      ["detail.model", found.engine && `${found.model} · ${found.engine} ${found.precision}`],
    ];
    const shown = rows.filter(([, value]) => value).map(([key, value]) => h("div", {}, h("dt", {}, t(key)), h("dd", {}, value)));
    return h("dl", { className: "facts" }, shown);
  }

  async similar(id) {
    const { items } = await api(`/api/images/${id}/similar?limit=${SIMILAR}`).catch(() => ({ items: [] }));
    if (id !== this.id || !items.length) return;
    const tiles = items.map((photo) => {
      const image = h("img", { alt: photo.path, src: photo.thumb, loading: "lazy" });
      const link = h("a", { href: this.href(photo.id), title: percent(photo.cosine) }, image);
      link.dataset.photo = photo.id;
      return link;
    });
    this.strip.lastElementChild.replaceChildren(...tiles);
    this.strip.hidden = false;
  }

  swipe(step) {
    let start = null;
    this.photo.addEventListener("touchstart", ({ touches }) => (start = touches.length === 1 ? touches[0] : null), { passive: true });
    this.photo.addEventListener("touchend", ({ changedTouches: [end] }) => {
      if (!start) return;
      const [x, y] = [end.clientX - start.clientX, end.clientY - start.clientY];
      if (Math.abs(x) > 48 && Math.abs(x) > 2 * Math.abs(y)) step(x < 0 ? 1 : -1);
    });
  }
}
