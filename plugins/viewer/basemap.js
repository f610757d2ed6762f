// Land, coastlines, borders and graticule, drawn from the page's own outlines (Natural Earth).
import { askOnce, at } from "./api.js";
import { degrees } from "./ui.js";
import { wrap } from "./projection.js";

const FINE_FROM = 2.6; // zoom
// resolution and projection -> {land, coast, borders}: paths in the unit world
const worlds = {};
let raw = {};

function decode(text) {
  const out = [];
  let at = 0;
  let x = 0;
  let y = 0;
  const next = () => {
    let value = 0;
    let shift = 0;
    let piece;
    do {
      piece = text.charCodeAt(at++) - 63;
      value |= (piece & 31) << shift;
      shift += 5;
    } while (piece >= 32);
    return value & 1 ? ~(value >> 1) : value >> 1;
  };
  while (at < text.length) {
    x += next();
    y += next();
    out.push([x / 100, y / 100]);
  }
  return out;
}

/** A line whose longitudes go on past 180 degrees, so that no step of it crosses the world. */
function unwrapped(line) {
  let turns = 0;
  let before = line[0][0];
  return line.map(([lon, lat]) => {
    if (lon - before > 180) turns -= 360;
    else if (lon - before < -180) turns += 360;
    before = lon;
    return [lon + turns, lat];
  });
}

/** The same line as often as the world from 180° W to 180° E holds a part of it. */
function copies(line) {
  const own = unwrapped(line);
  const lons = own.map((p) => p[0]);
  const least = Math.min(...lons);
  const most = Math.max(...lons);
  const off = [0];
  if (least < -180) off.push(360);
  if (most > 180) off.push(-360);
  return off.map((by) => own.map(([lon, lat]) => [lon + by, lat]));
}

/** A ring around the pole is closed along it: [ring, the part of it that is coast]. */
function closed(ring) {
  const [first, last] = [ring[0], ring.at(-1)];
  return Math.abs(first[0] - last[0]) < 180 ? ring : [...ring, [last[0], -90], [first[0], -90]];
}

// The sides of rings that run along 180 degrees or the pole are no coast.
const onEdge = (p, q) => (Math.abs(p[0]) === 180 && p[0] === q[0]) || p[1] === -90 || q[1] === -90;

function paths({ land, borders }, projection) {
  const out = { land: new Path2D(), coast: new Path2D(), borders: new Path2D() };
  const to = (p) => [projection.x(p[0]), projection.y(p[1])];
  for (const ring of land.flatMap(copies).map(closed)) {
    ring.forEach((p, i) => {
      out.land[i ? "lineTo" : "moveTo"](...to(p));
      out.coast[i && !onEdge(ring[i - 1], p) ? "lineTo" : "moveTo"](...to(p));
    });
    out.land.closePath();
  }
  for (const line of borders.flatMap(copies))
    line.forEach((p, i) => out.borders[i ? "lineTo" : "moveTo"](...to(p)));
  return out;
}

function world(projection, resolution, redraw) {
  const key = `${resolution} ${projection.name}`;
  if (worlds[key]) return worlds[key];
  if (!raw[resolution]) {
    raw[resolution] = "asked";
    askOnce(at(`/viewer/world-${resolution}.json`))
      .then((read) => {
        raw[resolution] = { land: read.land.map(decode), borders: read.borders.map(decode) };
        redraw();
      })
      .catch(() => {
        raw[resolution] = null;
      });
  }
  if (raw[resolution] === "asked") return null;
  return raw[resolution] && (worlds[key] = paths(raw[resolution], projection));
}

const resolution = (map) => (map.view.zoom >= FINE_FROM ? "50m" : "110m");

/** The outlines for a view's zoom are there, or can't be had. */
export const outlined = (map) => ![undefined, "asked"].includes(raw[resolution(map)]);

/** The outlines for a view's zoom: the fine ones where they matter and are there. */
function outlines(map) {
  const coarse = world(map.projection, "110m", map.draw);
  return world(map.projection, resolution(map), map.draw) || coarse;
}

