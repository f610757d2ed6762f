// The map: view, drawing and moving. One canvas; a picture of it is drawn at most once a frame of
// the screen.
import { ground, gridLabels, lines, outlined } from "./basemap.js";
import { inView, paint, request } from "./layers.js";
import { forgetErrors, onTile, pump } from "./tiles.js";
import { PROJECTIONS, wrap } from "./projection.js";
import { $, css, fresh, say, said } from "./ui.js";

const MIN_ZOOM = 0;
const MAX_ZOOM = 20;

export class WorldMap {
  constructor(canvas, state) {
    Object.assign(this, {
      canvas,
      state,
      layers: [],
      projection: PROJECTIONS.mercator,
      view: { x: 0.5, y: 0.45, zoom: 2 },
      grid: { lons: [], lats: [] },
      listeners: {},
      hover: null,
    });
    this.draw = () => {
      this.queued =
        this.queued ||
        requestAnimationFrame(() => {
          this.queued = 0;
          this.render();
        });
    };
    onTile(this.draw);
    new ResizeObserver(this.draw).observe(canvas);
  }

  on(name, run) {
    this.listeners[name] = run;
  }

  tell(name, ...words) {
    this.listeners[name]?.(...words);
  }

  // ---- places
  get ratio() {
    return devicePixelRatio || 1;
  }

  get sharp() {
    return this.ratio > 1.4 ? "@2x" : "";
  }

  scale() {
    return 256 * 2 ** this.view.zoom;
  }

  left() {
    return this.view.x - this.width / 2 / this.scale();
  }

  screenX(lon) {
    return this.width / 2 + (this.projection.x(lon) - this.view.x) * this.scale();
  }

  screenY(y) {
    return this.height / 2 + (y - this.view.y) * this.scale();
  }

  screenLat(lat) {
    return this.screenY(this.projection.y(lat));
  }

  place(x, y) {
    return [
      this.projection.lon(this.view.x + (x - this.width / 2) / this.scale()),
      this.projection.lat(this.view.y + (y - this.height / 2) / this.scale()),
    ];
  }

  /** Where a place stands nearest to the middle. */
  toScreen(lon, lat) {
    const x = this.projection.x(lon);
    const turns = Math.round(this.view.x - x);
    return [this.width / 2 + (x + turns - this.view.x) * this.scale(), this.screenLat(lat)];
  }

  corner(level, x, y) {
    const at = (v, middle, side) =>
      Math.round((side / 2 + (v / 2 ** level - middle) * this.scale()) * this.ratio) / this.ratio;
    return [at(x, this.view.x, this.width), at(y, this.view.y, this.height)];
  }

  inView() {
    return inView(this.view, this.projection, this.width, this.height);
  }

  /** The part of the map that no panel covers. */
  free() {
    const box = { left: 0, top: 0, right: this.width, bottom: this.height };
    for (const node of document.querySelectorAll("[data-covers]")) {
      const r = node.getBoundingClientRect();
      const side = node.dataset.covers;
      if (!r.width || !r.height) continue;
      if (side === "left" && r.width < this.width * 0.6) box.left = Math.max(box.left, r.right);
      else if (side === "bottom" || side === "left") box.bottom = Math.min(box.bottom, r.top);
      else if (side === "top") box.top = Math.max(box.top, r.bottom);
    }
    return box;
  }

  // ---- moving
  set(lon, lat, zoom) {
    this.view = { x: this.projection.x(wrap(lon)), y: this.projection.y(lat), zoom };
    this.moved();
  }

  moved() {
    const v = this.view;
    v.zoom = Math.max(MIN_ZOOM, Math.min(MAX_ZOOM, v.zoom));
    v.x = ((v.x % 1) + 1) % 1;
    v.y = Math.max(0, Math.min(this.projection.height, v.y));
    this.draw();
    this.tell("move");
  }

  pan(dx, dy) {
    this.view.x -= dx / this.scale();
    this.view.y -= dy / this.scale();
    this.moved();
  }

  /** Moves a place from under the cards at the bottom. */
  reveal([lon, lat]) {
    const below = this.toScreen(lon, lat)[1] - (this.free().bottom - 40);
    if (below > 16) this.pan(0, -below);
  }

