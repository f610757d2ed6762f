// The picker of colour ramps: a button that shows the chosen one, and a list of all with their
// pictures.
import { askOnce, at, rampUrl } from "./api.js";
import { $, el } from "./ui.js";

const picture = (name) => `${rampUrl(name)}?format=png`;
const KINDS = ["default", "sequential", "diverging", "cyclic", "qualitative", "miscellaneous"];
const base = (name) => name?.replace(/_r$/, "");

export class RampPicker {
  constructor(page) {
    this.page = page;
    $("ramp").onclick = () => this.open($("ramp-list").hidden);
    $("ramp-find").oninput = () => this.filter();
    $("ramp-list").onkeydown = (e) => this.key(e);
    $("reversed").onchange = () => this.choose(this.turned(base(this.name), $("reversed").checked));
    document.addEventListener("pointerdown", (e) => {
      if (!e.target.closest("#ramp-list, #ramp")) this.open(false);
    });
  }

  async read() {
    const { colormaps } = await askOnce(at("/colorMaps?f=json"));
    this.ramps = new Map(colormaps.map((ramp) => [ramp.id, ramp]));
    const kinds = new Map(KINDS.map((kind) => [kind, []]));
    for (const ramp of colormaps) {
      if (/_r$/.test(ramp.id) && this.ramps.has(base(ramp.id))) continue;
      const kind = ramp.kind || "other";
      kinds.set(kind, [...(kinds.get(kind) || []), this.option(ramp)]);
    }
    const own = el(
      "button",
      {
        type: "button",
        role: "option",
        class: "ramp-option",
        title: "",
        onclick: () => {
          this.choose(null);
          this.open(false);
        },
      },
      el("span", {}, "the data's own"),
    );
    own.dataset.words = "the data's own";
    kinds.set("default", [own]);
    const groups = [...kinds].filter(([, options]) => options.length);
    $("ramp-options").replaceChildren(
      ...groups.map(([kind, options]) =>
        el("div", { role: "group", "aria-label": kind }, el("h3", {}, kind), ...options),
      ),
    );
  }

  option({ id, title, kind }) {
    const choose = () => {
      this.choose(this.turned(id, $("reversed").checked));
      this.open(false);
    };
    const button = el(
      "button",
      { type: "button", role: "option", class: "ramp-option", title: id, onclick: choose },
      el("img", { src: picture(id), alt: "", loading: "lazy", width: 120, height: 12 }),
      el("span", {}, id),
    );
    button.dataset.words = `${id} ${title || ""} ${kind || ""}`.toLowerCase();
    return button;
  }

  get options() {
    return [...$("ramp-options").querySelectorAll(".ramp-option")];
  }

  /** The name of a ramp turned round, where it can be. */
  turned(name, wanted) {
    return wanted && this.ramps.has(`${name}_r`) ? `${name}_r` : name;
  }

  show(name) {
    this.name = name;
    $("ramp-name").textContent = name || "its categories";
    $("ramp-picture").hidden = !name;
    if (name) $("ramp-picture").src = picture(name);
    $("reversed").checked = /_r$/.test(name || "");
    $("reversed").disabled = !name || !this.ramps.has(`${base(name)}_r`);
    for (const node of this.options)
      node.setAttribute("aria-selected", node.title === (base(name) || ""));
  }

  choose(name) {
    this.page.restyle({ ramp: name });
  }

  open(wanted) {
    $("ramp-list").hidden = !wanted;
    $("ramp").setAttribute("aria-expanded", wanted);
    if (!wanted) return;
    $("ramp-find").value = "";
    this.filter();
    $("ramp-find").focus();
    $("ramp-options").querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }

  filter() {
    const text = $("ramp-find").value.toLowerCase().trim();
    for (const node of this.options) node.hidden = !node.dataset.words.includes(text);
    for (const group of $("ramp-options").children)
      group.hidden = [...group.querySelectorAll(".ramp-option")].every((node) => node.hidden);
  }

  key(e) {
    if (e.key === "Escape") {
      this.open(false);
      $("ramp").focus();
      return;
    }
    const nodes = this.options.filter((n) => !n.hidden);
    const at = nodes.indexOf(document.activeElement);
    if (e.key === "ArrowDown") nodes[Math.min(nodes.length - 1, at + 1)]?.focus();
    else if (e.key === "ArrowUp") (at > 0 ? nodes[at - 1] : $("ramp-find")).focus();
    else return;
    e.preventDefault();
    e.stopPropagation();
  }
}
