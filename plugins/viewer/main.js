// The page: its panel, and how the parts hang together. `viewer` in the console (and in the tests)
// is the whole of it.
import { ask, askOnce, at, forget } from "./api.js";
import { Histogram } from "./histogram.js";
import { Layer, newSettings } from "./layers.js";
import { drawLegends } from "./legend.js";
import { colourLinks, copyView, links, mapLinks, timeLinks } from "./links.js";
import { WorldMap } from "./map.js";
import { Inspector } from "./points.js";
import { PROJECTIONS } from "./projection.js";
import { RampPicker } from "./ramps.js";
import { read, state, write } from "./state.js";
import { Timeline } from "./time.js";
import { $, el, fill, later, place, say, time, unitText } from "./ui.js";

const LOOK_AGAIN = 30000; // milliseconds

class Page {
  constructor() {
    this.state = state;
    this.map = new WorldMap($("map"), state);
    this.ramps = new RampPicker(this);
    this.timeline = new Timeline(this);
    this.histogram = new Histogram(this);
    this.inspector = new Inspector(this);
    this.save = later(200, () => this.saveNow());
    this.linkParts = [
      links($("map-links"), () => mapLinks(this.layer, this.map)),
      links($("time-links"), () => timeLinks(this.layer)),
      links($("colour-links"), () => colourLinks(this.layer)),
    ];
    this.listen();
  }

  get layer() {
    return this.map.layers[state.active];
  }