  zoomTo(zoom, x = this.width / 2, y = this.height / 2) {
    const to = Math.max(MIN_ZOOM, Math.min(MAX_ZOOM, zoom));
    const k = 1 / this.scale() - 1 / (256 * 2 ** to);
    this.view.x += (x - this.width / 2) * k;
    this.view.y += (y - this.height / 2) * k;
    this.view.zoom = to;
    this.moved();
  }

  centre() {
    return [wrap(this.projection.lon(this.view.x)), this.projection.lat(this.view.y)];
  }

  /** Shows an extent in the free part of the window. */
  fit([west, south, east, north]) {
    this.measure();
    const p = this.projection;
    const f = this.free();
    const n = p.y(Math.min(north, p.name === "mercator" ? 80 : 90));
    const s = p.y(Math.max(south, p.name === "mercator" ? -70 : -90));
    const across = (east < west ? east + 360 - west : east - west) / 360;
    const high = s - n;
    const [w, h] = [f.right - f.left - 24, f.bottom - f.top - 24];
    const zoom = Math.log2(Math.min(w / across, h / high) / 256);
    this.view.zoom = Math.max(
      across > 0.99 ? Math.log2(Math.min(w, this.width / 1.0) / 256) - 0.05 : MIN_ZOOM,
      Math.min(9, zoom),
    );
    this.view.x = p.x(west) + across / 2 - ((f.left + f.right) / 2 - this.width / 2) / this.scale();
    this.view.y = (n + s) / 2 - ((f.top + f.bottom) / 2 - this.height / 2) / this.scale();
    this.moved();
  }

  // ---- drawing
  measure() {
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
  }

  colours() {
    return Object.fromEntries(
      ["sea", "land", "void", "coast", "border", "grid", "halo", "glow", "label"].map((n) => [
        n,
        css(`--map-${n}`),
      ]),
    );
  }

  /** Frames whose tiles are all there come into view; in a comparison both change at once. */
  settle() {
    const urls = new Set();
    const live = this.layers.filter((l) => l.wanted);
    const ready = live.map((l) => request(l.wanted, this, 0, urls));
    for (const l of live) if (l.shown && l.shown !== l.wanted) request(l.shown, this, 1, urls);
    live.forEach((l) => l.ahead.forEach((frame, k) => request(frame, this, 2 + k, urls)));
    pump(urls);
    const failed = live.find((l) => l.wanted.error);
    if (failed) this.fail(failed.wanted);
    if (live.length && ready.every(Boolean)) {
      const fresher = live.filter((l) => l.shown !== l.wanted);
      fresher.forEach((l) => {
        l.shown = l.wanted;
      });
      if (fresher.length) this.tell("shown");
    }
    document.body.dataset.busy = ready.every(Boolean) ? "" : "1";
    return live.length > 0 && ready.every(Boolean);
  }

  fail(frame) {
    const text = frame.error;
    frame.error = null;
    if (said() !== text)
      say(text, () => {
        forgetErrors();
        this.draw();
      });
    this.tell("error");
  }

  render() {
    this.measure();
    if (!this.width) return;
    const c = fresh(this.canvas, this.width, this.height);
    const colours = this.colours();
    const whole = this.settle();
    ground(c, this, colours);
    this.layers.forEach((layer, i) => {
      if (layer.shown) this.paintLayer(c, layer, i);
    });
    lines(
      c,
      this,
      colours,
      this.layers.some((l) => l.shown),
    );
    this.edges(c, colours);
    gridLabels(
      c,
      this,
      colours,
      this.free(),
      [...document.querySelectorAll("#tools, .legend, #message")].map((n) =>
        n.getBoundingClientRect(),
      ),
    );
    this.state.points.forEach((p, i) => this.mark(c, p, i));
    document.body.dataset.outlined = outlined(this) ? "1" : "";
    document.body.dataset.whole = whole ? "1" : "";
    this.tell("drawn");
  }

  paintLayer(c, layer, i) {
    const bar = this.swipeX();
    c.save();
    if (this.layers.length === 2) {
      c.beginPath();
      c.rect(i ? bar : 0, 0, i ? this.width - bar : bar, this.height);
      c.clip();
    }
    c.globalAlpha = layer.settings.opacity;
    c.imageSmoothingEnabled = layer.settings.smooth;
    paint(c, layer.shown, this);
    c.restore();
  }

