// One route's form: a field a parameter, the URL that comes of them, and the request itself.
import { show } from "./answer.js";

export function element(name, attributes = {}, inside = []) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, "");
    else if (value !== undefined && value !== false && value !== null) made.setAttribute(key, value);
  }
  made.append(...[inside].flat());
  return made;
}

// Values of this server's own first collection, by the name of the parameter.
const known = {};

async function json(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(path);
  return answer.json();
}

function learn(item) {
  known.item = item.id;
  const [west, south, east, north] = item.bbox.length === 6 ? [0, 1, 3, 4].map((i) => item.bbox[i]) : item.bbox;
  known.lon = String(Math.round(((west > east ? west - 360 : west) + east) / 2 * 100) / 100);
  known.lat = String(Math.round((south + north) / 2 * 100) / 100);
  known.itemUrl = item.links.find((link) => link.rel === "self").href;
  for (const asset of Object.values(item.assets)) {
    const found = /\/data\/([^/]+)\/([^/]+)\/([^/]+)\/(.+)$/.exec(new URL(asset.href).pathname);
    if (found && asset.href.endsWith(".tif")) {
      [known.dataset, known.version, known.path] = found.slice(2).map(decodeURIComponent);
      known.cogUrl = asset.href;
    }
  }
}

export async function samples() {
  try {
    const list = (await json("stac/collections")).collections;
    if (!list.length) return;
    known.collection = list[0].id;
    known.collections = list.map((each) => each.id);
    learn((await json(`stac/collections/${encodeURIComponent(known.collection)}/items?limit=1`)).features[0]);
  } catch {
    // Without a collection the fields stay empty: there is nothing to show them with.
  }
}

function sample(parameter, operation) {
  const name = parameter.name !== "url" ? parameter.name : operation.path.includes("/stac/") ? "itemUrl" : "cogUrl";
  const given = parameter.example ?? (parameter.required ? known[name] : undefined);
  if (given !== undefined) return String(given);
  const first = parameter.in === "path" && (parameter.schema.enum?.[0] ?? parameter.schema.minimum);
  return first === undefined || first === false ? "" : String(first);
}

function limits(schema) {
  const parts = [];
  if (schema.minimum !== undefined && schema.maximum !== undefined) parts.push(`${schema.minimum} to ${schema.maximum}`);
  else if (schema.minimum !== undefined) parts.push(`${schema.minimum} or more`);
  else if (schema.maximum !== undefined) parts.push(`at most ${schema.maximum}`);
  if (schema.default !== undefined && !schema.enum && schema.type !== "boolean") parts.push(`default: ${schema.default}`);
  return parts.join(", ");
}

function choice(values, parameter) {
  const fallback = parameter.schema.default;
  const none = parameter.in === "path" ? [] : [element("option", { value: "" }, fallback === undefined ? "" : `${fallback} (default)`)];
  return element("select", {}, [...none, ...values.map((value) => element("option", { value }, String(value)))]);
}

function input(parameter, operation) {
  const schema = parameter.schema || {}, values = schema.enum || (schema.type === "boolean" ? ["true", "false"] : null);
  const made = values ? choice(values, parameter) : element("input", { autocomplete: "off", spellcheck: "false",
    placeholder: schema.default ?? (schema.type === "array" ? "separated by commas" : ""), inputmode: /integer|number/.test(schema.type) ? "decimal" : undefined,
    list: parameter.name === "collection" && known.collections ? "collections" : undefined });
  const given = sample(parameter, operation);
  if (given) made.value = given;
  made.name = parameter.name;
  return made;
}

function row(parameter, field) {
  const name = element("span", { class: "name" }, [parameter.name, parameter.required ? element("i", { title: "needed" }, "*") : ""]);
  return element("label", { class: "parameter" }, [name, field,
    element("span", { class: "words" }, [parameter.description || "", " ", element("small", {}, limits(parameter.schema || {}))])]);
}

