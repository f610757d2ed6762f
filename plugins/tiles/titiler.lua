-- titiler's addresses for what this server itself publishes, so that clients made for titiler and
-- titiler-pgstac work unchanged: /titiler/cog?url=<a COG of ours>, /titiler/stac?url=<an item of
-- ours>, and /collections/{collection}/items/{item}. README.md lists them and how they differ.
local catalog = require "rastrum.catalog"
local http = require "rastrum.http"
local segments = require "rastrum.segments"
local text = require "rastrum.text"
local tilesets = require "rastrum.tilesets"

local M = {}

local COG = "profile=cloud-optimized"
local MOST_IDS = 16  -- items of a dataset that are looked through for a COG that lies in place
local MOST_ASSETS = 16

local function bad(where, message, ...)
  return nil, { code = "invalid", where = where, message = message:format(...) }
end

local function not_found(where, message, ...)
  return nil, { code = "not_found", where = where, message = message:format(...) }
end

-- ---- what an address means

-- The path of an address of this server's own; false for any other.
local function own_path(req, url)
  local base = req.base_url
  if url:sub(1, #base) == base then url = url:sub(#base + 1) end
  return url:find("^/[^/]") and url:match("^[^?#]*")
end

-- The items of a dataset by their ids, as STAC has them.
local function items_of(req, shot, dataset, ids)
  local list, err = rastrum.items { datasets = { dataset }, ids = ids, base_url = req.base_url,
    segments = { segments.home(shot.entries[dataset:id()]) }, limit = #ids }
  if not list then return nil, err end
  return rastrum.json.decode(list:text())
end

-- {shot=, found=, item=} of an item's ids.
local function of_item(req, collection, id)
  local shot, err = catalog.collection(collection)
  if not shot then return nil, err end
  local found
  found, err = catalog.item(shot, id)
  if not found then return nil, err end
  local list
  list, err = items_of(req, shot, found.dataset, { id })
  if not list then return nil, err end
  return { shot = shot, found = found, item = list[1] }
end

-- The ids that the item of a COG may have: by its name, or any of a small dataset.
local function likely_ids(dataset, stem)
  local ids = { dataset:id() .. "_" .. stem, dataset:id() }
  for i = 1, math.min(dataset:items(), MOST_IDS) do
    local item = dataset:item(i)
    ids[#ids + 1] = item and item.id
  end
  return ids
end

local function asset_with(list, href)
  for _, item in ipairs(list) do
    for key, asset in pairs(item.assets) do
      if asset.href == href then return item, key end
    end
  end
  return nil
end

-- {shot=, found=, item=, only = the asset's key} of a COG's address.
local function of_cog(req, path)
  local collection, dataset, rest = path:match("^/data/([^/]+)/([^/]+)/[^/]+/(.+)%.tif$")
  if not collection then return nil end
  local shot, err = catalog.collection(text.unescape(collection) or "")
  if not shot then return nil, err end
  local entry = shot.entries[text.unescape(dataset) or ""]
  if not entry then
    return not_found("url", "url: collection '%s' has no such dataset", shot.id)
  end
  local list
  list, err = items_of(req, shot, entry.dataset, likely_ids(entry.dataset, rest:match("[^/]+$")))
  if not list then return nil, err end
  local item, key = asset_with(list, req.base_url .. path)
  if not item then
    return not_found("url", "url: no published item has this asset; it may have been replaced")
  end
  local target
  target, err = of_item(req, shot.id, item.id)
  if target then target.only = key end
  return target, err
end

local FOREIGN = { code = "foreign", where = "url",
  message = "url: only addresses of this server's own COGs (cog) and items (stac) are read" }

local locate = {}

function locate.cog(req)
  local path = own_path(req, req.params.url)
  local target, err = of_cog(req, path or "")
  return target, err or FOREIGN
end

function locate.stac(req)
  local path = own_path(req, req.params.url)
  local collection, id = (path or ""):match("^/stac/collections/([^/]+)/items/([^/]+)$")
  if not collection then return nil, FOREIGN end
  return of_item(req, text.unescape(collection) or "", text.unescape(id) or "")
end

function locate.item(req) return of_item(req, req.params.collection, req.params.item) end

local function refuse(err)
  if err.code == "foreign" then
    return rastrum.problem(403, "Forbidden", err.message, { where = "url" })
  end
  return rastrum.fail(err)
end

-- The keys of an item's COGs, in their order.
local function keys_of(target)
  local keys = rastrum.json.array {}
  for _, variable in ipairs(target.found.dataset:variables()) do
    local asset = target.item.assets[variable.name]
    if asset and asset.type:find(COG, 1, true) then keys[#keys + 1] = variable.name end
  end
  return keys
end

-- Those that were asked for; without any, all.
local function chosen(target, asked)
  if target.only then return { target.only } end
  local all = keys_of(target)
  if not asked then return all end
  local known = {}
  for _, key in ipairs(all) do known[key] = true end
  for _, key in ipairs(asked) do
    if not known[key] then
      return not_found("assets", "the item has no asset '%s'; it has %s", text.shown(key),
        table.concat(all, ", "))
    end
  end
  if #asked > MOST_ASSETS then return bad("assets", "at most %d assets at once", MOST_ASSETS) end
  return asked
end

-- ---- info and statistics

local function projected(item, asset, name) return asset[name] or item.properties[name] end

local function bounds_of(item, asset)
  local t, shape = projected(item, asset, "proj:transform"), projected(item, asset, "proj:shape")
  return rastrum.json.array { t[3], t[6] + t[5] * shape[1], t[3] + t[1] * shape[2], t[6] }
end

local function crs_of(item, asset)
  local authority, code = tostring(projected(item, asset, "proj:code")):match("^(%w+):(%w+)$")
  if authority then return ("http://www.opengis.net/def/crs/%s/0/%s"):format(authority, code) end
  return projected(item, asset, "proj:wkt2")
    or rastrum.json.encode(projected(item, asset, "proj:projjson"))
end

local function per_band(asset, value)
  local list = rastrum.json.array {}
  for i, band in ipairs(asset.bands) do list[i] = value(band, i) end
  return list
end

local function info_of(target, key)
  local asset, item = target.item.assets[key], target.item
  local shape, first = projected(item, asset, "proj:shape"), asset.bands[1]
  return {
    bounds = bounds_of(item, asset), crs = crs_of(item, asset),
    band_metadata = per_band(asset, function(band, i)
      return { "b" .. i, band.statistics or asset.statistics or {} }
    end),
    band_descriptions = per_band(asset, function(band, i) return { "b" .. i, band.name } end),
    dtype = first.data_type, nodata_type = first.nodata and "Nodata" or "None",
    nodata_value = first.nodata, count = #asset.bands, width = shape[2], height = shape[1],
    driver = "GTiff",
    colorinterp = per_band(asset, function(_, i) return i == 1 and "gray" or "undefined" end),
    scales = per_band(asset, function(band) return band["raster:scale"] or 1 end),
    offsets = per_band(asset, function(band) return band["raster:offset"] or 0 end),
  }
end

local function answer_infos(target, p, shape)
  local keys, err = chosen(target, p.assets)
  if not keys then return nil, err end
  if target.only then return shape(target, info_of(target, target.only)) end
  local all = {}
  for _, key in ipairs(keys) do all[key] = info_of(target, key) end
  return shape(target, all)
end

local function feature(target, properties)
  return { type = "Feature", bbox = target.item.bbox, geometry = target.item.geometry,
    properties = properties }
end

-- A share of a variable's values in a file lies below it: by the histogram that its row holds.
local function percentile(histogram, share)
  local total = histogram.below + histogram.above
  for _, count in ipairs(histogram.counts) do total = total + count end
  local wanted, sum = total * share, histogram.below
  local side = (histogram.max - histogram.min) / #histogram.counts
  for i, count in ipairs(histogram.counts) do
    if count > 0 and sum + count >= wanted then
      return histogram.min + (i - 1 + math.max(0, wanted - sum) / count) * side
    end
    sum = sum + count
  end
  return histogram.max
end

local function histograms_of(target)
  local out = {}
  for _, variable in ipairs(rastrum.json.decode(target.found.dataset:body()).variables) do
    if type(variable.histogram) == "table" then out[variable.name] = variable.histogram end
  end
  return out
end

local function statistics_of(target, key, p, histogram)
  local asset, out = target.item.assets[key], {}
  local shape = projected(target.item, asset, "proj:shape")
  for i, band in ipairs(asset.bands) do
    local scale, offset = band["raster:scale"] or 1, band["raster:offset"] or 0
    local whole = not p.unscale and band.data_type:find("int")
    local function as(value)
      if value == nil or p.unscale then return value end
      return (value - offset) / scale
    end
    local function stored(value)
      value = as(value)
      return value and whole and math.floor(value + 0.5) or value
    end
    local own = band.statistics or asset.statistics or {}
    local share = (own.valid_percent or 100) / 100
    local valid = math.floor(shape[1] * shape[2] * share + 0.5)
    local each = { min = stored(own.minimum), max = stored(own.maximum), mean = as(own.mean),
      std = own.stddev and (p.unscale and own.stddev or own.stddev / math.abs(scale)),
      valid_percent = share * 100, valid_pixels = valid, count = valid,
      masked_pixels = shape[1] * shape[2] - valid, description = band.name }
    if scale < 0 and not p.unscale then each.min, each.max = each.max, each.min end
    each.sum = each.mean and each.mean * valid
    for _, q in ipairs(histogram and p.p or {}) do
      local from = scale < 0 and not p.unscale and 100 - q or q
      each[("percentile_%g"):format(q)] = as(percentile(histogram, from / 100))
    end
    out["b" .. i] = each
  end
  return out
end

local function statistics(target, p)
  local keys, err = chosen(target, p.assets)
  if not keys then return nil, err end
  local histograms = histograms_of(target)
  if #keys == 1 then return statistics_of(target, keys[1], p, histograms[keys[1]]) end
  local all = {}
  for _, key in ipairs(keys) do
    for band, each in pairs(statistics_of(target, key, p, histograms[key])) do
      all[key .. "_" .. band] = each
    end
  end
  return all
end

-- ---- points and tiles

local function point(target, p)
  local keys, err = chosen(target, p.assets)
  if not keys then return nil, err end
  local sources, bands = {}, nil
  for i, key in ipairs(keys) do
    local variable = target.found.dataset:variable(key)
    sources[i] = { dataset = target.found.dataset, variable = key,
      step = catalog.step_of(target.found, variable) }
  end
  for i, band in ipairs(p.bidx or {}) do
    bands = bands or {}
    bands[i] = band - 1
  end
  local body
  body, err = rastrum.point { sources = sources, bands = bands, lon = p.lon, lat = p.lat,
    unscale = p.unscale }
  if not body then return nil, err end
  local made = rastrum.json.decode(body:text())
  made.band_descriptions = made.band_names
  made.band_names = rastrum.json.array {}
  for i in ipairs(made.band_descriptions) do made.band_names[i] = "b" .. i end
  return made
end

local DEGREES = { ["OGC:CRS84"] = true, ["EPSG:4326"] = true }

-- {west, south, east, north} of a tile whose set is in degrees or Web Mercator; nil of others.
local function extent_of(p, row, place)
  if DEGREES[place.crs] then
    return { place.left, place.top - place.side, place.left + place.side, place.top }
  end
  if p.tms and p.tms ~= tilesets.DEFAULT then return nil end
  local n = 2 ^ p.z
  local function lat(y) return math.deg(math.atan(math.sinh(math.pi * (1 - 2 * y / n)))) end
  return { p.x / n * 360 - 180, lat(row + 1), (p.x + 1) / n * 360 - 180, lat(row) }
end

local function touches(extent, bbox)
  local west, south, east, north = unpack(extent)
  if north <= bbox[2] or south >= bbox[4] then return false end
  if bbox[1] > bbox[3] then return east > bbox[1] or west < bbox[3] end
  return east > bbox[1] and west < bbox[3]
end

-- Of several assets that are named each is a band, in their order; of none the first is drawn.
local function draw_what(q, keys)
  q.variable = keys[1]
  if q.assets and #keys > 1 and not q.expression then
    local quoted = {}
    for i, key in ipairs(keys) do quoted[i] = '"' .. key .. '"' end
    q.expression = table.concat(quoted, ";")
  end
end

-- titiler's parameters as those of /tiles.
local function translated(host, target, p)
  local keys, err = chosen(target, p.assets)
  if not keys then return nil, err end
  local q = {}
  for name, value in pairs(p) do q[name] = value end
  q.collection, q.item = target.shot.id, target.item.id
  q.stretch, q.bits, q.resampling = "linear", 8, p.reproject or p.resampling
  draw_what(q, keys)
  -- where the counts differ the first range serves all
  local bands = q.bidx and #q.bidx or 1
  if q.rescale and not q.expression and #q.rescale ~= bands then q.rescale = { q.rescale[1] } end
  -- a picture's range that nobody gave is the collection's, which is one of values
  if not q.rescale and host.PICTURES[q.format] then q.unscale = true end
  return q
end

local function tile(host, target, req)
  local q, err = translated(host, target, req.params)
  if not q then return nil, err end
  local row, size, place = host.check_address(q)
  if not row then return nil, size end
  local extent = extent_of(q, row, place)
  if extent and not touches(extent, target.item.bbox) then
    return not_found("z", "tile %d/%d/%d lies outside of the data", q.z, q.x, row)
  end
  local own = setmetatable({ params = q }, { __index = req })
  return catalog.again(host.draw, own, row, size, place)
end

local OWN = { tile_format = true, minzoom = true, maxzoom = true, tile_scale = true }

local function tilejson(host, target, req, prefix)
  local p = req.params
  local keys, err = chosen(target, p.assets)
  if not keys then return nil, err end
  local variable = target.shot.variables[keys[1]]
  local least, most = host.zooms_of(variable, p.tms)
  if not least then return nil, most end
  local query = {}
  for pair in req.query:gmatch("[^&]+") do
    if not OWN[pair:match("^[^=]*")] then query[#query + 1] = pair end
  end
  local bounds = host.bounds_of(target.item.bbox)
  least, most = p.minzoom or least, p.maxzoom or most
  local sharp = p.tile_scale > 1 and ("@%dx"):format(p.tile_scale) or ""
  return {
    tilejson = "3.0.0", version = "1.0.0", scheme = "xyz", name = target.item.id,
    tiles = rastrum.json.array { ("%s%s/tiles/%s/{z}/{x}/{y}%s.%s%s"):format(req.base_url, prefix,
      p.tms or tilesets.DEFAULT, sharp, p.tile_format,
      #query > 0 and "?" .. table.concat(query, "&") or "") },
    minzoom = least, maxzoom = most, bounds = rastrum.json.array(bounds),
    center = rastrum.json.array { (bounds[1] + bounds[3]) / 2, (bounds[2] + bounds[4]) / 2, least },
  }
end

-- ---- the routes

local function json_answer(req, value, err)
  if not value then return refuse(err) end
  return http.json(req, value)
end

-- A handler: finds what the address means, and answers with what `make` makes of it.
local function handler(find, make)
  return function(req)
    local target, err = find(req)
    if not target then return refuse(err) end
    return json_answer(req, make(target, req))
  end
end

local function join(...)
  local out = {}
  for _, list in ipairs { ... } do
    for _, each in ipairs(list) do out[#out + 1] = each end
  end
  return out
end

local function without(list, name)
  local out = {}
  for _, each in ipairs(list) do
    if each.name ~= name then out[#out + 1] = each end
  end
  return out
end

-- The parameters of /tiles that titiler has too, `unscale` as it is there.
local function look_of(host, unscale)
  local out = {}
  for _, each in ipairs(host.LOOK) do
    if each.name == "unscale" then
      each = { name = "unscale", type = "boolean", default = unscale,
        description = each.description }
    end
    if each.name ~= "stretch" and each.name ~= "bits" then out[#out + 1] = each end
  end
  out[#out + 1] = { name = "reproject", type = "string", enum = host.RESAMPLING,
    description = "the same as resampling, which it goes before" }
  return out
end

local URL = { name = "url", type = "string", required = true,
  description = "address of an asset or item of this server" }
local ASSETS = { name = "assets", type = "string", repeatable = true,
  description = "asset keys (default: all)" }
local AS_BAND = { name = "asset_as_band", type = "boolean", default = true,
  description = "changes nothing: an asset's name is what stands in an expression" }
local BIDX = { name = "bidx", type = "integer", min = 1, max = 256, repeatable = true,
  description = "bands by number (default: all)" }
local PERCENTILES = { name = "p", type = "number", min = 0, max = 100, repeatable = true,
  default = { 2, 98 }, description = "percentiles" }
local PLACE = {
  { name = "lon", type = "number", min = -360, max = 720, description = "longitude in degrees" },
  { name = "lat", type = "number", min = -90, max = 90, description = "latitude in degrees" } }
local LINKS = {
  { name = "tile_scale", type = "integer", min = 1, max = 4, default = 1,
    description = "pixels of the tiles, times 256" },
  { name = "minzoom", type = "integer", min = 0, max = 24, description = "instead of the first" },
  { name = "maxzoom", type = "integer", min = 0, max = 24, description = "instead of the data's" } }

local function unscaled(default)
  return { name = "unscale", type = "boolean", default = default,
    description = "values rather than stored numbers" }
end

-- Those of one prefix. what: {find=, params=, unscale=, point=: whether points are answered}.
local function routes_of(host, prefix, what)
  local find, params = what.find, what.params
  local look = look_of(host, what.unscale)
  local list = {
    { "GET", prefix .. "/info", handler(find, function(target, req)
      return answer_infos(target, req.params, function(_, infos) return infos end)
    end), summary = "What titiler tells of a COG or an item", params = params },
    { "GET", prefix .. "/info.geojson", handler(find, function(target, req)
      return answer_infos(target, req.params, feature)
    end), summary = "The same as a GeoJSON feature", params = params },
    { "GET", prefix .. "/statistics", handler(find, function(target, req)
      return statistics(target, req.params)
    end), summary = "Statistics of the bands; percentiles are of the file's whole variable",
      params = join(params, { PERCENTILES, unscaled(what.unscale) }) },
  }
  local told = handler(find, function(target, req)
    return tilejson(host, target, req, what.prefix and what.prefix(req) or prefix)
  end)
  local function drawn(req)
    req.params.format = req.params.format or "png"
    local target, err = find(req)
    if not target then return refuse(err) end
    local response
    response, err = tile(host, target, req)
    return response or refuse(err)
  end
  local links = join(params, look, LINKS, { host.TILE_FORMAT })
  local tiles = join(params, host.ADDRESS, look)
  -- without a set or a format they are titiler 1's
  for tms, own in pairs { [""] = {}, ["/{tms}"] = { host.TMS } } do
    local plain = tms == ""
    list[#list + 1] = { "GET", prefix .. tms .. "/tilejson.json", told, hidden = plain,
      summary = "TileJSON like titiler's", params = join(links, own) }
    for _, format in ipairs { "", ".{format}" } do
      list[#list + 1] = { "GET", prefix .. "/tiles" .. tms .. "/{z:int}/{x:int}/{y}" .. format,
        drawn, hidden = plain or format == "", summary = "A tile like titiler's",
        params = format == "" and without(join(tiles, own), "format") or join(tiles, own) }
    end
  end
  if what.point then
    list[#list + 1] = { "GET", prefix .. "/point/{lon:number},{lat:number}",
      handler(find, function(target, req) return point(target, req.params) end),
      summary = "Values at a place like titiler's",
      params = join(params, PLACE, { BIDX, unscaled(what.unscale) }) }
  end
  return list
end

local function assets_route(path, find, params)
  return { "GET", path, handler(find, keys_of), summary = "The keys of an item's COGs",
    params = params }
end

local ITEM = {
  { name = "collection", type = "string", description = "a collection's id" },
  { name = "item", type = "string", description = "an item's id" } }

local function item_prefix(req)
  return ("/collections/%s/items/%s"):format(text.escape(req.params.collection),
    text.escape(req.params.item))
end

---@param host table  of the tiles: check_address, draw, zooms_of, bounds_of, LOOK, ADDRESS, TMS
---@return table[]
function M.routes(host)
  local item = "/collections/{collection}/items/{item}"
  local of_stac = { URL, ASSETS, AS_BAND }
  return join(
    routes_of(host, "/titiler/cog", { find = locate.cog, params = { URL }, unscale = false,
      point = true }),
    routes_of(host, "/titiler/stac", { find = locate.stac, params = of_stac, unscale = false,
      point = true }),
    { assets_route("/titiler/stac/assets", locate.stac, { URL }) },
    routes_of(host, item, { find = locate.item, params = join(ITEM, { ASSETS, AS_BAND }),
      unscale = true, prefix = item_prefix }),
    { assets_route(item .. "/assets", locate.item, ITEM) })
end

return M
