-- Colour ramps by name: the files of colormaps/ and --colormaps, then what plugins declare; NAME_r
-- is NAME reversed. Each is parsed when it is first asked for, and kept.
local registry = require "rastrum.registry"
local text = require "rastrum.text"
local _, host = ...

local M = {}

local files = host.colormaps()
local parsed = {}

local function source_of(name)
  if files[name] then return files[name] end
  local declared = registry.ramp(name)
  return declared and rastrum.json.encode(declared)
end

---The names of all ramps, without those reversed.
---@return string[]
function M.names()
  local list = registry.ramps()
  for name in pairs(files) do
    if not registry.ramp(name) then list[#list + 1] = name end
  end
  table.sort(list)
  return list
end

---The JSON that a ramp is made from, with its source and licence; nil for an unknown name.
---@param name string
---@return string|nil
function M.source(name) return source_of(name) end

local function not_found(name)
  local near = text.nearest(name, M.names())
  return nil, { code = "invalid", where = "colormap_name",
    message = ("there is no colour ramp '%s'%s"):format(
    text.shown(name), near and ("; did you mean '%s'?"):format(near) or "; /colorMaps lists them") }
end

local function parse(name)
  local source = source_of(name)
  if source then return rastrum.ramp.parse(source) end
  local base = name:match("^(.+)_r$")
  source = base and source_of(base)
  if not source then return not_found(name) end
  local ramp, err = rastrum.ramp.parse(source)
  if not ramp then return nil, err end
  return ramp:reversed()
end

---@param name string
---@return rastrum.Ramp|nil
---@return rastrum.Error|nil
function M.get(name)
  if parsed[name] then return parsed[name] end
  local ramp, err = parse(name)
  if not ramp then return nil, err end
  parsed[name] = host.pin(ramp)
  return ramp
end

return M
