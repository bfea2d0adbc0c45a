// The rows of a timeline on the page: of any number of photos, those near the window are elements.

import { h, icon, monthName, moment, named, number, t } from "./base.js";
import { GAP, justify, places, target } from "./justify.js";

const HEADING = 36;
/** Pixels at the top of the window that the search covers. */
export const ABOVE = 56;
const BETWEEN = 12;
/** Windows above and below that are kept ready. */
const MARGIN = 1;
/** Pixels that a page may be high in any browser; what is not fetched yet is told smaller beyond them. */
const HIGHEST = 12_000_000;
/** Milliseconds without a fast move before thumbnails are asked for. */
const CALM = 90;

export class Grid {
  /** `href` gives a photo's address, `mark` is called with each new tile and its photo. */
  constructor(place, { href, mark }) {
    Object.assign(this, { place, href, mark });
    this.timeline = null;
    this.drawn = new Map(); // row -> element
    this.headed = new Map(); // section -> element
    this.lastTop = 0;
    this.focused = null; // id of the photo that Tab leads to
    this.onneed = () => {};
    addEventListener("scroll", () => this.soon(), { passive: true });
    new ResizeObserver(() => this.resize()).observe(place);
  }

  /** Show another timeline from its top. */
  show(timeline) {
    this.timeline = timeline;
    this.place.replaceChildren();
    this.drawn.clear();
    this.headed.clear();
    this.focused = null;
    this.layout(true);
  }

  get width() {
    return this.place.clientWidth;
  }

  resize() {
    if (!this.timeline || this.width === this.laidFor || !this.width) return;
    this.keeping(() => this.layout(true));
  }

  /** Photos were added: what is seen stays where it is. */
  grow() {
    this.keeping(() => this.layout(false));
  }

  keeping(work) {
    const seen = this.anchor();
    const before = seen && this.topOf(seen);
    work();
    const moved = seen ? this.topOf(seen) - before : 0;
    if (moved && scrollY > 0) scrollBy(0, moved);
    this.draw();
  }

  /** Where the window begins: the section, and the first of its photos that is seen, if it is there already. */
  anchor() {
    const top = scrollY - this.offset + ABOVE;
    const section = this.timeline?.sections.find((one) => one.rows && one.top + one.height > top);
    if (!section) return null;
    const row = section.rows[this.firstRow(section, top - section.top - this.head(section))];
    return { section, photo: row && section.photos[row.first], index: row?.first };
  }

  topOf({ section, photo, index }) {
    return section.top + (photo ? this.rowOf(section, index).top : 0);
  }

  rowOf(section, index) {
    let [low, high] = [0, section.rows.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (section.rows[middle].end <= index) low = middle + 1;
      else high = middle;
    }
    return section.rows[low];
  }

  head = (section) => (section.name || this.timeline.sections.length > 1 ? HEADING : 0);

  layout(anew) {
    const width = this.width;
    this.laidFor = width;
    if (anew) for (const element of this.drawn.values()) element.remove();
    if (anew) this.drawn.clear();
    const sections = this.timeline.sections;
    let missing = 0;
    for (const section of sections) {
      this.fill(section, width, anew);
      missing += section.remaining;
    }
    const perPhoto = ((target(width) + GAP) * target(width) * 1.4) / width;
    const scale = Math.min(1, HIGHEST / (missing * perPhoto || 1));
    let top = 0;
    for (const section of sections) {
      const last = section.rows.at(-1);
      const rest = Math.ceil(section.remaining * perPhoto * scale);
      section.top = top;
      section.height = this.head(section) + (last ? last.top + last.height : 0) + rest + BETWEEN;
      top += section.height;
    }
    this.place.style.height = `${top}px`;
    for (const [section, element] of this.headed) this.put(section, element);
  }

  /** Rows for a section's photos that have none yet; a row that was not full is made anew. */
  fill(section, width, anew) {
    if (anew || !section.rows) Object.assign(section, { rows: [], laid: 0 });
    if (section.laid === section.photos.length) return;
    const last = section.rows.at(-1);
    if (last && !last.isFull) {
      section.rows.pop();
      this.drawn.get(last)?.remove();
      this.drawn.delete(last);
    }
    justify(section.rows, section.photos, width, section.rows.at(-1)?.end ?? 0);
    section.laid = section.photos.length;
  }

  put(section, element) {
    element.style.top = `${section.top}px`; // a transform would move the heading away, which sticks by the layout
    element.style.height = `${section.height}px`;
    const heading = element.querySelector("small");
    if (heading) heading.textContent = number(Math.max(section.expected, section.photos.length));
  }

  soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  get offset() {
    return this.place.offsetTop;
  }

  draw() {
    if (!this.timeline) return;
    const high = innerHeight;
    const top = scrollY - this.offset;
    const isFast = Math.abs(top - this.lastTop) > 1.5 * high;
    this.lastTop = top;
    const [from, to] = [top - MARGIN * high, top + (1 + MARGIN) * high];
    const wanted = new Set();
    for (const section of this.timeline.sections) {
      if (section.top + section.height < from || section.top > to) {
        this.drop(section);
        continue;
      }
      this.drawSection(section, from, to, wanted);
    }
    for (const [row, element] of this.drawn) {
      if (wanted.has(row) || element.contains(document.activeElement)) continue;
      for (const image of element.querySelectorAll("img")) image.removeAttribute("src");
      element.remove();
      this.drawn.delete(row);
    }
    if (isFast) this.later();
    else this.load();
    this.onneed(top, top + high, MARGIN * high);
  }