  listen() {
    const { map } = this;
    map.listen();
    map.on("move", () => {
      this.save();
      this.histogram.refresh();
    });
    map.on("shown", () => this.shown());
    map.on("drawn", () => this.placeSwipe());
    map.on("error", () => this.timeline.stop());
    map.on("hover", (lon, lat) => {
      $("where").textContent =
        lon == null || Math.abs(lat) > 90
          ? ""
          : place(((((lon + 180) % 360) + 360) % 360) - 180, lat);
    });
    map.on("choose", (lon, lat, more) => {
      if (this.layer?.info) this.inspector.choose(lon, lat, more);
    });
    $("collection").onchange = () => this.choose(newSettings($("collection").value));
    $("variable").onchange = () =>
      this.change({ variable: $("variable").value, range: null, log: false });
    $("run").onchange = () => this.change({ run: $("run").value || null });
    $("log").onchange = () => this.restyle({ log: $("log").checked });
    $("smooth").onchange = () => this.restyle({ smooth: $("smooth").checked });
    $("opacity").oninput = () => {
      this.layer.settings.opacity = +$("opacity").value;
      map.draw();
      this.save();
    };
    $("compare").onclick = () => this.compare();
    $("linked").onchange = () => {
      state.linked = $("linked").checked;
      this.timeChanged();
    };
    for (const i of [0, 1]) $(`tab-${i}`).onclick = () => this.activate(i);
    $("fit").onclick = () => {
      if (this.layer?.info) map.fit(this.layer.info.bounds);
    };
    $("theme").onclick = () => this.nextTheme();
    $("fold").onclick = () => this.fold();
    $("copy-view").onclick = () => {
      this.saveNow();
      copyView();
    };
    $("projection").onchange = () => this.project($("projection").value);
    $("help-button").onclick = () => $("help").showModal();
    $("close-help").onclick = () => $("help").close();
    addEventListener("hashchange", () => {
      if (location.hash.slice(1) !== this.written) this.restore();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.theme());
    addEventListener("keydown", (e) => this.key(e));
    addEventListener("focus", () => this.lookAgain());
    setInterval(() => this.lookAgain(), LOOK_AGAIN);
    this.listenSwipe();
  }

  key(e) {
    if (
      e.ctrlKey ||
      e.metaKey ||
      e.altKey ||
      e.target.closest("input, select, textarea, dialog, #ramp-list") ||
      (e.key === " " && e.target.tagName === "BUTTON")
    )
      return;
    if (!this.layer?.info) return;
    const keys = {
      " ": () => this.timeline.toggle(),
      "[": () => this.timeline.step(-1),
      "]": () => this.timeline.step(1),
      f: () => $("fit").click(),
      d: () => this.nextTheme(),
      c: () => this.compare(),
      "?": () => $("help").showModal(),
      Escape: () => this.inspector.clear(),
    };
    if (keys[e.key]) {
      keys[e.key]();
      e.preventDefault();
    }
  }

  // ---- choosing
  /** Another collection for the active layer. */
  async choose(settings, fit = true) {
    this.timeline.stop();
    state.layers[state.active] = settings;
    this.map.layers[state.active] = new Layer(settings);
    if ((await this.load(this.layer)) && fit) this.map.fit(this.layer.info.bounds);
  }

  /** Other data of the same collection; `shown` goes, since its legend would say something else. */
  async change(values) {
    this.timeline.stop();
    Object.assign(this.layer.settings, values);
    this.layer.shown = null;
    await this.load(this.layer, "variable" in values);
  }

  async load(layer, fresh = false) {
    say("");
    try {
      if (!(await layer.load(fresh))) return false;
      this.follow();
      this.panel();
      this.inspector.refresh();
      this.map.draw();
      this.save();
      return true;
    } catch (error) {
      layer.wanted = layer.shown = null;
      this.panel();
      this.map.draw();
      say(error.message, () => this.load(layer));
      return false;
    }
  }

  /** What has been replaced or added meanwhile is read anew; a server that does not answer waits. */
  async lookAgain() {
    const layers = this.map.layers.filter((l) => l.info);
    if (document.hidden || this.looking || this.timeline.playing || !layers.length) return;
    this.looking = true;
    try {
      const stale = await Promise.all(layers.map((l) => l.isStale()));
      if (stale.some(Boolean)) forget();
      for (const layer of layers.filter((l, i) => stale[i] && this.map.layers.includes(l)))
        await this.load(layer);
    } catch {
      /* the next turn asks again */
    } finally {
      this.looking = false;
    }
  }

  /** Another look of the same data. */
  async restyle(values) {
    const { layer } = this;
    const before = { ...layer.settings };
    Object.assign(layer.settings, values);
    try {
      await layer.restyle();
      this.histogram.dragged = null;
      this.follow();
      this.panel();
      this.map.draw();
      this.save();
      say("");
    } catch (error) {
      Object.assign(layer.settings, before);
      this.panel();
      say(error.message);
    }
  }

  // In a comparison the other layer takes the step nearest to the active one's.
  follow() {
    const other = this.map.layers[1 - state.active];
    if (
      !other?.times.length ||
      !state.linked ||
      !this.layer.info ||
      this.layer.times[0] == null ||
      other.times[0] == null
    )
      return;
    const wanted = this.layer.times[this.layer.index];
    const before = other.times.findLastIndex((t) => t <= wanted);
    if (Math.max(0, before) !== other.index) other.go(Math.max(0, before));
  }

  timeChanged() {
    this.follow();
    this.timeline.show();
    this.linkParts[0]();
    this.map.draw();
    this.save();
  }

  goTime(text) {
    const at = this.layer.times.indexOf(text);
    if (at >= 0) {
      this.timeline.stop();
      this.timeline.go(at);
    }
  }

  /** New frames have come into view. */
  shown() {
    drawLegends(this.map.layers);
    this.timeline.show();
    this.inspector.timeChanged();
    if (!this.timeline.playing) this.histogram.refresh();
  }

  // ---- two layers
  async compare() {
    if (state.layers.length === 2) {
      state.layers.pop();
      this.map.layers.pop();
      this.activate(0);
      drawLegends(this.map.layers);
    } else if (this.layer?.info) {
      const s = state.layers[0];
      const other = this.layer.info.variables.find((v) => v.name !== s.variable);
      state.layers.push({
        ...newSettings(s.collection),
        variable: other?.name ?? s.variable,
        time: s.time,
        ramp: other ? null : "magma",
        run: s.run,
      });
      this.map.layers.push(new Layer(state.layers[1]));
      state.active = 1;
      await this.load(this.layer);
    }
  }

  activate(i) {
    this.timeline.stop();
    state.active = i;
    this.panel();
    this.histogram.refresh();
    if (state.points.length) this.inspector.refresh();
    this.map.draw();
    this.save();
  }

  listenSwipe() {
    const bar = $("swipe");
    const set = (x) => {
      const f = this.map.free();
      state.swipe = Math.max(0, Math.min(1, (x - f.left) / (f.right - f.left)));
      this.map.draw();
      this.save();
    };
    bar.onpointerdown = (e) => {
      bar.setPointerCapture(e.pointerId);
      bar.onpointermove = (m) => set(m.clientX);
    };
    bar.onpointerup = bar.onpointercancel = () => {
      bar.onpointermove = null;
    };
    bar.onkeydown = (e) => {
      const by = { ArrowLeft: -20, ArrowRight: 20 }[e.key];
      if (!by) return;
      set(this.map.swipeX() + by);
      e.preventDefault();
      e.stopPropagation();
    };
  }

  placeSwipe() {
    $("swipe").hidden = this.map.layers.length < 2;
    $("swipe").style.transform = `translateX(${this.map.swipeX() - 12}px)`;
    $("swipe").setAttribute("aria-valuenow", Math.round(state.swipe * 100));
  }

  // ---- the panel
  panel() {
    const { layer } = this;
    const s = layer.settings;
    const { info } = layer;
    $("collection").value = s.collection;
    for (const i of [0, 1]) $(`tab-${i}`).setAttribute("aria-selected", i === state.active);
    $("tabs").hidden = state.layers.length < 2;
    $("linked").checked = state.linked;
    $("compare").textContent =
      state.layers.length < 2 ? "Compare two layers" : "End the comparison";
    $("choices").classList.toggle("empty", !info);
    $("choices").classList.toggle("categories", Boolean(info && !info.colormap_name));
    if (!info) return;
    fill(
      $("variable"),
      info.variables.map((v) => [
        v.name,
        v.long_name && v.long_name !== v.name ? `${v.long_name} (${v.name})` : v.name,
      ]),
      s.variable,
    );
    this.extras();
    $("run-row").hidden = layer.runs.length < 2;
    fill(
      $("run"),
      [["", "the latest of each time"], ...layer.runs.map((r) => [r.run ?? r, time(r.run ?? r)])],
      s.run ?? "",
    );
    this.ramps.show(info.colormap_name);
    $("log").checked = s.log;
    $("smooth").checked = s.smooth;
    $("opacity").value = s.opacity;
    $("summary").textContent = layer.variable?.long_name || s.variable;
    this.timeline.show();
    this.histogram.draw();
    this.linkParts.forEach((show) => show());
  }

  extras() {
    const { layer } = this;
    const s = layer.settings;
    $("extras").replaceChildren(
      ...(layer.variable?.extra || [])
        .filter((e) => e.size > 1)
        .map((extra) => {
          const select = el("select");
          const values = extra.values || Array.from({ length: extra.size }, (_, i) => i);
          fill(
            select,
            values.map((v) => [String(v), `${v} ${unitText(extra.units)}`]),
            s.sel[extra.name],
          );
          select.onchange = () => this.change({ sel: { ...s.sel, [extra.name]: select.value } });
          return el("label", {}, extra.name.charAt(0).toUpperCase() + extra.name.slice(1), select);
        }),
    );
  }

  fold() {
    const folded = document.body.classList.toggle("folded");
    $("fold").setAttribute("aria-expanded", !folded);
    this.map.draw();
    if (!folded) requestAnimationFrame(() => this.histogram.draw());
  }

  theme() {
    const dark =
      state.theme === "dark" ||
      (state.theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    $("theme").setAttribute("aria-label", `Colours of the page: ${state.theme}`);
    $("theme").title = `Light or dark (now ${state.theme})`;
    if (this.map.layers.length) drawLegends(this.map.layers);
    this.histogram.draw();
    if (this.inspector.results.length) this.inspector.show();
    this.map.draw();
  }

  nextTheme() {
    const dark = document.documentElement.dataset.theme === "dark";
    state.theme = dark ? "light" : "dark";
    this.theme();
    this.save();
  }

  project(name) {
    const own = PROJECTIONS[name] || PROJECTIONS.mercator;
    const [lon, lat] = this.map.centre();
    this.map.projection = own;
    $("projection").value = own.name;
    this.map.set(lon, lat, this.map.view.zoom);
  }

  // ---- the address
  saveNow() {
    if (!this.map.width || !state.layers.length) return;
    this.written = write(this.map);
    history.replaceState(null, "", `${location.pathname}#${this.written}`);
  }

  async restore() {
    const view = read(location.hash);
    const asked = new URLSearchParams(location.search).get("collection");
    const known = (id) => this.collections.some((c) => c.id === id);
    if (!state.layers.length)
      state.layers = [newSettings(known(asked) ? asked : this.collections[0].id)];
    this.theme();
    this.map.layers = state.layers.map((s) => new Layer(s));
    if (view?.projection) this.project(view.projection);
    if (view?.zoom != null) this.map.set(view.lon, view.lat, view.zoom);
    await Promise.all(this.map.layers.map((layer) => this.load(layer)));
    if (view?.zoom == null && this.layer.info) this.map.fit(this.layer.info.bounds);
  }

  async start() {
    fill(
      $("projection"),
      Object.values(PROJECTIONS).map((p) => [p.name, p.title]),
    );
    $("projection-row").hidden = Object.keys(PROJECTIONS).length < 2;
    if (innerWidth <= 720) this.fold();
    this.theme();
    this.map.draw();
    try {
      const [{ collections }] = await Promise.all([
        ask(at("/stac/collections")),
        this.ramps.read(),
      ]);
      this.collections = collections;
      $("empty").hidden = collections.length > 0;
      $("choices").hidden = $("fold").hidden = collections.length === 0;
      document.body.classList.toggle("without", collections.length === 0);
      if (!collections.length) {
        setTimeout(() => this.start(), 10000);
        return;
      }
      fill(
        $("collection"),
        collections.map((c) => [c.id, c.title && c.title !== c.id ? `${c.title} (${c.id})` : c.id]),
      );
      await this.restore();
    } catch (error) {
      say(error.message, () => this.start());
    }
  }
}

window.viewer = new Page();
window.viewer.start();
askOnce(at("/viewer/world-110m.json")).catch(() => {});
