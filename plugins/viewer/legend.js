// The legends on the map: each belongs to the frame that is shown, not to what is being loaded.
// What they say is the server's own table, the one that its tiles are drawn by.
import { askOnce } from "./api.js";
import { $, css, el, fresh, short, unitText } from "./ui.js";

const WIDTH = 248;
const BAR = 12;
const ARROW = 10;
const MOST = 14;
const LONG = 15;

/** The pointed end of a bar: the colour of what lies beyond it. */
function arrow(c, x, to, colour) {
  c.beginPath();
  c.moveTo(x, 0);
  c.lineTo(to, BAR / 2);
  c.lineTo(x, BAR);
  c.fillStyle = colour;
  c.fill();
}

function drawBar(canvas, table) {
  const c = fresh(canvas, WIDTH, BAR + 18);
  const left = table.below ? ARROW : 0;
  const right = WIDTH - (table.above ? ARROW : 0);
  const wide = right - left;
  table.colors.forEach((colour, i) => {
    c.fillStyle = colour;
    c.fillRect(left + (i / table.colors.length) * wide, 0, wide / table.colors.length + 0.5, BAR);
  });
  if (table.below) arrow(c, left, 0, table.below);
  if (table.above) arrow(c, right, WIDTH, table.above);
  ticks(c, table, left, wide);
}

function ticks(c, table, left, wide) {
  let free = -9;
  c.font = "11px system-ui, sans-serif";
  c.fillStyle = css("--ink");
  for (const { at, label } of table.ticks) {
    const text = c.measureText(label).width;
    const x = left + at * (wide - 1);
    const from = Math.max(0, Math.min(WIDTH - text, x - text / 2));
    if (from < free) continue;
    c.fillRect(Math.round(x), BAR, 1, 4);
    c.fillText(label, from, BAR + 15);
    free = from + text + 8;
  }
}

function swatch({ color, label }) {
  const box = el("span", { class: "swatch" });
  box.style.background = color;
  return el("li", { title: label }, box, el("span", {}, label));
}

function list(table) {
  const rows = table.entries.slice(0, MOST).map(swatch);
  const left = table.entries.length - MOST;
  if (left > 0) rows.push(el("li", {}, el("span", {}, `and ${left} more`)));
  const long = table.entries.some(({ label }) => label.length > LONG);
  return el("ul", { class: long ? "swatches long" : "swatches" }, ...rows);
}

function bar(table) {
  const canvas = el("canvas", { class: "legend-bar", role: "img" });
  canvas.style.width = `${WIDTH}px`;
  canvas.style.height = `${BAR + 18}px`;
  canvas.setAttribute(
    "aria-label",
    `Colours from ${short(table.rescale[0])} to ${short(table.rescale[1])} ${table.units || ""}`,
  );
  drawBar(canvas, table);
  return canvas;
}

function figure(layer, table, letter) {
  const level = Object.entries(layer.settings.sel)
    .map(([dim, value]) => `${dim} ${value}`)
    .join(", ");
  const title = el(
    "figcaption",
    {},
    el("span", {}, letter, table.title, level ? ` · ${level}` : ""),
    el(
      "span",
      { class: "units" },
      table.entries ? "" : unitText(table.units),
      table.stretch === "log" ? " (log)" : "",
    ),
  );
  return el("figure", { class: "legend card" }, title, table.entries ? list(table) : bar(table));
}

/** Draws the legends of the layers. */
export async function drawLegends(layers) {
  const drawn = layers.filter((l) => l.shown);
  const frames = drawn.map((l) => l.shown);
  const tables = await Promise.all(frames.map((frame) => askOnce(frame.legend).catch(() => null)));
  if (drawn.some((l, i) => l.shown?.legend !== frames[i].legend)) return; // a later call draws them
  const figures = drawn.map(
    (layer, i) => tables[i] && figure(layer, tables[i], drawn.length > 1 ? `${"AB"[i]} · ` : ""),
  );
  $("legends").replaceChildren(...figures.filter(Boolean));
}
