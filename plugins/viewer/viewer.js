// The page's map and panel. No library: tiles are <img> elements placed by their number, the graticule and the marked
// place are drawn on one canvas above them. Everything comes from the public HTTP interface.
"use strict";

const $ = (id) => document.getElementById(id);
const SIZE = 256, MAX_LAT = 85.0511287798066, MAX_ZOOM = 18;
const view = { lon: 0, lat: 20, zoom: 2 };
const state = { collection: null, info: null, times: [], template: null, generation: 0, place: null, series: null, extras: {},
  turn: 0, ramp: null, unseen: true };
const images = new Map();          // "generation/z/x/y" -> <img>, x unwrapped

// ---- projection: world units are pixels at zoom 0 (256 across)
const worldX = (lon) => (lon + 180) / 360 * SIZE;
const worldY = (lat) => {
  const s = Math.sin(Math.max(-MAX_LAT, Math.min(MAX_LAT, lat)) * Math.PI / 180);
  return (0.5 - Math.log((1 + s) / (1 - s)) / (4 * Math.PI)) * SIZE;
};
const lonOf = (x) => x / SIZE * 360 - 180;
const latOf = (y) => Math.atan(Math.sinh(Math.PI * (1 - 2 * y / SIZE))) * 180 / Math.PI;
const scale = () => 2 ** view.zoom;
const toScreen = (lon, lat) => [
  (worldX(lon) - worldX(view.lon)) * scale() + innerWidth / 2,
  (worldY(lat) - worldY(view.lat)) * scale() + innerHeight / 2];
const toPlace = (x, y) => [
  lonOf(worldX(view.lon) + (x - innerWidth / 2) / scale()),
  latOf(worldY(view.lat) + (y - innerHeight / 2) / scale())];
const wrap = (lon) => ((lon + 180) % 360 + 360) % 360 - 180;

// ---- tiles
function tileUrl(z, x, y) {
  const n = 2 ** z;
  const sharp = devicePixelRatio > 1.4 ? "@2x" : "";
  return state.template.replace("{z}", z).replace("{x}", ((x % n) + n) % n).replace("{y}", y + sharp);
}

function place(img, z, x, y) {
  const k = 2 ** (view.zoom - z) * SIZE;
  const left = Math.round((x * SIZE / 2 ** z - worldX(view.lon)) * scale() + innerWidth / 2);
  const top = Math.round((y * SIZE / 2 ** z - worldY(view.lat)) * scale() + innerHeight / 2);
  img.style.left = left + "px";
  img.style.top = top + "px";
  img.style.width = Math.ceil(k) + "px";
  img.style.height = Math.ceil(k) + "px";
}

// A frame is shown when it is whole: older generations stay below until the new one has loaded.
function dropOld() {
  const current = [...images.values()].filter((i) => i.generation === state.generation);
  if (current.some((i) => !i.done)) return;
  for (const [key, img] of images) {
    if (img.generation !== state.generation || !img.wanted) { img.remove(); images.delete(key); }
  }
}

function addTile(key, z, x, y) {
  const img = new Image();
  Object.assign(img, { generation: state.generation, at: [z, x, y], done: false, wanted: true, alt: "" });
  img.onload = img.onerror = () => { img.done = true; dropOld(); document.body.dataset.tiles = countLoaded(); };
  img.src = tileUrl(z, x, y);
  $("tiles").append(img);
  images.set(key, img);
  return img;
}

const countLoaded = () => [...images.values()].filter((i) => i.done && i.naturalWidth).length;

function draw() {
  drawTiles();
  drawOverlay();
}

function drawTiles() {
  if (state.template) {
    const z = Math.max(0, Math.min(MAX_ZOOM, Math.round(view.zoom))), n = 2 ** z;
    const [w, h] = [innerWidth / scale() / 2, innerHeight / scale() / 2];
    const cell = SIZE / n;
    const x0 = Math.floor((worldX(view.lon) - w) / cell), x1 = Math.floor((worldX(view.lon) + w) / cell);
    const y0 = Math.max(0, Math.floor((worldY(view.lat) - h) / cell)), y1 = Math.min(n - 1, Math.floor((worldY(view.lat) + h) / cell));
    for (const img of images.values()) img.wanted = img.generation !== state.generation;
    for (let y = y0; y <= y1; y++) {
      for (let x = x0; x <= x1; x++) {
        const key = `${state.generation}/${z}/${x}/${y}`;
        (images.get(key) || addTile(key, z, x, y)).wanted = true;
      }
    }
    dropOld();
  }
  for (const img of images.values()) place(img, ...img.at);
}

