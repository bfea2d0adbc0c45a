// Suggestions below a field: names of labels and categories that begin with what is typed.

import { api, h, named, t } from "./base.js";
import { quoted } from "./shown.js";

const PAUSE = 120; // milliseconds without a key before the server is asked
let count = 0;

/** Offer names in an input; `lastWord`: for the last word of a query; `tagsOnly`: of what can be said of a photo, which no class can. `choose` is called after a choice. */
export function suggest(input, { lastWord = false, tagsOnly = false, choose = () => {} } = {}) {
  const list = h("ul", { className: "suggestions", id: `suggestions-${++count}`, role: "listbox", hidden: true });
  list.setAttribute("aria-label", t("search.suggestions"));
  input.after(list);
  for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id }))
    input.setAttribute(name, value);
  let found = [];
  let at = -1;
  let waiting;
  let asked = 0;

  function show(items) {
    found = items;
    at = -1;
    list.replaceChildren(...items.map(option));
    list.hidden = !items.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    input.removeAttribute("aria-activedescendant");
  }

  function option(item, index) {
    const name = named(item.name, item.name_zh);
    const other = name === item.name ? item.name_zh : item.name;
    const row = h("li", { role: "option", id: `${list.id}-${index}` }, h("span", {}, name), h("small", { lang: name === item.name ? "zh-Hans" : "en" }, other));
    row.setAttribute("aria-selected", "false");
    row.addEventListener("mousedown", (event) => event.preventDefault());
    row.addEventListener("click", () => take(item));
    return row;
  }

  function take(item) {
    const name = named(item.name, item.name_zh);
    input.value = lastWord ? `${before(input.value)}${quoted(name)}` : name;
    show([]);
    choose(name);
  }

  function mark(index) {
    at = index;
    [...list.children].forEach((row, place) => row.setAttribute("aria-selected", String(place === at)));
    list.children[at]?.scrollIntoView({ block: "nearest" });
    if (at >= 0) input.setAttribute("aria-activedescendant", list.children[at].id);
    else input.removeAttribute("aria-activedescendant");
  }

  async function ask() {
    const word = lastWord ? input.value.slice(before(input.value).length).replace(/^"/, "") : input.value.trim();
    const mine = ++asked;
    if (!word || /[:><]/.test(word) || word.length > 100) return show([]);
    const items = await api(`/api/suggest?q=${encodeURIComponent(word)}`).catch(() => []);
    if (mine === asked && document.activeElement === input) show(tagsOnly ? items.filter(({ kind }) => kind !== "label") : items);
  }

  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, PAUSE);
  });
  function leave() {
    clearTimeout(waiting);
    asked += 1;
    show([]);
  }

  input.addEventListener("blur", leave);
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "ArrowDown" && found.length) mark((at + 1) % found.length);
    else if (event.key === "ArrowUp" && found.length) mark(at <= 0 ? found.length - 1 : at - 1);
    else if (event.key === "Enter" && at >= 0) take(found[at]);
    else if (event.key === "Escape" && !list.hidden) show([]);
    else {
      if (event.key === "Enter") leave();
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });
}

/** A query up to its last word, which may be a quoted one that is not closed, or follow `|` or `-`. */
function before(query) {
  const open = query.split('"').length % 2 === 0;
  return open ? query.slice(0, query.lastIndexOf('"')) : query.slice(0, query.length - /[^\s|]*$/.exec(query)[0].replace(/^-/, "").length);
}
