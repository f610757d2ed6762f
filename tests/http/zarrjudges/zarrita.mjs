// zarrita.mjs MODULES STORE PATH… - shape, type and the SHA-256 of the cells (little-endian, C order) of arrays as zarrita.js
// reads them, as JSON on standard output. MODULES is the folder of node_modules.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

const [modules, folder, ...paths] = process.argv.slice(2);
const about = JSON.parse(await readFile(`${modules}/zarrita/package.json`));
const zarr = await import(pathToFileURL(`${modules}/zarrita/${about.exports["."].import}`));

const store = {
  async get(key) {
    try {
      return new Uint8Array(await readFile(folder + key));
    } catch (error) {
      if (error.code === "ENOENT") return undefined;
      throw error;
    }
  },
  async getRange(key, range) {
    const all = await this.get(key);
    if (!all) return undefined;
    return "suffixLength" in range ? all.slice(-range.suffixLength) : all.slice(range.offset, range.offset + range.length);
  },
};

const root = zarr.root(store);
const told = {};
for (const path of paths) {
  const array = await zarr.open(root.resolve("/" + path), { kind: "array" });
  const chunk = array.shape.length ? await zarr.get(array) : { data: (await array.getChunk([])).data };
  const { buffer, byteOffset, byteLength } = chunk.data;
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  told[path] = { shape: array.shape, dtype: array.dtype, sha256: createHash("sha256").update(bytes).digest("hex") };
}
console.log(JSON.stringify(told));
