-- Map tiles, TileJSON and the list of times. Lua chooses what is drawn; the pixels are made in the
-- core.
local catalog = require "rastrum.catalog"
local expression = require "expression"
local http = require "rastrum.http"
local looks = require "rastrum.look"
local select = require "rastrum.select"
local tilesets = require "rastrum.tilesets"
local titiler = require "titiler"

local M = { name = "tiles", api = 1, description = "map tiles, TileJSON and the list of times" }

local MAX_ZOOM = 24
local TYPES = { png = "image/png", jpg = "image/jpeg", webp = "image/webp",
  npy = "application/x-npy", tif = "image/tiff; application=geotiff" }
local FORMATS = { "png", "jpg", "webp", "npy", "tif" }
local PICTURES = { png = true, jpg = true, webp = true }
local RESAMPLING = { "nearest", "bilinear", "cubic", "cubic_spline", "lanczos", "gauss", "average",
  "mode", "rms" }

local function bad(where, message, ...)
  return { code = "invalid", where = where, message = message:format(...) }
end

-- Everything that a tile of this request draws from: {variable, sources, bands, versions}.
local function plan(snapshot, p)
  local variable, err = select.variable(snapshot, p.variable)
  if not variable then return nil, err end
  if not variable.mappable then
    return nil, bad("variable", "variable '%s' is not on a map grid; ask /api/timeseries",
      variable.name)
  end
  local run, sources
  run, err = catalog.run(snapshot, variable.name, p.run)
  if err then return nil, err end
  sources, err = catalog.sources(snapshot, { variable = variable.name, datetime = p.datetime,
    item = p.item, run = run })
  if not sources then return nil, err end
  if #sources == 0 then
    return nil, { code = "not_found", where = "datetime",
      message = ("collection '%s' has no '%s' at %s%s (datetime=nearest::T takes it, "
        .. "/tiles/%s/times lists all)"):format(snapshot.id, variable.name,
        p.datetime or "any time",
        catalog.nearest_words(snapshot, variable.name, p.datetime), snapshot.id) }
  end
  local bands, versions = nil, {}
  for i, source in ipairs(sources) do
    local own = source.dataset:variable(source.variable)
    local indexes, chosen = select.extras(source.dataset, own, p.level, p.sel)
    if not indexes then return nil, chosen end
    bands = bands or { select.band(own, indexes) }
    versions[i] = source.dataset:version() .. ":" .. source.step
  end
  return { variable = variable, sources = sources, bands = bands or { 0 },
    versions = table.concat(versions, ",") }
end

-- Bands by number instead of by level.
local function apply_bidx(p, drawn)
  if not p.bidx then return true end
  local most = drawn.sources[1] and drawn.sources[1].dataset:variable(drawn.variable.name).bands
    or 1
  drawn.bands = {}
  for i, band in ipairs(p.bidx) do
    if band > most then
      return nil, bad("bidx", "bidx is %d; variable '%s' has %d bands", band, drawn.variable.name,
        most)
    end
    drawn.bands[i] = band - 1
  end
  return true
end

-- "12@2x" to 12, 2.
local function parse_row(text)
  local row, scale = text:match("^(%d+)@([1-4])x$")
  return tonumber(row or text:match("^%d+$")), tonumber(scale or 1)
end

local function nodata_of(p)
  if not p.nodata then return nil end
  if p.nodata:lower() == "nan" then return nil end
  local value = tonumber(p.nodata)
  if not value then
    return nil, bad("nodata", "nodata is '%s'; it takes a number or nan", p.nodata)
  end
  return value
end

-- The immutable answer belongs to one version of the step.
local function version_tag(snapshot, drawn)
  return rastrum.hash(drawn.versions, tostring(snapshot.stretch_generation or 0)):sub(1, 12)
end

