// The album: what is sought stands in the address, and so does the photo that is open.

import { Refusal, api, h, icon, iconButton, named, number, t, tried } from "./base.js";
import { copyButton, news } from "./frame.js";
import { Detail } from "./detail.js";
import { Grid } from "./grid.js";
import { Scrubber } from "./scrubber.js";
import { Selection } from "./selection.js";
import { quoted } from "./shown.js";
import { Timeline } from "./timeline.js";

/** Where the place in an album is kept for as long as its tab is open. */
const PLACE = "tagtray-place";
/** Milliseconds between two looks at the figures, which the server keeps for some seconds. */
const LOOK = 4_000;
const search = document.getElementById("q");
const notes = document.getElementById("notes");
const facetsPlace = document.getElementById("facets");
const fresh = document.getElementById("fresh");
const grid = new Grid(document.getElementById("rows"), { href: address, mark: (tile, photo) => selection.mark(tile, photo) });
const selection = new Selection(grid, document.getElementById("selection"));
const scrubber = new Scrubber(document.getElementById("scrubber"), grid);
const detail = new Detail(document.getElementById("detail"), { href: address, step, close });
let facets = null;
let timeline = null;

const query = () => new URLSearchParams(location.search).get("q")?.trim() ?? "";
const opened = () => Number(/^\/gallery\/(\d+)$/.exec(location.pathname)?.[1] ?? 0);

function address(id, q = query()) {
  const asked = q ? `?${new URLSearchParams({ q })}` : "";
  return id ? `/gallery/${id}${asked}` : `/gallery${asked}`;
}

async function show() {
  timeline?.stop();
  const mine = (timeline = new Timeline(query()));
  if (!opened()) entitle();
  if (document.activeElement !== search || search.value.trim() !== query()) search.value = query();
  chips();
  fresh.hidden = true;
  try {
    facets ??= await look();
    chips();
    await mine.open(facets);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof Refusal)) throw error;
    if (mine === timeline) refuse(error);
    return;
  }
  if (mine !== timeline) return;
  selection.clear();
  scrollTo(0, 0);
  grid.show(timeline);
  grid.draw();
  grid.focused = timeline.sections[0]?.photos[0]?.id ?? null;
  const first = grid.element(grid.focused)?.firstElementChild;
  if (first) first.tabIndex = 0;
  scrubber.show();
  tell();
}

function entitle() {
  document.title = `${query() || t("nav.gallery")} · tagtray`;
}

function refuse(error) {
  timeline = new Timeline("-");
  grid.show(timeline);
  scrubber.show();
  notes.replaceChildren(error.message);
}

function tell() {
  const isEmpty = timeline.isComplete && !timeline.count;
  if (isEmpty && !query() && facets.photos === 0) return notes.replaceChildren(...empty());
  const found = isEmpty ? [t("gallery.nothing")] : query() ? [t(timeline.isComplete ? "gallery.count" : "gallery.first", timeline.isComplete ? timeline.count : timeline.byId.size)] : [];
  notes.replaceChildren([...found, ...timeline.notes].join(" · "));
}

function empty() {
  const command = "tagtray run ~/Pictures";
  return [
    h("span", { className: "empty" }, icon("gallery"), h("span", { className: "large" }, t("gallery.empty")),
      h("span", { className: "muted" }, t("gallery.how")), h("span", { className: "command" }, h("code", {}, command), copyButton(command)),
      h("a", { className: "button primary", href: "/" }, t("gallery.to_drop"))),
  ];
}

// Pieces whose photos are near the window are fetched, one after the other.
let fetching = false;
grid.onneed = async (top, bottom, margin) => {
  if (fetching) return;
  const mine = timeline;
  const within = (from, to) => mine.sections.find((one) => isMissing(mine, one, from, to));
  const section = within(top, bottom) ?? within(bottom, bottom + margin) ?? within(top - margin, top);
  if (!section) return;
  fetching = true;
  const done = await tried(() => mine.more(mine.pieceOf(section)).then(() => true)).catch((error) => error.name === "AbortError");
  fetching = false;
  if (!done) return setTimeout(() => grid.soon(), 3_000);
  if (mine !== timeline) return grid.soon();
  grid.grow();
  scrubber.show();
  tell();
};

