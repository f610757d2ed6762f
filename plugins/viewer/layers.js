// A layer is what is chosen of a collection, and the frames of it: `wanted` is the one that is
// asked for, `shown` the one on the map. A frame takes the other's place when all its tiles in view
// are there, so that pixels, time and legend always agree.
import {
  askNow,
  askOnce,
  choice,
  legendUrl,
  look,
  readable,
  tilejsonUrl,
  tilesBase,
  timesUrl,
} from "./api.js";
import { tile, seen } from "./tiles.js";

const DEEPEST = 24;
const AHEAD = 4;

export const newSettings = (collection) => ({
  collection,
  variable: null,
  sel: {},
  run: null,
  time: null,
  ramp: null,
  range: null,
  log: false,
  smooth: false,
  opacity: 1,
});

export class Layer {
  constructor(settings) {
    Object.assign(this, {
      settings,
      info: null,
      times: [],
      versions: [],
      runs: [],
      index: 0,
      wanted: null,
      shown: null,
      turn: 0,
      ahead: [],
    });
  }

  get variable() {
    return this.info?.variables.find((v) => v.name === this.settings.variable);
  }

  /**
   * Reads the TileJSON and the times of what is chosen; a variable that is `fresh` and has
   * categories comes in their colours. False: a later choice has overtaken this one.
   */
  async load(fresh) {
    const turn = ++this.turn;
    const s = this.settings;
    if (!s.variable)
      s.variable = (await askOnce(`${tilesBase(s.collection)}/tilejson.json`)).variable;
    const list = await askNow(timesUrl(s));
    if (turn !== this.turn) return false;
    const index = list.times.indexOf(s.time);
    const at = index >= 0 ? index : list.times.length - 1;
    const own = await askOnce(
      `${tilesBase(s.collection)}/tilejson.json?${readable(choice({ ...s, sel: {}, run: null }))}`,
    );
    if (turn !== this.turn) return false;
    if (fresh && !own.colormap_name) s.ramp = null;
    this.keepExtras(own);
    const info = await askOnce(tilejsonUrl(s, s.run ? list.times[at] : null));
    if (turn !== this.turn) return false;
    Object.assign(this, {
      info,
      times: list.times,
      versions: list.versions || [],
      runs: list.runs || [],
      index: at,
    });
    s.time = this.times[at] ?? null;
    this.want();
    return true;
  }

  /** Whether the server has other times, versions or ranges by now than those that are shown. */
  async isStale() {
    const s = this.settings;
    const [list, info] = await Promise.all([
      askNow(timesUrl(s)),
      askNow(tilejsonUrl(s, s.run ? s.time : null)),
    ]);
    const text = (times, versions, tilejson) =>
      JSON.stringify([times, versions || [], tilejson.rescale, tilejson.tiles]);
    return (
      text(list.times, list.versions, info) !== text(this.times, this.versions, this.info)
    );
  }

  /** Levels that this variable does not have are forgotten. */
  keepExtras(info) {
    const extras =
      info.variables
        .find((v) => v.name === this.settings.variable)
        ?.extra.filter((e) => e.size > 1) || [];
    for (const dim of Object.keys(this.settings.sel))
      if (!extras.some((e) => e.name === dim)) delete this.settings.sel[dim];
  }

  /** Reads the TileJSON again: the look has changed. */
  async restyle() {
    const turn = ++this.turn;
    const info = await askOnce(
      tilejsonUrl(this.settings, this.settings.run ? this.settings.time : null),
    );
    if (turn !== this.turn) return;
    this.info = info;
    this.want();
  }

  frame(index) {
    const s = this.settings;
    const time = this.times[index];
    const query = readable(choice(s, { datetime: time, ...look(s), v: this.versions[index] }));
    return {
      index,
      time,
      query,
      base: tilesBase(s.collection),
      info: this.info,
      legend: legendUrl(s),
      variable: this.variable,
    };
  }

  /** Asks for the frame of the chosen time. */
  want() {
    this.wanted = this.frame(this.index);
    this.ahead = [];
  }

  go(index) {
    this.index = Math.max(0, Math.min(this.times.length - 1, index));
    this.settings.time = this.times[this.index];
    this.want();
  }

  /** The frames that come next are fetched before they are asked for. */
  prefetch(by) {
    const n = this.times.length;
    this.ahead = Array.from({ length: Math.min(AHEAD, n - 1) }, (_, k) =>
      this.frame((this.index + by * (k + 1) + n) % n),
    );
  }
}

export function tileUrl(frame, projection, sharp, level, x, y, format = "png", more = "") {
  const z = level - projection.behind;
  const columns = 2 ** level;
  const column = ((x % columns) + columns) % columns;
  return `${frame.base}/${projection.tms}${z}/${column}/${y}${sharp}.${format}?${frame.query}${more}`;
}

/** The tiles that a view shows: {level, list of [x, y]}; x goes on past the seam. */
export function inView(view, projection, width, height, off = 0) {
  const level = Math.max(projection.behind, Math.min(DEEPEST, Math.round(view.zoom) + off));
  const n = 2 ** level;
  const world = 256 * 2 ** view.zoom;
  const left = view.x - width / 2 / world;
  const top = view.y - height / 2 / world;
  const rows = Math.round(projection.height * n);
  const list = [];
  for (
    let y = Math.max(0, Math.floor(top * n));
    y <= Math.min(rows - 1, Math.floor((top + height / world) * n - 1e-9));
    y++
  ) {
    for (let x = Math.floor(left * n); x <= Math.floor((left + width / world) * n - 1e-9); x++)
      list.push([x, y]);
  }
  return { level, list };
}

/** Asks for a frame's tiles in view; collects their addresses. True when none is missing. */
export function request(frame, map, rank, urls) {
  const { level, list } = map.inView();
  let whole = true;
  for (const [x, y] of list) {
    const own = tile(tileUrl(frame, map.projection, map.sharp, level, x, y), rank);
    urls.add(own.url);
    if (own.state === "error") frame.error = own.error;
    if (own.state === "waiting" || own.state === "loading") whole = false;
  }
  return whole;
}

/** Draws what is there of a frame; where a tile is missing, that part of one of a coarser level of
 * the same frame. */
export function paint(c, frame, map) {
  const { level, list } = map.inView();
  for (const [x, y] of list) {
    for (let up = 0; up <= Math.min(6, level - map.projection.behind); up++) {
      const k = 2 ** up;
      const own = seen(
        tileUrl(frame, map.projection, map.sharp, level - up, Math.floor(x / k), Math.floor(y / k)),
      );
      if (!own?.image) continue;
      const side = own.image.width / k;
      const px = ((x % k) + k) % k;
      const py = y % k;
      const [x0, y0] = map.corner(level, x, y);
      const [x1, y1] = map.corner(level, x + 1, y + 1);
      c.drawImage(own.image, px * side, py * side, side, side, x0, y0, x1 - x0, y1 - y0);
      break;
    }
  }
}
