// What every page needs: words in the visitor's language, elements, the API, numbers and moments.

const texts = JSON.parse(document.getElementById("texts").textContent);
export const isChinese = document.documentElement.lang.startsWith("zh");
const locale = isChinese ? "zh-CN" : "en-GB";

/** The text of a key; a number chooses singular or plural, `values` fill the braces. */
export function t(key, values = {}) {
  const named = typeof values === "number" ? { n: values } : values;
  const text = (named.n === 1 && texts[`${key}.one`]) || texts[key];
  return text.replace(/{(\w+)}/g, (_, name) => (typeof named[name] === "number" ? number(named[name]) : named[name]));
}

/** Whether there is a text of this key. */
export const knows = (key) => key in texts;

/** An element: properties and attributes, then what is in it; nothing is read as HTML. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value == null) continue;
    if (name in element && !name.includes("-")) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** An icon of the page's set. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.classList.add("icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** A button that shows an icon alone. */
export const iconButton = (name, label, onclick, properties = {}) =>
  h("button", { type: "button", title: label, "aria-label": label, onclick, ...properties }, icon(name));

/** What the server refused, in its own words. */
export class Refusal extends Error {
  constructor(status, problem, after) {
    super(sentence(problem.code, problem.detail) || t("frame.unexpected"));
    Object.assign(this, { status, problem, after });
  }
}

// What is asked while one logs out is refused, and must not lead elsewhere.
let leaving = false;
addEventListener("submit", ({ target }) => (leaving ||= target.action.endsWith("/logout")));

const logIn = () => location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);

/** The JSON of an answer; throws Refusal, also where no server answers (status 0). */
export async function api(address, body, options = {}) {
  if (body && !(body instanceof FormData)) {
    options = { ...options, headers: { "Content-Type": "application/json" } };
    body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(address, { method: body ? "POST" : "GET", body, ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, { code: "offline", detail: t("frame.offline") }, 3);
  }
  if (answer.status === 401 && !leaving) logIn();
  const found = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(answer.status, found, Number(answer.headers.get("Retry-After") ?? 0));
  return found;
}

/** A sentence for a stable code in the visitor's language, else the server's own. */
export const sentence = (code, detail) => (isChinese && knows(`code.${code}`) ? t(`code.${code}`) : detail);

const numbers = new Intl.NumberFormat(locale);
export const number = (value) => numbers.format(value);
export const percent = (score) => `${Math.round(100 * score)} %`;

/** A name as the visitor reads it. */
export const named = (english, chinese) => (isChinese && chinese) || english;

const moments = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeStyle: "short" });
const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
const UNITS = [["year", 31557600], ["month", 2629800], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

/** A date and a time as people write them. */
export const moment = (iso) => moments.format(new Date(iso));

/** How long ago it was, with the exact moment on hover. */
export function ago(iso) {
  const seconds = (new Date(iso) - Date.now()) / 1000;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS.at(-1);
  return h("time", { dateTime: iso, title: moment(iso) }, relative.format(Math.round(seconds / size), unit));
}

const months = new Intl.DateTimeFormat(locale, { year: "numeric", month: "long", timeZone: "UTC" });

/** The name of `2024-05`, or of `2024`. */
export const monthName = (month) =>
  month.length === 4 ? (isChinese ? `${month}年` : month) : months.format(new Date(`${month}-01T00:00:00Z`));

/** Bytes as people say them. */
export function bytes(count) {
  const [size, unit] = count < 1e6 ? [1e3, "kB"] : count < 1e9 ? [1e6, "MB"] : [1e9, "GB"];
  return `${numbers.format(Number((count / size).toPrecision(2)))} ${unit}`;
}

/** Seconds as people say them. */
export function duration(seconds) {
  if (seconds == null) return "–";
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? UNITS.at(-1);
  const format = new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 0 });
  return format.format(Math.floor(seconds / size));
}

let hiding;

/** A line that goes by itself; `undo` is offered for ten seconds. */
export function toast(text, undo) {
  const place = document.getElementById("toast");
  clearTimeout(hiding);
  place.replaceChildren(h("span", {}, text));
  if (undo) {
    const action = () => {
      place.hidden = true;
      undo();
    };
    place.append(h("button", { type: "button", className: "quiet", onclick: action }, t("undo")));
  }
  place.hidden = false;
  hiding = setTimeout(() => (place.hidden = true), undo ? 10_000 : 5_000);
}

/** Do it; what is refused is said. */
export async function tried(work) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    toast(error.message);
  }
}
