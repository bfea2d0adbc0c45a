// Own tags: what each has learned, and photos to be judged one at a time.

import { api, h, icon, iconButton, named, percent, t, toast, tried } from "./base.js";
import { correct } from "./selection.js";
import { quoted } from "./shown.js";
import "./frame.js";

const place = document.getElementById("own-tags");
const none = document.getElementById("none");
const judge = document.getElementById("judge");
const SHOWN = 6;
const JUDGED = 20;
/** Milliseconds between looks while something is being learned. */
const PAUSE = 1500;

async function load() {
  const found = await tried(() => api("/api/own-tags"));
  if (!found) return;
  place.replaceChildren(...found.items.map(row));
  none.hidden = found.items.length > 0;
  document.getElementById("explained").hidden = !none.hidden;
  if (found.items.some((tag) => tag.is_learning)) setTimeout(load, PAUSE);
}

function row(tag) {
  const address = `/gallery?q=${encodeURIComponent(quoted(tag.name))}`;
  const six = h("div", { className: "six" });
  photos(tag, six);
  const actions = h("div", { className: "actions" },
    h("button", { type: "button", onclick: () => begin(tag) }, t("judge.begin")),
    h("button", { type: "button", className: "quiet", onclick: () => forget(tag) }, t("teach.forget")));
  const line = h("div", { className: "facts-line" },
    h("h2", {}, h("a", { href: address }, tag.name)),
    h("p", {}, t("teach.photos", tag.photos), tag.precision != null && tag.is_found ? ` · ${t("teach.sure", { percent: percent(tag.precision) })}` : ""),
    h("p", { className: "muted small" }, t("teach.examples", { n: tag.examples, not: tag.counter_examples })),
    state(tag), actions);
  return h("article", { className: "own-tag", id: tag.wnid, "aria-label": tag.name }, line, six);
}

function state(tag) {
  const text = tag.is_learning ? t("teach.learning") : !tag.trained_at ? t("teach.not_learned") : !tag.is_up_to_date ? t("teach.outdated") : tag.is_found ? "" : t("teach.not_found");
  return text ? h("p", { className: "muted small" }, text) : null;
}

async function photos(tag, six) {
  const asked = new URLSearchParams({ q: quoted(tag.name), limit: SHOWN });
  const { items } = await api(`/api/images?${asked}`).catch(() => ({ items: [] }));
  // What another process has taught is a word of queries some seconds later.
  if (!items.length && tag.photos && six.isConnected) return setTimeout(() => photos(tag, six), PAUSE);
  six.replaceChildren(...items.map((photo) => {
    const link = h("a", { href: `/gallery/${photo.id}?${new URLSearchParams({ q: quoted(tag.name) })}` }, h("img", { alt: named(photo.label, photo.label_zh) ?? photo.path, src: photo.thumb, loading: "lazy" }));
    link.style.backgroundColor = photo.color ?? "";
    return link;
  }));
}

async function forget(tag) {
  if (!confirm(t("teach.forget_sure", { name: tag.name }))) return;
  await tried(() => api(`/api/own-tags/${encodeURIComponent(tag.wnid)}`, null, { method: "DELETE" }));
  load();
}

async function begin(tag) {
  const found = await tried(() => api(`/api/own-tags/${encodeURIComponent(tag.wnid)}/candidates?limit=${JUDGED}`));
  if (!found) return;
  if (!found.items.length) return toast(t("judge.none"));
  new Judging(tag, found.items).open();
}

/** Photos one at a time: y, n and space, or a swipe to the right, to the left and up. */
class Judging {
  constructor(tag, items) {
    Object.assign(this, { tag, items, at: 0, said: 0 });
    this.image = h("img", { alt: "" });
    this.photo = h("div", { className: "photo" }, this.image);
    this.progress = h("progress", { max: items.length, value: 0 });
    this.progress.setAttribute("aria-label", t("judge.progress"));
    this.count = h("span", { className: "muted", role: "status" });
    const button = (name, key, action, primary) => {
      const made = h("button", { type: "button", className: primary ? "primary" : "", onclick: action }, icon(name), t(`judge.${key}`));
      made.setAttribute("aria-keyshortcuts", t(`judge.${key}.key`));
      return made;
    };
    this.yes = button("check", "yes", () => this.say(true), true);
    const answers = h("div", { className: "answers" }, button("cross", "no", () => this.say(false)), button("skip", "skip", () => this.next()), this.yes);
    const header = h("header", {}, h("h2", {}, t("judge.question", { name: tag.name })), this.count, this.progress, iconButton("cross", t("judge.end"), () => this.end(), { className: "quiet" }));
    judge.replaceChildren(header, this.photo, answers);
    this.press = (event) => this.key(event);
    this.swipe();
  }

  open() {
    judge.hidden = false;
    document.body.classList.add("raised");
    for (const element of document.querySelectorAll("body > :not(main, .toast, .icons), main > :not(.judge)")) element.inert = true;
    document.addEventListener("keydown", this.press, true);
    this.show();
    this.yes.focus();
  }

  show() {
    const photo = this.items[this.at];
    this.image.src = `${photo.thumb}&size=large`;
    this.image.alt = photo.path;
    this.count.textContent = t("judge.count", { n: this.at + 1, all: this.items.length });
    this.progress.value = this.at;
    const following = this.items[this.at + 1];
    if (following) new Image().src = `${following.thumb}&size=large`;
  }

  key(event) {
    const action = { y: () => this.say(true), n: () => this.say(false), " ": () => this.next(), Escape: () => this.end() }[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }

  say(shows) {
    const photo = this.items[this.at];
    this.said += 1;
    tried(() => correct([photo], shows ? { shows: [this.tag.name] } : { shows_not: [this.tag.name] }));
    this.next();
  }

  next() {
    this.at += 1;
    if (this.at < this.items.length) this.show();
    else this.end();
  }

  end() {
    document.removeEventListener("keydown", this.press, true);
    for (const element of document.querySelectorAll("[inert]")) element.inert = false;
    judge.hidden = true;
    document.body.classList.remove("raised");
    judge.replaceChildren();
    load();
    document.getElementById("main").focus();
  }

  swipe() {
    let start = null;
    this.photo.addEventListener("touchstart", ({ touches: [touch] }) => (start = touch), { passive: true });
    this.photo.addEventListener("touchend", ({ changedTouches: [end] }) => {
      const [x, y] = [end.clientX - start.clientX, end.clientY - start.clientY];
      if (Math.abs(x) > 56 && Math.abs(x) > Math.abs(y)) this.say(x > 0);
      else if (y < -56) this.next();
    });
  }
}

load();
