// The years at the right edge: where one is in a timeline, and a way to any place in it.

import { h, monthName, t } from "./base.js";
import { ABOVE } from "./grid.js";

export class Scrubber {
  constructor(place, grid) {
    Object.assign(this, { place, grid });
    this.here = h("div", { className: "here" });
    this.bubble = h("div", { className: "bubble" });
    place.addEventListener("pointerdown", (event) => {
      place.setPointerCapture(event.pointerId);
      place.classList.add("dragged");
      this.go(event);
    });
    place.addEventListener("pointermove", (event) => {
      this.point(event);
      if (place.hasPointerCapture(event.pointerId)) this.go(event);
    });
    for (const name of ["pointerup", "pointercancel"]) place.addEventListener(name, () => place.classList.remove("dragged"));
    addEventListener("scroll", () => this.follow(), { passive: true });
  }

  get sections() {
    return this.grid.timeline.sections;
  }

  /** Where years lie is told anew. */
  show() {
    const isUseful = this.grid.timeline.isWhole && this.sections.length > 1 && this.grid.place.offsetHeight > 2 * innerHeight;
    this.place.hidden = !isUseful;
    document.body.classList.toggle("has-scrubber", isUseful);
    if (!isUseful) return;
    const all = this.grid.place.offsetHeight;
    const high = this.place.clientHeight;
    const marks = [];
    let year = "";
    let last = -Infinity;
    for (const section of this.sections) {
      const top = (section.top / all) * high;
      const name = section.name.slice(0, 4);
      if (name && name !== year && top - last >= 20) {
        const mark = h("span", {}, name);
        mark.style.top = `${Math.max(8, top)}px`;
        marks.push(mark);
        last = top;
      } else if (top - last >= 6 && name === year) {
        const tick = h("i");
        tick.style.top = `${top}px`;
        marks.push(tick);
      }
      year = name;
    }
    this.place.replaceChildren(...marks, this.here, this.bubble);
    this.follow();
  }

  follow() {
    if (this.place.hidden) return;
    const share = (scrollY - this.grid.offset + ABOVE) / this.grid.place.offsetHeight;
    this.here.style.top = `${Math.max(0, share) * this.place.clientHeight}px`;
  }

  share(event) {
    const box = this.place.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientY - box.top) / box.height));
  }

  point(event) {
    const share = this.share(event);
    const at = share * this.grid.place.offsetHeight;
    const section = this.sections.find((one) => one.top + one.height >= at) ?? this.sections.at(-1);
    this.bubble.textContent = section.name ? monthName(section.name) : t("gallery.undated");
    this.bubble.style.top = `${share * this.place.clientHeight}px`;
  }

  go(event) {
    this.point(event);
    scrollTo(0, this.grid.offset - ABOVE + this.share(event) * this.grid.place.offsetHeight + 1);
  }
}