  drop(section) {
    const element = this.headed.get(section);
    if (!element || element.contains(document.activeElement)) return;
    element.remove();
    this.headed.delete(section);
  }

  drawSection(section, from, to, wanted) {
    let element = this.headed.get(section);
    if (!element?.isConnected) {
      element = this.heading(section);
      this.headed.set(section, element);
      const after = [...this.headed].filter(([one]) => one.top > section.top).sort(([a], [b]) => a.top - b.top)[0];
      this.place.insertBefore(element, after?.[1] ?? null);
      this.put(section, element);
    }
    const start = section.top + this.head(section);
    for (let at = this.firstRow(section, from - start); at < section.rows.length; at++) {
      const row = section.rows[at];
      if (start + row.top > to) break;
      wanted.add(row);
      if (!this.drawn.get(row)?.isConnected) this.drawRow(section, element, row);
    }
  }

  firstRow(section, top) {
    let [low, high] = [0, section.rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (section.rows[middle].top + section.rows[middle].height < top) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  heading(section) {
    const name = section.name ? monthName(section.name) : t("gallery.undated");
    const heading = this.head(section) ? h("h2", {}, name, h("small")) : null;
    const element = h("section", { className: "month" }, heading);
    element.setAttribute("aria-label", heading ? name : t("gallery.found"));
    return element;
  }

  drawRow(section, parent, row) {
    const edges = places(row, section.photos, this.width);
    const element = h("div", { className: "row" });
    for (let index = row.first; index < row.end; index++) {
      const photo = section.photos[index];
      const tile = this.tile(photo);
      const { left, width } = edges[index - row.first];
      Object.assign(tile.style, {
        left: `${left}px`,
        top: `${this.head(section) + row.top}px`,
        width: `${width}px`,
        height: `${row.height}px`,
        backgroundColor: photo.color ?? "",
      });
      element.append(tile);
    }
    const next = section.rows[section.rows.indexOf(row) + 1];
    parent.insertBefore(element, this.drawn.get(next) ?? null);
    this.drawn.set(row, element);
  }

  tile(photo) {
    const label = named(photo.label, photo.label_zh) ?? photo.path;
    const image = h("img", { alt: photo.taken_at ? `${label}, ${moment(photo.taken_at)}` : label, decoding: "async" });
    image.dataset.src = photo.thumb;
    const link = h("a", { href: this.href(photo.id), tabIndex: photo.id === this.focused ? 0 : -1 }, image);
    link.append(h("span", { className: "caption", "aria-hidden": "true" }, label));
    const check = h("button", { type: "button", tabIndex: -1, "aria-label": t("selection.select", { name: label }) }, icon("check"));
    const tile = h("div", { className: "tile" }, link, check);
    tile.dataset.id = photo.id;
    this.mark(tile, photo);
    return tile;
  }

  later() {
    clearTimeout(this.calming);
    this.calming = setTimeout(() => {
      this.calming = null;
      this.load();
    }, CALM);
  }

  load() {
    if (this.calming) return;
    for (const image of this.place.querySelectorAll("img[data-src]")) {
      image.src = image.dataset.src;
      delete image.dataset.src;
    }
  }

  /** The element of a photo that is drawn. */
  element(id) {
    return this.place.querySelector(`[data-id="${id}"]`);
  }

  /** Have a photo in the window and, where wanted, focused. */
  reveal(id, { focus = true, first = false } = {}) {
    const { section, index } = this.timeline.byId.get(id);
    const row = this.rowOf(section, index);
    const top = this.offset + section.top + this.head(section) + row.top;
    const free = ABOVE + HEADING + GAP;
    const bottom = innerHeight - 64;
    if (first || top - free < scrollY) scrollTo(0, top - free);
    else if (top + row.height > scrollY + bottom) scrollTo(0, top + row.height - bottom);
    this.draw();
    if (focus) this.focus(id);
  }

  focus(id) {
    const old = this.element(this.focused)?.firstElementChild;
    if (old) old.tabIndex = -1;
    this.focused = id;
    const link = this.element(id)?.firstElementChild;
    if (!link) return;
    link.tabIndex = 0;
    link.focus({ preventScroll: true });
  }

  /** The photo above (-1) or below (1) one, by where its middle lies; null where there is no row. */
  across(id, step) {
    const { section, index } = this.timeline.byId.get(id);
    const row = this.rowOf(section, index);
    const { left, width } = places(row, section.photos, this.width)[index - row.first];
    let other = section.rows[section.rows.indexOf(row) + step];
    let where = section;
    for (let at = this.timeline.sections.indexOf(section) + step; !other; at += step) {
      where = this.timeline.sections[at];
      if (!where) return null;
      other = step > 0 ? where.rows[0] : where.rows.at(-1);
    }
    const edges = places(other, where.photos, this.width);
    const middle = left + width / 2;
    const near = edges.findIndex((edge) => edge.left + edge.width >= middle);
    return where.photos[other.first + (near < 0 ? edges.length - 1 : near)];
  }
}
