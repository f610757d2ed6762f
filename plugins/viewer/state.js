// All that a link restores, and how it is written behind the # of the page's address.
import { newSettings } from "./layers.js";

export const state = {
  layers: [],
  active: 0,
  linked: true,
  points: [],
  swipe: 0.5,
  theme: "auto",
  extra: [],
};

const round = (v, places) => +v.toFixed(places);

function writeLayer(q, s, mark) {
  const put = (key, value) => {
    if (value != null && value !== "" && value !== false) q.append(mark + key, value);
  };
  put("collection", s.collection);
  put("variable", s.variable);
  put("run", s.run);
  put("time", s.time);
  for (const [dim, value] of Object.entries(s.sel)) put("sel", `${dim}=${value}`);
  put("ramp", s.ramp);
  put("range", s.range?.map((v) => +v.toPrecision(7)).join(","));
  put("log", s.log && 1);
  put("smooth", s.smooth && 1);
  put("opacity", s.opacity < 1 && s.opacity);
}

/** The state as text. */
export function write(map) {
  const q = new URLSearchParams();
  const [lon, lat] = map.centre();
  q.set("map", [round(map.view.zoom, 2), round(lat, 4), round(lon, 4)].join("/"));
  if (map.projection.name !== "mercator") q.set("projection", map.projection.name);
  state.layers.forEach((s, i) => writeLayer(q, s, i ? "b." : ""));
  if (state.layers.length > 1) {
    q.set("swipe", round(state.swipe, 3));
    q.set("linked", +state.linked);
  }
  if (state.points.length)
    q.set("points", state.points.map(([x, y]) => `${round(x, 4)},${round(y, 4)}`).join(";"));
  if (state.extra.length) q.set("chart", state.extra.join(","));
  if (state.theme !== "auto") q.set("theme", state.theme);
  return q
    .toString()
    .replace(/%2F/g, "/")
    .replace(/%2C/g, ",")
    .replace(/%3A/g, ":")
    .replace(/%3D/g, "=")
    .replace(/%3B/g, ";");
}

const pair = (text) => {
  const list = (text || "").split(",").map(Number);
  return list.length === 2 && list.every(Number.isFinite) ? list : null;
};

function readLayer(q, mark) {
  const get = (key) => q.get(mark + key);
  if (!get("collection")) return null;
  const range = pair(get("range"));
  const s = newSettings(get("collection"));
  for (const each of q.getAll(mark + "sel")) {
    const at = each.indexOf("=");
    if (at > 0) s.sel[each.slice(0, at)] = each.slice(at + 1);
  }
  const opacity = Number(get("opacity") ?? 1);
  return Object.assign(s, {
    variable: get("variable"),
    run: get("run"),
    time: get("time"),
    ramp: get("ramp"),
    range: range && range[0] < range[1] ? range : null,
    log: get("log") === "1",
    smooth: get("smooth") === "1",
    opacity: opacity >= 0 && opacity <= 1 ? opacity : 1,
  });
}

/** Takes a text's state; the view of it, or null. */
export function read(text) {
  const q = new URLSearchParams(text.replace(/^#/, "").replaceAll("+", "%2B"));
  state.layers = [readLayer(q, ""), readLayer(q, "b.")].filter(Boolean).slice(0, 2);
  state.swipe = Math.max(0, Math.min(1, Number(q.get("swipe") ?? 0.5))) || 0.5;
  state.linked = q.get("linked") !== "0";
  state.points = (q.get("points") || "")
    .split(";")
    .map(pair)
    .filter((p) => p && Math.abs(p[1]) <= 90);
  state.extra = (q.get("chart") || "").split(",").filter(Boolean);
  state.theme = ["light", "dark"].includes(q.get("theme")) ? q.get("theme") : "auto";
  state.active = 0;
  const view = (q.get("map") || "").split("/").map(Number);
  const projection = q.get("projection");
  return view.length === 3 && view.every(Number.isFinite)
    ? { zoom: view[0], lat: view[1], lon: view[2], projection }
    : projection
      ? { projection }
      : null;
}
