"use strict";
const one = (name) => document.getElementById(name);
const data = JSON.parse(one("content").textContent);
const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)).buffer;
const n = data.count, near = new Uint32Array(bytes(data.near)), sizes = new Uint8Array(bytes(data.sprites.sizes));
const truth = new Uint32Array(bytes(data.truth)), said = new Uint32Array(bytes(data.said)), right = new Uint8Array(bytes(data.right));
const sure = new Uint16Array(bytes(data.sure));
const x = new Float32Array(n), y = new Float32Array(n);
new Uint16Array(bytes(data.points)).forEach((value, at) => { (at % 2 ? y : x)[at >> 1] = value / 65535; });
const UNKNOWN = 65535, RAMP = 24, NEVER = -1;
const frame = one("frame"), canvas = one("plane"), pen = canvas.getContext("2d", { willReadFrequently: true }), tip = one("tip");
const view = { scale: 1, left: 0, top: 0, wide: 1, high: 1, ratio: 1 };
const state = { colouring: 0, only: NEVER, found: null, chosen: new Uint8Array(n), many: 0, pinned: NEVER, under: NEVER, lasso: false, names: true, path: null };
let sheets = [], waiting = false;

const colourings = data.colourings.map((each) => {
  const codes = each.values ? new Int16Array(n) : new Int16Array(bytes(each.codes));
  if (each.values) new Uint16Array(bytes(each.values)).forEach((value, i) => { codes[i] = value === UNKNOWN ? -1 : Math.round((value / 65534) * (RAMP - 1)); });
  const marks = each.values
    ? Array.from({ length: RAMP }, (_, step) => ({ colour: data.ramp[Math.round((step / (RAMP - 1)) * (data.ramp.length - 1))], shape: "circle" }))
    : each.classes;
  const way = each.values ? -1 : 1; // of numbers the least on top
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) => (codes[a] < 0 || codes[b] < 0 ? codes[a] - codes[b] || a - b : way * (codes[a] - codes[b]) || a - b));
  return { ...each, codes, marks, order };
});

// ---- the map

const across = (i) => view.left + x[i] * view.scale, down = (i) => view.top + y[i] * view.scale;
const radius = () => {
  const usual = Math.min(6.5, Math.max(2, Math.min(view.wide, view.high) / (7 * Math.sqrt(n))));
  return Math.min(11, usual * Math.pow(view.scale / fitted(), 0.3));
};
const fitted = () => 0.92 * Math.min(view.wide, view.high);
const fits = (i) => (!state.found || state.found[i]) && (state.only === NEVER || colourings[state.colouring].codes[i] === state.only - 2);
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function outline(to, shape, r) {
  to.beginPath();
  if (shape === "circle") to.arc(0, 0, r, 0, 2 * Math.PI);
  else if (shape === "square") to.rect(-0.88 * r, -0.88 * r, 1.76 * r, 1.76 * r);
  else {
    const corners = shape === "triangle" ? [[0, -1.25], [1.17, 0.8], [-1.17, 0.8]] : [[0, -1.25], [1.25, 0], [0, 1.25], [-1.25, 0]];
    corners.forEach(([cx, cy], at) => (at ? to.lineTo(cx * r, cy * r) : to.moveTo(cx * r, cy * r)));
    to.closePath();
  }
}

let stamps = new Map(), plate = null; // thousands of points are put into pixels by hand, which is several times faster
function stamp(mark, r, edge, share = 1) {
  const key = `${mark.colour}${mark.shape}${r.toFixed(2)}${edge}${share}`;
  if (!stamps.has(key)) {
    const half = Math.ceil((r * 1.3 + 2) * view.ratio), made = document.createElement("canvas");
    made.width = made.height = 2 * half;
    const to = made.getContext("2d", { willReadFrequently: true });
    to.globalAlpha = share;
    to.translate(half, half);
    to.scale(view.ratio, view.ratio);
    outline(to, mark.shape, r + 0.8);
    to.fillStyle = edge;
    to.fill();
    outline(to, mark.shape, r);
    to.fillStyle = mark.colour;
    to.fill();
    const { data } = to.getImageData(0, 0, 2 * half, 2 * half);
    stamps.set(key, { side: 2 * half, data, whole: new Uint32Array(data.buffer) });
  }
  return stamps.get(key);
}

