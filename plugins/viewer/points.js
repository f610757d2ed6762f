// The inspector: marked places, their values at the map's time, and their series of several
// variables as a chart.
import { ask, seriesUrl } from "./api.js";
import { Chart, position } from "./chart.js";
import { links, seriesLinks } from "./links.js";
import { $, css, download, el, place, short, time, unitText } from "./ui.js";
import { wrap } from "./projection.js";

const MOST = 8;
const DASHES = [[], [6, 4], [2, 3], [9, 3, 2, 3]];

export class Inspector {
  constructor(page) {
    this.page = page;
    this.results = [];
    this.chart = new Chart(
      $("chart"),
      (near) => this.readout(near),
      (t) => this.timeAt(t),
    );
    this.showLinks = links($("series-links"), () => seriesLinks(this.requests()));
    $("close-inspect").onclick = () => this.clear();
    $("chart-all").onclick = () => this.chart.all();
    $("save-csv").onclick = () => this.saveCsv();
    $("save-png").onclick = () => this.savePng();
  }

  get state() {
    return this.page.state;
  }

  /** Marks a place: the only one, or one more. */
  choose(lon, lat, more) {
    const point = [+wrap(lon).toFixed(4), +Math.max(-90, Math.min(90, lat)).toFixed(4)];
    const list =
      more || $("keep-points").checked ? [...this.state.points, point].slice(-MOST) : [point];
    this.state.points = list;
    this.page.map.draw();
    this.refresh().then(() => this.page.map.reveal(point));
  }

  clear() {
    this.state.points = [];
    this.state.extra = [];
    this.refresh();
    this.page.map.draw();
  }

  /** What is asked: the layer's variable and those added, each with the levels it has. */
  requests() {
    const { layer } = this.page;
    const s = layer.settings;
    const known = layer.info?.variables || [];
    const names = [
      s.variable,
      ...this.state.extra.filter((n) => n !== s.variable && known.some((v) => v.name === n)),
    ];
    return names.map((variable) => {
      const extra = known.find((v) => v.name === variable)?.extra || [];
      const sel = {};
      for (const [dim, value] of Object.entries(s.sel))
        if (extra.some((e) => e.name === dim && e.size > 1)) sel[dim] = value;
      return { settings: { ...s, variable, sel }, points: this.state.points };
    });
  }

  async refresh() {
    const any = this.state.points.length > 0 && this.page.layer?.info;
    const turn = (this.turn = {});
    $("inspect").hidden = !any;
    this.page.save();
    this.page.map.draw();
    if (!any) {
      this.results = [];
      return;
    }
    this.variables();
    $("inspect-note").textContent = "Reading…";
    try {
      const answers = await Promise.all(
        this.requests().map(async (r) => ({
          ...r,
          answer: await ask(seriesUrl(r.settings, r.points)),
        })),
      );
      if (turn !== this.turn) return;
      this.results = answers;
      this.show();
    } catch (error) {
      if (turn !== this.turn) return;
      this.results = [];
      this.chart.show([]);
      $("readings").replaceChildren();
      $("chart").hidden = true;
      $("inspect-note").textContent = error.message;
    }
    this.showLinks();
  }

  variables() {
    const s = this.page.layer.settings;
    const list = this.page.layer.info.variables;
    $("chart-variables").hidden = list.length < 2;
    $("chart-variables").replaceChildren(
      ...list.map((v) => {
        const box = el("input", {
          type: "checkbox",
          checked: v.name === s.variable || this.state.extra.includes(v.name),
          disabled: v.name === s.variable,
        });
        box.onchange = () => {
          this.state.extra = box.checked
            ? [...this.state.extra, v.name]
            : this.state.extra.filter((n) => n !== v.name);
          this.refresh();
        };
        return el("label", { class: "check" }, box, v.long_name || v.name);
      }),
    );
  }

  series() {
    const known = this.page.layer.info.variables;
    return this.results.flatMap(({ settings, points, answer }, k) => {
      const places = answer.timestamps.map((t) => position(t, answer.calendar));
      const list = answer.series || [answer];
      return list.map((one, i) => ({
        label: known.find((v) => v.name === settings.variable)?.long_name || settings.variable,
        variable: settings.variable,
        units: unitText(one.units ?? answer.units),
        point: points[i],
        number: i,
        level: one.level,
        colour: css(`--series-${i % 8}`),
        dash: DASHES[k % DASHES.length],
        times: answer.timestamps,
        places,
        values: one.values,
        calendar: answer.calendar,
      }));
    });
  }

