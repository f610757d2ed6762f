// The page of all routes: groups, contents and search. What is in a route is built when it is opened.
import { element, form, samples } from "./request.js";

const groups = document.getElementById("groups"), contents = document.getElementById("contents");
const search = document.getElementById("search");
const METHODS = ["get", "post", "put", "patch", "delete"];
const FIRST = ["tiles", "timeseries", "legend", "colormaps", "stac", "data"];  // what most people look for
const operations = [];

// Fills `operations`; returns the groups in their order.
function read(api) {
  const order = [...new Set([...FIRST, ...(api.tags || []).map((tag) => tag.name)])];
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((each) => item[each])) {
      const spec = item[method], tag = (spec.tags || ["other"])[0];
      const parameters = (spec.parameters || []).map((each) => `${each.name} ${each.description || ""}`);
      const words = [method, path, tag, spec.summary, spec.description, ...parameters].join(" ").toLowerCase();
      operations.push({ path, method, spec, tag, words, id: spec.operationId });
      if (!order.includes(tag)) order.push(tag);
    }
  }
  const place = (each) => order.indexOf(each.tag);
  operations.sort((a, b) => place(a) - place(b) || a.path.localeCompare(b.path) || METHODS.indexOf(a.method) - METHODS.indexOf(b.method));
  return order.filter((name) => operations.some((each) => each.tag === name))
    .map((name) => ({ name, description: (api.tags || []).find((tag) => tag.name === name)?.description }));
}

// A path with its parameters set apart.
function marked(path) {
  const pieces = path.split(/(\{\w+\})/).filter(Boolean);
  return element("code", { class: "path" }, pieces.flatMap((piece) =>
    piece[0] === "{" ? element("var", {}, piece) : piece.split(/(?<=\/)/).flatMap((part) => [part, element("wbr")])));
}

function card(operation) {
  const summary = element("summary", {}, [element("b", { class: `method ${operation.method}` }, operation.method.toUpperCase()),
    marked(operation.path), element("span", { class: "summary" }, operation.spec.summary || "")]);
  const details = element("details", { id: operation.id, class: "operation" }, [summary]);
  details.addEventListener("toggle", () => {
    if (details.open && !details.querySelector(".inside")) details.append(form(operation));
    if (details.open) history.replaceState(null, "", `#${operation.id}`);
  });
  operation.card = details;
  operation.link = element("a", { href: `#${operation.id}`, title: operation.spec.summary || "" },
    [element("b", { class: `method ${operation.method}` }, operation.method.toUpperCase()), element("span", {}, operation.path)]);
  return details;
}

function draw(list) {
  for (const group of list) {
    const own = operations.filter((each) => each.tag === group.name);
    const section = element("section", { id: `group-${group.name}` }, [
      element("h2", {}, [group.name, element("small", {}, group.description || "")]), ...own.map(card)]);
    groups.append(section);
    contents.append(element("div", { class: "group" }, [element("a", { href: `#group-${group.name}`, class: "name" }, group.name),
      ...own.map((each) => each.link)]));
  }
}

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const each of operations) each.card.hidden = each.link.hidden = !words.every((word) => each.words.includes(word));
  for (const section of [...groups.children, ...contents.children])
    section.hidden = [...section.querySelectorAll("details, a:not(.name)")].every((each) => each.hidden);
  document.getElementById("none").hidden = operations.some((each) => !each.card.hidden);
  document.getElementById("about").hidden = words.length > 0;
}

function open() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  if (target.tagName === "DETAILS") target.open = true;
  target.scrollIntoView();
}

function keys(event) {
  if (event.key === "/" && !/INPUT|TEXTAREA|SELECT/.test(document.activeElement.tagName)) {
    event.preventDefault();
    search.focus();
  } else if (event.key === "Escape" && document.activeElement === search) {
    search.value = "";
    filter();
  }
}

async function start() {
  const answer = await fetch("openapi.json");
  if (!answer.ok) throw new Error(`openapi.json is answered ${answer.status}`);
  const api = await answer.json();
  document.getElementById("version").textContent = api.info.version;
  document.getElementById("description").textContent = api.info.description;
  await samples();
  draw(read(api));
  filter();
  search.addEventListener("input", filter);
  addEventListener("hashchange", open);
  addEventListener("keydown", keys);
  open();
  document.body.dataset.ready = "yes";
}

start().catch((error) => {
  const trouble = document.getElementById("trouble");
  trouble.textContent = `The routes cannot be shown: ${error.message}. Is the server still there? Reload to try again.`;
  trouble.hidden = false;
});