function isMissing(mine, section, from, to) {
  if (section.top + section.height < from || section.top > to) return false;
  const last = section.rows?.at(-1);
  const laid = section.top + (last ? last.top + last.height : 0);
  return laid < to && (section.remaining > 0 || !mine.isWhole) && !mine.pieceOf(section)?.isComplete;
}

// Figures: they are asked for again when photos have ended, and until they are younger than that.
let ended = Date.now();
let looking = null;

async function look() {
  const found = await api("/api/facets");
  if (Date.now() - 1000 * Math.max(found.age, found.months_age) < ended) soon();
  return found;
}

function soon() {
  looking ??= setTimeout(async () => {
    looking = null;
    const found = navigator.onLine && (await look().catch(() => null));
    if (!found) return;
    facets = found;
    chips();
    const added = timeline?.isWhole ? found.photos - timeline.count : 0;
    fresh.hidden = added <= 0;
    if (added > 0) fresh.firstElementChild.textContent = t("gallery.new", added);
  }, LOOK);
}

function hear() {
  ended = Date.now();
  if (facets) soon();
}

fresh.firstElementChild.addEventListener("click", () => show().then(() => grid.focused && grid.reveal(grid.focused)));
news.addEventListener("ended", hear);
news.addEventListener("open", hear);
addEventListener("online", hear);

// Chips: a press adds a category to the query or takes it away.
const WORD = /-?(?:[a-z]+:)?"[^"]*"|\S+/g;

