-- STAC API 1.0: landing page, conformance, collections, items and search, at /stac.
local catalog = require "rastrum.catalog"
local http = require "rastrum.http"
local segments = require "rastrum.segments"
local stac = require "rastrum.stac"

local M = { name = "stac", api = 1, description = "STAC API 1.0 at /stac" }

local GEOJSON = "application/geo+json"
local DEFAULT_LIMIT, MOST_LIMIT = 10, 10000

local function bad(where, message)
  return { code = "invalid", where = where, message = message }
end

local function landing(req)
  local rows, err = catalog.collections()
  if not rows then return rastrum.fail(err) end
  return http.json(req, stac.landing(req.base_url, rows))
end

local function conformance(req)
  return http.json(req, { conformsTo = rastrum.json.array(stac.CONFORMANCE) })
end

local function collections(req)
  local shots, err = stac.shots()
  if not shots then return rastrum.fail(err) end
  local list = rastrum.json.array {}
  for i, shot in ipairs(shots) do list[i] = stac.collection(req.base_url, shot, true) end
  local root = req.base_url .. "/stac"
  return http.json(req, { collections = list, links = rastrum.json.array {
    { rel = "self", type = "application/json", href = root .. "/collections" },
    { rel = "root", type = "application/json", href = root },
    { rel = "parent", type = "application/json", href = root },
  } })
end

local function collection(req)
  local shot, err = catalog.collection(req.params.collection)
  if not shot then return rastrum.fail(err) end
  return http.json(req, stac.collection(req.base_url, shot))
end

local function queryables(req)
  local id = req.params.collection
  if id then
    local shot, err = catalog.collection(id)
    if not shot then return rastrum.fail(err) end
  end
  return http.json(req, stac.queryables(req.base_url, req.path, id or "All collections"),
    { type = "application/schema+json" })
end

-- ---- items

-- What both forms of a search ask for, checked: {interval=, bbox=, intersects=, ids=, sortby=,
-- fields=, token=, limit=}.
local function wanted_of(p)
  if p.bbox and p.intersects then return nil, bad("bbox", "give bbox or intersects, not both") end
  local out = { ids = p.ids, token = p.token }
  local err
  out.interval, err = stac.interval(p.datetime)
  if not out.interval then return nil, err end
  out.bbox, err = stac.box(p.bbox)
  if p.bbox and not out.bbox then return nil, err end
  out.sortby, err = stac.sorts(p.sortby)
  if p.sortby and not out.sortby then return nil, err end
  out.fields = stac.fields(p.fields)
  out.intersects = type(p.intersects) == "table" and rastrum.json.encode(p.intersects)
    or p.intersects
  out.limit = math.min(p.limit or DEFAULT_LIMIT, MOST_LIMIT)
  return out
end

