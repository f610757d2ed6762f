// What the page asks the server, and the addresses of it.
const kept = new Map();

/** What stands before every path, when a proxy puts the server below the top of its host. */
const ROOT = new URL(".", document.baseURI).pathname.slice(0, -1);

export const at = (path) => ROOT + path;

/** JSON of an address; a problem document's sentence is the error. */
export async function ask(url, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Is it still running?");
  }
  const type = response.headers.get("content-type") || "";
  const body = type.includes("json") ? await response.json() : null;
  if (!response.ok)
    throw new Error(body?.detail || body?.title || `The server answered ${response.status}`);
  return body;
}

/** The same as the server has it now, whatever the browser keeps. */
export const askNow = (url) => ask(url, { cache: "no-cache" });

/** The same, asked once. */
export function askOnce(url) {
  if (!kept.has(url))
    kept.set(
      url,
      askNow(url).catch((error) => {
        kept.delete(url);
        throw error;
      }),
    );
  return kept.get(url);
}

/** Forgets what was asked once: the data have changed. */
export const forget = () => kept.clear();

export const tilesBase = (collection) => at(`/tiles/${encodeURIComponent(collection)}`);

/** Which data: the parameters that tiles, times and series have in common. */
export function choice(s, more = {}) {
  const q = new URLSearchParams();
  if (s.variable) q.set("variable", s.variable);
  for (const [dim, value] of Object.entries(s.sel)) q.append("sel", `${dim}=${value}`);
  if (s.run) q.set("run", s.run);
  for (const [key, value] of Object.entries(more))
    if (value != null && value !== "") q.set(key, value);
  return q;
}

/** How they are drawn. */
export function look(s) {
  return {
    rescale: s.range ? s.range.map((v) => +v.toPrecision(7)).join(",") : null,
    colormap_name: s.ramp,
    stretch: s.log ? "log" : null,
    resampling: s.smooth ? "bilinear" : null,
  };
}

/** A query as people read it: commas, colons and equals signs stay. */
export const readable = (q) =>
  q
    .toString()
    .replace(/%2C/g, ",")
    .replace(/%3A/g, ":")
    .replace(/sel=(\w+)%3D/g, "sel=$1=");

export const tilejsonUrl = (s, time, tms = "") =>
  `${tilesBase(s.collection)}/${tms}tilejson.json?${readable(choice(s, { datetime: time, ...look(s) }))}`;
export const legendUrl = (s) => {
  const q = choice(
    { variable: s.variable, sel: {} },
    { ...look({ ...s, smooth: false }), ticks: 4 },
  );
  return at(`/legend/${encodeURIComponent(s.collection)}.json?${readable(q)}`);
};
export const rampUrl = (name) => at(`/colorMaps/${encodeURIComponent(name)}`);
export const timesUrl = (s) => {
  const q = choice({ variable: s.variable, run: s.run, sel: {} });
  return `${tilesBase(s.collection)}/times?${readable(q)}`;
};

export function seriesUrl(s, points, more = {}) {
  const q = choice(s, {
    ...more,
    collection: s.collection,
    lon: points.map((p) => p[0]).join(","),
    lat: points.map((p) => p[1]).join(","),
  });
  return at(`/api/timeseries?${readable(q)}`);
}
