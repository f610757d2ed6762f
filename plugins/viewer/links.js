// The addresses behind what is seen, to copy: each panel has its own.
import { at, legendUrl, rampUrl, seriesUrl, tilejsonUrl, timesUrl } from "./api.js";
import { tileUrl } from "./layers.js";
import { $, el } from "./ui.js";

const here = (path) => location.origin + path;

async function copy(button, text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // pages without https may not use the clipboard's interface
    const area = el("textarea", { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.textContent = "Copied";
  setTimeout(() => {
    button.textContent = "Copy";
  }, 1500);
}

function row([name, text]) {
  const box = el("textarea", {
    readOnly: true,
    value: text,
    rows: Math.min(6, text.split("\n").length),
    spellcheck: false,
    "aria-label": name,
  });
  const button = el("button", { type: "button", class: "small" }, "Copy");
  button.onclick = () => copy(button, text);
  box.onfocus = () => box.select();
  return el("div", { class: "link" }, el("span", {}, name), button, box);
}

/** Fills a panel's part; `rows` makes [name, text] when it is opened or the state changes. */
export function links(details, rows) {
  const show = () => {
    if (details.open) details.querySelector(".rows").replaceChildren(...rows().map(row));
  };
  details.addEventListener("toggle", () => {
    show();
    if (details.open) details.scrollIntoView({ block: "nearest" });
  });
  return show;
}

const template = (layer, map, format) =>
  here(
    tileUrl(layer.wanted, map.projection, "", map.projection.behind, 0, 0, format).replace(
      /\/0\/0\/0\./,
      "/{z}/{x}/{y}.",
    ),
  );

export function mapLinks(layer, map) {
  if (!layer.wanted) return [];
  const png = template(layer, map, "png");
  const npy = template(layer, map, "npy");
  const { level, list } = map.inView();
  const [x, y] = list[Math.floor(list.length / 2)] || [0, 0];
  const one = here(tileUrl(layer.wanted, map.projection, "", level, x, y));
  return [
    ["Tile URL (XYZ)", png],
    ["TileJSON", here(tilejsonUrl(layer.settings, layer.settings.time, map.projection.tms))],
    ["curl", `curl -o tile.png '${one}'`],
    [
      "Python: the values of a tile",
      `import io, numpy, urllib.request\nurl = "${one.replace(".png?", ".npy?")}"\nvalues, mask = numpy.load(io.BytesIO(urllib.request.urlopen(url).read()))`,
    ],
    ["NPY tiles", npy],
  ];
}

export function timeLinks(layer) {
  const url = here(timesUrl(layer.settings));
  return [
    ["Times", url],
    [
      "Items (STAC)",
      here(at(`/stac/collections/${encodeURIComponent(layer.settings.collection)}/items`)),
    ],
    ["curl", `curl '${url}'`],
    [
      "Python",
      `import json, urllib.request\ntimes = json.load(urllib.request.urlopen("${url}"))["times"]`,
    ],
  ];
}

export function colourLinks(layer) {
  if (!layer.info) return [];
  const name = layer.info.colormap_name;
  const table = here(legendUrl(layer.settings));
  const picture = table.replace(".json?", ".png?");
  const ramp = name
    ? [
        ["Ramp", here(rampUrl(name))],
        ["Ramp's picture", `${here(rampUrl(name))}?format=png`],
      ]
    : [];
  return [
    ["Legend", picture],
    ["Legend as a table", table],
    ...ramp,
    ["curl", `curl -o legend.png '${picture}'`],
    [
      "Python",
      `import json, urllib.request\nlegend = json.load(urllib.request.urlopen("${table}"))`,
    ],
  ];
}

export function seriesLinks(requests) {
  return requests.flatMap(({ settings, points }, i) => {
    const name = requests.length > 1 ? `${settings.variable}: ` : "";
    const json = here(seriesUrl(settings, points));
    const csv = here(seriesUrl(settings, points, { f: "csv" }));
    return [
      [`${name}JSON`, json],
      [`${name}CSV`, csv],
      [`${name}curl`, `curl '${csv}'`],
      ...(i ? [] : [["Python", `import pandas\nseries = pandas.read_csv("${csv}")`]]),
    ];
  });
}

/** The link that restores what is seen. */
export function copyView() {
  copy($("copy-view"), location.href).then(() =>
    setTimeout(() => {
      $("copy-view").textContent = "Copy link to this view";
    }, 1500),
  );
}