// A path may have slashes in its last parameter; elsewhere they would be another path.
function encoded(value, rest) {
  return rest ? value.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(value).replaceAll("%2C", ",").replaceAll("%3A", ":");
}

function address(operation, fields) {
  let path = operation.path;
  const query = [];
  for (const { parameter, field } of fields) {
    const value = field.value.trim();
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, () => encoded(value, parameter.name === "path"));
    else if (value && parameter.schema?.type === "array" && parameter.explode !== false)
      for (const each of value.split(",")) query.push(`${parameter.name}=${encoded(each)}`);
    else if (value) query.push(`${parameter.name}=${encoded(value)}`);
  }
  return new URL(path.slice(1) + (query.length ? `?${query.join("&")}` : ""), document.baseURI).href;
}

// The smallest body of a schema that says something.
function draft(operation) {
  if (operation.path.endsWith("/search")) return { collections: known.collection ? [known.collection] : [], limit: 1 };
  if (operation.path.endsWith("/timeseries"))
    return { type: "MultiPoint", coordinates: [[Number(known.lon ?? 0), Number(known.lat ?? 0)]] };
  const schema = Object.values(operation.spec.requestBody.content)[0].schema || {};
  return Object.fromEntries((schema.required || []).map((name) => [name, null]));
}

function shell(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function curl(operation, url, body) {
  const method = operation.method === "get" ? "" : `-X ${operation.method.toUpperCase()} `;
  return `curl ${method}${shell(url)}${body ? ` -H 'Content-Type: application/json' -d ${shell(body)}` : ""}`;
}

function copying(label, text) {
  const button = element("button", { type: "button", class: "copy" }, label);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text());
    button.textContent = "copied";
    setTimeout(() => { button.textContent = label; }, 900);
  });
  return button;
}

async function send(operation, url, body, output) {
  output.replaceChildren(element("p", { class: "waiting" }, "waiting for the answer"));
  const began = performance.now();
  try {
    const answer = await fetch(url, { method: operation.method.toUpperCase(), body: body || undefined,
      headers: body ? { "Content-Type": "application/json" } : {} });
    const blob = await answer.blob();
    await show(output, answer, blob, Math.round(performance.now() - began));
  } catch (error) {
    output.replaceChildren(element("p", { class: "status bad" }, `There was no answer: ${error.message}`));
  }
}

function collectionsList() {
  if (!known.collections || document.getElementById("collections")) return;
  document.body.append(element("datalist", { id: "collections" }, known.collections.map((value) => element("option", { value }))));
}

// The inside of a route's card.
export function form(operation) {
  collectionsList();
  const { spec } = operation;
  const ordered = [...(spec.parameters || [])].sort((a, b) => (b.in === "path") - (a.in === "path") || !!b.required - !!a.required);
  const fields = ordered.map((parameter) => ({ parameter, field: input(parameter, operation) }));
  const body = spec.requestBody && element("textarea", { rows: 6, spellcheck: "false", "aria-label": "body" }, JSON.stringify(draft(operation), null, 2));
  const line = element("code", { class: "url" }), output = element("div", { class: "output", "aria-live": "polite" });
  const url = () => address(operation, fields);
  const made = element("form", { class: "inside" }, [
    spec.description ? element("p", {}, spec.description) : "",
    ...fields.map(({ parameter, field }) => row(parameter, field)),
    body ? element("label", { class: "parameter body" }, [element("span", { class: "name" }, "body"), body,
      element("span", { class: "words" }, spec.requestBody.description || "JSON")]) : "",
    element("div", { class: "request" }, [element("button", { class: "send" }, "Send"), line,
      copying("copy URL", url), copying("copy curl", () => curl(operation, url(), body?.value))]),
    output]);
  const update = () => { line.textContent = url(); };
  made.addEventListener("input", update);
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    send(operation, url(), body?.value, output);
  });
  update();
  return made;
}
