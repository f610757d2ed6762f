-- Tile matrix sets (OGC 17-083r4), which say what tile lies where: the JSON files of
-- --tile-matrix-sets, then what plugins declare. The standard's JSON is taken as it is; sets with
-- coalesced rows or tiles that are not square have no place here.
local registry = require "rastrum.registry"
local text = require "rastrum.text"
local _, host = ...

local M = { DEFAULT = "WebMercatorQuad" }

local MOST = 64  -- matrices of a set
local NORTHINGS = { lat = true, y = true, n = true, northing = true, latitude = true }

local function wrong(...) return nil, (...):format(select(2, ...)) end

local function given(value)
  if value == rastrum.json.null then return nil end
  return value
end

local function number_above_0(value)
  return type(value) == "number" and value > 0 and value < math.huge
end

local function whole(value) return number_above_0(value) and value % 1 == 0 and value <= 2 ^ 53 end

local function check_origin(matrix)
  local origin, corner = matrix.pointOfOrigin, given(matrix.cornerOfOrigin)
  if type(origin) ~= "table" or #origin ~= 2 or type(origin[1]) ~= "number"
    or type(origin[2]) ~= "number" then
    return wrong "pointOfOrigin is not a list of two numbers"
  end
  if corner ~= nil and corner ~= "topLeft" and corner ~= "bottomLeft" then
    return wrong("cornerOfOrigin is %s; it takes topLeft or bottomLeft", text.shown(corner))
  end
  return true
end

local function check_matrix(matrix, seen)
  if type(matrix) ~= "table" then return wrong "it is not an object" end
  if given(matrix.variableMatrixWidths) then
    return wrong "variableMatrixWidths: rows of coalesced tiles are not made here"
  end
  if type(matrix.id) ~= "string" or not matrix.id:find("^%d+$") or #matrix.id > 3 then
    return wrong("id is %s; a zoom level such as \"3\" is wanted", text.shown(matrix.id))
  end
  if seen[tonumber(matrix.id)] then return wrong("id is %s for a second time", matrix.id) end
  if not number_above_0(matrix.cellSize) then return wrong "cellSize is no number above 0" end
  for _, name in ipairs { "tileWidth", "tileHeight", "matrixWidth", "matrixHeight" } do
    if not whole(matrix[name]) then return wrong("%s is no whole number above 0", name) end
  end
  if matrix.tileWidth ~= matrix.tileHeight then
    return wrong("tileWidth is %d and tileHeight %d; tiles are square here", matrix.tileWidth,
      matrix.tileHeight)
  end
  return check_origin(matrix)
end

-- {zoom = matrix}
local function read_matrices(list)
  if type(list) ~= "table" or #list == 0 or #list > MOST then
    return wrong("tileMatrices is not a list of 1 to %d matrices", MOST)
  end
  local by_zoom = {}
  for i, matrix in ipairs(list) do
    local good, why = check_matrix(matrix, by_zoom)
    if not good then return wrong("tileMatrices[%d]: %s", i - 1, why) end
    by_zoom[tonumber(matrix.id)] = matrix
  end
  return by_zoom
end

-- A definition that PROJ knows, of a text or {uri=} or {wkt=}.
local function crs_of(crs)
  if type(crs) == "table" then
    if type(crs.wkt) == "table" then return rastrum.json.encode(crs.wkt) end
    crs = crs.uri or crs.wkt
  end
  if type(crs) ~= "string" then
    return wrong "crs is not a URI, nor an object with uri or wkt"
  end
  local authority, code = crs:match("/def/crs/(%w+)/[^/]+/(%w+)$")
  return authority and authority .. ":" .. code or crs
end

-- Whether points of origin are written northing first: as the set says, else as its CRS has it.
local function swaps_of(set, crs)
  local natural, err = host.northing_first(crs)
  if natural == nil then return wrong("crs: %s", err.message) end
  local axes = given(set.orderedAxes)
  if axes == nil then return { natural } end
  if type(axes) ~= "table" or #axes ~= 2 or type(axes[1]) ~= "string" then
    return wrong "orderedAxes is not a list of two names such as [\"E\", \"N\"]"
  end
  return { NORTHINGS[axes[1]:lower()] or false }
end

-- {set=, crs=, swaps=, matrices={zoom = …}}, or nil and a sentence that begins with the field.
local function read(set, name)
  if type(set) ~= "table" then return wrong "it is not a JSON object" end
  if given(set.id) == nil then set.id = name end
  if set.id ~= name then
    return wrong("id is %s and its name is '%s'; they are to be equal", text.shown(set.id), name)
  end
  local crs, swaps, matrices, why
  crs, why = crs_of(set.crs)
  if not crs then return nil, why end
  swaps, why = swaps_of(set, crs)
  if not swaps then return nil, why end
  matrices, why = read_matrices(set.tileMatrices)
  if not matrices then return nil, why end
  return { set = set, crs = crs, swaps = swaps[1], matrices = matrices }
end

local files = {}    -- name -> {text=, file=}
local refused = {}  -- {file=, message=}: those whose name or reading fails