// ---- graticule and marked place
function drawOverlay() {
  const canvas = $("overlay"), d = devicePixelRatio || 1;
  canvas.width = innerWidth * d;
  canvas.height = innerHeight * d;
  const c = canvas.getContext("2d");
  c.scale(d, d);
  const step = [30, 15, 10, 5, 2, 1, 0.5, 0.25].find((s) => s * scale() * SIZE / 360 < 220) || 0.1;
  c.strokeStyle = "#1d273326";
  c.fillStyle = "#1d2733";
  c.font = "11px system-ui, sans-serif";
  c.lineWidth = 1;
  const [west, north] = toPlace(0, 0), [east, south] = toPlace(innerWidth, innerHeight);
  for (let lon = Math.ceil(west / step) * step; lon <= east; lon += step) {
    const x = Math.round(toScreen(lon, 0)[0]) + 0.5;
    line(c, x, 0, x, innerHeight);
    label(c, degrees(wrap(lon), "E", "W"), x + 3, innerHeight - 6);
  }
  for (let lat = Math.ceil(south / step) * step; lat <= north; lat += step) {
    const y = Math.round(toScreen(0, lat)[1]) + 0.5;
    line(c, 0, y, innerWidth, y);
    label(c, degrees(lat, "N", "S"), innerWidth - 36, y - 3);
  }
  if (state.place) {
    const [x, y] = toScreen(state.place[0] + 360 * Math.round((view.lon - state.place[0]) / 360), state.place[1]);
    c.strokeStyle = "#fff"; c.lineWidth = 4; ring(c, x, y);
    c.strokeStyle = "#c0392b"; c.lineWidth = 2; ring(c, x, y);
  }
}

function line(c, x0, y0, x1, y1) { c.beginPath(); c.moveTo(x0, y0); c.lineTo(x1, y1); c.stroke(); }
function label(c, text, x, y) {
  c.save();
  c.strokeStyle = "#ffffffa0"; c.lineWidth = 3; c.lineJoin = "round";
  c.strokeText(text, x, y);
  c.fillText(text, x, y);
  c.restore();
}
function ring(c, x, y) { c.beginPath(); c.arc(x, y, 6, 0, 7); c.stroke(); }
function degrees(v, plus, minus) {
  const t = Math.abs(v) < 1e-9 ? 0 : +Math.abs(v).toFixed(2);
  return t + "°" + (t === 0 ? "" : v > 0 ? plus : minus);
}

// ---- moving
function move(dx, dy) {
  view.lon = wrap(lonOf(worldX(view.lon) - dx / scale()));
  view.lat = Math.max(-84, Math.min(84, latOf(worldY(view.lat) - dy / scale())));
  draw();
}

function zoomTo(zoom, x = innerWidth / 2, y = innerHeight / 2) {
  const [lon, lat] = toPlace(x, y);
  view.zoom = Math.max(0.5, Math.min(MAX_ZOOM, zoom));
  const [nx, ny] = toScreen(lon, lat);
  move(x - nx, y - ny);
}

function listen() {
  const map = $("map"), touches = new Map();
  let moved = 0, spread = 0;
  map.onpointerdown = (e) => {
    if (e.target.tagName === "BUTTON") return;
    map.setPointerCapture(e.pointerId);
    touches.set(e.pointerId, e);
    moved = 0; spread = 0;
    map.classList.add("dragging");
  };
  map.onpointermove = (e) => {
    const before = touches.get(e.pointerId);
    if (!before) return;
    touches.set(e.pointerId, e);
    if (touches.size === 2) {
      const [a, b] = [...touches.values()], now = Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
      if (spread) zoomTo(view.zoom + Math.log2(now / spread), (a.clientX + b.clientX) / 2, (a.clientY + b.clientY) / 2);
      spread = now; moved = 99;
      return;
    }
    moved += Math.abs(e.clientX - before.clientX) + Math.abs(e.clientY - before.clientY);
    move(e.clientX - before.clientX, e.clientY - before.clientY);
  };
  map.onpointerup = map.onpointercancel = (e) => {
    if (!touches.delete(e.pointerId)) return;
    map.classList.remove("dragging");
    if (moved < 4 && e.type === "pointerup") choosePlace(...toPlace(e.clientX, e.clientY));
  };
  map.onwheel = (e) => { e.preventDefault(); zoomTo(view.zoom - Math.sign(e.deltaY) * 0.5, e.clientX, e.clientY); };
  map.onkeydown = (e) => {
    const moves = { ArrowLeft: [80, 0], ArrowRight: [-80, 0], ArrowUp: [0, 80], ArrowDown: [0, -80] };
    if (moves[e.key]) move(...moves[e.key]);
    else if (e.key === "+" || e.key === "=") zoomTo(view.zoom + 1);
    else if (e.key === "-") zoomTo(view.zoom - 1);
    else return;
    e.preventDefault();
  };
  $("zoom-in").onclick = () => zoomTo(Math.round(view.zoom) + 1);
  $("zoom-out").onclick = () => zoomTo(Math.round(view.zoom) - 1);
  addEventListener("resize", draw);
  $("collection").onchange = () => chooseCollection($("collection").value);
  $("variable").onchange = () => { state.extras = {}; refresh(true); };
  $("ramp").onchange = () => { state.ramp = $("ramp").value; refresh(false); };
  $("time").onchange = () => { $("slider").value = $("time").selectedIndex; refresh(false); };
  $("slider").oninput = () => { $("time").selectedIndex = +$("slider").value; refresh(false); };
  $("earlier").onclick = () => step(-1);
  $("later").onclick = () => step(1);
}