function put(made, px, py) {
  const { side, data, whole } = made, { width, height } = plate.picture, to = plate.data;
  const left = Math.round(px * view.ratio - side / 2), top = Math.round(py * view.ratio - side / 2);
  for (let row = Math.max(0, -top); row < Math.min(side, height - top); row++) {
    for (let column = Math.max(0, -left); column < Math.min(side, width - left); column++) {
      const from = row * side + column, opaque = data[4 * from + 3], at = (top + row) * width + left + column;
      if (opaque === 255) plate.whole[at] = whole[from];
      else if (opaque) {
        for (let k = 0; k < 3; k++) to[4 * at + k] += ((data[4 * from + k] - to[4 * at + k]) * opaque) / 255;
      }
    }
  }
}

function draw() {
  waiting = false;
  const { codes, marks, order, classes } = colourings[state.colouring], r = radius(), paper = style("--card");
  const grey = { colour: data.other, shape: "circle" }, faint = stamp(grey, r * 0.6, paper, 0.4);
  const [drawn, pale] = [1, 0.25].map((share) => [stamp(grey, r, paper, share), ...marks.map((mark) => stamp(mark, r, paper, share))]);
  if (stamps.size > 400) stamps = new Map();
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.fillStyle = paper;
  pen.fillRect(0, 0, 1, 1);
  plate.whole.fill(new Uint32Array(pen.getImageData(0, 0, 1, 1).data.buffer)[0]);
  let seen = 0;
  const parts = state.found || state.only !== NEVER ? [false, true] : [true]; // those that do not fit lie below
  for (const fitting of parts) {
    for (const i of order) {
      const px = across(i), py = down(i);
      if (px < -r || py < -r || px > view.wide + r || py > view.high + r || (parts.length > 1 && fits(i) !== fitting)) continue;
      put(!fitting ? faint : (state.many && !state.chosen[i] ? pale : drawn)[codes[i] < 0 ? 0 : codes[i] + 1], px, py);
      seen += fitting;
    }
  }
  pen.putImageData(plate.picture, 0, 0);
  pen.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
  if (state.names && classes) nameClasses();
  if (state.pinned !== NEVER) {
    pen.strokeStyle = style("--soft");
    pen.lineWidth = 1;
    pen.beginPath();
    for (let k = 0; k < data.nearest; k++) {
      const j = near[state.pinned * data.nearest + k];
      pen.moveTo(across(state.pinned), down(state.pinned));
      pen.lineTo(across(j), down(j));
    }
    pen.stroke();
    ring(state.pinned, r + 4, 3);
  }
  if (state.under !== NEVER) ring(state.under, r + 3, 2);
  if (state.path && state.path.length > 1) {
    pen.beginPath();
    state.path.forEach(([px, py], at) => (at ? pen.lineTo(px, py) : pen.moveTo(px, py)));
    pen.closePath();
    pen.fillStyle = "#7f7f8f33";
    pen.fill();
    pen.setLineDash([5, 4]);
    pen.lineWidth = 1.5;
    pen.strokeStyle = style("--ink");
    pen.stroke();
    pen.setLineDash([]);
  }
  const words = `${seen.toLocaleString("en")} of ${n.toLocaleString("en")} photos in view`;
  if (one("count").textContent !== words) one("count").textContent = words;
}

function ring(i, r, width) {
  pen.beginPath();
  pen.arc(across(i), down(i), r, 0, 2 * Math.PI);
  pen.lineWidth = width + 2;
  pen.strokeStyle = style("--card");
  pen.stroke();
  pen.lineWidth = width;
  pen.strokeStyle = style("--ink");
  pen.stroke();
}

function nameClasses() {
  const { classes } = colourings[state.colouring], taken = [];
  if (!classes || classes.length < 2 || colourings[state.colouring].name === "error") return;
  pen.font = "600 13px system-ui, sans-serif";
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  middles().forEach(([mx, my, spread], code) => {
    if (classes[code].photos < 3 || spread > 0.08 || (state.only !== NEVER && state.only - 2 !== code)) return;
    const text = classes[code].name.length > 24 ? `${classes[code].name.slice(0, 23)}…` : classes[code].name, half = pen.measureText(text).width / 2 + 4;
    const py = view.top + my * view.scale - 12, there = view.left + mx * view.scale;
    if (there < 0 || there > view.wide) return;
    const px = Math.max(half, Math.min(view.wide - half, there));
    const box = [px - half, py - 9, px + half, py + 9];
    if (taken.some((b) => box[0] < b[2] && b[0] < box[2] && box[1] < b[3] && b[1] < box[3])) return;
    taken.push(box);
    pen.lineWidth = 4;
    pen.strokeStyle = style("--card");
    pen.strokeText(text, px, py);
    pen.fillStyle = style("--ink");
    pen.fillText(text, px, py);
  });
}