for _, entry in ipairs(host.files("tile_matrix_sets")) do
  local name = entry.file:match("^(.+)%.json$") or entry.file
  if entry.failed then
    refused[#refused + 1] = { file = entry.file, message = entry.text }
  elseif #name > 64 or not name:find("^[%w_%-:]+$") then
    refused[#refused + 1] = { file = entry.file, message = "a tile matrix set's name is made of "
      .. "letters, digits, '_', '-' and ':'; rename the file" }
  else
    files[name] = entry
  end
end

local function read_file(entry, name)
  local set, err = rastrum.json.decode(entry.text)
  if set == nil then return wrong("%s: %s", entry.file, err.message) end
  local made, why = read(set, name)
  if not made then return wrong("%s: %s", entry.file, why) end
  return made
end

local known = {}  -- name -> {made=} or {why=}

-- What `read` makes of a set, once: nil for a name that nobody has.
local function look_up(name)
  if known[name] then return known[name] end
  local declared = registry.tile_matrix_set(name)
  if not files[name] and not declared then return nil end
  local made, why
  if files[name] then
    made, why = read_file(files[name], name)
  else
    made, why = read(declared, name)
  end
  known[name] = { made = made, why = why }
  return known[name]
end

local function find(name)
  local found = look_up(name)
  if found and found.made then return found.made end
  if found then
    return nil, { code = "invalid", where = "tms",
      message = ("tile matrix set '%s' cannot be used: %s"):format(name, found.why) }
  end
  local near = text.nearest(name, M.names())
  return nil, { code = "not_found", where = "tms",
    message = ("there is no tile matrix set '%s'; %s"):format(text.shown(name),
    near and ("did you mean '%s'?"):format(near) or "/tileMatrixSets lists all") }
end

---The set's table as its file has it.
---@param name string
---@return table|nil
---@return rastrum.Error|nil
function M.get(name)
  local made, err = find(name)
  return made and made.set, err
end

---The names of those that can be used.
---@return string[]
function M.names()
  local list = {}
  for _, name in ipairs(registry.tile_matrix_sets()) do
    if not files[name] and look_up(name).made then list[#list + 1] = name end
  end
  for name in pairs(files) do
    if look_up(name).made then list[#list + 1] = name end
  end
  table.sort(list)
  return list
end

---The files that cannot be used: {file=, message=}, the message beginning with the field.
---@return table[]
function M.refused()
  local list = {}
  for i, each in ipairs(refused) do list[i] = each end
  for name, entry in pairs(files) do
    local why = look_up(name).why
    if why then list[#list + 1] = { file = entry.file, message = why:sub(#entry.file + 3) } end
  end
  table.sort(list, function(a, b) return a.file < b.file end)
  return list
end

---Whether the name is that of the set that is meant where none is named, as it came along.
---@param name string
---@return boolean
function M.is_default(name) return name == M.DEFAULT and not files[name] end

local function bad(where, message, ...)
  return nil, { code = "invalid", where = where, message = message:format(...) }
end

local PIXEL, DEGREE = 0.00028, 111319.49079327358  -- metres: of the standard's screen, of the equator

---The first zoom, and the one at which a pixel is no larger than so many degrees, or the last.
---@param name string
---@param degrees number
---@return integer|nil first
---@return integer|rastrum.Error fitting
function M.zooms(name, degrees)
  local made, err = find(name)
  if not made then return nil, err end
  local zooms = {}
  for zoom in pairs(made.matrices) do zooms[#zooms + 1] = zoom end
  table.sort(zooms)
  for _, zoom in ipairs(zooms) do
    local scale = tonumber(made.matrices[zoom].scaleDenominator)
    if scale and scale * PIXEL / DEGREE <= degrees * (1 + 1e-6) then return zooms[1], zoom end
  end
  return zooms[1], zooms[#zooms]
end

---Where a tile lies: {crs=, left=, top=, side=} in the CRS's units.
---@param name string
---@param z integer  the matrix's id
---@param x integer
---@param y integer
---@return table|nil
---@return rastrum.Error|nil
function M.place(name, z, x, y)
  local made, err = find(name)
  if not made then return nil, err end
  local matrix = made.matrices[z]
  if not matrix then return bad("z", "tile matrix set '%s' has no matrix %d", name, z) end
  if x >= matrix.matrixWidth or y >= matrix.matrixHeight then
    return bad(x >= matrix.matrixWidth and "x" or "y",
      "tile %d/%d/%d does not exist; in matrix %d of '%s' x goes to %d and y to %d", z, x, y, z,
      name, matrix.matrixWidth - 1, matrix.matrixHeight - 1)
  end
  local origin, side = matrix.pointOfOrigin, matrix.cellSize * matrix.tileWidth
  local left, top = origin[1], origin[2]
  if made.swaps then left, top = top, left end
  top = matrix.cornerOfOrigin == "bottomLeft" and top + (y + 1) * side or top - y * side
  return { crs = made.crs, left = left + x * side, top = top, side = side }
end

return M
