// The photos of a query in months or as they come, fetched piece by piece where somebody looks.

import { api } from "./base.js";

const PAGE = 200;
/** Where months have fewer photos than this on average, photos are headed by years. */
const SPARSE = 8;
/** The query of photos without a date. */
const UNDATED = "-taken:1800..";

/** Photos under one heading; `expected` is how many there are as far as is known. */
class Section {
  constructor(name, expected = 0) {
    this.name = name;
    this.photos = [];
    this.expected = expected;
  }

  get remaining() {
    return Math.max(0, this.expected - this.photos.length);
  }
}

/** Some sections that are fetched together, page by page. */
class Piece {
  constructor(sections, query) {
    this.sections = sections;
    this.query = query;
    this.cursor = null;
    this.isComplete = false;
  }
}

export class Timeline {
  /** `order`: "date" or null, which leaves it to the query. */
  constructor(query, order = null) {
    this.query = query;
    this.order = order;
    this.sections = [];
    this.notes = [];
    this.pieces = [];
    this.asked = null;
    this.byId = new Map();
    this.stopped = new AbortController();
  }

  /** Whether all is told in advance, so that one can jump. */
  get isWhole() {
    return this.query === "";
  }

  get isComplete() {
    return this.pieces.every((piece) => piece.isComplete);
  }

  get count() {
    return this.sections.reduce((sum, section) => sum + Math.max(section.expected, section.photos.length), 0);
  }

  /** Take up the months of the collection, or the first page of a query. */
  async open(facets) {
    if (this.isWhole) this.plan(facets);
    else this.pieces = [new Piece(null, this.query)];
    if (this.pieces.length) await this.more(this.pieces[0]);
  }

  plan({ months, undated }) {
    const dated = months.reduce((sum, month) => sum + month.photos, 0);
    const names = new Map();
    for (const { month, photos } of months) {
      const name = dated / months.length < SPARSE ? month.slice(0, 4) : month;
      names.set(name, (names.get(name) ?? 0) + photos);
    }
    this.isByYear = dated / months.length < SPARSE;
    this.sections = [...names].map(([name, photos]) => new Section(name, photos));
    let some = [];
    const close = () => {
      if (some.length) this.pieces.push(new Piece(some, `taken:${some.at(-1).name}..${some[0].name}`));
      some = [];
    };
    for (const section of this.sections) {
      if (some.reduce((sum, one) => sum + one.expected, section.expected) > PAGE) close();
      some.push(section);
    }
    close();
    if (undated) {
      this.sections.push(new Section("", undated));
      this.pieces.push(new Piece([this.sections.at(-1)], UNDATED));
    }
  }

  /** The piece that a section is part of. */
  pieceOf(section) {
    return this.pieces.find((piece) => !piece.sections || piece.sections.includes(section));
  }

  stop() {
    this.stopped.abort();
  }

  /** Fetch the next page of a piece; whoever asks meanwhile gets the same. */
  more(piece) {
    if (piece.isComplete) return Promise.resolve();
    piece.asked ??= this.fetch(piece).finally(() => (piece.asked = null));
    return piece.asked;
  }

  async fetch(piece) {
    const asked = new URLSearchParams({ q: piece.query, limit: PAGE });
    if (this.order ?? this.isWhole) asked.set("sort", this.order ?? "date");
    if (piece.cursor) asked.set("cursor", piece.cursor);
    const page = await api(`/api/images?${asked}`, null, { signal: this.stopped.signal });
    this.notes = page.notes;
    this.isDated = page.order === "date";
    for (const photo of page.items) this.place(piece, photo);
    piece.cursor = page.cursor;
    piece.isComplete = !page.cursor;
    if (piece.isComplete) for (const section of piece.sections ?? this.sections) section.expected = section.photos.length;
    else if (!piece.sections) this.sections.at(-1).expected = this.sections.at(-1).photos.length + PAGE;
  }

  place(piece, photo) {
    if (this.byId.has(photo.id)) return;
    const section = this.sectionOf(piece, photo);
    this.byId.set(photo.id, { section, index: section.photos.length });
    section.photos.push(photo);
  }

  sectionOf(piece, { taken_at: at }) {
    const month = this.isDated && at ? at.slice(0, this.isByYear ? 4 : 7) : "";
    if (piece.sections) return piece.sections.find((section) => section.name === month) ?? piece.sections.at(-1);
    if (this.sections.at(-1)?.name !== month || !this.sections.length) {
      if (this.sections.length) this.sections.at(-1).expected = this.sections.at(-1).photos.length;
      this.sections.push(new Section(month));
    }
    return this.sections.at(-1);
  }

  /** The photo before (-1) or after (1) one, fetched if need be; null at the ends. */
  async beside(id, step) {
    const place = this.byId.get(id);
    if (!place) return null;
    let at = this.sections.indexOf(place.section);
    let index = place.index + step;
    for (;;) {
      const section = this.sections[at];
      if (!section) return null;
      if (index < 0) {
        at -= 1;
        if (at < 0) return null;
        await this.complete(this.sections[at]);
        index = this.sections[at].photos.length - 1;
      } else if (index < section.photos.length) return section.photos[index];
      else if (!(this.pieceOf(section)?.isComplete ?? true)) {
        await this.more(this.pieceOf(section));
      } else {
        at += 1;
        index = 0;
      }
    }
  }

  async complete(section) {
    const piece = this.pieceOf(section);
    while (piece && !piece.isComplete && section.remaining) await this.more(piece);
  }
}
