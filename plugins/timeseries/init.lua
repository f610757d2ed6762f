-- Time series at points, and values at one place of the map layout.
local catalog = require "rastrum.catalog"
local http = require "rastrum.http"
local select = require "rastrum.select"
local series_plan = require "rastrum.series"

local M = { name = "timeseries", api = 1, description = "time series at points" }

local MAX_POINTS = 1000
local TYPES = { json = "application/json", csv = "text/csv; charset=utf-8",
  covjson = "application/prs.coverage+json" }

local function bad(where, message, ...)
  return { code = "invalid", where = where, message = message:format(...) }
end

local function too_many(name)
  return bad(name, "%s has more than %d points, the most that one request takes; ask in parts, or "
    .. "open the Zarr store that the collection's items link to", name, MAX_POINTS)
end

-- "1,2.5" to numbers within a range.
local function numbers(name, text, least, most)
  local list = {}
  for piece in (text .. ","):gmatch("([^,]*),") do
    local value = tonumber(piece)
    if not (value and value >= least and value <= most) then
      return nil, bad(name, "%s is '%s'; it takes numbers from %g to %g separated by commas", name,
        text, least, most)
    end
    list[#list + 1] = value
    if #list > MAX_POINTS then return nil, too_many(name) end
  end
  return list
end

local function points_of(p)
  local lons, err = numbers("lon", p.lon, -360, 720)
  if not lons then return nil, err end
  local lats
  lats, err = numbers("lat", p.lat, -90, 90)
  if not lats then return nil, err end
  if #lons ~= #lats then
    return nil, bad("lat", "lon has %d numbers and lat %d; they go in pairs", #lons, #lats)
  end
  local points = {}
  for i, lon in ipairs(lons) do points[i] = { lon, lats[i] } end
  return points
end

-- GeoJSON of a POST: a Point, MultiPoint, Feature or FeatureCollection of points.
local function add_geometry(geometry, points)
  if type(geometry) ~= "table" then return nil end
  if geometry.type == "Point" then
    points[#points + 1] = geometry.coordinates
  elseif geometry.type == "MultiPoint" and type(geometry.coordinates) == "table" then
    for _, each in ipairs(geometry.coordinates) do points[#points + 1] = each end
  elseif geometry.type == "Feature" then
    return add_geometry(geometry.geometry, points)
  elseif geometry.type == "FeatureCollection" and type(geometry.features) == "table" then
    for _, each in ipairs(geometry.features) do
      if not add_geometry(each, points) then return nil end
    end
  else
    return nil
  end
  return true
end

local function points_of_body(req)
  local value, err = rastrum.json.decode(req.body and req.body:text() or "")
  if err then return nil, bad("body", "the body is no JSON: %s", err.message) end
  local points = {}
  if not add_geometry(value, points) or #points == 0 then
    return nil, bad("body",
      "the body takes a GeoJSON Point, MultiPoint, Feature or FeatureCollection of points")
  end
  if #points > MAX_POINTS then return nil, too_many("body") end
  for i, point in ipairs(points) do
    local lon, lat = type(point) == "table" and point[1], type(point) == "table" and point[2]
    if type(lon) ~= "number" or type(lat) ~= "number" or lon < -360 or lon > 720 or lat < -90
      or lat > 90 then
      return nil, bad("body", "point %d is no longitude and latitude", i)
    end
    points[i] = { lon, lat }
  end
  return points
end

local function variables_of(snapshot, text)
  if not text then
    local variable, err = select.variable(snapshot)
    return variable and { variable }, err
  end
  local list = {}
  for name in text:gmatch("[^,]+") do
    local variable, err = select.variable(snapshot, name)
    if not variable then return nil, err end
    list[#list + 1] = variable
  end
  if #list == 0 then
    return nil, bad("variable", "variable is empty; it takes names separated by commas")
  end
  return list
end

local function plan(snapshot, variables, p)
  local names = {}
  for v, variable in ipairs(variables) do names[v] = variable.name end
  local run, err = catalog.run(snapshot, names[1], p.run)
  if err then return nil, err end
  local function at(datetime)
    return series_plan.plan(snapshot, names, { datetime = datetime, run = run,
      extras = function(dataset, variable)
        return select.extras(dataset, variable, p.level, p.sel)
      end })
  end
  local parts, versions, fallbacks = at(p.datetime)
  for _, other in ipairs(parts and #parts[1] == 0 and p.datetime
    and catalog.stand_ins(variables[1], p.datetime) or {}) do
    parts, versions, fallbacks = at(other)
    if not parts or #parts[1] > 0 then break end
  end
  return parts, versions, fallbacks
end

-- Format and media type: as `f` says, else the CoverageJSON that an Accept header names.
local function format_of(req)
  local f = req.params.f
  if not req.given.f then
    for _, kind in ipairs { "application/prs.coverage+json", "application/vnd.cov+json" } do
      if (req.headers.accept or ""):lower():find(kind, 1, true) then return "covjson", kind end
    end
  end
  return f, TYPES[f]
end

local function read(req, points)
  local p = req.params
  local format, kind = format_of(req)
  local snapshot, err = catalog.resolve(p.collection)
  if not snapshot then return nil, err end
  local variables
  variables, err = variables_of(snapshot, p.variable)
  if not variables then return nil, err end
  local parts, versions, fallbacks = plan(snapshot, variables, p)
  if not parts then return nil, versions end
  if #parts[1] == 0 then
    return nil, { code = "not_found", where = "datetime",
      message = ("collection '%s' has no step in '%s'%s"):format(snapshot.id,
        tostring(p.datetime), catalog.nearest_words(snapshot, variables[1].name, p.datetime)) }
  end
  local etag = http.etag(req, versions, req.body or "", kind)
  local headers = { ETag = etag, ["Cache-Control"] = http.SHORT, Vary = "Accept" }
  local unchanged = http.not_modified(req, etag, headers)
  if unchanged then return unchanged end
  local body
  body, err = rastrum.series {
    collection = snapshot.id, variables = parts, points = points, method = p.method,
    format = format, max_bytes = rastrum.config.request_bytes, fallbacks = fallbacks,
  }
  if not body then return nil, err end
  return { status = 200, type = kind, headers = headers, body = body, compress = true }
end

local function answer(req, points)
  local response, err = catalog.again(read, req, points)
  return response or rastrum.fail(err)
end

---@param req rastrum.Request
local function series(req)
  local points, err = points_of(req.params)
  if not points then return rastrum.fail(err) end
  return answer(req, points)
end

---@param req rastrum.Request
local function series_of_body(req)
  local points, err = points_of_body(req)
  if not points then return rastrum.fail(err) end
  return answer(req, points)
end

-- Asset keys are variable names; without any, all variables of the item.
local function assets_of(dataset, asked)
  local list = {}
  for _, name in ipairs(asked or {}) do
    local variable = dataset:variable(name)
    if not (variable and variable.mappable) then
      return nil, { code = "not_found", where = "assets",
        message = ("the item has no asset '%s'"):format(name) }
    end
    list[#list + 1] = variable
  end
  if asked then return list end
  for _, variable in ipairs(dataset:variables()) do
    if variable.mappable then list[#list + 1] = variable end
  end
  return list
end

local function read_point(req)
  local p = req.params
  local snapshot, err = catalog.resolve(p.collection)
  if not snapshot then return nil, err end
  local found
  found, err = catalog.item(snapshot, p.item)
  if not found then return nil, err end
  local variables
  variables, err = assets_of(found.dataset, p.assets)
  if not variables then return nil, err end
  local sources = {}
  for i, variable in ipairs(variables) do
    sources[i] = { dataset = found.dataset, variable = variable.name,
      step = catalog.step_of(found, variable) }
  end
  if #sources > 16 then
    return nil, bad("assets", "at most 16 assets at once; name them with assets=")
  end
  local bands
  for i, band in ipairs(p.bidx or {}) do
    bands = bands or {}
    bands[i] = band - 1
  end
  local body
  body, err = rastrum.point { sources = sources, bands = bands, lon = p.lon, lat = p.lat,
    unscale = p.unscale }
  if not body then return nil, err end
  return { status = 200, type = "application/json", headers = { ["Cache-Control"] = http.SHORT },
    body = body }
end

---@param req rastrum.Request
local function point(req)
  local response, err = catalog.again(read_point, req)
  return response or rastrum.fail(err)
end

local SERIES = {
  { name = "collection", type = "string", required = true,
    description = "a collection's id, or a named search" },
  { name = "variable", type = "string",
    description = "variables separated by commas (default: the first on a map grid)" },
  { name = "datetime", type = "string",
    description = "an instant or an interval start/end, '..' for an open end" },
  { name = "level", type = "string",
    description = "a coordinate value of the only extra dimension" },
  { name = "sel", type = "string", repeatable = true,
    description = "dimension=value of an extra dimension" },
  { name = "run", type = "string",
    description = "a forecast's reference time, or latest (default: for each time the last "
      .. "that has it)" },
  { name = "method", type = "string", enum = { "nearest", "bilinear" }, default = "nearest",
    description = "the cell that holds the point, or the four around it" },
  { name = "f", type = "string", enum = { "json", "csv", "covjson" }, default = "json",
    description = "format; covjson is CoverageJSON 1.0, which an Accept header may name too" },
}

local function with_place(list)
  local out = {
    { name = "lon", type = "string", required = true,
      description = "longitudes in degrees, separated by commas" },
    { name = "lat", type = "string", required = true,
      description = "latitudes in degrees, as many" },
  }
  for _, each in ipairs(list) do out[#out + 1] = each end
  return out
end

M.routes = {
  { "GET", "/api/timeseries", series, summary = "Values along time at points",
    params = with_place(SERIES) },
  { "POST", "/api/timeseries", series_of_body,
    summary = "Values along time at the points of a GeoJSON body", params = SERIES,
    body = { type = "application/json",
    description = "GeoJSON Point, MultiPoint, Feature or FeatureCollection" } },
  { "GET", "/collections/{collection}/items/{item}/point/{lon:number},{lat:number}", point,
    summary = "Values of an item at one place, from the map layout",
    params = {
      { name = "collection", type = "string", description = "a collection's id" },
      { name = "item", type = "string", description = "an item's id" },
      { name = "lon", type = "number", min = -360, max = 720,
        description = "longitude in degrees" },
      { name = "lat", type = "number", min = -90, max = 90, description = "latitude in degrees" },
      { name = "assets", type = "string", repeatable = true,
        description = "asset keys (default: all)" },
      { name = "bidx", type = "integer", min = 1, max = 256, repeatable = true,
        description = "bands by number (default: all)" },
      { name = "unscale", type = "boolean", default = true,
        description = "values rather than stored numbers" },
    } },
}

return M