function step(by) {
  const i = Math.max(0, Math.min(state.times.length - 1, $("time").selectedIndex + by));
  $("time").selectedIndex = i;
  $("slider").value = i;
  refresh(false);
}

// ---- asking the server
async function ask(url) {
  const response = await fetch(url);
  const body = await response.json();
  if (!response.ok) throw new Error(body.detail || body.title || response.statusText);
  return body;
}

function fill(select, entries, chosen) {
  select.replaceChildren(...entries.map(([value, text]) => new Option(text, value)));
  if (chosen != null && entries.some(([v]) => v === chosen)) select.value = chosen;
}

async function chooseCollection(id) {
  state.collection = id;
  state.extras = {};
  state.place = state.series = state.info = null;
  $("place").hidden = true;
  $("variable").replaceChildren();
  state.unseen = true;
  await refresh(true);
}

function query(more) {
  const q = new URLSearchParams();
  if ($("variable").value) q.set("variable", $("variable").value);
  for (const [dim, value] of Object.entries(state.extras)) q.append("sel", `${dim}=${value}`);
  for (const [k, v] of Object.entries(more || {})) if (v) q.set(k, v);
  return q;
}

const chosenTime = () => state.times[$("time").selectedIndex];

// Reads the TileJSON of what is chosen; `anew`: the variable changed, so times and levels are read again.
// An answer that a later choice has overtaken is dropped.
async function refresh(anew) {
  const turn = ++state.turn;
  try {
    const base = `/tiles/${encodeURIComponent(state.collection)}`;
    if (anew) {
      const list = await ask(`${base}/times?${query()}`);
      if (turn !== state.turn) return;
      const before = chosenTime();
      state.times = list.times;
      fill($("time"), list.times.map((t) => [t, (t || "").replace("T", " ").replace(/:00Z$|Z$/, "")]), list.times.includes(before) ? before : list.times.at(-1));
      $("slider").max = list.times.length - 1;
      $("slider").value = $("time").selectedIndex;
      $("time-label").hidden = list.times.length < 2;
    }
    const more = { datetime: chosenTime() };
    if (state.ramp) more.colormap_name = state.ramp;
    const info = await ask(`${base}/tilejson.json?${query(more)}`);
    if (turn !== state.turn) return;
    await drawLegend(info);
    if (turn !== state.turn) return;
    state.info = info;
    state.template = info.tiles[0];
    state.generation++;
    if (anew) {
      fill($("variable"), info.variables.map((v) => [v.name, v.long_name || v.name]), info.variable);
      $("ramp").value = info.colormap_name;
      drawExtras(info.variables.find((v) => v.name === info.variable));
    }
    say("");
    if (state.unseen) fit(info.bounds);
    state.unseen = false;
    draw();
    if (state.place && anew) choosePlace(...state.place);
    else if (state.series) showSeries();
  } catch (error) {
    say(error.message);
  }
}

function drawExtras(variable) {
  $("extras").replaceChildren(...(variable.extra || []).filter((e) => e.size > 1).map((extra) => {
    const label = document.createElement("label"), select = document.createElement("select");
    const values = extra.values || Array.from({ length: extra.size }, (_, i) => i);
    fill(select, values.map((v) => [String(v), `${v} ${extra.units || ""}`]), state.extras[extra.name]);
    select.onchange = () => { state.extras[extra.name] = select.value; refresh(false).then(() => state.place && choosePlace(...state.place)); };
    label.append(extra.name, " ", select);
    return label;
  }));
}

async function drawLegend(info) {
  const map = await ask(`/colorMaps/${encodeURIComponent(info.colormap_name)}`);
  const c = $("legend-ramp").getContext("2d");
  for (let i = 0; i < 256; i++) {
    const [r, g, b, a] = map[i] || [0, 0, 0, 0];
    c.fillStyle = `rgba(${r},${g},${b},${a / 255})`;
    c.fillRect(i, 0, 1, 14);
  }
  $("legend-low").textContent = short(info.rescale[0]);
  $("legend-high").textContent = short(info.rescale[1]);
  $("legend-units").textContent = info.units || "";
}

