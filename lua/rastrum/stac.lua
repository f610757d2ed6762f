-- STAC documents that are not items: landing page, collections, queryables; and what search
-- parameters mean. Items are made in the core (rastrum.items).
local catalog = require "rastrum.catalog"
local segments = require "rastrum.segments"

local M = {}

M.VERSION = "1.1.0"
M.CONFORMANCE = {
  "https://api.stacspec.org/v1.0.0/core",
  "https://api.stacspec.org/v1.0.0/collections",
  "https://api.stacspec.org/v1.0.0/ogcapi-features",
  "https://api.stacspec.org/v1.0.0/item-search",
  "https://api.stacspec.org/v1.0.0/item-search#fields",
  "https://api.stacspec.org/v1.0.0/item-search#sort",
  "https://api.stacspec.org/v1.1.0/item-search#sort",
  "https://api.stacspec.org/v1.0.0/ogcapi-features#fields",
  "https://api.stacspec.org/v1.0.0/ogcapi-features#sort",
  "https://api.stacspec.org/v1.1.0/ogcapi-features#sort",
  "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
  "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
  "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
}
M.QUERYABLES_REL = "http://www.opengis.net/def/rel/ogc/1.0/queryables"

local EXTENSION = "https://stac-extensions.github.io/"
local COG = "image/tiff; application=geotiff; profile=cloud-optimized"
local ZARR = "application/vnd.zarr"
local MOST_STORES = 2000
-- years 1 to 9999: what clients can read
local LEAST_MS, MOST_MS = -62135596800000, 253402300799999

local function array(list) return rastrum.json.array(list or {}) end

local function link(rel, href, kind, more)
  local out = { rel = rel, href = href, type = kind or "application/json" }
  for key, value in pairs(more or {}) do out[key] = value end
  return out
end

