-- How values become colours: the ramp, and the values at its ends. One answer for tiles, their
-- TileJSON and the legend.
local colormaps = require "rastrum.colormaps"
local log_scale = require "rastrum.log_scale"
local _, host = ...

local M = { DEFAULT = "viridis" }

local function bad(where, message, ...)
  return nil, { code = "invalid", where = where, message = message:format(...) }
end

-- "low,high" to two numbers.
local function parse_rescale(text)
  local low, high = text:match("^%s*([^,%s]+)%s*,%s*([^,%s]+)%s*$")
  low, high = tonumber(low), tonumber(high)
  if not (low and high and low < high and high - low < math.huge) then
    return bad("rescale", "rescale is '%s'; it takes low,high with low < high", text)
  end
  return { low, high }
end

local function limits_of(snapshot, variable, p, ramp)
  if p.rescale then return parse_rescale(p.rescale) end
  if ramp then
    local low, high = ramp:range()
    if low then return { low, high } end
  end
  local own = snapshot.stretch[variable.name]
  local low, high = own and own[1] or variable.min, own and own[2] or variable.max
  if not (low and high) then return { 0, 1 } end
  if low == high then return { low - 0.5, high + 0.5 } end
  return { low, high }
end

---The values at the ends: those asked for, those that the ramp was made for, the collection's.
---@param snapshot table
---@param variable table
---@param p table  {rescale=, stretch=}
---@param ramp rastrum.Ramp|nil
---@return number[]|nil
---@return rastrum.Error|nil
function M.rescale(snapshot, variable, p, ramp)
  local limits, err = limits_of(snapshot, variable, p, ramp)
  if limits and ramp and p.stretch == "log" then
    return log_scale.limits(limits, p.rescale ~= nil)
  end
  return limits, err
end

---The ramp as it is drawn between two values.
---@param ramp rastrum.Ramp
---@param p table  {stretch=}
---@param limits number[]
---@return rastrum.Ramp|nil
---@return rastrum.Error|nil
function M.drawn(ramp, p, limits)
  if p.stretch ~= "log" then return ramp end
  return log_scale.ramp(ramp, limits)
end

-- n colours that are told apart: of a ramp of ten or twenty, else from all round a wheel.
local function palette(n)
  local name = n <= 10 and "tab10" or n <= 20 and "tab20" or "hsv"
  local ramp = colormaps.get(name) or colormaps.get(M.DEFAULT)
  local entries, colours = ramp:entries(), {}
  local fields = n <= 10 and 10 or n <= 20 and 20 or n
  for i = 1, n do colours[i] = entries[math.floor((i - 0.5) / fields * 256) + 1].color end
  return colours
end

local of_flags = setmetatable({}, { __mode = "k" })

-- Categories of CF's flag_values and flag_meanings.
local function ramp_of_flags(flags)
  if of_flags[flags] then return of_flags[flags] end
  local colours, labels, chosen = {}, {}, palette(#flags)
  for i, flag in ipairs(flags) do
    local key = ("%.17g"):format(flag.value)
    colours[key] = chosen[i]
    labels[key] = flag.meaning:gsub("_", " ")
  end
  local ramp, err = rastrum.ramp.parse(rastrum.json.encode { type = "categories", colors = colours,
    labels = labels })
  if not ramp then return nil, err end
  of_flags[flags] = host.pin(ramp)
  return ramp
end

---The ramp that was asked for, else that of the variable's flags, else the one for all variables.
---@param variable table
---@param p table  {colormap=, colormap_name=}
---@return rastrum.Ramp|nil
---@return string|rastrum.Error|nil  its name, where it has one; or what is wrong
function M.ramp(variable, p)
  if p.colormap then
    if p.colormap_name then return bad("colormap", "give colormap or colormap_name, not both") end
    local ramp, err = rastrum.ramp.parse(p.colormap)
    if not ramp then return bad("colormap", "colormap: %s", err.message) end
    return ramp
  end
  if variable.flags and not p.colormap_name then return ramp_of_flags(variable.flags) end
  local name = p.colormap_name or M.DEFAULT
  local ramp, err = colormaps.get(name)
  return ramp, ramp and name or err
end

---How a route offers the scale.
M.STRETCH = { name = "stretch", type = "string", enum = { "linear", "log" }, default = "linear",
  description = "how the values between the limits share the ramp's colours" }

return M
