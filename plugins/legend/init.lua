-- The legend of a collection's map: a picture, or the table that it is drawn from. Ramp and range
-- are those of the tiles that the same parameters give (rastrum.look).
local catalog = require "rastrum.catalog"
local http = require "rastrum.http"
local looks = require "rastrum.look"
local select = require "rastrum.select"

local M = { name = "legend", api = 1, description = "legends of maps, as pictures and tables" }

local TICKS_MOST, LABELS_MOST = 20, 100

-- 1, 2, 2.5 or 5 times a power of ten: the step whose number of ticks comes nearest to `count`.
local function nice_step(range, count)
  local span = range[2] - range[1]
  local power = 10 ^ math.floor(math.log(span / count) / math.log(10))
  local best, nearest
  for _, each in ipairs { 0.5, 1, 2, 2.5, 5, 10, 20 } do
    local step = each * power
    local ticks = math.floor(range[2] / step + 1e-9) - math.ceil(range[1] / step - 1e-9) + 1
    local off = math.abs(ticks - count)
    if not nearest or off < nearest then best, nearest = step, off end
  end
  return best
end

local SUPERSCRIPTS = { ["-"] = "\226\129\187", ["0"] = "\226\129\176", ["1"] = "\194\185",
  ["2"] = "\194\178", ["3"] = "\194\179", ["4"] = "\226\129\180", ["5"] = "\226\129\181",
  ["6"] = "\226\129\182", ["7"] = "\226\129\183", ["8"] = "\226\129\184",
  ["9"] = "\226\129\185" }

-- "-2e-06" is written with a minus sign and a power of ten; values that differ by `step` differ.
local function label_of(value, step)
  local shown = 6
  if step and value ~= 0 then
    shown = math.max(6, math.floor(math.log(math.abs(value) / step) / math.log(10)) + 3)
  end
  local text = ("%%.%dg"):format(math.min(shown, 15)):format(value)
  local sign, digits, exponent = text:match("^(%-?)([^e]+)e?(.*)$")
  if sign == "-" then sign = "\226\136\146" end
  if exponent == "" then return sign .. digits end
  local power = "10" .. tostring(tonumber(exponent)):gsub(".", SUPERSCRIPTS)
  return sign .. (digits == "1" and power or digits .. "\194\183" .. power)
end

local function tick_at(value, range, step)
  local at
  if range.log then
    at = math.log(value / range[1]) / math.log(range[2] / range[1])
  else
    at = (value - range[1]) / (range[2] - range[1])
  end
  return { value = value, at = at, label = label_of(value, step) }
end

