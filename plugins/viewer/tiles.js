// Fetches tiles and keeps them: at most WIDTH at a time, those wanted now before those that will
// be.
const WIDTH = 8;
const MOST = 800;
// url -> {url, state: "waiting" | "loading" | "ready" | "error", image, rank}
const tiles = new Map();
let running = 0;
let changed = () => {};

export const onTile = (run) => {
  changed = run;
};

/** The tile of an address, asked for with a rank: 0 is wanted now. */
export function tile(url, rank) {
  let own = tiles.get(url);
  if (!own) tiles.set(url, (own = { url, state: "waiting", image: null, rank }));
  else if (tiles.size > MOST / 2) {
    tiles.delete(url);
    tiles.set(url, own);
  } // used last stands last
  own.rank = Math.min(own.rank, rank);
  return own;
}

export const seen = (url) => tiles.get(url);

/** Forgets what is no longer wanted (urls: a set), and starts what is. */
export function pump(urls) {
  for (const own of tiles.values()) {
    if (urls.has(own.url)) continue;
    if (own.state === "waiting") tiles.delete(own.url);
    else if (own.state === "loading") own.abort.abort();
  }
  for (const own of tiles.values()) {
    if (tiles.size <= MOST) break;
    if (!urls.has(own.url) && own.state !== "loading") {
      own.image?.close();
      tiles.delete(own.url);
    }
  }
  start();
}

export function forgetErrors() {
  for (const own of tiles.values()) if (own.state === "error") tiles.delete(own.url);
}

function start() {
  const waiting = [...tiles.values()]
    .filter((t) => t.state === "waiting")
    .sort((a, b) => a.rank - b.rank);
  while (running < WIDTH && waiting.length) load(waiting.shift());
}

async function load(own) {
  running++;
  own.state = "loading";
  own.abort = new AbortController();
  try {
    const response = await fetch(own.url, { signal: own.abort.signal });
    if (!response.ok)
      throw new Error(
        (await response.json().catch(() => ({}))).detail ||
          `a tile was answered ${response.status}`,
      );
    own.image = await createImageBitmap(await response.blob());
    own.state = "ready";
  } catch (error) {
    if (error.name === "AbortError") tiles.delete(own.url);
    else {
      own.state = "error";
      own.error =
        error.message === "Failed to fetch"
          ? "The server does not answer. Is it still running?"
          : error.message;
    }
  }
  running--;
  start();
  changed(own);
}