/** Runs `draw` in unit coordinates for each copy of the world that is in view. */
export function everyWorld(c, map, draw) {
  const scale = map.scale();
  const d = map.ratio;
  for (let k = Math.floor(map.left()); k <= Math.floor(map.left() + map.width / scale); k++) {
    c.save();
    c.setTransform(
      d * scale,
      0,
      0,
      d * scale,
      d * (map.width / 2 + (k - map.view.x) * scale),
      d * (map.height / 2 - map.view.y * scale),
    );
    draw(scale);
    c.restore();
  }
}

export function ground(c, map, colours) {
  const own = outlines(map);
  const top = map.screenY(0);
  const bottom = map.screenY(map.projection.height);
  c.fillStyle = colours.void;
  c.fillRect(0, 0, map.width, map.height);
  c.fillStyle = colours.sea;
  c.fillRect(0, top, map.width, bottom - top);
  if (!own) return;
  everyWorld(c, map, () => {
    c.fillStyle = colours.land;
    c.fill(own.land, "evenodd");
  });
}

export function lines(c, map, colours, covered) {
  const own = outlines(map);
  graticule(c, map, colours);
  if (!own) return;
  everyWorld(c, map, (scale) => {
    c.lineJoin = "round";
    if (covered) {
      c.strokeStyle = colours.halo;
      c.lineWidth = 2.4 / scale;
      c.stroke(own.coast);
    }
    c.strokeStyle = colours.border;
    c.lineWidth = 0.7 / scale;
    c.stroke(own.borders);
    c.strokeStyle = colours.coast;
    c.lineWidth = 1.1 / scale;
    c.stroke(own.coast);
  });
}

function graticule(c, map, colours) {
  const step =
    [30, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1].find((s) => (s * map.scale()) / 360 < 170) || 0.05;
  const top = Math.max(0, map.screenY(0));
  const bottom = Math.min(map.height, map.screenY(map.projection.height));
  const [west, north] = map.place(0, top);
  const [east, south] = map.place(map.width, bottom);
  c.strokeStyle = colours.grid;
  c.lineWidth = 1;
  c.beginPath();
  map.grid = { lons: [], lats: [] };
  for (let i = Math.ceil(west / step); i * step <= east; i++) {
    const x = Math.round(map.screenX(i * step)) + 0.5;
    map.grid.lons.push([x, i * step]);
    c.moveTo(x, top);
    c.lineTo(x, bottom);
  }
  for (let i = Math.ceil(south / step); i * step <= north; i++) {
    const y = Math.round(map.screenLat(i * step)) + 0.5;
    map.grid.lats.push([y, i * step]);
    c.moveTo(0, y);
    c.lineTo(map.width, y);
  }
  c.stroke();
}

/** Degrees at the edges of the free part of the map, where no card (`cards`: boxes) is in the way. */
export function gridLabels(c, map, colours, free, cards) {
  c.font = "11px system-ui, sans-serif";
  c.lineJoin = "round";
  c.strokeStyle = colours.glow;
  c.fillStyle = colours.label;
  c.lineWidth = 3.5;
  const taken = cards.map((b) => [b.left, b.top, b.right, b.bottom]);
  const write = (text, x, y) => {
    const wide = c.measureText(text).width;
    const box = [x - wide / 2 - 5, y - 12, x + wide / 2 + 5, y + 4];
    if (
      box[0] < free.left ||
      box[2] > free.right ||
      taken.some((t) => box[0] < t[2] && box[2] > t[0] && box[1] < t[3] && box[3] > t[1])
    )
      return;
    taken.push(box);
    c.strokeText(text, x, y);
    c.fillText(text, x, y);
  };
  c.textAlign = "center";
  for (const [x, lon] of map.grid.lons) write(degrees(wrap(lon), "E", "W"), x, free.top + 14);
  for (const [y, lat] of map.grid.lats)
    if (y > free.top + 24 && y < free.bottom - 8)
      write(degrees(lat, "N", "S"), free.right - 22, y - 3);
}
