-- What people are told of an ingest: texts, made of a job's figures.
local M = {}

local UNITS = { "kB", "MB", "GB", "TB" }

local function bytes(n)
  if n < 1000 then return ("%d B"):format(n) end
  local unit = 0
  repeat
    n, unit = n / 1000, unit + 1
  until n < 999.5 or unit == #UNITS
  return (n < 99.95 and "%.1f %s" or "%.0f %s"):format(n, UNITS[unit])
end

local function span(seconds)
  if seconds < 59.5 then return ("%.0f s"):format(seconds) end
  if seconds < 3570 then return ("%.0f min"):format(seconds / 60) end
  return ("%d h %02d min"):format(seconds / 3600, seconds % 3600 / 60)
end

local function seconds_text(seconds)
  return (seconds < 10 and "%.2f" or "%.0f"):format(seconds)
end

-- Rows of texts as lines; columns that `right` names by their number stand at their right end.
local function columns(rows, right)
  local width = {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do width[i] = math.max(width[i] or 0, #cell) end
  end
  local lines = {}
  for _, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      local room = (" "):rep(width[i] - #cell)
      cells[i] = right[i] and room .. cell or cell .. room
    end
    lines[#lines + 1] = (table.concat(cells, "  "):gsub("%s+$", ""))
  end
  return table.concat(lines, "\n")
end

---The line of the progress bar: bytes, steps, rate, time left.
---@param file string
---@param p table  of rastrum.ingest.convert
---@param seconds number  since it began
function M.progress(file, p, seconds)
  local parts = {
    ("%s of %s"):format(bytes(p.bytes_done), bytes(p.bytes_total)),
    ("%d of %d maps"):format(p.steps_done, p.steps_total),
  }
  if p.bytes_done > 0 and seconds > 0 then
    local rate = p.bytes_done / seconds
    parts[#parts + 1] = bytes(rate) .. "/s"
    parts[#parts + 1] = span((p.bytes_total - p.bytes_done) / rate) .. " left"
  end
  return table.concat(parts, ", ") .. "  " .. file
end

---What a dry run foretells.
---@param what table  {file, collection, dataset, variables, steps, bytes, estimate, memory, in_place}
function M.planned(what)
  local e = what.estimate
  local rows = {
    { "  variables", table.concat(what.variables, ", ") },
    { "  steps", ("%d"):format(what.steps) },
    { "  before", bytes(what.bytes) },
    { "  after", ("%s in %d objects"):format(bytes(e.bytes), e.objects) },
    { "  source", what.in_place and "stays where it is" or "is copied" },
    { "  memory", "at most " .. bytes(what.memory) },
    { "  scratch", e.scratch_bytes > 0 and bytes(e.scratch_bytes) or "none" },
    { "  seconds", seconds_text(e.seconds) },
  }
  return ("%s: would become %s/%s\n%s"):format(what.file, what.collection, what.dataset,
    columns(rows, {}))
end

---One line about a published source.
function M.published(what)
  local objects = what.zarr_format == 2 and (" in %d objects"):format(what.objects) or ""
  return ("%s: published %s/%s version %s: %s; %d steps, %s in, %s out%s, %s s"):format(what.file,
    what.collection, what.dataset, what.version, table.concat(what.variables, ", "), what.steps,
    bytes(what.bytes_in), bytes(what.bytes_out), objects, seconds_text(what.seconds))
end

---The closing table: a row for each source that was published, and their sum.
---@param list table[]  as for M.published
function M.closing(list)
  local rows = { { "file", "dataset", "variables", "steps", "before", "after", "seconds" } }
  local sum = { steps = 0, bytes_in = 0, bytes_out = 0, seconds = 0 }
  for _, what in ipairs(list) do
    rows[#rows + 1] = {
      what.file, what.collection .. "/" .. what.dataset, table.concat(what.variables, ", "),
      tostring(what.steps), bytes(what.bytes_in), bytes(what.bytes_out),
      seconds_text(what.seconds),
    }
    for key, value in pairs(sum) do sum[key] = value + what[key] end
  end
  if #list > 1 then
    rows[#rows + 1] = {
      ("%d files"):format(#list), "", "", tostring(sum.steps), bytes(sum.bytes_in),
      bytes(sum.bytes_out), seconds_text(sum.seconds),
    }
  end
  return columns(rows, { [4] = true, [5] = true, [6] = true, [7] = true })
end

-- Of a COG blocks, of a pyramid in a Zarr store chunks.
local function tile_reads(tile)
  return ("; a tile at most %d %s, %s"):format(tile.blocks or tile.chunks,
    tile.blocks and "blocks" or "chunks", bytes(tile.bytes))
end

local function plan_lines(plan, lines)
  local function add(...) lines[#lines + 1] = (...):format(select(2, ...)) end
  for _, grid in ipairs(plan.grid.grids) do
    add("grid      %s x %s: %d x %d cells, %s, west %.6g south %.6g east %.6g north %.6g", grid.x,
      grid.y, grid.shape[2], grid.shape[1], grid.crs:match("^EPSG:%d+") or "a CRS of its own",
      unpack(grid.bbox))
  end
  for _, axis in ipairs(plan.times.axes) do
    add("time      %s: %d steps, %s, %s to %s", axis.name, axis.count, axis.calendar,
      tostring(axis.first), tostring(axis.last))
  end
  for _, variable in ipairs(plan.variables) do
    local maps = variable.cogs > 0 and ("%d maps of %d bands"):format(variable.cogs, variable.bands)
      or ("maps of %d bands, of its own levels"):format(variable.bands)
    add("variable  %s (%s) %s, %s: %s", variable.name, table.concat(variable.dims, ", "),
      variable.dtype, table.concat(variable.shape, " x "),
      variable.mappable and maps or "Zarr only")
    local reads = variable.reads
    add("reads     %s: a series %d chunks of %s, %s%s", variable.name, reads.series.chunks,
      table.concat(variable.chunk, " x "), bytes(reads.series.bytes), variable.mappable and
      tile_reads(reads.tile) or "")
  end
  local p = plan.plan
  add("plan      %.1f MB raw, %d arrays, %d COGs, %.0f MB of memory", p.raw_bytes / 1e6, p.arrays,
    p.cogs, p.memory_bytes / 1e6)
  if p.in_place then add("place     the source stays where it is") end
  if type(p.copied) == "string" then add("place     a copy is made: %s", p.copied) end
end

---What inspect finds in a file.
---@param source string
---@param plan table
function M.inspected(source, plan)
  local format = type(plan.format) == "string" and plan.format or "unknown"
  local lines = { ("source    %s (%s)"):format(source, format) }
  if plan.verdict == "ingest" then plan_lines(plan, lines) end
  for _, finding in ipairs(plan.findings) do
    local where = finding.where ~= "" and finding.where .. ": " or ""
    lines[#lines + 1] = ("%-9s %s%s [%s]"):format(
      finding.severity, where, finding.message, finding.code)
  end
  lines[#lines + 1] = "verdict   " .. plan.verdict
  return table.concat(lines, "\n")
end

return M