function middles() {
  const each = colourings[state.colouring];
  if (!each.middles) {
    const own = each.classes.map(() => []);
    each.codes.forEach((code, i) => { if (code >= 0) own[code].push(i); });
    const share = (values, part) => Float32Array.from(values).sort()[Math.floor(part * (values.length - 1))];
    each.middles = own.map((some) => {
      if (!some.length) return [0, 0, 1];
      const mx = share(some.map((i) => x[i]), 0.5), my = share(some.map((i) => y[i]), 0.5);
      return [mx, share(some.map((i) => y[i]), 0.1), share(some.map((i) => Math.hypot(x[i] - mx, y[i] - my)), 0.5)];
    });
  }
  return each.middles;
}

function later() { if (!waiting) { waiting = true; requestAnimationFrame(draw); } }

function resize(again = true) {
  const box = frame.getBoundingClientRect(), middle = [(view.wide / 2 - view.left) / view.scale, (view.high / 2 - view.top) / view.scale], zoom = view.scale / fitted();
  Object.assign(view, { wide: frame.clientWidth, high: frame.clientHeight, ratio: Math.min(3, devicePixelRatio || 1) });
  if (!box.width) return;
  canvas.width = Math.round(view.wide * view.ratio);
  canvas.height = Math.round(view.high * view.ratio);
  stamps = new Map();
  const picture = new ImageData(canvas.width, canvas.height);
  plate = { picture, data: picture.data, whole: new Uint32Array(picture.data.buffer) };
  if (!again) return whole();
  view.scale = zoom * fitted();
  view.left = view.wide / 2 - middle[0] * view.scale;
  view.top = view.high / 2 - middle[1] * view.scale;
  later();
}

function whole() {
  view.scale = fitted();
  view.left = (view.wide - view.scale) / 2;
  view.top = (view.high - view.scale) / 2;
  later();
}

function zoom(by, px = view.wide / 2, py = view.high / 2) {
  const scale = Math.min(200 * fitted(), Math.max(0.4 * fitted(), view.scale * by)), times = scale / view.scale;
  Object.assign(view, { scale, left: px - (px - view.left) * times, top: py - (py - view.top) * times });
  later();
}

function move(dx, dy) { view.left += dx; view.top += dy; later(); }

function nearestTo(px, py, reach) {
  let best = NEVER, least = reach * reach;
  for (let i = 0; i < n; i++) {
    const dx = across(i) - px, dy = down(i) - py, apart = dx * dx + dy * dy;
    if (apart <= least && fits(i)) { least = apart; best = i; }
  }
  return best;
}

// ---- photos

const name = (i) => data.names[i].replace(/^.*[\\/](?=[^\\/]+$)/, "");
const percent = (i) => (sure[i] === UNKNOWN ? "" : `, ${((100 * sure[i]) / 65534).toFixed(0)} %`);
function told(i) {
  const [is, taken] = [data.classes[truth[i]], data.classes[said[i]]];
  if (taken && is && right[i] === 1) return `${is}, taken for ${taken}${percent(i)}`;
  return taken ? taken + percent(i) : is;
}
function sheet(number) {
  if (!sheets[number]) {
    const picture = new Image();
    sheets[number] = new Promise((done) => { picture.onload = () => done(picture); picture.onerror = () => done(null); });
    picture.src = data.sprites.sheets[number];
  }
  return sheets[number];
}
function thumbnail(i, largest) {
  const [wide, high] = [sizes[2 * i], sizes[2 * i + 1]];
  const made = document.createElement(wide ? "canvas" : "span");
  if (!wide) { made.className = "none"; made.textContent = "no picture"; return made; }
  const times = Math.min(largest / Math.max(wide, high), 2);
  made.width = Math.round(wide * times * view.ratio);
  made.height = Math.round(high * times * view.ratio);
  made.style.aspectRatio = `${wide} / ${high}`;
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", name(i));
  const { side, columns } = data.sprites, place = i % (columns * columns);
  sheet(Math.floor(i / (columns * columns))).then((picture) => {
    if (picture) made.getContext("2d").drawImage(picture, (place % columns) * side, Math.floor(place / columns) * side, wide, high, 0, 0, made.width, made.height);
  });
  return made;
}
function part(tag, words, className) {
  const made = document.createElement(tag);
  made.textContent = words;
  if (className) made.className = className;
  return made;
}
function mark(i, words) {
  const made = part("span", words);
  if (right[i]) made.className = right[i] === 2 ? "good" : "bad";
  return made;
}
function photoButton(i, largest, words) {
  const item = document.createElement("li"), button = document.createElement("button");
  button.type = "button";
  button.title = data.start + data.names[i];
  button.append(thumbnail(i, largest));
  if (words) button.append(mark(i, told(i) || name(i)));
  else button.setAttribute("aria-label", `${name(i)}, ${told(i)}`);
  button.addEventListener("click", () => { pin(i); });
  button.addEventListener("pointerenter", () => { state.under = i; later(); });
  button.addEventListener("pointerleave", () => { state.under = NEVER; later(); });
  item.append(button);
  return item;
}

