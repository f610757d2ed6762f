// The distribution of the values in view, read from small NPY tiles of the same frame, with the
// ramp's two ends to drag on it.
import { inView, tileUrl } from "./layers.js";
import { $, css, fresh, later, short } from "./ui.js";

const BINS = 64;
const MOST = 16;

/** Values and mask of an NPY tile: {values, mask}, as the file's own floats. */
export function parseNpy(buffer) {
  const view = new DataView(buffer);
  const head = view.getUint8(6) === 1 ? 10 + view.getUint16(8, true) : 12 + view.getUint32(8, true);
  const text = new TextDecoder("latin1").decode(new Uint8Array(buffer, 0, head));
  const kind = /'descr': '(.)(.\d)'/.exec(text);
  const shape = /'shape': \(([^)]*)\)/
    .exec(text)[1]
    .split(",")
    .filter((s) => s.trim())
    .map(Number);
  const Kind = {
    f4: Float32Array,
    f8: Float64Array,
    i2: Int16Array,
    i4: Int32Array,
    u1: Uint8Array,
    u2: Uint16Array,
    u4: Uint32Array,
    i1: Int8Array,
  }[kind[2]];
  const all = new Kind(buffer.slice(head));
  const side = shape[1] * shape[2];
  return { values: all.subarray(0, side), mask: all.subarray(side * (shape[0] - 1)) };
}

export class Histogram {
  constructor(page) {
    this.page = page;
    this.refresh = later(350, () => this.read());
    const canvas = $("histogram");
    canvas.onpointerdown = (e) => this.grab(e);
    canvas.onpointermove = (e) => this.drag(e);
    canvas.onpointerup = canvas.onpointercancel = () => {
      this.held = null;
    };
    for (const id of ["low", "high"]) $(id).onchange = () => this.typed();
    $("fit-range").onclick = () => this.fitView();
    $("reset-range").onclick = () => this.page.restyle({ range: null });
    this.apply = later(120, (range) => this.page.restyle({ range }));
  }

  get range() {
    return (
      this.dragged || this.page.layer.settings.range || this.page.layer.info?.rescale || [0, 1]
    );
  }

  async read() {
    const { layer, map } = this.page;
    const frame = layer.shown;
    if (!frame || document.hidden || !map.width) return;
    this.abort?.abort();
    const abort = (this.abort = new AbortController());
    const off = -1;
    const { level, list } = inView(map.view, map.projection, map.width, map.height, off);
    try {
      const parts = await Promise.all(
        list.slice(0, MOST).map(async ([x, y]) => {
          const response = await fetch(
            tileUrl(frame, map.projection, "", level, x, y, "npy", "&tilesize=64").replace(
              /&(rescale|colormap_name|stretch)=[^&]*/g,
              "",
            ),
            { signal: abort.signal },
          );
          return response.ok ? parseNpy(await response.arrayBuffer()) : null;
        }),
      );
      if (this.abort === abort) this.collect(parts.filter(Boolean));
    } catch {
      /* a later view has its own */
    }
  }

  collect(parts) {
    const list = [];
    for (const { values, mask } of parts)
      for (let i = 0; i < values.length; i++)
        if (mask[i] > 0 && Number.isFinite(values[i])) list.push(values[i]);
    this.values = Float64Array.from(list).sort();
    this.draw();
  }

  percentile(share) {
    const list = this.page.layer.settings.log ? this.values.filter((v) => v > 0) : this.values;
    return list[Math.min(list.length - 1, Math.floor(share * list.length))];
  }

  fitView() {
    if (!this.values?.length) return;
    const low = this.percentile(0.02);
    const high = this.percentile(0.98);
    if (low < high) this.page.restyle({ range: [low, high] });
  }

  // The axis holds the values in view and the ramp's ends, in the layer's scale.
  axis() {
    const log = this.page.layer.settings.log;
    const own = this.range;
    const v = this.values || [];
    let least = v.length ? this.percentile(0) : own[0];
    let most = v.length ? v.at(-1) : own[1];
    least = Math.min(least ?? own[0], own[0]);
    most = Math.max(most, own[1]);
    if (log && !(least > 0)) least = own[0] > 0 ? own[0] : most / 1000;
    const f = log ? Math.log10 : Number;
    const g = log ? (t) => 10 ** t : Number;
    let a = f(least);
    let b = f(most);
    if (!(a < b)) {
      a -= 0.5;
      b += 0.5;
    }
    const edge = (b - a) * 0.03;
    const width = $("histogram").clientWidth;
    a -= edge;
    b += edge;
    return {
      to: (value) => ((f(value) - a) / (b - a)) * width,
      from: (x) => g(a + (x / width) * (b - a)),
      width,
    };
  }

  draw() {
    const canvas = $("histogram");
    if (!canvas.clientWidth || !this.page.layer) return;
    const c = fresh(canvas);
    const h = canvas.clientHeight;
    const axis = this.axis();
    const bins = new Array(BINS).fill(0);
    const [low, high] = this.range;
    for (const v of this.values || []) {
      const i = Math.floor((axis.to(v) / axis.width) * BINS);
      if (i >= 0 && i < BINS) bins[i]++;
    }
    const most = Math.max(1, ...bins);
    const side = axis.width / BINS;
    const x0 = axis.to(low);
    const x1 = axis.to(high);
    c.fillStyle = css("--band");
    c.fillRect(x0, 0, x1 - x0, h);
    bins.forEach((n, i) => {
      const middle = (i + 0.5) * side;
      c.fillStyle = css(middle >= x0 && middle <= x1 ? "--accent" : "--faint");
      const tall = n ? Math.max(1.5, Math.sqrt(n / most) * (h - 6)) : 0;
      c.fillRect(i * side, h - tall, Math.max(1, side - 1), tall);
    });
    for (const x of [x0, x1]) {
      c.fillStyle = css("--ink");
      c.fillRect(Math.round(x) - 1, 0, 2, h);
      c.beginPath();
      c.arc(x, 6, 5, 0, 7);
      c.fill();
    }
    if (document.activeElement !== $("low")) $("low").value = +low.toPrecision(4);
    if (document.activeElement !== $("high")) $("high").value = +high.toPrecision(4);
    canvas.setAttribute(
      "aria-label",
      `Values in view and the colours' range, ${short(low)} to ${short(high)}`,
    );
  }

  grab(e) {
    const axis = this.axis();
    const [low, high] = this.range;
    const x = e.offsetX;
    this.held = { which: Math.abs(axis.to(low) - x) <= Math.abs(axis.to(high) - x) ? 0 : 1, axis };
    $("histogram").setPointerCapture(e.pointerId);
    this.drag(e);
  }

  drag(e) {
    if (!this.held) return;
    const { which, axis } = this.held;
    const range = [...this.range];
    const value = axis.from(Math.max(0, Math.min(axis.width, e.offsetX)));
    range[which] = value;
    if (!(range[0] < range[1])) return;
    this.dragged = range;
    this.draw();
    this.apply(range);
  }

  typed() {
    const range = [Number($("low").value), Number($("high").value)];
    const good =
      range.every(Number.isFinite) &&
      range[0] < range[1] &&
      !(this.page.layer.settings.log && range[0] <= 0);
    for (const id of ["low", "high"])
      $(id).setCustomValidity(
        good ? "" : "the first number is below the second, and above 0 on a logarithmic scale",
      );
    if (good) this.page.restyle({ range });
    else $("low").reportValidity();
  }
}
