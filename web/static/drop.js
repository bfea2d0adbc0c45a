// Photos are dropped, pasted or picked; each is a card at once, and its bars fill when the answer comes.

import { Refusal, api, h, icon, iconButton, sentence, t } from "./base.js";
import { news } from "./frame.js";
import { bars, chips } from "./shown.js";

const AT_ONCE = 5; // a browser has six connections for one server; one hears the news
const form = document.getElementById("drop");
const cards = document.getElementById("cards");
const progress = document.getElementById("progress");
const retryAll = document.getElementById("retry-all");
const waiting = [];
const followed = new Map(); // image id -> cards
const all = [];
let sending = 0;

class Card {
  constructor(file) {
    this.file = file;
    this.address = URL.createObjectURL(file);
    this.bars = bars();
    this.image = h("img", { alt: file.name, loading: "lazy", decoding: "async", src: this.address });
    this.image.onerror = () => this.image.replaceWith(icon("file"));
    this.frame = h("div", { className: "frame" }, this.image, h("span", { className: "name" }, file.name));
    this.below = h("div", { className: "below" }, this.bars.list);
    this.element = h("li", { className: "card" }, this.frame, this.below);
    this.state = "waiting";
    this.element.setAttribute("aria-busy", "true");
  }

  become(state) {
    this.state = state;
    this.element.className = `card ${state}`;
    this.element.setAttribute("aria-busy", String(state === "waiting" || state === "kept"));
    count();
  }

  show({ image, results, tags }) {
    this.bars.fill(results);
    this.below.replaceChildren(this.bars.list, chips(tags));
    if (image) this.link(image);
    this.become("done");
  }

  link(image) {
    const link = h("a", { href: `/gallery/${image}` });
    link.setAttribute("aria-label", t("drop.open", { name: this.file.name }));
    const shown = this.frame.querySelector("img, svg");
    if (shown.tagName !== "IMG" ) shown.replaceWith((this.image = h("img", { alt: this.file.name, src: `/thumb/${image}` })));
    this.image.replaceWith(link);
    link.append(this.image);
  }

  keep(image, text) {
    this.below.replaceChildren(this.bars.list, h("p", { className: "muted small" }, text));
    this.become("kept");
    followed.set(image, [...(followed.get(image) ?? []), this]);
  }

  fail(text) {
    const again = h("button", { type: "button", onclick: () => this.retry() }, icon("retry"), t("retry"));
    this.below.replaceChildren(h("div", { className: "reason" }, h("p", { role: "alert" }, text), again));
    this.become("failed");
  }

  retry() {
    this.below.replaceChildren(this.bars.list);
    this.become("waiting");
    waiting.push(this);
    send();
  }
}

function add(files) {
  const added = [...files].map((file) => new Card(file));
  if (!added.length) return;
  form.classList.add("small");
  cards.prepend(...added.map((card) => card.element));
  all.push(...added);
  waiting.push(...added);
  count();
  send();
}

function send() {
  while (sending < AT_ONCE && waiting.length) {
    sending += 1;
    predict(waiting.shift()).finally(() => {
      sending -= 1;
      send();
    });
  }
}

async function predict(card) {
  const body = new FormData();
  body.append("file", card.file, card.file.name);
  try {
    card.show(await api("/predict", body));
  } catch (error) {
    await refused(card, error);
  }
}

async function refused(card, error) {
  if (!(error instanceof Refusal)) return card.fail(t("drop.unreadable"));
  const { status, problem, after } = error;
  if (problem.image && (status === 503 || status === 504)) return card.keep(problem.image, t("drop.waits"));
  if (status !== 429 && !(status === 503 && problem.code === "busy")) return card.fail(error.message);
  await new Promise((resolve) => setTimeout(resolve, 1000 * (after || 1)));
  waiting.push(card);
}

async function look(image) {
  const found = await api(`/api/images/${image}`).catch(() => null);
  if (!found || !["done", "failed", "missing"].includes(found.status)) return;
  const kept = followed.get(image) ?? [];
  followed.delete(image);
  for (const card of kept) {
    if (found.status === "done") card.show({ image, ...found });
    else card.fail(sentence(found.error_code, found.error_message) ?? t("drop.gone"));
  }
}

function count() {
  const failed = all.filter((card) => card.state === "failed").length;
  const done = all.filter((card) => card.state === "done").length;
  const kept = all.filter((card) => card.state === "kept").length;
  const bar = progress.querySelector("progress");
  [bar.max, bar.value] = [all.length || 1, done + failed];
  bar.setAttribute("aria-label", t("drop.progress"));
  const parts = [t("drop.count", { done: done, n: all.length })];
  if (kept) parts.push(t("drop.kept", { n: kept }));
  if (failed) parts.push(t("drop.failed", { n: failed }));
  progress.querySelector("p").textContent = parts.join(" · ");
  progress.hidden = all.length < 2 && !kept;
  retryAll.hidden = failed < 2;
}

/** The files of a drop, those in folders too. */
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  return (await Promise.all(entries.map(within))).flat().filter(isPhoto);
}

async function within(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return (await Promise.all(found.map(within))).flat();
    found.push(...some);
  }
}

// In a folder there is more than photos; what is named one by one is tried whatever it is.
const PHOTO = /\.(jpe?g|png|webp|gif|bmp|tiff?|hei[cf]|avif|jp2|jxl|psd|dng|cr[23]|nef|arw|raf|orf|rw2)$/i;
const isPhoto = (file) => !file.name.startsWith(".") && (file.type.startsWith("image/") || PHOTO.test(file.name));

function picked(event) {
  const input = event.target;
  add(input.id === "folder" ? [...input.files].filter(isPhoto) : input.files);
  input.value = "";
}

let depth = 0;
const dragging = (change) => {
  depth = Math.max(0, depth + change);
  document.body.classList.toggle("dragging", depth > 0);
};
const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");

addEventListener("dragenter", (event) => carriesFiles(event) && dragging(1));
addEventListener("dragleave", (event) => carriesFiles(event) && dragging(-1));
addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
addEventListener("drop", async (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  dragging(-depth);
  add(await dropped(event.dataTransfer));
});
addEventListener("paste", (event) => add(event.clipboardData?.files ?? []));
for (const id of ["files", "folder", "camera"]) document.getElementById(id).addEventListener("change", picked);
document.getElementById("folder-button").hidden = !("webkitdirectory" in HTMLInputElement.prototype);
retryAll.addEventListener("click", () => all.filter((card) => card.state === "failed").forEach((card) => card.retry()));
news.addEventListener("ended", ({ detail }) => detail.images.filter((image) => followed.has(image)).forEach(look));
news.addEventListener("open", () => [...followed.keys()].forEach(look));
setInterval(() => [...followed.keys()].slice(0, 20).forEach(look), 10_000);
