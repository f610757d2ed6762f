-- What `rastrum inspect` tells people: a source's grid, times and variables, what becomes of it and what
-- that costs, and what was found. What many have in common is said once.
local packing = require "packing"
local said = require "report"

local M = {}

local MOST_NAMES = 12

local function count(n, word) return ("%d %s%s"):format(n, word, n == 1 and "" or "s") end

local function names_of(list)
  local more = #list - MOST_NAMES
  local text = table.concat(list, ", ", 1, math.min(#list, MOST_NAMES))
  return more > 0 and ("%s and %d more"):format(text, more) or text
end

-- {key =, first = the first of them, names = {…}}, in the order of the list.
local function grouped(list, key_of, name_of)
  local out, known = {}, {}
  for _, each in ipairs(list) do
    local key = key_of(each)
    local group = known[key]
    if not group then
      group = { key = key, first = each, names = {} }
      known[key], out[#out + 1] = group, group
    end
    table.insert(group.names, name_of(each))
  end
  return out
end

local function crs_words(crs)
  local name = crs:match("^EPSG:%d+") or crs:match('^%w+%["([^"]+)"')
  return name and name ~= "unknown" and name or "a CRS of its own"
end

local function grid_line(grid)
  return ("%s x %s: %d x %d cells, %s, west %.6g south %.6g east %.6g north %.6g%s"):format(grid.x,
    grid.y, grid.shape[2], grid.shape[1], crs_words(grid.crs), grid.bbox[1], grid.bbox[2],
    grid.bbox[3], grid.bbox[4], grid.layout == "even" and ""
      or (", %s: a map of %d x %d"):format(grid.layout, grid.map_shape[2], grid.map_shape[1]))
end

local function date_words(date) return type(date) == "string" and date or "a missing time" end

local function time_line(axis)
  return ("%s: %s, %s, %s to %s"):format(axis.name, count(axis.count, "step"), axis.calendar,
    date_words(axis.first), date_words(axis.last))
end

local function shape_words(variable)
  local out = {}
  for i, dim in ipairs(variable.dims) do out[i] = ("%s %d"):format(dim, variable.shape[i]) end
  local bands = variable.bands > 1 and (" of %d bands"):format(variable.bands) or ""
  return ("%s; %s; %s%s"):format(packing.words(variable), table.concat(out, ", "),
    variable.cogs > 0 and count(variable.cogs, "map") or "maps of its own levels", bands)
end

local function reads_words(variable)
  local series, tile = variable.reads.series, variable.reads.tile
  return ("a series reads %s of %s, %s; a tile at most %s, %s"):format(
    count(series.chunks, "chunk"), table.concat(variable.chunk, " x "), said.bytes(series.bytes),
    tile.blocks and count(tile.blocks, "block") or count(tile.chunks, "chunk"),
    said.bytes(tile.bytes))
end

local function called(variable)
  return variable.units ~= "" and ("%s [%s]"):format(variable.name, variable.units) or variable.name
end

local function split(variables)
  local mappable, others = {}, {}
  for _, variable in ipairs(variables) do
    if variable.mappable then
      mappable[#mappable + 1] = variable
    else
      others[#others + 1] = variable.name
    end
  end
  return mappable, others
end

local function variable_lines(plan, add)
  local mappable, others = split(plan.variables)
  local function alike(variable) return shape_words(variable) .. "\n" .. reads_words(variable) end
  for _, group in ipairs(grouped(mappable, alike, called)) do
    add("variables", names_of(group.names))
    for line in group.key:gmatch("[^\n]+") do add("", line) end
  end
  if #others > 0 then add("Zarr only", names_of(others)) end
end

local function becomes(plan)
  local p = plan.plan
  local e = p.estimate
  return ("%s in %s, in about %s s; at most %s of memory, %s scratch"):format(said.bytes(e.bytes),
    count(e.objects, "object"), said.seconds(e.seconds), said.bytes(p.memory_bytes),
    e.scratch_bytes > 0 and said.bytes(e.scratch_bytes) .. " of" or "no")
end

local function finding_lines(plan, add)
  local function alike(finding)
    return ("%s\n%s [%s]"):format(finding.severity, finding.message, finding.code)
  end
  local function where(finding) return finding.where end
  for _, group in ipairs(grouped(plan.findings, alike, where)) do
    local names = names_of(group.names)
    add(group.first.severity, (names ~= "" and names .. ": " or "") .. group.key:match("\n(.*)$"))
  end
end

---What inspect finds in a file.
---@param source string
---@param plan table
---@return string
function M.text(source, plan)
  local lines = {}
  local function add(label, text) lines[#lines + 1] = ("%-9s %s"):format(label, text) end
  local format = type(plan.format) == "string" and plan.format or "unknown"
  add("source", ("%s (%s%s)"):format(source, format,
    plan.bytes and ", " .. said.bytes(plan.bytes) or ""))
  if plan.verdict == "ingest" then
    for _, grid in ipairs(plan.grid.grids) do add("grid", grid_line(grid)) end
    for _, axis in ipairs(plan.times.axes) do add("time", time_line(axis)) end
    variable_lines(plan, add)
    add("becomes", becomes(plan))
    local copied = plan.plan.copied
    if plan.plan.in_place then add("place", "the source stays where it is") end
    if type(copied) == "string" then add("place", "a copy is made: " .. copied) end
  end
  finding_lines(plan, add)
  add("verdict", plan.verdict)
  return table.concat(lines, "\n")
end

return M