function show(i, px, py) {
  state.under = i;
  tip.hidden = i === NEVER;
  canvas.style.cursor = i === NEVER || state.lasso ? "" : "pointer";
  if (i !== NEVER) {
    if (tip.dataset.photo !== String(i)) {
      const picture = thumbnail(i, 160);
      if (picture.width) picture.style.width = `${picture.width / view.ratio}px`;
      tip.replaceChildren(picture, part("div", name(i), "soft"), mark(i, told(i)));
      tip.dataset.photo = i;
    }
    const [w, h] = [tip.offsetWidth, tip.offsetHeight];
    tip.style.left = `${Math.max(2, Math.min(px + 14, view.wide - w - 4))}px`;
    tip.style.top = `${py + 18 + h > view.high ? Math.max(2, py - h - 12) : py + 18}px`;
  }
  later();
}

function pin(i, still) {
  state.pinned = i;
  const to = one("pinned");
  if (i === NEVER) {
    to.replaceChildren(part("p", "Click a photo, or reach it by the arrow keys and press Enter.", "soft"));
    return later();
  }
  const list = part("ul", "", "near"), line = document.createElement("p"), facts = document.createElement("p");
  for (let k = 0; k < data.nearest; k++) list.append(photoButton(near[i * data.nearest + k], 80, true));
  if (data.link !== null) {
    const link = part("a", name(i));
    link.href = data.link + data.names[i].split("/").map(encodeURIComponent).join("/");
    line.append(link);
  } else line.textContent = name(i);
  facts.append(mark(i, told(i)));
  to.replaceChildren(thumbnail(i, 280), line, facts, part("p", "In these the network saw what is most like it:", "soft"), list);
  to.closest("aside").scrollTop = 0;
  if (!still && (across(i) < 0 || across(i) > view.wide || down(i) < 0 || down(i) > view.high)) move(view.wide / 2 - across(i), view.high / 2 - down(i));
  one("said").textContent = `Pinned ${name(i)}: ${told(i)}`;
  later();
}

// ---- chosen photos

function choose(some, add) {
  if (!add) state.chosen.fill(0);
  for (const i of some) state.chosen[i] = 1;
  const all = [...state.chosen.keys()].filter((i) => state.chosen[i]);
  state.many = all.length;
  one("chosen").hidden = one("unchoose").hidden = !all.length;
  one("chosen-none").hidden = !!all.length;
  if (all.length > 1) one("chosen-head").closest("aside").scrollTop = one("chosen-head").parentElement.offsetTop - 4;
  if (all.length) {
    const times = new Map(), column = truth.some(Boolean) ? truth : said;
    all.forEach((i) => times.set(column[i], (times.get(column[i]) || 0) + 1));
    const most = [...times].filter(([index]) => index).sort((a, b) => b[1] - a[1]), wrong = all.filter((i) => right[i] === 1).length;
    const shown = most.slice(0, 4).map(([index, count]) => `${count.toLocaleString("en")} ${data.classes[index]}`);
    if (most.length > 4) shown.push(`${most.length - 4} further classes`);
    one("chosen-says").textContent = `${all.length.toLocaleString("en")} photo${all.length > 1 ? "s" : ""}${shown.length ? `: ${shown.join(", ")}` : ""}${wrong ? `; ${wrong.toLocaleString("en")} answered wrong` : ""}.`;
    one("said").textContent = one("chosen-says").textContent;
    one("some").replaceChildren(...all.slice(0, 24).map((i) => photoButton(i, 64, false)));
    one("paths").value = all.map((i) => data.start + data.names[i]).join("\n");
    URL.revokeObjectURL(one("download").href);
    one("download").href = URL.createObjectURL(new Blob([one("paths").value + "\n"], { type: "text/plain" }));
  } else one("paths").value = "";
  later();
}

