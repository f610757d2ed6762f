// An answer as people read it: its status, its headers, and the picture, text or number of bytes.
import { element } from "./request.js";

const SHOWN = 100000;  // characters of a text; the rest is behind the link

function pretty(text, kind) {
  if (!/[/+]json/.test(kind)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function size(bytes) {
  return bytes < 1024 ? `${bytes} bytes` : bytes < 1048576 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / 1048576).toFixed(1)} MB`;
}

async function content(answer, blob, kind) {
  if (!blob.size) return element("p", { class: "waiting" }, "without content");
  if (kind.startsWith("image/") && answer.ok) return element("img", { src: URL.createObjectURL(blob), alt: "the picture" });
  if (/^text\/html/.test(kind)) return element("p", {}, element("a", { href: answer.url, target: "_blank" }, "a page: open it"));
  if (!/json|^text\/|javascript|xml|csv/.test(kind)) {
    const name = new URL(answer.url).pathname.split("/").pop();
    return element("p", {}, element("a", { href: URL.createObjectURL(blob), download: name }, `save ${name}, ${size(blob.size)}`));
  }
  const text = pretty(await blob.text(), kind);
  return element("pre", { tabindex: 0 }, text.length > SHOWN ? `${text.slice(0, SHOWN)}\n… (${text.length - SHOWN} characters more)` : text);
}

async function sentence(answer, blob, kind) {
  if (answer.ok || !kind.startsWith("application/problem+json")) return "";
  const problem = JSON.parse(await blob.text());
  return element("p", { class: "problem" }, problem.detail || problem.title);
}

export async function show(output, answer, blob, milliseconds) {
  const kind = answer.headers.get("content-type") || "";
  const status = element("p", { class: `status ${answer.ok ? "good" : "bad"}` }, [
    element("b", {}, String(answer.status)), ` ${[kind.split(";")[0], size(blob.size), `${milliseconds} ms`].filter(Boolean).join(" · ")}`]);
  const headers = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  output.replaceChildren(status, await sentence(answer, blob, kind), await content(answer, blob, kind),
    element("details", { class: "headers" }, [element("summary", {}, "headers"), element("pre", {}, headers)]));
}
