// The timeline: slider, steps, dates typed in, and play.
import { $, time } from "./ui.js";

const SPEEDS = [1, 2, 4, 8];

export class Timeline {
  constructor(page) {
    Object.assign(this, { page, playing: false, last: 0 });
    $("play").onclick = () => this.toggle();
    $("earlier").onclick = () => this.step(-1);
    $("later").onclick = () => this.step(1);
    $("slider").oninput = () => {
      this.stop();
      this.go(+$("slider").value);
    };
    $("time").onchange = () => {
      this.stop();
      this.go(this.nearest($("time").value));
    };
    $("speed").onclick = () => this.faster();
    this.speed = 2;
  }

  get layer() {
    return this.page.layer;
  }

  /** The first step whose date is not before a text such as 2020-07. */
  nearest(text) {
    const wanted = text.trim().replace(" ", "T");
    const list = this.layer.times;
    const exact = list.findIndex((t) => time(t) === text.trim());
    if (exact >= 0) return exact;
    const at = list.findIndex((t) => t >= wanted);
    return at < 0 ? list.length - 1 : at;
  }

  go(index) {
    this.layer.go(index);
    this.page.timeChanged();
  }

  step(by) {
    this.stop();
    this.go(this.layer.index + by);
  }

  faster() {
    this.speed = SPEEDS[(SPEEDS.indexOf(this.speed) + 1) % SPEEDS.length];
    $("speed").textContent = `${this.speed}/s`;
    $("speed").setAttribute("aria-label", `Speed: ${this.speed} steps a second`);
  }

  toggle() {
    if (this.playing) this.stop();
    else this.start();
  }

  start() {
    if (this.layer.times.length < 2) return;
    this.playing = true;
    this.show();
    this.tick();
  }

  stop() {
    if (!this.playing) return;
    this.playing = false;
    clearTimeout(this.timer);
    this.layer.ahead = [];
    this.show();
    this.page.save();
  }

  // One step on, once the frame that was asked for has been seen long enough.
  tick() {
    clearTimeout(this.timer);
    if (!this.playing) return;
    const layers = this.page.map.layers;
    const wait = this.last + 1000 / this.speed - performance.now();
    if (wait > 1) {
      this.timer = setTimeout(() => this.tick(), wait);
      return;
    }
    if (layers.some((l) => l.wanted && l.shown !== l.wanted)) {
      this.timer = setTimeout(() => this.tick(), 30);
      return;
    }
    this.last = performance.now();
    this.go((this.layer.index + 1) % this.layer.times.length);
    this.layer.prefetch(1);
    this.timer = setTimeout(() => this.tick(), 1000 / this.speed);
  }

  show() {
    const { times, index, shown } = this.layer;
    const at = shown && shown.variable === this.layer.variable ? shown.index : index;
    const dated = times.length > 0 && times[0] !== null;
    $("timeline").hidden = !dated;
    $("timeline").classList.toggle("single", times.length < 2);
    document.body.classList.toggle("dateless", !dated);
    for (const id of ["play", "earlier", "later", "slide", "speed"])
      $(id).hidden = times.length < 2;
    $("slider").max = Math.max(0, times.length - 1);
    const step = this.playing ? at : index; // while it plays, all of it says what is seen
    $("slider").value = step;
    $("slider").setAttribute("aria-valuetext", time(times[step]));
    if (document.activeElement !== $("time")) $("time").value = time(times[at]);
    $("time").style.width = `${Math.max(16, time(times[index]).length) + 3}ch`;
    $("time").classList.toggle("waiting", at !== step);
    $("first").textContent = time(times[0]);
    $("count").textContent = times.length > 1 ? `${step + 1} of ${times.length}` : "";
    $("last").textContent = times.length > 1 ? time(times.at(-1)) : "";
    $("play").textContent = this.playing ? "❚❚" : "▶";
    $("play").setAttribute("aria-label", this.playing ? "Pause" : "Play");
    $("play").setAttribute("aria-pressed", this.playing);
    document.body.dataset.shown = shown?.time ?? "";
  }
}