  swipeX() {
    const f = this.free();
    return f.left + (f.right - f.left) * this.state.swipe;
  }

  edges(c, colours) {
    c.fillStyle = colours.void;
    const top = this.screenY(0);
    const bottom = this.screenY(this.projection.height);
    if (top > 0) c.fillRect(0, 0, this.width, top);
    if (bottom < this.height) c.fillRect(0, bottom, this.width, this.height - bottom);
  }

  mark(c, [lon, lat], i) {
    const [x, y] = this.toScreen(lon, lat);
    c.beginPath();
    c.arc(x, y, 6.5, 0, 7);
    c.fillStyle = css(`--series-${i % 8}`);
    c.fill();
    c.lineWidth = 2;
    c.strokeStyle = "#fff";
    c.stroke();
    c.beginPath();
    c.arc(x, y, 8, 0, 7);
    c.lineWidth = 1;
    c.strokeStyle = "#0009";
    c.stroke();
  }

  // ---- pointer and keys
  listen() {
    const canvas = this.canvas;
    Object.assign(this, { touches: new Map(), travelled: 0 });
    canvas.onpointerdown = (e) => {
      canvas.setPointerCapture(e.pointerId);
      this.touches.set(e.pointerId, e);
      this.travelled = this.touches.size > 1 ? 99 : 0;
    };
    canvas.onpointermove = (e) => this.drag(e);
    canvas.onpointerup = canvas.onpointercancel = (e) => {
      if (!this.touches.delete(e.pointerId)) return;
      if (this.travelled < 5 && e.type === "pointerup")
        this.tell("choose", ...this.place(e.offsetX, e.offsetY), e.shiftKey);
    };
    canvas.onpointerleave = () => this.tell("hover");
    canvas.onwheel = (e) => {
      e.preventDefault();
      this.zoomTo(this.view.zoom - Math.max(-1, Math.min(1, e.deltaY / 240)), e.offsetX, e.offsetY);
    };
    canvas.onkeydown = (e) => this.key(e);
    $("zoom-in").onclick = () => this.zoomTo(Math.floor(this.view.zoom + 1.001));
    $("zoom-out").onclick = () => this.zoomTo(Math.ceil(this.view.zoom - 1.001));
  }

  /** One pointer moves the map; two also zoom it by what lies between them. */
  drag(e) {
    const { touches } = this;
    const before = touches.get(e.pointerId);
    if (!before) return this.tell("hover", ...this.place(e.offsetX, e.offsetY));
    const [dx, dy] = [e.clientX - before.clientX, e.clientY - before.clientY];
    this.travelled += touches.size > 1 ? 99 : Math.abs(dx) + Math.abs(dy);
    const apart = this.apart();
    touches.set(e.pointerId, e);
    if (touches.size === 2) {
      const [a, b] = [...touches.values()];
      const by = Math.log2(Math.max(1, this.apart()) / Math.max(1, apart));
      const [x, y] = [(a.clientX + b.clientX) / 2, (a.clientY + b.clientY) / 2];
      this.zoomTo(this.view.zoom + by, x, y);
    }
    this.pan(dx / touches.size, dy / touches.size);
  }

  apart() {
    const [a, b] = [...this.touches.values()];
    return b ? Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) : 0;
  }

  key(e) {
    const moves = {
      ArrowLeft: [80, 0],
      ArrowRight: [-80, 0],
      ArrowUp: [0, 80],
      ArrowDown: [0, -80],
    };
    if (moves[e.key]) this.pan(...moves[e.key]);
    else if (e.key === "+" || e.key === "=") this.zoomTo(this.view.zoom + 1);
    else if (e.key === "-") this.zoomTo(this.view.zoom - 1);
    else if (e.key === "Enter") {
      const f = this.free();
      this.tell(
        "choose",
        ...this.place((f.left + f.right) / 2, (f.top + f.bottom) / 2),
        e.shiftKey,
      );
    } else return;
    e.preventDefault();
  }
}