  show() {
    const list = this.series();
    const plain = list.some((s) => s.values.length > 1 && s.values.some((v) => v != null));
    $("chart").hidden = !plain;
    $("chart-tools").hidden = !plain;
    const first = list[0];
    $("inspect-note").textContent = plain
      ? ""
      : list.every((s) => s.values.every((v) => v == null))
        ? "There is no data here."
        : "";
    this.setNow(first);
    this.chart.show(list);
    this.fitChart(list);
    if (!plain) this.readout(this.chart.nearest());
  }

  /** As high as its plots want to be, and as the card has room for. */
  fitChart(list) {
    const card = $("inspect");
    const plots = new Set(list.map((s) => s.units)).size;
    const others = card.scrollHeight - $("chart").offsetHeight;
    const room = parseFloat(getComputedStyle(card).maxHeight) - others;
    const high = Math.max(44 + 66 * plots, Math.min(110 + 100 * plots, room));
    $("chart").style.height = `${Math.floor(high)}px`;
  }

  setNow(first) {
    const t = this.page.layer.shown?.time ?? this.page.layer.settings.time;
    this.chart.now = first && t != null ? position(t, first.calendar) : null;
  }

  /** The map's time has changed. */
  timeChanged() {
    if (!this.results.length) return;
    this.setNow(this.chart.series[0]);
    this.chart.draw();
    if ($("chart").hidden) this.readout(this.chart.nearest());
  }

  timeAt(t) {
    const first = this.chart.series[0];
    const at = this.chart.nearest()[0];
    if (first && at && Number.isFinite(t)) this.page.goTime(at.time);
  }

  readout(near) {
    const same = near.every((n) => n.time === near[0]?.time);
    $("reading-time").textContent = near[0]?.time ? time(near[0].time) : "";
    const many = this.results.length > 1;
    const points = near.filter(
      (n, i) => near.findIndex((m) => m.series.number === n.series.number) === i,
    );
    $("readings").classList.toggle("table", many);
    $("readings").replaceChildren(
      ...points.map(({ series }) =>
        this.reading(
          near.filter((n) => n.series.number === series.number),
          many,
          same,
        ),
      ),
    );
  }

  /** A place's values, each with its variable's name where there are several. */
  reading(near, many, same) {
    const { colour, point } = near[0].series;
    const dot = el("span", { class: "dot" });
    dot.style.background = colour;
    const parts = near.flatMap(({ series, value, time: when }) => [
      many ? el("span", { class: "what" }, series.label) : null,
      el(
        "strong",
        {},
        value == null ? "no data here" : `${short(value)}${series.units ? ` ${series.units}` : ""}`,
      ),
      same ? null : el("span", { class: "what" }, time(when)),
    ]);
    return el("li", {}, dot, el("span", { class: "where" }, place(...point)), ...parts);
  }

  name(ending) {
    return `${this.page.layer.settings.collection}-${this.requests()
      .map((r) => r.settings.variable)
      .join("-")}.${ending}`;
  }

  csv() {
    const lines = ["time,lon,lat,level,variable,value"];
    for (const s of this.chart.series) {
      s.values.forEach((v, i) =>
        lines.push(
          [s.times[i] ?? "", s.point[0], s.point[1], s.level ?? "", s.variable, v ?? ""].join(","),
        ),
      );
    }
    return lines.join("\n") + "\n";
  }

  saveCsv() {
    download(this.name("csv"), new Blob([this.csv()], { type: "text/csv" }));
  }

  async savePng() {
    const canvas = el("canvas");
    const chart = this.chart;
    const at = chart.at;
    chart.at = null;
    chart.draw(canvas, 1000, 420);
    const picture = el("canvas", {
      width: canvas.width,
      height: canvas.height + 40 * devicePixelRatio,
    });
    const c = picture.getContext("2d");
    c.fillStyle = css("--paper-solid");
    c.fillRect(0, 0, picture.width, picture.height);
    c.drawImage(canvas, 0, 40 * devicePixelRatio);
    c.scale(devicePixelRatio, devicePixelRatio);
    c.font = "13px system-ui, sans-serif";
    let x = 12;
    for (const s of chart.series) {
      const text = `${s.label} at ${place(...s.point)}`;
      c.fillStyle = s.colour;
      c.fillRect(x, 14, 12, 4);
      c.fillStyle = css("--ink");
      c.fillText(text, x + 18, 21);
      x += c.measureText(text).width + 40;
    }
    chart.at = at;
    chart.draw();
    picture.toBlob((blob) => download(this.name("png"), blob));
  }
}