const short = (v) => v == null ? "no data" : Math.abs(v) >= 1e6 || (v !== 0 && Math.abs(v) < 1e-3) ? v.toExponential(2) : String(+v.toPrecision(5));

async function choosePlace(lon, lat) {
  state.place = [wrap(lon), lat];
  state.series = null;
  drawOverlay();
  $("place").hidden = false;
  $("place-title").textContent = `${degrees(state.place[0], "E", "W")}, ${degrees(lat, "N", "S")}`;
  $("place-value").textContent = "…";
  try {
    const q = query({ collection: state.collection, lon: state.place[0].toFixed(5), lat: lat.toFixed(5) });
    const place = state.place, series = await ask(`/api/timeseries?${q}`);
    if (state.place !== place) return;
    state.series = series;
    showSeries();
  } catch (error) {
    $("place-value").textContent = error.message;
    $("chart").hidden = true;
    $("chart-note").textContent = "";
  }
}

// The value at the chosen time, and the whole series.
function showSeries() {
  const series = state.series, i = Math.max(0, series.timestamps.indexOf(chosenTime())), value = series.values[i];
  $("place-value").textContent = value == null ? "no data here" : `${short(value)} ${series.units || ""}`;
  drawChart(series, i);
}

function drawChart(series, marked) {
  const canvas = $("chart"), c = canvas.getContext("2d"), values = series.values;
  const known = values.filter((v) => v != null);
  canvas.hidden = values.length < 2 || !known.length;
  $("chart-note").textContent = canvas.hidden ? "" : `${series.timestamps[0].slice(0, 10)} to ${series.timestamps.at(-1).slice(0, 10)}, ${values.length} steps`;
  if (canvas.hidden) return;
  let low = known.reduce((a, b) => Math.min(a, b)), high = known.reduce((a, b) => Math.max(a, b));
  if (low === high) { low -= 1; high += 1; }
  const W = canvas.width, H = canvas.height, left = 84, right = 10, top = 14, bottom = 18;
  const x = (i) => left + i / (values.length - 1) * (W - left - right);
  const y = (v) => top + (high - v) / (high - low) * (H - top - bottom);
  c.clearRect(0, 0, W, H);
  c.font = "20px system-ui, sans-serif";
  c.textAlign = "right";
  c.fillStyle = "#5b6877";
  c.strokeStyle = "#d5dce4";
  c.lineWidth = 2;
  for (const v of [low, (low + high) / 2, high]) {
    line(c, left, y(v), W - right, y(v));
    c.fillText(short(v), left - 8, y(v) + 7);
  }
  c.strokeStyle = "#2b6cb0";
  c.lineWidth = values.length > 400 ? 1.5 : 3;
  c.lineCap = c.lineJoin = "round";  // a value alone between gaps is a dot
  c.beginPath();
  values.forEach((v, i) => {
    if (v == null) return;
    if (values[i - 1] == null) c.moveTo(x(i), y(v));
    c.lineTo(x(i), y(v));
  });
  c.stroke();
  c.lineWidth = 2;
  c.strokeStyle = "#c0392b";
  line(c, x(marked), top, x(marked), H - bottom);
}

// Shows an extent in the part of the window that the panel leaves free.
function fit([west, south, east, north]) {
  const top = Math.min(north, 82), bottom = Math.max(south, -75), panel = $("panel").getBoundingClientRect();
  const beside = innerWidth > 640, left = beside ? panel.right : 0, down = beside ? innerHeight : panel.top;
  const [across, high] = [worldX(east) - worldX(west), worldY(bottom) - worldY(top)];
  view.zoom = Math.max(1, Math.min(9, Math.log2(Math.min((innerWidth - left) / across, down / high))));
  view.lon = wrap((west + east) / 2 - left / 2 / scale() * 360 / SIZE);
  view.lat = latOf((worldY(top) + worldY(bottom)) / 2 + (innerHeight - down) / 2 / scale());
}

function say(text) { $("message").textContent = text; }

async function start() {
  listen();
  draw();
  try {
    const [{ collections }, ramps] = await Promise.all([ask("/stac/collections"), ask("/colorMaps")]);
    fill($("ramp"), ramps.colorMaps.filter((n) => !n.endsWith("_r")).map((n) => [n, n]));
    if (!collections.length) {
      $("pickers").hidden = $("legend").hidden = true;
      say("There is no data yet. Add some with: rastrum ingest FILE.nc");
      return;
    }
    fill($("collection"), collections.map((c) => [c.id, c.title && c.title !== c.id ? `${c.id} · ${c.title}` : c.id]));
    const asked = new URLSearchParams(location.search).get("collection");
    await chooseCollection(collections.some((c) => c.id === asked) ? asked : collections[0].id);
    if (asked) $("collection").value = asked;
  } catch (error) {
    say(error.message);
  }
}

start();
