// What is the same on every page: keys, search, news of the work, and the sentence on what is wrong.

import { api, h, iconButton, knows, number, sentence, t, toast } from "./base.js";
import { suggest } from "./suggest.js";

const search = document.getElementById("q");
const banner = document.getElementById("banner");

/** Where images that ended (`ended`, with their ids) and the state of things (`status`) are told. */
export const news = new EventTarget();

let source = null;
let heard = Date.now();

function follow() {
  if (source || document.hidden) return;
  source = new EventSource("/events");
  for (const name of ["ended", "status"]) {
    source.addEventListener(name, (event) => {
      heard = Date.now();
      news.dispatchEvent(new CustomEvent(name, { detail: JSON.parse(event.data) }));
    });
  }
  source.onopen = () => news.dispatchEvent(new Event("open"));
  source.onerror = () => {
    say(t("frame.away", { time: new Date(heard).toLocaleTimeString([], { timeStyle: "short" }) }));
    if (source?.readyState === EventSource.CLOSED) {
      leave();
      setTimeout(follow, 5_000);
    }
  };
}

// A browser has few connections for one server, and every open page would keep one.
function leave() {
  source?.close();
  source = null;
}

function say(text) {
  if (banner.textContent !== text) banner.textContent = text;
  banner.hidden = !text;
}

function tell({ detail: { problem, code, active = {}, images_per_second: speed } }) {
  if (problem) return say(sentence(code, problem));
  const waiting = Object.values(active).reduce((sum, count) => sum + count, 0);
  say(waiting > 20 ? t("frame.busy", { n: waiting, speed: number(speed) }) : "");
}

async function retheme(event) {
  const button = event.submitter;
  if (button?.name !== "theme") return;
  event.preventDefault();
  document.documentElement.dataset.theme = button.value;
  await fetch("/preferences", { method: "POST", body: new URLSearchParams({ theme: button.value }), redirect: "manual", keepalive: true });
}

function press(event) {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "Escape" && event.target === search) search.blur();
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast(t("copied"));
  } catch {
    toast(t("copy.refused"));
  }
}

/** A button that copies a text. */
export const copyButton = (text) => iconButton("copy", t("copy"), () => copy(text), { className: "quiet" });

suggest(search, { lastWord: true, choose: () => search.form.requestSubmit() });
document.addEventListener("keydown", press);
document.querySelector(".preferences").addEventListener("submit", retheme);
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button.dataset.copy));
}
news.addEventListener("status", tell);
document.addEventListener("visibilitychange", () => (document.hidden ? leave() : follow()));
addEventListener("offline", () => say(t("frame.offline")));
addEventListener("online", () => say(""));
addEventListener("pagehide", leave);
addEventListener("pageshow", follow);