local function escape(text)
  return (text:gsub("[^%w%-%._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local function next_by_query(req, token)
  local pieces = {}
  for piece in req.query:gmatch("[^&]+") do
    if not piece:find("^token=") then pieces[#pieces + 1] = piece end
  end
  pieces[#pieces + 1] = "token=" .. escape(token)
  return { rel = "next", type = GEOJSON, method = "GET",
    href = req.base_url .. req.path .. "?" .. table.concat(pieces, "&") }
end

local function next_by_body(req, token)
  return { rel = "next", type = GEOJSON, method = "POST", href = req.base_url .. req.path,
    body = { token = token },
    merge = true }
end

-- A page of the shots' items as an answer; `more` are its other links.
local function page(req, shots, p, more, next_link)
  local wanted, err = wanted_of(p)
  if not wanted then return rastrum.fail(err) end
  if p.run then
    wanted.run, err = stac.run(shots, p.run)
    if not wanted.run then return rastrum.fail(err) end
  end
  local state = {}
  for i, shot in ipairs(shots) do state[i] = shot.id .. shot.versions_hash .. segments.tag(shot) end
  local etag = req.method ~= "POST" and http.etag(req, table.concat(state, ","))
  local headers = { ETag = etag or nil, ["Cache-Control"] = etag and http.SHORT or http.NO_STORE }
  local unchanged = etag and http.not_modified(req, etag, headers)
  if unchanged then return unchanged end
  local features, info = stac.items(req.base_url, shots, wanted)
  if not features then return rastrum.fail(info) end
  local links = rastrum.json.array(more)
  if info.next then links[#links + 1] = next_link(req, info.next) end
  local body
  body, err = rastrum.json.buffer {
    type = "FeatureCollection", features = features, links = links, numberReturned = info.count,
    numberMatched = info.matched,
  }
  if not body then return rastrum.fail(err) end
  return { status = 200, type = GEOJSON, headers = headers, body = body, compress = true }
end

local function self_href(req)
  return req.base_url .. req.path .. (req.query ~= "" and "?" .. req.query or "")
end

-- Some clients repeat the collection in the query.
local function named(list, id)
  for _, each in ipairs(list or {}) do
    if each == id then return true end
  end
  return list == nil
end

local function items(req)
  local shot, err = catalog.collection(req.params.collection)
  if not shot then return rastrum.fail(err) end
  local root = req.base_url .. "/stac"
  local own = root .. "/collections/" .. shot.id
  return page(req, named(req.params.collections, shot.id) and { shot } or {}, req.params, {
    { rel = "self", type = GEOJSON, href = self_href(req) },
    { rel = "root", type = "application/json", href = root },
    { rel = "parent", type = "application/json", href = own },
    { rel = "collection", type = "application/json", href = own },
  }, next_by_query)
end

local function item(req)
  local p = req.params
  local shot, err = catalog.collection(p.collection)
  if not shot then return rastrum.fail(err) end
  local found
  found, err = catalog.item(shot, p.item)
  if not found then return rastrum.fail(err) end
  local home = segments.home(shot.entries[found.dataset:id()])
  local etag = http.etag(req, found.dataset:version(), home)
  local headers = { ETag = etag, ["Cache-Control"] = http.SHORT }
  local unchanged = http.not_modified(req, etag, headers)
  if unchanged then return unchanged end
  local list
  list, err = rastrum.items { datasets = { found.dataset }, segments = { home }, ids = { p.item },
    base_url = req.base_url, limit = 1 }
  if not list then return rastrum.fail(err) end
  return { status = 200, type = GEOJSON, headers = headers, body = list:text():sub(2, -2),
    compress = true }
end

local function search(req, p, next_link)
  local shots, err = stac.shots(p.collections)
  if not shots then return rastrum.fail(err) end
  return page(req, shots, p, {
    { rel = "self", type = GEOJSON, href = self_href(req) },
    { rel = "root", type = "application/json", href = req.base_url .. "/stac" },
  }, next_link)
end

local function search_by_query(req) return search(req, req.params, next_by_query) end

local function search_by_body(req)
  local p = {}
  for name, value in pairs(req.json) do
    if value ~= rastrum.json.null then p[name] = value end
  end
  return search(req, p, next_by_body)
end

-- ---- declarations

local LIMIT = { name = "limit", type = "integer", min = 1, default = DEFAULT_LIMIT,
  description = "items a page; over 10000 counts as 10000" }
local BBOX = { name = "bbox", type = "list", items = "number", min_items = 4, max_items = 6,
  description = "west,south,east,north in degrees; west > east crosses 180 degrees; six numbers "
    .. "have heights" }
local DATETIME = { name = "datetime", type = "string",
  description = "an RFC 3339 time, or two with a slash between; '..' is open" }
local SORTBY = { name = "sortby", type = "string",
  description = "fields separated by commas, '-' before descending ones: "
  .. table.concat(stac.SORTABLE, ", ") .. " (default: -datetime)" }
local FIELDS = { name = "fields", type = "string",
  description = "members to keep, or with '-' to leave out, separated by commas" }
local TOKEN = { name = "token", type = "string", description = "of a next link" }
local RUN = { name = "run", type = "string",
  description = "only this forecast run: its reference time, or latest (in one collection)" }
local COLLECTION = { name = "collection", type = "string", description = "a collection's id" }

local QUERY = {
  { name = "collections", type = "list",
    description = "collection ids or named searches (default: all collections)" },
  { name = "ids", type = "list", max_items = 1000, description = "item ids" },
  BBOX, DATETIME,
  { name = "intersects", type = "string", description = "a GeoJSON geometry" },
  LIMIT, SORTBY, FIELDS, TOKEN, RUN,
}

local function with_collection(list)
  local out = { COLLECTION }
  for _, each in ipairs(list) do out[#out + 1] = each end
  return out
end

local function texts(most)
  return { type = "array", items = { type = "string" }, max_items = most, nullable = true }
end

local BODY = { type = "application/json", description = "the parameters of a search", schema = {
  type = "object", additional = false,
  properties = {
    collections = texts(1000), ids = texts(10000),
    bbox = { type = "array", items = { type = "number" }, nullable = true },
    datetime = { type = "string", nullable = true },
    intersects = { type = "object", nullable = true },
    limit = { type = "integer", min = 1, nullable = true },
    sortby = { type = "array", nullable = true, max_items = 4,
    items = { type = "object", required = { "field" },
      properties = { field = { type = "string" }, direction = { type = "string",
      enum = { "asc", "desc" } } } } },
    fields = { type = "object", nullable = true, properties = { include = texts(1000),
    exclude = texts(1000) } },
    token = { type = "string", nullable = true }, run = { type = "string", nullable = true },
  } } }

M.routes = {
  { "GET", "/stac", landing, summary = "The STAC API's landing page" },
  { "GET", "/stac/conformance", conformance, summary = "What the STAC API conforms to" },
  { "GET", "/stac/collections", collections, summary = "All collections" },
  { "GET", "/stac/collections/{collection}", collection, summary = "One collection",
    params = { COLLECTION } },
  { "GET", "/stac/collections/{collection}/items", items,
    summary = "Items of a collection, newest first",
    params = with_collection(QUERY) },
  { "GET", "/stac/collections/{collection}/items/{item}", item, summary = "One item",
    params = { COLLECTION, { name = "item", type = "string", description = "an item's id" } } },
  { "GET", "/stac/search", search_by_query, summary = "Search items", params = QUERY },
  { "POST", "/stac/search", search_by_body, summary = "Search items", body = BODY },
  { "GET", "/stac/queryables", queryables, summary = "What a search can ask for" },
  { "GET", "/stac/collections/{collection}/queryables", queryables,
    summary = "What a search can ask for",
    params = { COLLECTION } },
}

return M
