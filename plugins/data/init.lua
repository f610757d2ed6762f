-- The store's own objects over HTTP, so that asset hrefs open as they are in QGIS, odc-stac and
-- xarray. Objects never change under their version, so everything is immutable.
local http = require "rastrum.http"

local M = { name = "data", api = 1,
  description = "the store's COG and Zarr objects over HTTP, with ranges" }

local METADATA = {
  [".zarray"] = true, [".zattrs"] = true, [".zgroup"] = true, [".zmetadata"] = true,
}

local TYPES = {
  tif = "image/tiff; application=geotiff; profile=cloud-optimized",
  json = "application/json",
}

-- COG and Zarr objects of a dataset, and what its source holds where it stayed in place; the
-- manifest and anything else stays inside.
local function served(path)
  return path:match("^data%.zarr/[^%s]+$") or path:match("^source/[^%s]+$") or path:match("%.tif$")
    or path == "refs.json"
end

-- "bytes=a-b", "bytes=a-", "bytes=-n" of one range; nil: ignore (the whole), false: cannot be
-- satisfied.
local function range_of(text, size)
  local first, last = (text or ""):match("^bytes=(%d*)%-(%d*)$")
  if not first or (first == "" and last == "") then return nil end
  first, last = tonumber(first), tonumber(last)
  if not first then
    if last == 0 then return false end
    return math.max(0, size - last), size - 1
  end
  if first >= size or (last and last < first) then return false end
  return first, math.min(last or size - 1, size - 1)
end

---@param req rastrum.Request
local function object(req)
  local p = req.params
  local key = table.concat({ p.collection, p.dataset, p.version, p.path }, "/")
  if not served(p.path) then return rastrum.problem(404, "Not found", "there is no such object") end
  local etag = http.etag_of(key)
  local headers = { ETag = etag, ["Cache-Control"] = http.IMMUTABLE, ["Accept-Ranges"] = "bytes" }
  local unchanged = http.not_modified(req, etag, headers)
  if unchanged then return unchanged end
  local file, err = rastrum.store.open(key)
  if not file then
    if err.code == "not_found" or err.code == "gone" then
      return rastrum.problem(404, "Not found", "there is no such object")
    end
    return rastrum.fail(err)
  end
  local size = file:size()
  local first, last = range_of(req.headers.range, size)
  if req.headers["if-range"] and req.headers["if-range"] ~= etag then first, last = nil, nil end
  if first == false then
    headers["Content-Range"] = "bytes */" .. size
    headers["Cache-Control"] = "no-store"
    return rastrum.problem(416, "Range not satisfiable", ("the object has %d bytes"):format(size),
      nil, headers)
  end
  local kind = TYPES[p.path:match("%.(%a+)$") or ""] or "application/octet-stream"
  if METADATA[p.path:match("[^/]+$")] then kind = TYPES.json end
  if not first then return { status = 200, type = kind, headers = headers, file = file } end
  headers["Content-Range"] = ("bytes %d-%d/%d"):format(first, last, size)
  return { status = 206, type = kind, headers = headers, file = file, first = first, last = last }
end

M.routes = {
  { "GET", "/data/{collection}/{dataset}/{version}/{path:rest}", object,
    summary = "An object of the store",
    params = {
      { name = "collection", type = "string", description = "a collection's id" },
      { name = "dataset", type = "string", description = "a dataset's id" },
      { name = "version", type = "string", description = "the dataset's version" },
      { name = "path", type = "string", description = "the object's path below the version" },
    } },
}

if rastrum.config.data == false then M.routes = {} end

return M