function inside(path) {
  const found = [];
  for (let i = 0; i < n; i++) {
    const px = across(i), py = down(i);
    let within = false;
    for (let a = 0, b = path.length - 1; a < path.length; b = a++) {
      const [ax, ay] = path[a], [bx, by] = path[b];
      if (ay > py !== by > py && px < ((bx - ax) * (py - ay)) / (by - ay) + ax) within = !within;
    }
    if (within && fits(i)) found.push(i);
  }
  return found;
}
const inView = () => inside([[0, 0], [view.wide, 0], [view.wide, view.high], [0, view.high]]);

function turnLasso(on = !state.lasso) {
  state.lasso = on;
  frame.classList.toggle("lasso", on);
  one("lasso").setAttribute("aria-pressed", String(on));
  one("hint").hidden = on;
}

// ---- colours, and what is found

function colour(number) {
  state.colouring = number;
  state.only = NEVER;
  const each = colourings[number];
  one("colour").value = number;
  one("key-head").textContent = each.title.charAt(0).toUpperCase() + each.title.slice(1);
  one("scale").hidden = !each.values;
  if (each.values) {
    document.querySelector(".scale").style.background = `linear-gradient(90deg, ${data.ramp.join(",")})`;
    [each.low, (each.low + each.high) / 2, each.high].forEach((end, at) => { document.querySelectorAll(".ends span")[at].textContent = Number(end.toPrecision(3)); });
  }
  const lines = (each.classes || []).map((mark, code) => keyLine(mark, mark.name, mark.photos, code));
  if (each.others) lines.push(keyLine({ colour: data.other, shape: "circle" }, each.other, each.others, -1));
  one("key").replaceChildren(...lines);
  later();
}

function keyLine(mark, words, photos, code) {
  const item = document.createElement("li"), button = document.createElement("button"), space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg"), shape = document.createElementNS(space, "path");
  const paths = { circle: "M-1 0a1 1 0 1 0 2 0a1 1 0 1 0 -2 0", square: "M-.9-.9H.9V.9H-.9Z", triangle: "M0-1.1L1.1.8H-1.1Z", diamond: "M0-1.2L1.2 0L0 1.2L-1.2 0Z" };
  drawing.setAttribute("viewBox", "-1.3 -1.3 2.6 2.6");
  drawing.setAttribute("aria-hidden", "true");
  shape.setAttribute("d", paths[mark.shape]);
  shape.setAttribute("fill", mark.colour);
  drawing.append(shape);
  button.type = "button";
  button.setAttribute("aria-pressed", "false");
  button.append(drawing, part("span", words), part("small", photos.toLocaleString("en")));
  button.addEventListener("click", () => {
    state.only = state.only === code + 2 ? NEVER : code + 2;
    for (const other of one("key").querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button && state.only !== NEVER));
    later();
  });
  item.append(button);
  return item;
}

function find() {
  const words = one("find").value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  state.found = null;
  if (words.length) {
    state.found = new Uint8Array(n);
    let many = 0;
    for (let i = 0; i < n; i++) {
      const text = `${data.names[i]} ${data.classes[truth[i]]} ${data.classes[said[i]]}`.toLowerCase();
      if (words.every((word) => text.includes(word))) { state.found[i] = 1; many++; }
    }
    one("said").textContent = `${many} photos found`;
  }
  later();
}

// ---- a person

const pointers = new Map();
let start = null;
const at = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };

