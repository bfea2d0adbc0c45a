// Retrying without leaving the page; the forms work without this as well.

import { ago, api, number, t, toast, tried } from "./base.js";
import { news } from "./frame.js";

/** Where it is kept that all were tried again just before this page was asked for. */
const RETRIED = "tagtray-retried";
/** Milliseconds for which what was done is told before the page is asked for again. */
const TOLD = 5_000;
const total = document.getElementById("total");
// Whether something has been tried since the page was made, and since when that is told.
let isAtWork = sessionStorage.getItem(RETRIED) !== null;
let told = 0;
sessionStorage.removeItem(RETRIED);

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
  const row = form.closest("li");
  row?.remove();
  const left = document.querySelectorAll(".failures li").length;
  if (what === "all" || !left) {
    sessionStorage.setItem(RETRIED, "");
    return location.assign("/failures");
  }
  [isAtWork, told] = [true, Date.now()];
  tell(row.dataset.code, left);
}

/** One less of a reason, and so in all: what is listed is `left`. */
function tell(code, left) {
  for (const count of document.querySelectorAll(`.reasons small:is([data-code="${code}"], :not([data-code]))`))
    count.textContent = number((count.dataset.photos -= 1));
  const photos = (total.dataset.photos -= 1);
  total.textContent = t("failures.total", photos) + (photos > left ? ` ${t("failures.latest", left)}` : "");
  const all = document.querySelector("form[data-code] button span");
  if (all) all.textContent = t("retry.reason", photos);
}

for (const form of document.querySelectorAll("form[data-retry]")) form.addEventListener("submit", retry);
for (const time of document.querySelectorAll(".failures time")) time.replaceWith(ago(time.dateTime));

// What failed again, or newly, is shown when the work has come to a rest.
news.addEventListener("ended", () => (isAtWork = true));
news.addEventListener("status", ({ detail: { active } }) => {
  const isActive = Object.values(active ?? {}).some((count) => count > 0);
  if (isAtWork && !isActive && Date.now() > told + TOLD) location.reload();
  isAtWork ||= isActive;
});