local function escape(text)
  return (text:gsub("[^%w%-%._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

-- ---- landing page

---@param base string
---@param rows table[]  of catalog.collections()
function M.landing(base, rows)
  local root = base .. "/stac"
  local links = array {
    link("self", root), link("root", root), link("data", root .. "/collections"),
    link("conformance", root .. "/conformance"),
    link("search", root .. "/search", "application/geo+json", { method = "GET" }),
    link("search", root .. "/search", "application/geo+json", { method = "POST" }),
    link("service-desc", base .. "/openapi.json", "application/vnd.oai.openapi+json;version=3.1"),
    link("service-doc", base .. "/", "text/html"),
    link(M.QUERYABLES_REL, root .. "/queryables", "application/schema+json"),
  }
  for _, row in ipairs(rows) do
    links[#links + 1] = link("child", root .. "/collections/" .. row.id, nil, { title = row.id })
  end
  local function configured(value)
    return type(value) == "string" and value ~= "" and value or nil
  end
  return {
    type = "Catalog", stac_version = M.VERSION, id = "rastrum",
    title = configured(rastrum.config.title) or "Rastrum",
    description = configured(rastrum.config.description)
    or "Gridded data as map tiles, time series and STAC items.",
    conformsTo = array(M.CONFORMANCE), links = links,
  }
end

-- ---- collections

local function rfc3339(ms)
  if not ms then return nil end
  return rastrum.time.format(math.max(LEAST_MS, math.min(MOST_MS, ms)))
end

local function extent(shot)
  local interval = shot.first and { rfc3339(shot.first), rfc3339(shot.last) }
    or { "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z" }
  return {
    spatial = { bbox = array { array(shot.bbox or { -180, -90, 180, 90 }) } },
    temporal = { interval = array { array(interval) } },
  }
end

-- Dimensions and variables of all datasets that differ in them, the time widened to the whole
-- collection.
local function cube(shot)
  if shot.cube then return shot.cube end
  local out, seen = { ["cube:dimensions"] = {}, ["cube:variables"] = {} }, {}
  for i = #shot.datasets, 1, -1 do
    local dataset = shot.datasets[i]
    local signature = dataset:signature()
    if not seen[signature] then
      seen[signature] = true
      local own = rastrum.json.decode(dataset:cube())
      for member, values in pairs(own) do
        for name, value in pairs(values) do out[member][name] = out[member][name] or value end
      end
    end
  end
  for _, dimension in pairs(out["cube:dimensions"]) do
    if dimension.type == "temporal" then
      dimension.extent = array { rfc3339(shot.first), rfc3339(shot.last) }
    end
  end
  shot.cube = out
  return out
end

local function zarr_type(dataset) return ("%s; version=%d"):format(ZARR, dataset:zarr_format()) end

-- Of all stores; without a version where they differ in it.
local function stores_type(shot)
  if shot.stores_type then return shot.stores_type end
  for _, dataset in ipairs(shot.datasets) do
    local own = zarr_type(dataset)
    shot.stores_type = (shot.stores_type or own) == own and own or ZARR
    if shot.stores_type == ZARR then break end
  end
  return shot.stores_type or ZARR
end

local function item_assets(shot)
  local out = { zarr = { type = stores_type(shot), roles = array { "data" },
    title = "Zarr store that holds the step" } }
  for _, name in ipairs(shot.variable_names) do
    local variable = shot.variables[name]
    if variable.mappable then
      out[name] = {
        type = variable.mapped_from == "zarr" and ZARR or COG,
        roles = array { "data" },
        title = variable.long_name ~= "" and variable.long_name or name,
        data_type = variable.dtype, unit = variable.units ~= "" and variable.units or nil,
        ["raster:sampling"] = "area",
      }
    end
  end
  return out
end

local function mappable(shot)
  local list = {}
  for _, name in ipairs(shot.variable_names) do
    if shot.variables[name].mappable then list[#list + 1] = shot.variables[name] end
  end
  return list
end

local function renders(shot)
  local out = {}
  for _, variable in ipairs(mappable(shot)) do
    local limits = shot.stretch[variable.name]
    out[variable.name] = {
      title = variable.long_name ~= "" and variable.long_name or variable.name,
      assets = array { variable.name },
      rescale = limits and array { array { limits[1], limits[2] } } or nil,
      colormap_name = "viridis",
      resampling = "nearest",
    }
  end
  return out
end

local function summaries(shot)
  local codes, seen = array {}, {}
  for _, variable in ipairs(mappable(shot)) do
    local code = variable.epsg and ("EPSG:%d"):format(variable.epsg)
    if code and not seen[code] then
      codes[#codes + 1], seen[code] = code, true
    end
  end
  return #codes > 0 and { ["proj:code"] = codes } or nil
end

local function map_links(links, base, shot)
  for _, variable in ipairs(mappable(shot)) do
    local query, path = "variable=" .. escape(variable.name), base .. "/tiles/" .. shot.id
    links[#links + 1] = link("tilejson", ("%s/tilejson.json?%s"):format(path, query), nil,
      { title = variable.name, render = variable.name })
    links[#links + 1] = link("xyz", ("%s/{z}/{x}/{y}.png?%s"):format(path, query), "image/png",
      { title = variable.name, render = variable.name })
  end
end

-- The stores that hold every published step once, the latest first: few, once the collection is
-- compacted. Those with one list of variables can be opened as one dataset.
local function store_links(links, base, shot)
  local stores = segments.stores(shot)
  for i = #stores, math.max(1, #stores - MOST_STORES + 1), -1 do
    local store, names = stores[i], array {}
    local dataset = store.dataset
    local key = dataset:store()
    for v, variable in ipairs(dataset:variables()) do names[v] = variable.name end
    links[#links + 1] = key and link("store", ("%s/data/%s/%s/%s/%s"):format(base,
      dataset:collection(), dataset:id(), dataset:version(), key), zarr_type(dataset), {
        title = store.first == store.last and store.first or store.first .. " to " .. store.last,
        variables = names, start_datetime = rfc3339(store.start),
        end_datetime = rfc3339(store.stop),
      })
  end
end

local function license_of(shot, links)
  local text = shot.license
  if text and text:find("^https?://%S+$") then
    links[#links + 1] = link("license", text, "text/html")
  end
  return text and text:find("^[%w%.%-]+$") and text:find("%-") and text or "other"
end

---A collection's document.
---@param base string
---@param shot rastrum.Snapshot
---@param brief boolean|nil  without the stores, for the list of all
function M.collection(base, shot, brief)
  local root = base .. "/stac"
  local own = root .. "/collections/" .. shot.id
  local links = array {
    link("self", own), link("root", root), link("parent", root),
    link("items", own .. "/items", "application/geo+json"),
    link(M.QUERYABLES_REL, own .. "/queryables", "application/schema+json"),
  }
  map_links(links, base, shot)
  if not brief then store_links(links, base, shot) end
  local out = {
    type = "Collection", stac_version = M.VERSION, id = shot.id, title = shot.title or shot.id,
    description = shot.summary or shot.title or ("The collection %s."):format(shot.id),
    license = license_of(shot, links),
    extent = extent(shot), summaries = summaries(shot), item_assets = item_assets(shot),
    links = links,
    created = shot.created, updated = shot.updated,
    providers = shot.institution and array { { name = shot.institution,
    roles = array { "producer" } } } or nil,
  }
  local extensions = array { EXTENSION .. "datacube/v2.3.0/schema.json" }
  for member, value in pairs(cube(shot)) do out[member] = value end
  if #mappable(shot) > 0 then
    out.renders = renders(shot)
    for _, each in ipairs { "projection/v2.0.0", "raster/v2.0.0", "render/v2.0.0",
      "web-map-links/v1.2.0" } do
      extensions[#extensions + 1] = EXTENSION .. each .. "/schema.json"
    end
  end
  out.stac_extensions = extensions
  return out
end

---The fields that a search takes, as JSON Schema.
function M.queryables(base, path, title)
  return {
    ["$schema"] = "http://json-schema.org/draft-07/schema#", ["$id"] = base .. path,
      type = "object", title = title,
    properties = {
      id = { type = "string", title = "Item id" },
      collection = { type = "string", title = "Collection id" },
      datetime = { type = "string", format = "date-time", title = "Time of validity" },
      geometry = { ["$ref"] = "https://geojson.org/schema/Geometry.json", title = "Footprint" },
    },
    additionalProperties = false,
  }
end

-- ---- what search parameters mean

local function bad(where, message, ...)
  return nil, { code = "invalid", where = where, message = message:format(...) }
end

-- RFC 3339 in full, as STAC asks for.
local function instant(text)
  local date, rest = text:match("^(%d%d%d%d%-%d%d%-%d%d)[Tt](.*)$")
  local clock, zone = (rest or ""):match("^(%d%d:%d%d:%d%d)(.*)$")
  local fraction, offset = (zone or ""):match("^(%.%d+)(.*)$")
  offset = offset or zone
  if not (date and clock and offset and (offset:find("^[Zz]$")
    or offset:find("^[%+%-]%d%d:%d%d$"))) then
    return bad("datetime",
      "datetime has '%s'; it takes times like 2020-01-31T00:00:00Z, or two with a slash between",
      text:sub(1, 60))
  end
  local ms, err = rastrum.time.parse(date .. "T" .. clock .. (fraction or "") .. offset:upper())
  if not ms then return bad("datetime", "datetime has '%s': %s", text:sub(1, 60), err.message) end
  return ms
end

---first, last (milliseconds, nil for an open end) of an instant or an interval.
---@param text string|nil
function M.interval(text)
  if text == nil then return {} end
  local a, b = text:match("^([^/]*)/([^/]*)$")
  if not a then
    local ms, err = instant(text)
    return ms and { first = ms, last = ms }, err
  end
  local out = {}
  local err
  local open_a, open_b = a == "" or a == "..", b == "" or b == ".."
  if open_a and open_b then
    return bad("datetime", "datetime is '%s'; one end has to be a time", text)
  end
  if not open_a then
    out.first, err = instant(a)
    if not out.first then return nil, err end
  end
  if not open_b then
    out.last, err = instant(b)
    if not out.last then return nil, err end
  end
  if out.first and out.last and out.first > out.last then
    return bad("datetime", "datetime is '%s'; it ends before it begins", text)
  end
  return out
end

-- A box that lies wholly off the world is well formed and holds nothing.
local function off_the_world(box)
  return box[2] > 90 or box[4] < -90 or math.min(box[1], box[3]) > 180
    or math.max(box[1], box[3]) < -180
end

---West, south, east, north of four or six numbers; {nowhere = true} off the world.
function M.box(list)
  if not list then return nil end
  if #list ~= 4 and #list ~= 6 then
    return bad("bbox", "bbox has %d numbers; it takes 4, or 6 with heights", #list)
  end
  local half = #list / 2
  local box = { list[1], list[2], list[half + 1], list[half + 2] }
  if off_the_world(box) then return { nowhere = true } end
  for i, value in ipairs(box) do
    local most = i % 2 == 1 and 180 or 90
    if value < -most or value > most then
      return bad("bbox", "bbox has %.14g; longitudes go from -180 to 180, latitudes from -90 to 90",
        value)
    end
  end
  if box[2] > box[4] then
    return bad("bbox", "bbox has its south %.14g above its north %.14g", box[2], box[4])
  end
  return box
end

local SORTABLE = {
  datetime = "datetime", ["properties.datetime"] = "datetime", id = "id", collection = "collection",
  created = "created", ["properties.created"] = "created", updated = "created",
  ["properties.updated"] = "created",
}
M.SORTABLE = { "datetime", "id", "collection", "created" }

local function add_sort(out, field, descending)
  local known = SORTABLE[field]
  if not known then
    return bad("sortby", "sortby has '%s'; it takes %s", tostring(field):sub(1, 60),
      table.concat(M.SORTABLE, ", "))
  end
  for _, each in ipairs(out) do
    if each:gsub("^-", "") == known then return true end
  end
  out[#out + 1] = (descending and "-" or "") .. known
  return true
end

---"+a,-b" or {{field=, direction=}, …} to names with a '-' before descending ones.
function M.sorts(given)
  if not given then return nil end
  local out = {}
  if type(given) == "string" then
    for piece in (given .. ","):gmatch("([^,]*),") do
      -- a plus arrives as a blank when it is not encoded
      local sign, field = piece:match("^([%+%- ]?)(.*)$")
      local ok, err = add_sort(out, field, sign == "-")
      if not ok then return nil, err end
    end
    return out
  end
  for _, each in ipairs(given) do
    local ok, err = add_sort(out, each.field, each.direction == "desc")
    if not ok then return nil, err end
  end
  return out
end

---"a,-b" or {include=, exclude=} to the JSON that the core takes; nil for everything.
function M.fields(given)
  if not given then return nil end
  local out = { include = array {}, exclude = array {} }
  if type(given) == "string" then
    for piece in given:gmatch("[^,]+") do
      local sign, field = piece:match("^([%+%- ]?)(.*)$")
      table.insert(sign == "-" and out.exclude or out.include, field)
    end
  else
    for side, list in pairs(out) do  -- null is as good as nothing
      for _, field in ipairs(type(given[side]) == "table" and given[side] or {}) do
        table.insert(list, field)
      end
    end
  end
  if #out.include == 0 and #out.exclude == 0 then return nil end
  return rastrum.json.encode(out)
end

-- Later bounds win towards the inside.
local function narrow(window, shot)
  if not shot.window then return end
  if shot.window[1] then window.first = math.max(window.first or shot.window[1], shot.window[1]) end
  if shot.window[2] then window.last = math.min(window.last or shot.window[2], shot.window[2]) end
end

---The snapshots behind collection ids and named searches; all collections without any. Unknown ids
---have no items.
---@param ids string[]|nil
---@return rastrum.Snapshot[]|nil
---@return rastrum.Error|nil
function M.shots(ids)
  local list, err = ids
  if not ids then
    local rows
    rows, err = catalog.collections()
    if not rows then return nil, err end
    list = {}
    for i, row in ipairs(rows) do list[i] = row.id end
  end
  local out, seen = {}, {}
  for _, id in ipairs(list) do
    local shot
    shot, err = catalog.resolve(id)
    if not shot and err.code ~= "not_found" then return nil, err end
    if shot and not seen[id] then
      out[#out + 1], seen[id] = shot, true
    end
  end
  return out
end

---The ISO milliseconds of the forecast run that `run` names: a reference time, or "latest" in one
---collection.
---@return number|nil
---@return rastrum.Error|nil
function M.run(shots, run)
  if run ~= "latest" then
    local ms = rastrum.time.parse(run)
    if ms then return ms end
    return bad("run", "run is '%s'; it takes a reference time like 2020-01-31T00:00:00Z, or latest",
      run:sub(1, 60))
  end
  if #shots ~= 1 then return bad("run", "run=latest takes one collection; name it") end
  local latest = catalog.latest_run(shots[1])
  if not latest then return bad("run", "collection '%s' holds no forecasts", shots[1].id) end
  return latest
end

---One page of items. wanted: {interval=, bbox=, intersects=, ids=, sortby=, fields=, token=,
---limit=}
---@return userdata|nil features  a JSON list
---@return table|rastrum.Error info  {count=, matched=, next=}
function M.items(base, shots, wanted)
  local datasets, homes, seen = {}, {}, {}
  local box = wanted.bbox
  if box and box.nowhere then box, shots = nil, {} end
  local window = { first = wanted.interval.first, last = wanted.interval.last }
  if #shots == 1 then narrow(window, shots[1]) end
  for _, shot in ipairs(#shots > 1 and shots or {}) do
    local own = segments.homes(shot)
    for k, dataset in ipairs(shot.datasets) do
      local key = dataset:collection() .. "/" .. dataset:id()
      if not seen[key] then
        datasets[#datasets + 1], homes[#homes + 1], seen[key] = dataset, own[k], true
      end
    end
  end
  return rastrum.items {
    datasets = #shots == 1 and shots[1].datasets or datasets,
    segments = #shots == 1 and segments.homes(shots[1]) or homes,
    base_url = base, first = window.first, last = window.last, run = wanted.run, ids = wanted.ids,
    bbox = box, intersects = wanted.intersects, sortby = wanted.sortby, fields = wanted.fields,
    token = wanted.token,
    limit = wanted.limit,
  }
end

return M