canvas.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, at(event));
  start = { at: at(event), moved: false, add: event.ctrlKey || event.metaKey };
  state.path = pointers.size === 1 && (state.lasso || event.shiftKey) ? [at(event)] : null;
});
canvas.addEventListener("pointermove", (event) => {
  const here = at(event), before = pointers.get(event.pointerId);
  if (!before) return show(nearestTo(...here, 14), ...here);
  if (start && Math.hypot(here[0] - start.at[0], here[1] - start.at[1]) > 4) start.moved = true;
  if (pointers.size === 2) {
    const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    const apart = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]);
    zoom(apart(here) / Math.max(1, apart(before)), (here[0] + other[0]) / 2, (here[1] + other[1]) / 2);
    move((here[0] - before[0]) / 2, (here[1] - before[1]) / 2);
  } else if (state.path) {
    state.path.push(here);
    later();
  } else if (start && start.moved) {
    frame.classList.add("moving");
    show(NEVER);
    move(here[0] - before[0], here[1] - before[1]);
  }
  pointers.set(event.pointerId, here);
});
const let_go = (event) => {
  if (!pointers.delete(event.pointerId)) return;
  frame.classList.remove("moving");
  if (state.path && start && start.moved && event.type === "pointerup") choose(inside(state.path), start.add);
  else if (start && !start.moved && event.type === "pointerup") {
    const i = nearestTo(...at(event), 14);
    if (i !== NEVER) pin(i, true);
  }
  state.path = null;
  later();
};
canvas.addEventListener("pointerup", let_go);
canvas.addEventListener("pointercancel", let_go);
canvas.addEventListener("pointerleave", () => { if (!pointers.size) show(NEVER); });
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const pixels = event.deltaY * (event.deltaMode === 1 ? 18 : 1);
  zoom(Math.exp(-Math.max(-120, Math.min(120, pixels)) / 300), ...at(event));
}, { passive: false });
canvas.addEventListener("dblclick", (event) => zoom(2, ...at(event)));

const WAYS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
function go([wx, wy]) {
  const from = state.under !== NEVER ? state.under : state.pinned;
  let best = NEVER, least = Infinity;
  if (from === NEVER) best = nearestTo(view.wide / 2, view.high / 2, Infinity);
  for (let i = 0; i < n && from !== NEVER; i++) {
    const dx = across(i) - across(from), dy = down(i) - down(from), along = dx * wx + dy * wy, beside = Math.abs(dx * wy - dy * wx);
    if (i === from || along <= 0.01 || beside > along || !fits(i)) continue;
    if (along + 2 * beside < least) { least = along + 2 * beside; best = i; }
  }
  if (best === NEVER) return;
  if (across(best) < 0 || across(best) > view.wide || down(best) < 0 || down(best) > view.high) move(view.wide / 2 - across(best), view.high / 2 - down(best));
  show(best, across(best), down(best));
  one("said").textContent = `${name(best)}: ${told(best)}`;
}

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || one("help").open) return;
  if (event.target.matches("input, select, textarea")) {
    if (event.key === "Escape" && event.target === one("find")) { one("find").value = ""; find(); }
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const on = event.target === canvas, acts = {
    "/": () => { one("find").focus(); one("find").select(); },
    "?": () => one("help").showModal(),
    "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), 0: whole, l: () => turnLasso(), v: () => choose(inView()),
    c: () => colour((state.colouring + 1) % colourings.length),
    Escape: () => { one("find").value = ""; find(); choose([]); pin(NEVER); colour(state.colouring); turnLasso(false); show(NEVER); },
    ...(on ? {
      Enter: () => { if (state.under !== NEVER) pin(state.under, true); },
      " ": () => { if (state.under !== NEVER) { state.chosen[state.under] ^= 1; choose([], true); } },
    } : {}),
  };
  if (on && WAYS[event.key]) { event.preventDefault(); event.shiftKey ? move(-60 * WAYS[event.key][0], -60 * WAYS[event.key][1]) : go(WAYS[event.key]); }
  else if (Object.hasOwn(acts, event.key)) { event.preventDefault(); acts[event.key](); }
}

document.documentElement.classList.add("script");
one("bar").hidden = one("map").hidden = false;
one("colour").addEventListener("change", () => colour(Number(one("colour").value)));
one("find").addEventListener("input", find);
one("lasso").addEventListener("click", () => turnLasso());
one("names").addEventListener("click", () => { state.names = !state.names; one("names").setAttribute("aria-pressed", String(state.names)); later(); });
one("closer").addEventListener("click", () => zoom(1.4));
one("farther").addEventListener("click", () => zoom(1 / 1.4));
one("whole").addEventListener("click", whole);
one("helper").addEventListener("click", () => one("help").showModal());
one("view").addEventListener("click", () => choose(inView()));
one("unchoose").addEventListener("click", () => choose([]));
one("copy").addEventListener("click", () => { one("paths").focus(); one("paths").select(); document.execCommand("copy"); one("said").textContent = "Copied."; });
document.addEventListener("keydown", key);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { stamps = new Map(); later(); });
new ResizeObserver(() => resize()).observe(frame);
resize(false);
colour(0);