function chips() {
  if (!facets) return;
  const words = query().match(WORD) ?? [];
  const focused = facetsPlace.contains(document.activeElement) && document.activeElement.dataset.category;
  facetsPlace.replaceChildren(...facets.categories.slice(0, 30).map((facet) => chip(facet, words)));
  if (focused) facetsPlace.querySelector(`[data-category="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

function chip({ category, category_zh, photos }, words) {
  const name = named(category, category_zh);
  const isPressed = words.some((word) => [category, category_zh].map(quoted).includes(word) || [category, category_zh].includes(word));
  const button = h("button", { type: "button", className: "chip" }, name, h("small", {}, number(photos)));
  button.setAttribute("aria-pressed", String(isPressed));
  button.dataset.category = category;
  button.onclick = () => {
    const kept = words.filter((word) => ![category, category_zh].map(quoted).includes(word));
    go(address(0, (isPressed ? kept : [...words, quoted(name)]).join(" ")));
  };
  return button;
}

// The address.
function go(to) {
  history.pushState({ depth: (history.state?.depth ?? 0) + 1 }, "", to);
  arrive();
}

let shownQuery = null;

async function arrive() {
  const id = opened();
  if (id) open(id);
  else if (detail.isOpen) shut();
  if (query() !== shownQuery) {
    const isFirst = shownQuery === null;
    shownQuery = query();
    await show();
    if (id && id === opened()) await find(id);
    else if (isFirst) await comeBack();
  }
}

function open(id) {
  document.body.classList.add("showing-detail");
  document.getElementById("gallery").inert = true;
  const place = timeline?.byId.get(id);
  detail.open(id, place?.section.photos[place.index]);
}

/** Back to the album, at the photo that was open. */
function shut() {
  const id = detail.id;
  detail.hide();
  document.body.classList.remove("showing-detail");
  document.getElementById("gallery").inert = false;
  entitle();
  if (timeline?.byId.has(id)) grid.reveal(id);
}

function close() {
  if (history.state?.depth) history.back();
  else {
    history.replaceState(null, "", address(0));
    arrive();
  }
}

async function step(by) {
  const from = detail.id;
  await find(from);
  const photo = await tried(() => timeline.beside(from, by));
  if (!photo || detail.id !== from) return;
  history.replaceState(history.state, "", address(photo.id));
  detail.open(photo.id, photo);
  grid.grow();
}

/** Have the months fetched in which a photo lies that was opened by its address. */
async function find(id) {
  if (!timeline || timeline.byId.has(id) || !timeline.isWhole) return;
  const found = await api(`/api/images/${id}`).catch(() => null);
  if (!found) return;
  const section = timeline.sections.find(({ name }) => (found.taken_at ?? "").startsWith(name) && (name || !found.taken_at));
  while (section?.remaining && !timeline.byId.has(id) && !timeline.pieceOf(section).isComplete) await tried(() => timeline.more(timeline.pieceOf(section)));
  grid.grow();
}

/** An album that is come back to, from another page or anew, shows what it showed. */
async function comeBack() {
  const [{ type }] = performance.getEntriesByType("navigation");
  const [place, id] = JSON.parse(sessionStorage.getItem(PLACE) ?? "[]");
  if (place !== location.href || !["back_forward", "reload"].includes(type)) return;
  await find(id);
  if (timeline.byId.has(id)) grid.reveal(id, { focus: false, first: true });
}

function leave() {
  const seen = timeline && grid.anchor();
  if (seen?.photo && scrollY > 0) sessionStorage.setItem(PLACE, JSON.stringify([location.href, seen.photo.id]));
  else sessionStorage.removeItem(PLACE);
}

// Keys.
const STEPS = { ArrowLeft: -1, ArrowRight: 1 };
const ROWS = { ArrowUp: -1, ArrowDown: 1 };

function press(event) {
  if (event.target.closest("input, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (detail.isOpen) {
    if (STEPS[event.key]) step(STEPS[event.key]);
    else if (event.key === "Escape") close();
    else return;
    return event.preventDefault();
  }
  if (event.key === "Escape" && selection.photos.size) return selection.clear();
  const id = Number(event.target.closest?.(".tile")?.dataset.id ?? 0);
  if (id) move(event, id);
  else if ((STEPS[event.key] > 0 || ROWS[event.key] > 0) && event.target === document.body && grid.focused) {
    event.preventDefault();
    grid.reveal(grid.anchor()?.photo?.id ?? grid.focused);
  }
}

async function move(event, id) {
  const { section, index } = timeline.byId.get(id);
  if (event.key === " ") {
    event.preventDefault();
    return event.shiftKey ? selection.extend(section.photos[index]) : selection.toggle(section.photos[index]);
  }
  if (!STEPS[event.key] && !ROWS[event.key]) return;
  event.preventDefault();
  const photo = STEPS[event.key] ? await tried(() => timeline.beside(id, STEPS[event.key])) : grid.across(id, ROWS[event.key]);
  if (!photo) return;
  if (!timeline.byId.get(photo.id).section.rows || timeline.byId.get(photo.id).section.laid !== timeline.byId.get(photo.id).section.photos.length) grid.grow();
  if (event.shiftKey) {
    if (selection.last !== id) selection.toggle(section.photos[index]);
    selection.extend(photo);
  }
  grid.reveal(photo.id);
}

function click(event) {
  const tile = event.target.closest(".tile");
  if (!tile || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const { section, index } = timeline.byId.get(Number(tile.dataset.id));
  const photo = section.photos[index];
  if (event.shiftKey) selection.extend(photo);
  else if (event.target.closest("button") || selection.photos.size) selection.toggle(photo);
  else {
    grid.focused = photo.id;
    go(address(photo.id));
  }
}

document.addEventListener("keydown", press);
document.getElementById("rows").addEventListener("click", click);
document.getElementById("detail").addEventListener("click", (event) => {
  const link = event.target.closest("a[data-photo]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});
search.form.addEventListener("submit", (event) => {
  event.preventDefault();
  search.blur();
  if (search.value.trim() !== query() || opened()) go(address(0, search.value.trim()));
});
addEventListener("popstate", arrive);
addEventListener("pagehide", leave);
addEventListener("resize", () => timeline && scrubber.show());
history.scrollRestoration = "manual";
arrive();
