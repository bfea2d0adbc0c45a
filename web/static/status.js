// Figures that stay true, and a small plot of the speed.

import { api, duration, h, number, t } from "./base.js";
import { news } from "./frame.js";

const SECONDS = 300;
const speeds = []; // [seconds, images per second]
const asOf = document.getElementById("as-of");
const plot = document.getElementById("plot");
let updated = Date.now();

const figure = (name) => document.querySelector(`[data-figure="${name}"]`);

function set(name, text) {
  if (figure(name).textContent !== text) figure(name).textContent = text;
}

const speed = (value) => number(Number(value.toFixed(1)));

function show(found) {
  for (const name of ["done", "pending", "queued", "running", "failed", "missing"]) set(name, number(found.images[name]));
  set("speed", speed(found.images_per_second));
  set("oldest", duration(found.oldest_pending_seconds));
  set("model", found.model ?? "–");
  set("queue", found.redis.running ? t("status.in_queue", found.redis.images) : found.redis.answer);
  set("stale", number(found.stale));
  workers(found.workers);
}

function workers(all) {
  const number_ = (value) => h("td", { className: "number" }, value);
  const rows = all.map((worker) =>
    h("tr", {}, h("td", {}, `${worker.host} `, h("span", { className: "muted" }, String(worker.pid))), h("td", {}, `${worker.engine} ${worker.precision}`),
      number_(number(worker.images)), number_(speed(worker.images_per_second))),
  );
  document.querySelector("#workers tbody").replaceChildren(...rows);
  document.getElementById("workers").hidden = !all.length;
  document.getElementById("no-workers").hidden = all.length > 0;
}

function draw() {
  const now = Date.now() / 1000;
  while (speeds.length && speeds[0][0] < now - SECONDS) speeds.shift();
  const top = Math.max(1, ...speeds.map(([, value]) => value)) * 1.1;
  const points = speeds.map(([at, value]) => [300 - ((now - at) * 300) / SECONDS, 94 - (value / top) * 90]);
  const line = points.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
  plot.querySelector(".line").setAttribute("d", line || "M0 94");
  plot.querySelector(".area").setAttribute("d", line ? `${line}L300 96L${points[0][0].toFixed(1)} 96Z` : "M0 96");
  document.getElementById("plot-top").textContent = t("status.top", { n: speed(Math.max(0, ...speeds.map(([, value]) => value))) });
}

let asking = false;
async function look() {
  if (asking || document.hidden) return;
  asking = true;
  try {
    show(await api("/api/status"));
    updated = Date.now();
    asOf.textContent = "";
  } catch {
    asOf.textContent = t("status.as_of", { time: new Date(updated).toLocaleTimeString() });
  }
  asking = false;
}

news.addEventListener("status", ({ detail }) => {
  if (detail.images_per_second != null) speeds.push([Date.now() / 1000, detail.images_per_second]);
  draw();
  look();
});
draw();
