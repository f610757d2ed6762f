-- Tile matrix sets that plugins declare (OGC 17-083r4): which tile lies where. The standard's JSON is
-- taken as it is; sets with coalesced rows or tiles that are not square have no place here.
local registry = require "rastrum.registry"
local text = require "rastrum.text"

local M = { DEFAULT = "WebMercatorQuad" }

local function bad(where, message, ...)
  return nil, { code = "invalid", where = where, message = message:format(...) }
end

---The set's table as its file has it.
---@param name string
---@return table|nil
---@return rastrum.Error|nil
function M.get(name)
  local set = registry.tile_matrix_set(name)
  if set then return set end
  local near = text.nearest(name, M.names())
  return nil, { code = "not_found", where = "tms",
    message = ("there is no tile matrix set '%s'; %s"):format(text.shown(name),
    near and ("did you mean '%s'?"):format(near) or "/tileMatrixSets lists all") }
end

---@return string[]
function M.names() return registry.tile_matrix_sets() end

-- A definition that PROJ knows, of a text or {uri=} or {wkt=}.
local function crs_of(set)
  local crs = set.crs
  if type(crs) == "table" then
    if type(crs.wkt) == "table" then return rastrum.json.encode(crs.wkt) end
    crs = crs.uri or crs.wkt
  end
  if type(crs) ~= "string" then return nil end
  local authority, code = crs:match("/def/crs/(%w+)/[^/]+/(%w+)$")
  return authority and authority .. ":" .. code or crs
end

local function swaps(set)
  local first = set.orderedAxes and tostring(set.orderedAxes[1]):lower() or "x"
  return first == "lat" or first == "y" or first == "n" or first == "northing"
end

local function matrix_of(set, z)
  local name = ("%d"):format(z)
  for _, matrix in ipairs(type(set.tileMatrices) == "table" and set.tileMatrices or {}) do
    if matrix.id == name then return matrix end
  end
  return nil
end

local function check_matrix(set, matrix)
  if matrix.variableMatrixWidths then
    return bad("tms", "tile matrix set '%s' has rows of coalesced tiles, which are not made here",
      tostring(set.id))
  end
  for _, name in ipairs { "cellSize", "tileWidth", "tileHeight", "matrixWidth", "matrixHeight" } do
    if not (type(matrix[name]) == "number" and matrix[name] > 0) then
      return bad("tms", "tile matrix set '%s', matrix %s: %s is no number above 0",
        tostring(set.id), matrix.id, name)
    end
  end
  local origin = matrix.pointOfOrigin
  if type(origin) ~= "table" or type(origin[1]) ~= "number" or type(origin[2]) ~= "number" then
    return bad("tms", "tile matrix set '%s', matrix %s: pointOfOrigin is not two numbers",
      tostring(set.id), matrix.id)
  end
  if matrix.tileWidth ~= matrix.tileHeight then
    return bad("tms", "tile matrix set '%s' has tiles that are not square", tostring(set.id))
  end
  return true
end

---Where a tile lies: {crs=, left=, top=, side=} in the CRS's units.
---@param set table
---@param z integer  the matrix's id
---@param x integer
---@param y integer
---@return table|nil
---@return rastrum.Error|nil
function M.place(set, z, x, y)
  local matrix = matrix_of(set, z)
  if not matrix then
    return bad("z", "tile matrix set '%s' has no matrix %d", tostring(set.id), z)
  end
  local good, err = check_matrix(set, matrix)
  if not good then return nil, err end
  if x >= matrix.matrixWidth or y >= matrix.matrixHeight then
    return bad(x >= matrix.matrixWidth and "x" or "y",
      "tile %d/%d/%d does not exist; in matrix %d of '%s' x goes to %d and y to %d", z, x, y, z,
      tostring(set.id), matrix.matrixWidth - 1, matrix.matrixHeight - 1)
  end
  local crs = crs_of(set)
  if not crs then return bad("tms", "tile matrix set '%s' names no CRS", tostring(set.id)) end
  local origin, side = matrix.pointOfOrigin, matrix.cellSize * matrix.tileWidth
  local left, top = origin[1], origin[2]
  if swaps(set) then left, top = top, left end
  if matrix.cornerOfOrigin == "bottomLeft" then
    top = top + (y + 1) * side
  else
    top = top - y * side
  end
  return { crs = crs, left = left + x * side, top = top, side = side }
end

return M
