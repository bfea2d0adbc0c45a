// Retrying without leaving the page; the forms work without this as well.

import { ago, api, t, toast, tried } from "./base.js";
import { news } from "./frame.js";

const none = document.getElementById("none");
const total = document.getElementById("total");

async function retry(event) {
  event.preventDefault();
  const form = event.target;
  const { retry: what, code } = form.dataset;
  const button = form.querySelector("button");
  button.disabled = true;
  const wanted = code ? { code } : what === "all" ? {} : { ids: [Number(what)] };
  const done = await tried(() => api("/api/retry", wanted));
  button.disabled = false;
  if (!done) return;
  toast(t("retry.done", done.images));
  if (what === "all") return location.assign("/failures");
  form.closest("li").remove();
  const left = document.querySelectorAll(".failures li").length;
  if (!left) return location.assign("/failures");
  total.textContent = t("failures.total", left);
}

for (const form of document.querySelectorAll("form[data-retry]")) form.addEventListener("submit", retry);
for (const time of document.querySelectorAll(".failures time")) time.replaceWith(ago(time.dateTime));

// What failed again, or newly, is shown when the work has come to a rest.
let wasActive = false;
news.addEventListener("status", ({ detail: { active } }) => {
  const isActive = Object.values(active ?? {}).some((count) => count > 0);
  if (wasActive && !isActive) location.reload();
  wasActive = isActive;
});
