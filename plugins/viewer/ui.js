// Small helpers of the page's elements.
export const $ = (id) => document.getElementById(id);

/** An element with properties and children; `on…`, `class`, `data…` and `aria-…` work as one would
 * write them. */
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role" || key === "for") node.setAttribute(key, value);
    else if (key === "class") node.className = value;
    else node[key] = value;
  }
  node.append(...children.filter((c) => c != null));
  return node;
}

/** Options of a select: [value, text] each. */
export function fill(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  if (chosen !== undefined && options.some(([value]) => String(value) === String(chosen)))
    select.value = chosen;
}

/** A number as short as it can be read. */
export function short(v) {
  if (v == null || Number.isNaN(v)) return "no data";
  if (v !== 0 && (Math.abs(v) >= 1e6 || Math.abs(v) < 1e-3))
    return v.toExponential(2).replace("e+", "e").replace("-", "−");
  return String(+v.toPrecision(5)).replace("-", "−");
}

export function degrees(v, plus, minus) {
  const t = Math.abs(v) < 5e-3 ? 0 : +Math.abs(v).toFixed(2);
  return t + "°" + (t === 0 || (plus === "E" && t === 180) ? "" : v > 0 ? plus : minus);
}

const SUPERSCRIPT = {
  "-": "⁻",
  0: "⁰",
  1: "¹",
  2: "²",
  3: "³",
  4: "⁴",
  5: "⁵",
  6: "⁶",
  7: "⁷",
  8: "⁸",
  9: "⁹",
};
/** Units as people write them: m s-1 is m s⁻¹, degC is °C, 1 is nothing. */
export function unitText(units) {
  if (!units || units === "1") return "";
  if (/^(deg(ree)?s?[_ ]?c(elsius)?|celsius)$/i.test(units)) return "°C";
  if (/^degrees?(_(north|east))?$/i.test(units)) return "°";
  return units.replace(
    /([A-Za-z])\^?\*{0,2}(-?\d+)\b/g,
    (_, letter, power) => letter + [...power].map((c) => SUPERSCRIPT[c]).join(""),
  );
}

export const place = (lon, lat) => `${degrees(lat, "N", "S")} ${degrees(lon, "E", "W")}`;
export const time = (t) =>
  t == null ? "always" : t.replace("T", " ").replace(/(:00)?(\.0+)?Z$/, "");
export const css = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function later(ms, run) {
  let timer;
  return (...words) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...words), ms);
  };
}

/** Round steps of an axis between two numbers: about `count` of them. */
export function ticks(low, high, count) {
  const raw = (high - low) / count;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((k) => k * unit).find((s) => s >= raw * 0.8);
  const list = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++)
    list.push(+(i * step).toPrecision(12));
  return list;
}

/** A canvas as large as it is shown, cleared, its unit one CSS pixel. */
export function fresh(canvas, width = canvas.clientWidth, height = canvas.clientHeight) {
  const d = devicePixelRatio || 1;
  canvas.width = Math.round(width * d);
  canvas.height = Math.round(height * d);
  const c = canvas.getContext("2d");
  c.setTransform(d, 0, 0, d, 0, 0);
  return c;
}

export function download(name, blob) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

let saying;
/** The line at the top of the map: what went wrong (with a way to try again), or nothing. */
export function say(text, retry) {
  saying = text;
  $("message-text").textContent = text || "";
  $("message").hidden = !text;
  $("retry").hidden = !retry;
  $("retry").onclick = () => {
    say("");
    retry();
  };
}
export const said = () => saying;
