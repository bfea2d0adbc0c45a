// Labels as bars and tags as chips, the same on every page.

import { h, named, percent } from "./base.js";

const SVG = "http://www.w3.org/2000/svg";

/** Three bars that are empty until `fill` is given results. */
export function bars() {
  const list = h("ol", { className: "bars" }, [0, 1, 2].map(() => h("li")));
  const fill = (results) => list.replaceChildren(...results.map(bar));
  return { list, fill };
}

function bar({ label, label_zh, score }) {
  const svg = document.createElementNS(SVG, "svg");
  svg.classList.add("fill");
  svg.setAttribute("aria-hidden", "true");
  const rect = document.createElementNS(SVG, "rect");
  rect.setAttribute("height", "100%");
  rect.style.width = "0";
  requestAnimationFrame(() => requestAnimationFrame(() => (rect.style.width = `${100 * score}%`)));
  svg.append(rect);
  const name = named(label, label_zh);
  return h("li", {}, svg, h("span", { title: name }, name), h("b", {}, percent(score)));
}

/** Tags as chips that lead to what else shows them. */
export const chips = (tags) => h("ul", { className: "chips" }, tags.map(tagChip).map((chip) => h("li", {}, chip)));

const tagChip = ({ category, category_zh, score }) => {
  const name = named(category, category_zh);
  return h("a", { className: "chip", href: `/gallery?q=${encodeURIComponent(quoted(name))}`, title: percent(score) }, name);
};

/** A name as the query language takes it. */
export const quoted = (name) => (/^[^\s"|():-][^\s"|():]*$/.test(name) ? name : `"${name.replaceAll('"', "")}"`);