local function round_ticks(range, count)
  local step, list = nice_step(range, count), rastrum.json.array {}
  local first = math.ceil(range[1] / step - 1e-9)
  for i = 0, TICKS_MOST * 3 do
    local value = (first + i) * step
    if value > range[2] + step * 1e-9 then break end
    if math.abs(value) < step * 1e-9 then value = 0 end
    list[#list + 1] = tick_at(value, range, step)
  end
  return list
end

-- Powers of ten, with twice and five times them where those are fewer than `count`.
local function log_ticks(range, count)
  local list = rastrum.json.array {}
  local first, last = math.floor(math.log10(range[1])), math.ceil(math.log10(range[2]))
  local between = (last - first) * 2 <= count and { 1, 2, 5 } or { 1 }
  for power = first, last, math.max(1, math.floor((last - first) / count + 0.5)) do
    for _, each in ipairs(between) do
      local value = each * 10 ^ power
      if value >= range[1] * (1 - 1e-9) and value <= range[2] * (1 + 1e-9) then
        list[#list + 1] = tick_at(value, range)
      end
    end
  end
  if #list > 1 then return list end
  return round_ticks(range, count)
end

-- "5": about so many; "0,10,20": these.
local function ticks_of(given, range)
  local count = given:match("^%d+$")
  if count then
    count = tonumber(count)
    if count >= 1 and count <= TICKS_MOST then
      return (range.log and log_ticks or round_ticks)(range, count)
    end
  end
  local list = rastrum.json.array {}
  for piece in given:gmatch("[^,]+") do
    local value = tonumber(piece)
    if count or not value or #list == 50 or value < range[1] or value > range[2] then
      return nil, { code = "invalid", where = "ticks",
        message = ("ticks is '%s'; it takes a number of ticks, 1 to %d, or up to 50 values between "
          .. "%.6g and %.6g, with commas"):format(given, TICKS_MOST, range[1], range[2]) }
    end
    list[#list + 1] = tick_at(value, range)
  end
  return list
end

local function entries_of(ramp, kind)
  local list = rastrum.json.array {}
  for i, entry in ipairs(ramp:entries()) do
    if kind == "categories" then
      list[i] = { value = entry.low, color = entry.color, label = entry.label
        or label_of(entry.low) }
    else
      list[i] = { min = entry.low, max = entry.high, color = entry.color,
        label = entry.label or ("%s \226\128\147 %s"):format(label_of(entry.low),
          label_of(entry.high)) }
    end
  end
  return list
end

local function colors_of(ramp)
  local list = rastrum.json.array {}
  for i, entry in ipairs(ramp:entries()) do list[i] = entry.color end
  return list
end

-- The table: what the picture is drawn from and the JSON is.
local function legend_of(snapshot, variable, p)
  local ramp, name = looks.ramp(variable, p)
  if not ramp then return nil, name end
  local range, err = looks.rescale(snapshot, variable, p, ramp)
  if not range then return nil, err end
  local drawn
  drawn, err = looks.drawn(ramp, p, range)
  if not drawn then return nil, err end
  local kind = ramp:kind()
  local title = variable.long_name ~= "" and variable.long_name or variable.name
  local legend = { collection = snapshot.id, variable = variable.name, title = p.title or title,
    units = p.units or variable.units, type = kind, colormap_name = name }
  for mark, color in pairs(ramp:marks()) do legend[mark] = color end
  if kind == "linear" then
    legend.rescale, legend.stretch = rastrum.json.array { range[1], range[2] }, p.stretch
    range = { range[1], range[2], log = p.stretch == "log" }
    legend.colors = colors_of(ramp)
    legend.ticks, err = ticks_of(p.ticks, range)
    if not legend.ticks then return nil, err end
  else
    legend.entries = entries_of(ramp, kind)
  end
  return legend, ramp
end

local function heading(legend)
  if legend.title == "" or legend.units == "" or legend.units == "1"
    or legend.type == "categories" then
    return legend.title
  end
  return ("%s (%s)"):format(legend.title, legend.units)
end

-- What the colours beyond the values stand for, in the words of a list.
local function mark_labels(legend)
  local low, high
  for _, each in ipairs(legend.entries or {}) do
    low = math.min(low or math.huge, each.value or each.min)
    high = math.max(high or -math.huge, each.value or each.max)
  end
  if not low then return nil end
  local above = legend.type == "intervals" and "\226\137\165 " or "> "
  return "< " .. label_of(low), above .. label_of(high)
end

local function picture(legend, ramp, p)
  local labels
  if legend.entries then
    labels = {}
    for i = 1, math.min(#legend.entries, LABELS_MOST) do labels[i] = legend.entries[i].label end
  end
  local below, above = mark_labels(legend)
  return ramp:legend { title = heading(legend), vertical = p.orientation == "vertical",
    dark = p.theme == "dark", clear = p.transparent, width = p.width, height = p.height,
    ticks = legend.ticks, labels = labels, below = below, above = above, missing = "no data" }
end

---@param req rastrum.Request
local function show(req)
  local p = req.params
  local snapshot, err = catalog.resolve(p.collection)
  if not snapshot then return rastrum.fail(err) end
  local variable
  variable, err = select.variable(snapshot, p.variable)
  if not variable then return rastrum.fail(err) end
  local legend, ramp = legend_of(snapshot, variable, p)
  if not legend then return rastrum.fail(ramp) end
  if p.format == "json" then return http.json(req, legend) end
  local etag = http.etag(req, ramp:digest(), rastrum.json.encode(legend))
  local headers = { ETag = etag, ["Cache-Control"] = http.SHORT }
  local unchanged = http.not_modified(req, etag, headers)
  if unchanged then return unchanged end
  local body
  body, err = picture(legend, ramp, p)
  if not body then return rastrum.fail(err) end
  return { status = 200, type = "image/png", headers = headers, body = body }
end

local PARAMS = {
  { name = "collection", type = "string", description = "a collection's id, or a named search" },
  { name = "format", type = "string", enum = { "png", "json" },
    description = "a picture, or the table that it is drawn from" },
  { name = "variable", type = "string",
    description = "a variable of the collection (default: its first on a map grid)" },
  { name = "rescale", type = "string",
    description = "low,high: the values at the ramp's ends (default: the collection's)" },
  looks.STRETCH,
  { name = "colormap_name", type = "string",
    description = "a colour ramp (default: the variable's flags, else viridis)" },
  { name = "colormap", type = "string",
    description = "a colour ramp as JSON: value to colour, or intervals" },
  { name = "orientation", type = "string", enum = { "horizontal", "vertical" },
    default = "horizontal", description = "of the ramp, or of the list of categories" },
  { name = "width", type = "integer", min = 32, max = 2048,
    description = "pixels (default: what fits)" },
  { name = "height", type = "integer", min = 32, max = 2048,
    description = "pixels (default: what fits)" },
  { name = "title", type = "string", max_length = 200,
    description = "instead of the variable's name; empty for none" },
  { name = "units", type = "string", max_length = 80, description = "instead of the variable's" },
  { name = "ticks", type = "string", default = "5", max_length = 600,
    description = "about how many, or the values themselves, with commas" },
  { name = "theme", type = "string", enum = { "light", "dark" }, default = "light",
    description = "of the ground and the letters" },
  { name = "transparent", type = "boolean", default = false, description = "without a ground" },
}

M.routes = {
  { "GET", "/legend/{collection}.{format}", show, summary = "The legend of a collection's map",
    params = PARAMS },
}

return M