local function redirect(req)
  local query = {}
  for pair in req.query:gmatch("[^&]+") do
    if not pair:match("^v=") then query[#query + 1] = pair end
  end
  -- relative to the request: a proxy may have put a prefix before it
  local target = req.path:match("[^/]+$") .. (#query > 0 and "?" .. table.concat(query, "&") or "")
  return { status = 307, headers = { Location = target, ["Cache-Control"] = "no-store" } }
end

local function check_address(p)
  if p.buffer * 2 % 1 ~= 0 then
    return nil, bad("buffer", "buffer is %g; it takes a multiple of 0.5", p.buffer)
  end
  local row, scale = parse_row(p.y)
  if not row then return nil, bad("y", "y is '%s'; it takes a row such as 3 or 3@2x", p.y) end
  local size = p.tilesize * scale
  if size > 1024 then
    return nil, bad("tilesize", "a tile of %d pixels is too large; the most is 1024", size)
  end
  if p.tms and not tilesets.is_default(p.tms) then
    local place, err = tilesets.place(p.tms, p.z, p.x, row)
    if not place then return nil, err end
    return row, size, place
  end
  local last = 2 ^ p.z - 1
  if p.x > last or row > last then
    return nil, bad(p.x > last and "x" or "y",
      "tile %d/%d/%d does not exist; at zoom %d x and y go to %d", p.z, p.x, row,
      p.z, last)
  end
  return row, size, {}
end

local function of_variable(snapshot, p)
  local drawn, err = plan(snapshot, p)
  if not drawn then return nil, err end
  local good
  good, err = apply_bidx(p, drawn)
  return good and drawn, err
end

-- What the parameters choose in one state of the collection.
local function chosen(snapshot, p)
  if not p.expression then return of_variable(snapshot, p) end
  if p.bidx then
    return nil, bad("bidx", "bidx: leave it out beside expression, where b1, b2, … are the bands")
  end
  return expression.plan(snapshot, p, of_variable)
end

-- The state and what is drawn of it: the present one, or the earlier one that `v` belongs to while
-- that is kept. `drawn` is false where the client has to ask without its `v`.
local function versioned(snapshot, p)
  local drawn, err = chosen(snapshot, p)
  if not p.v or (drawn and p.v == version_tag(snapshot, drawn)) then return snapshot, drawn, err end
  if not drawn and err.code ~= "not_found" then return snapshot, nil, err end
  local span = catalog.span(snapshot, p)
  for old in catalog.past(snapshot, span) do
    local then_ = chosen(old, p)
    if then_ and p.v == version_tag(old, then_) then return old, then_ end
  end
  if drawn then return snapshot, false end
  return snapshot, nil, err
end

-- Whether values become colours by a ramp: pictures of one band, but for those of 16 bits.
local function ramped(drawn, p)
  return PICTURES[p.format] and #drawn.bands == 1 and p.bits == 8
end

-- Options that contradict each other or the number of bands.
local function check_look(drawn, p)
  if p.bits == 16 and p.format ~= "png" then
    return nil, bad("bits", "bits is 16; only png has 16 bits, this is %s", p.format)
  end
  if PICTURES[p.format] and #drawn.bands ~= 1 and #drawn.bands ~= 3 then
    return nil, bad("bidx", "bidx: a picture takes one band, or three as red, green and blue; "
      .. "%d were asked for", #drawn.bands)
  end
  local name = p.colormap and "colormap" or p.colormap_name and "colormap_name"
  if name and PICTURES[p.format] and not ramped(drawn, p) then
    return nil, bad(name, "%s: a ramp takes one band and 8 bits; leave it out", name)
  end
  if drawn.expression and PICTURES[p.format] and not p.rescale then
    return nil, bad("rescale", "rescale=low,high is wanted beside expression, whose range nobody "
      .. "knows")
  end
  return true
end

-- One pair for all channels, or one a channel.
local function ranges_of(snapshot, drawn, p, ramp)
  local count = p.rescale and #p.rescale or 1
  if count > 1 and count ~= #drawn.bands then
    return nil, bad("rescale", "rescale is given %d times; once, or once a band (%d)", count,
      #drawn.bands)
  end
  local list = {}
  for i = 1, count do
    local pair, err = looks.rescale(snapshot, drawn.variable,
      { rescale = p.rescale and p.rescale[i], stretch = p.stretch }, ramp)
    if not pair then return nil, err end
    list[#list + 1], list[#list + 2] = pair[1], pair[2]
  end
  return list
end

-- {rescale, ramp, nodata}: how values become pixels.
local function look_of(snapshot, drawn, p)
  local look = {}
  local good, err = check_look(drawn, p)
  if not good then return nil, err end
  if ramped(drawn, p) then
    look.ramp, look.name = looks.ramp(drawn.variable, p)
    if not look.ramp then return nil, look.name end
  end
  look.rescale, err = ranges_of(snapshot, drawn, p, look.ramp)
  if not look.rescale then return nil, err end
  if look.ramp then
    look.ramp, err = looks.drawn(look.ramp, p, look.rescale)
    if not look.ramp then return nil, err end
  end
  look.nodata, err = nodata_of(p)
  if err then return nil, err end
  return look
end

local function draw(req, row, size, place)
  local p = req.params
  local now, err = catalog.resolve(p.collection)
  if not now then return nil, err end
  local snapshot, drawn, problem = versioned(now, p)
  if drawn == false then return redirect(req) end
  if not drawn then return nil, problem end
  local look
  look, err = look_of(snapshot, drawn, p)
  if not look then return nil, err end
  local etag = http.etag(req, drawn.versions, table.concat(look.rescale, ","),
    look.ramp and look.ramp:digest() or "")
  local headers = { ETag = etag, ["Cache-Control"] = p.v and http.IMMUTABLE or http.SHORT }
  local unchanged = http.not_modified(req, etag, headers)
  if unchanged then return unchanged end
  local body
  body, err = rastrum.tile {
    sources = drawn.sources, bands = drawn.bands, z = p.z, x = p.x, y = row, size = size,
    crs = place.crs, left = place.left, top = place.top,
    pixel = place.side and place.side / size, resampling = p.resampling,
    unscale = p.unscale, nodata = look.nodata, rescale = look.rescale, ramp = look.ramp,
    format = p.format, return_mask = p.return_mask, buffer = p.buffer * 2, bits = p.bits,
    color_formula = p.color_formula, expression = drawn.expression, operands = drawn.operands,
  }
  if body then return { status = 200, type = TYPES[p.format], headers = headers, body = body } end
  if err.code == "gone" and snapshot ~= now then return redirect(req) end
  return nil, err
end

---@param req rastrum.Request
local function tile(req)
  local row, size, place = check_address(req.params)
  if not row then return rastrum.fail(size) end
  local response, err = catalog.again(draw, req, row, size, place)
  return response or rastrum.fail(err)
end

-- Parameters that a tile URL carries on from the TileJSON's own.
local CARRIED = { "variable", "level", "sel", "item", "run", "rescale", "stretch", "colormap_name",
  "colormap", "resampling", "nodata",
  "unscale", "return_mask", "bidx", "tilesize", "buffer", "padding", "bits", "color_formula",
  "expression" }

local function escape(text)
  return (tostring(text):gsub("[^%w%-%._~,:]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local function carried_query(p, given)
  local list = {}
  for _, name in ipairs(CARRIED) do
    local value = given[name] and p[name]
    for _, each in ipairs(type(value) == "table" and value or { value }) do
      list[#list + 1] = name .. "=" .. escape(each)
    end
  end
  return list
end

-- The zoom at which a pixel is no larger than a cell, at the grid's finer side.
local function native_zoom(variable)
  local degrees = variable.cell_degrees
  if not (degrees and degrees > 0) then return 6 end
  return math.max(0, math.min(MAX_ZOOM,
    math.ceil(math.log(360 / 256 / degrees) / math.log(2) - 1e-6)))
end

-- The first zoom, and the one of the data.
local function zooms_of(variable, tms)
  if not tms or tilesets.is_default(tms) then return 0, math.max(native_zoom(variable), 2) end
  local degrees = variable.cell_degrees
  local first, last = tilesets.zooms(tms, degrees and degrees > 0 and degrees or 0.02)
  return first, first and math.min(last, MAX_ZOOM) or last
end

-- TileJSON bounds don't wrap: an extent over 180 degrees widens to the whole way round.
local function bounds_of(bbox)
  if bbox[1] > bbox[3] then return { -180, bbox[2], 180, bbox[4] } end
  return { bbox[1], bbox[2], bbox[3], bbox[4] }
end

local function described(snapshot)
  local list = rastrum.json.array {}
  for _, name in ipairs(select.names(snapshot)) do
    local variable = snapshot.variables[name]
    if variable.mappable then
      local extras = rastrum.json.array {}
      for i, extra in ipairs(variable.extra) do
        extras[i] = { name = extra.name, size = extra.size, units = extra.units,
          values = extra.values and rastrum.json.array(extra.values) or nil }
      end
      list[#list + 1] = { name = name, long_name = variable.long_name, units = variable.units,
        extra = extras }
    end
  end
  return list
end

---@param req rastrum.Request
local function tilejson(req)
  local p = req.params
  local snapshot, err = catalog.resolve(p.collection)
  if not snapshot then return rastrum.fail(err) end
  p.format = p.tile_format
  local drawn, look
  drawn, err = chosen(snapshot, p)
  if not drawn then return rastrum.fail(err) end
  look, err = look_of(snapshot, drawn, p)
  if not look then return rastrum.fail(err) end
  local query = carried_query(p, req.given)
  if p.datetime then query[#query + 1] = "datetime=" .. escape(p.datetime) end
  query[#query + 1] = "v=" .. version_tag(snapshot, drawn)
  local bounds = bounds_of(drawn.variable.bbox)
  local least, most = zooms_of(drawn.variable, p.tms)
  if not least then return rastrum.fail(most) end
  local template = ("%s/tiles/%s/%s{z}/{x}/{y}.%s?%s"):format(req.base_url, escape(p.collection),
    p.tms and escape(p.tms) .. "/" or "", p.tile_format, table.concat(query, "&"))
  return http.json(req, {
    tilejson = "3.0.0",
    name = snapshot.title or snapshot.id,
    description = drawn.variable.long_name ~= "" and drawn.variable.long_name
    or drawn.variable.name,
    attribution = type(rastrum.config.attribution) == "string" and rastrum.config.attribution
    or nil,
    version = "1.0.0",
    scheme = "xyz",
    tiles = rastrum.json.array { template },
    bounds = rastrum.json.array(bounds),
    center = rastrum.json.array { (bounds[1] + bounds[3]) / 2, (bounds[2] + bounds[4]) / 2,
    math.max(least, math.min(native_zoom(drawn.variable), most, 2)) },
    minzoom = least,
    maxzoom = most,
    variable = drawn.variable.name,
    units = drawn.variable.units,
    rescale = rastrum.json.array(look.rescale),
    colormap_name = look.name,
    variables = described(snapshot),
  })
end

---@param req rastrum.Request
local function times(req)
  local p = req.params
  local snapshot, err = catalog.resolve(p.collection)
  if not snapshot then return rastrum.fail(err) end
  local variable
  variable, err = select.variable(snapshot, p.variable)
  if not variable then return rastrum.fail(err) end
  local etag = http.etag(req, snapshot.versions_hash, tostring(snapshot.stretch_generation))
  local headers = { ETag = etag, ["Cache-Control"] = http.SHORT }
  local unchanged = http.not_modified(req, etag, headers)
  if unchanged then return unchanged end
  local body
  local run
  run, err = catalog.run(snapshot, variable.name, p.run)
  if err then return rastrum.fail(err) end
  body, err = catalog.times(snapshot, variable.name, run)
  if not body then return rastrum.fail(err) end
  return { status = 200, type = "application/json", headers = headers, body = body,
    compress = true }
end

---@param req rastrum.Request
local function matrix_sets(req)
  local list = rastrum.json.array {}
  for i, name in ipairs(tilesets.names()) do
    local set = tilesets.get(name)
    list[i] = { id = name, title = set.title, uri = set.uri, crs = set.crs,
      links = rastrum.json.array { { rel = "http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme",
        type = "application/json", title = set.title,
        href = ("%s/tileMatrixSets/%s"):format(req.base_url, escape(name)) } } }
  end
  return http.json(req, { tileMatrixSets = list,
    refused = rastrum.json.array(tilesets.refused()) })
end

---@param req rastrum.Request
local function matrix_set(req)
  local set, err = tilesets.get(req.params.tms)
  if not set then return rastrum.fail(err) end
  return http.json(req, set)
end

local CHOICE = {
  { name = "collection", type = "string", description = "a collection's id, or a named search" },
  { name = "variable", type = "string",
    description = "a variable of the collection (default: its first on a map grid)" },
  { name = "datetime", type = "string",
    description = "a time of the data, or nearest::T, ffill::T, bfill::T (default: the latest)" },
  { name = "level", type = "string",
    description = "a coordinate value of the only extra dimension" },
  { name = "sel", type = "string", repeatable = true,
    description = "dimension=value of an extra dimension" },
  { name = "item", type = "string", description = "a STAC item's id, instead of datetime" },
  { name = "run", type = "string",
    description = "a forecast's reference time, or latest (default: the last that has the time)" },
}

local LOOK = {
  { name = "rescale", type = "string", repeatable = true,
    description = "low,high: the values at the ramp's ends (default: the collection's); of three "
      .. "bands once, or once each" },
  looks.STRETCH,
  { name = "colormap_name", type = "string",
    description = "a colour ramp; name_r is reversed (default: the variable's flags, or viridis)" },
  { name = "colormap", type = "string",
    description = "a colour ramp as JSON: value to colour, or intervals" },
  { name = "resampling", type = "string", enum = RESAMPLING, default = "nearest",
    description = "how pixels are taken from cells" },
  { name = "nodata", type = "string", description = "a stored number that is not drawn, or nan" },
  { name = "unscale", type = "boolean", default = true,
    description = "values rather than stored numbers" },
  { name = "return_mask", type = "boolean", default = true,
    description = "transparent where there is no data; npy: a mask behind the bands" },
  { name = "bidx", type = "integer", min = 1, max = 256, repeatable = true,
    description = "bands by number, instead of level; a picture takes one, or three as red, "
      .. "green and blue" },
  { name = "tilesize", type = "integer", min = 64, max = 1024, default = 256,
    description = "pixels a side" },
  { name = "buffer", type = "number", min = 0, max = 128, default = 0,
    description = "pixels that are added at each side, in halves" },
  { name = "padding", type = "integer", min = 0, max = 128, default = 0,
    description = "pixels to read beyond each side; changes nothing here, where the sides of a "
      .. "tile are read as its middle is" },
  { name = "bits", type = "integer", enum = { 8, 16 }, default = 8,
    description = "png: of a level; with 16 it is grey (or three bands') over rescale, without "
      .. "a ramp" },
  { name = "color_formula", type = "string", max_length = 512,
    description = "operations on the levels: gamma BANDS G, sigmoidal BANDS CONTRAST BIAS, "
      .. "saturation S" },
}

LOOK[#LOOK + 1] = { name = "expression", type = "string", max_length = 2048,
  description = "arithmetic over variables by name, or b1, b2, … for bands of `variable`; a "
    .. "picture takes one result, or three split by ';'" }

local TMS = { name = "tms", type = "string", example = tilesets.DEFAULT,
  description = "a tile matrix set of /tileMatrixSets" }

local TILE_FORMAT = { name = "tile_format", type = "string", enum = FORMATS, default = "png",
  description = "format of the tiles" }

local ADDRESS = {
  { name = "z", type = "integer", min = 0, max = MAX_ZOOM, example = 0, description = "zoom" },
  { name = "x", type = "integer", min = 0, max = 2 ^ MAX_ZOOM - 1, example = 0,
    description = "column" },
  { name = "y", type = "string", example = "0",
    description = "row, with @1x to @4x for sharper tiles" },
  { name = "format", type = "string", enum = FORMATS,
    description = "a picture, or values: npy (with a mask) or tif" },
  { name = "v", type = "string",
    description = "version of the step, from TileJSON: makes the answer immutable" },
}

local function join(...)
  local out = {}
  for _, list in ipairs { ... } do
    for _, each in ipairs(list) do out[#out + 1] = each end
  end
  return out
end

M.tile_matrix_sets = {}
for _, name in ipairs { "WebMercatorQuad", "WorldCRS84Quad", "WGS1984Quad" } do
  M.tile_matrix_sets[name] = rastrum.json.decode(rastrum.asset(name .. ".json"))
end

-- What an operator's own files have wrong is said at once, not when somebody asks for the set.
M.hooks = { on_start = function()
  for _, each in ipairs(tilesets.refused()) do
    rastrum.log.warn("tile matrix set refused", { file = each.file, reason = each.message })
  end
end }

M.routes = {
  { "GET", "/tiles/{collection}/{z:int}/{x:int}/{y}.{format}", tile, summary = "A map tile",
    params = join(CHOICE, ADDRESS, LOOK) },
  { "GET", "/tiles/{collection}/{tms}/{z:int}/{x:int}/{y}.{format}", tile,
    summary = "A map tile of the named tile matrix set",
    params = join(CHOICE, { TMS }, ADDRESS, LOOK) },
  { "GET", "/tileMatrixSets", matrix_sets, summary = "The tile matrix sets" },
  { "GET", "/tileMatrixSets/{tms}", matrix_set, summary = "A tile matrix set, as the OGC has it",
    params = { TMS } },
  { "GET", "/tiles/{collection}/tilejson.json", tilejson,
    summary = "TileJSON 3.0 of what the parameters choose",
    params = join(CHOICE, LOOK, { TILE_FORMAT }) },
  { "GET", "/tiles/{collection}/{tms}/tilejson.json", tilejson,
    summary = "TileJSON of tiles of the named tile matrix set",
    params = join(CHOICE, { TMS }, LOOK, { TILE_FORMAT }) },
  { "GET", "/tiles/{collection}/times", times,
    summary = "The times of a variable, each with its version",
    params = { CHOICE[1], CHOICE[2], CHOICE[4], CHOICE[5], CHOICE[7] } },
}

M.routes = join(M.routes, titiler.routes { check_address = check_address, draw = draw,
  zooms_of = zooms_of, bounds_of = bounds_of, LOOK = LOOK, TMS = TMS, RESAMPLING = RESAMPLING,
  TILE_FORMAT = TILE_FORMAT, PICTURES = PICTURES,
  ADDRESS = { unpack(ADDRESS, 1, 4) } })

return M
