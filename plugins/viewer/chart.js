// A chart of series over time: one plot a unit, all with one axis; drag to zoom, double click for
// all, a line at the map's time.
import { css, fresh, short, ticks, time } from "./ui.js";

const LEFT = 62;
const RIGHT = 14;
const TOP = 16;
const BOTTOM = 24;
const GAP = 16;
const DAY = 86400000;

/** Milliseconds of a date in its own calendar: months and days count alike everywhere, which is
 * near enough to place a mark. */
export function position(text, calendar) {
  const m = /^(-?\d+)-(\d+)-(\d+)T(\d+):(\d+):([\d.]+)/.exec(text || "");
  if (!m) return NaN;
  const [year, month, day, hour, minute, second] = m.slice(1).map(Number);
  const clock = (hour * 3600 + minute * 60 + second) * 1000;
  if (calendar === "360_day") return (year * 360 + (month - 1) * 30 + day - 1) * DAY + clock;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getTime() + clock;
}

export class Chart {
  constructor(canvas, readout, choose) {
    Object.assign(this, { canvas, readout, choose, series: [], zoom: null, now: null, at: null });
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.onpointerdown = (e) => {
      canvas.setPointerCapture(e.pointerId);
      this.from = this.to = e.offsetX;
    };
    canvas.onpointermove = (e) => {
      if (this.from != null) this.to = e.offsetX;
      this.at = e.offsetX;
      this.draw();
    };
    canvas.onpointerleave = () => {
      this.at = null;
      this.draw();
    };
    canvas.onpointerup = () => this.release();
    canvas.onpointercancel = () => {
      this.from = null;
    };
    canvas.ondblclick = () => this.all();
    canvas.onwheel = (e) => {
      e.preventDefault();
      this.scroll(e);
    };
    canvas.onkeydown = (e) => this.key(e);
  }

  /** series: [{label, units, colour, dash, times, places, values}] */
  show(series) {
    this.series = series;
    const all = series.flatMap((s) => [s.places[0], s.places.at(-1)]).filter(Number.isFinite);
    this.extent = all.length ? [Math.min(...all), Math.max(...all)] : [0, 1];
    if (this.extent[0] === this.extent[1]) {
      this.extent[0] -= DAY;
      this.extent[1] += DAY;
    }
    this.zoom = null;
    this.draw();
  }

  all() {
    this.zoom = null;
    this.draw();
  }

  get span() {
    return this.zoom || this.extent;
  }

  x(t) {
    const [a, b] = this.span;
    return LEFT + ((t - a) / (b - a)) * (this.width - LEFT - RIGHT);
  }

  t(x) {
    const [a, b] = this.span;
    return a + ((x - LEFT) / (this.width - LEFT - RIGHT)) * (b - a);
  }

  limit(a, b) {
    const [low, high] = this.extent;
    const least = (high - low) / 5000;
    if (b - a < least) return;
    this.zoom = [Math.max(low, a), Math.min(high, b)];
    if (this.zoom[0] <= low && this.zoom[1] >= high) this.zoom = null;
    this.draw();
  }

  release() {
    const [a, b] = [this.from, this.to].map((x) => this.t(x)).sort((p, q) => p - q);
    const wide = Math.abs(this.to - this.from);
    this.from = null;
    if (wide > 6) this.limit(a, b);
    else if (wide <= 6) this.choose(b);
    this.draw();
  }

  scroll(e) {
    const [a, b] = this.span;
    const t = this.t(e.offsetX);
    const k = e.deltaY > 0 ? 1.3 : 1 / 1.3;
    this.limit(t - (t - a) * k, t + (b - t) * k);
  }

  key(e) {
    const [a, b] = this.span;
    const middle = (a + b) / 2;
    const half = (b - a) / 2;
    if (e.key === "+") this.limit(middle - half / 1.5, middle + half / 1.5);
    else if (e.key === "-") this.limit(middle - half * 1.5, middle + half * 1.5);
    else if (e.key === "ArrowLeft") this.limit(a - half / 4, b - half / 4);
    else if (e.key === "ArrowRight") this.limit(a + half / 4, b + half / 4);
    else if (e.key === "Escape") this.all();
    else return;
    e.preventDefault();
    e.stopPropagation();
  }

  // ---- drawing
  plots() {
    const units = [...new Set(this.series.map((s) => s.units))];
    const high = (this.height - TOP - BOTTOM - GAP * (units.length - 1)) / units.length;
    return units.map((unit, i) => ({
      unit,
      top: TOP + i * (high + GAP),
      high,
      series: this.series.filter((s) => s.units === unit),
    }));
  }

  draw(canvas = this.canvas, width = canvas.clientWidth, height = canvas.clientHeight) {
    if (!width || !height) return;
    Object.assign(this, { width, height });
    const c = (this.c = fresh(canvas, width, height));
    c.font = "11px system-ui, sans-serif";
    if (!this.series.length) return;
    const plots = this.plots();
    plots.forEach((plot) => this.plot(plot));
    this.axis();
    this.marks();
    if (canvas === this.canvas) this.readout(this.nearest());
  }

