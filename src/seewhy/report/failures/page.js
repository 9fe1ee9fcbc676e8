"use strict";
const one = (name) => document.getElementById(name);
const cards = [...document.querySelectorAll(".card")], maps = [...document.querySelectorAll(".m")];
const find = one("find"), kind = one("kind"), sort = one("sort"), method = one("method"), lens = one("lens");
const words = new Map(cards.map((card) => [card, card.textContent.toLowerCase()]));
const number = (card, name) => (card.dataset[name] === "" ? -9 : Number(card.dataset[name]));
const orders = {
  page: null,
  sure: (a, b) => number(b, "sure") - number(a, "sure"),
  unsure: (a, b) => number(a, "sure") - number(b, "sure"),
  short: (a, b) => number(b, "short") - number(a, "short"),
  name: (a, b) => a.querySelector("h3").textContent.localeCompare(b.querySelector("h3").textContent),
};
let at = -1;
const visible = () => [...one("cards").children].filter((card) => card.matches(".card") && !card.hidden);

function filter() {
  const sought = find.value.trim().toLowerCase().split(/\s+/), wanted = kind.value;
  for (const card of cards) {
    const fits = !wanted || card.dataset.kind === wanted || "group-" + card.dataset.group === wanted;
    card.hidden = !(fits && sought.every((word) => words.get(card).includes(word)));
  }
  one("count").textContent = `${visible().length} of ${cards.length} photos`;
  at = -1;
}

function order() {
  const compare = orders[sort.value];
  one("cards").append(...(compare ? [...cards].sort(compare) : cards));
  at = -1;
}

function step(by) {
  const shown = visible(), here = document.activeElement.closest(".card");
  if (!shown.length) return;
  at = here ? shown.indexOf(here) + by : at + by;
  at = Math.max(0, Math.min(shown.length - 1, at));
  shown[at].focus({ preventScroll: true });
  shown[at].scrollIntoView({ block: "center" });
}

function draw() {
  for (const map of maps) map.className = map.className.replace(/-\d+ b/, `-${method ? method.value : 0} b`);
}

function underLens() {
  document.querySelectorAll(".under").forEach((map) => map.remove());
  const chosen = lens.value;
  document.body.classList.toggle("lens", chosen !== "");
  for (const map of chosen === "" ? [] : maps) {
    const under = map.cloneNode();
    under.className = map.className.replace(/-\d+ b/, `-${chosen} b`) + " under";
    map.classList.add("own");
    map.after(under);
  }
}

function turnMaps() {
  const off = document.body.classList.toggle("nomaps");
  one("maps").setAttribute("aria-pressed", String(!off));
  one("maps").textContent = off ? "maps off" : "maps on";
}

function place(event) {
  const photo = event.target.closest && event.target.closest(".ph");
  if (!photo) return;
  const box = photo.getBoundingClientRect();
  for (const [name, value] of [["--x", event.clientX - box.left], ["--y", event.clientY - box.top]]) photo.style.setProperty(name, `${value}px`);
}

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || one("help").open) return;
  if (event.target.matches("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const acts = {
    ArrowRight: () => step(1),
    ArrowLeft: () => step(-1),
    "/": () => { find.focus(); find.select(); },
    "?": () => one("help").showModal(),
    o: turnMaps,
    m: () => { if (method) { method.selectedIndex = (method.selectedIndex + 1) % method.length; draw(); } },
  };
  if (Object.hasOwn(acts, event.key)) { event.preventDefault(); acts[event.key](); }
}

function shown() {
  const card = location.hash.startsWith("#photo-") && one(location.hash.slice(1));
  if (!card) return;
  if (card.hidden) { find.value = ""; kind.value = ""; filter(); }
  card.focus({ preventScroll: true });
  card.scrollIntoView({ block: "center" });
}

one("bar").hidden = one("filter").hidden = false;
find.addEventListener("input", filter);
kind.addEventListener("change", filter);
sort.addEventListener("change", order);
if (method) method.addEventListener("change", draw);
if (lens) lens.addEventListener("change", underLens);
one("maps").addEventListener("click", turnMaps);
one("helper").addEventListener("click", () => one("help").showModal());
one("filter").addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("pointermove", place);
document.addEventListener("keydown", key);
addEventListener("hashchange", shown);
addEventListener("beforeprint", () => { document.body.classList.remove("nomaps"); });
if (kind.querySelector("[data-usual]:enabled")) kind.value = "wrong";
filter();
shown();