  range({ series }) {
    let low = Infinity;
    let high = -Infinity;
    const [a, b] = this.span;
    for (const s of series)
      s.values.forEach((v, i) => {
        if (v != null && s.places[i] >= a && s.places[i] <= b) {
          low = Math.min(low, v);
          high = Math.max(high, v);
        }
      });
    if (!(low <= high)) return [0, 1];
    const edge = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
    return [low - edge, high + edge];
  }

  plot(plot) {
    const { c } = this;
    const { unit, top, high } = plot;
    const [low, most] = this.range(plot);
    const y = (v) => top + ((most - v) / (most - low)) * high;
    c.strokeStyle = css("--line");
    c.lineWidth = 1;
    c.fillStyle = css("--soft");
    c.textAlign = "right";
    for (const v of ticks(low, most, Math.max(2, high / 30))) {
      c.beginPath();
      c.moveTo(LEFT, Math.round(y(v)) + 0.5);
      c.lineTo(this.width - RIGHT, Math.round(y(v)) + 0.5);
      c.stroke();
      c.fillText(short(v), LEFT - 6, y(v) + 4);
    }
    c.textAlign = "left";
    c.fillText(unit, 6, top - 5);
    c.save();
    c.beginPath();
    c.rect(LEFT, top - 2, this.width - LEFT - RIGHT, high + 4);
    c.clip();
    for (const s of plot.series) this.line(s, y);
    c.restore();
  }

  line(s, y) {
    const { c } = this;
    const [a, b] = this.span;
    const dots = s.values.length < 40;
    c.strokeStyle = c.fillStyle = s.colour;
    c.setLineDash(s.dash);
    c.lineWidth = 1.6;
    c.lineJoin = c.lineCap = "round"; // a value alone between gaps is a dot
    c.beginPath();
    const margin = (b - a) * 0.02;
    s.values.forEach((v, i) => {
      if (v == null || s.places[i + 1] < a - margin || s.places[i - 1] > b + margin) return;
      if (s.values[i - 1] == null) c.moveTo(this.x(s.places[i]), y(v));
      c.lineTo(this.x(s.places[i]), y(v));
    });
    c.stroke();
    c.setLineDash([]);
    if (dots)
      s.values.forEach((v, i) => {
        if (v != null) {
          c.beginPath();
          c.arc(this.x(s.places[i]), y(v), 2.5, 0, 7);
          c.fill();
        }
      });
  }

  // Dates under the axis: those of steps, as many as have room, no longer than needed.
  axis() {
    const { c } = this;
    const s = this.series.reduce((p, q) => (q.places.length > p.places.length ? q : p));
    const [a, b] = this.span;
    const inside = s.places
      .map((t, i) => i)
      .filter((i) => s.places[i] >= a - 1 && s.places[i] <= b + 1);
    const length = b - a > 3 * DAY * 365 ? 7 : b - a > 4 * DAY ? 10 : 16;
    const wide = length * 6.6 + 22;
    const most = Math.max(2, Math.floor((this.width - LEFT - RIGHT) / wide));
    const step = Math.max(1, Math.ceil(inside.length / most));
    c.fillStyle = css("--soft");
    c.textAlign = "center";
    let free = 0;
    for (let k = 0; k < inside.length; k += step) {
      const text = time(s.times[inside[k]]).slice(0, length);
      const x = Math.max(
        wide / 2 - 8,
        Math.min(this.width - wide / 2 + 8, this.x(s.places[inside[k]])),
      );
      if (x - wide / 2 < free - 1) continue;
      c.fillText(text, x, this.height - 6);
      free = x + wide / 2;
    }
  }

  marks() {
    const { c } = this;
    const bar = (x, colour, dash) => {
      c.strokeStyle = colour;
      c.setLineDash(dash);
      c.lineWidth = 1;
      c.beginPath();
      c.moveTo(Math.round(x) + 0.5, TOP - 6);
      c.lineTo(Math.round(x) + 0.5, this.height - BOTTOM + 4);
      c.stroke();
      c.setLineDash([]);
    };
    if (this.now >= this.span[0] && this.now <= this.span[1])
      bar(this.x(this.now), css("--alarm"), []);
    if (this.at != null && this.at >= LEFT) bar(this.at, css("--soft"), [3, 3]);
    if (this.from != null) {
      c.fillStyle = css("--band");
      c.fillRect(
        Math.min(this.from, this.to),
        TOP,
        Math.abs(this.to - this.from),
        this.height - TOP - BOTTOM,
      );
    }
  }

  /** The step of each series nearest to the pointer, or to the map's time. */
  nearest() {
    const t = this.at != null ? this.t(this.at) : this.now;
    return this.series.map((s) => {
      let best = 0;
      s.places.forEach((p, i) => {
        if (Math.abs(p - t) < Math.abs(s.places[best] - t)) best = i;
      });
      return { series: s, index: best, value: s.values[best], time: s.times[best] };
    });
  }
}
