-- What people are told of an ingest: texts, made of a job's figures.
local M = {}

local UNITS = { "kB", "MB", "GB", "TB" }

---@param n number
---@return string
function M.bytes(n)
  if n < 1000 then return ("%d B"):format(n) end
  local unit = 0
  repeat
    n, unit = n / 1000, unit + 1
  until n < 999.5 or unit == #UNITS
  return (n < 99.95 and "%.1f %s" or "%.0f %s"):format(n, UNITS[unit])
end

local bytes = M.bytes

local function span(seconds)
  if seconds < 59.5 then return ("%.0f s"):format(seconds) end
  if seconds < 3570 then return ("%.0f min"):format(seconds / 60) end
  return ("%d h %02d min"):format(seconds / 3600, seconds % 3600 / 60)
end

---@param seconds number
---@return string
function M.seconds(seconds)
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
    { "  seconds", M.seconds(e.seconds) },
  }
  return ("%s: would become %s/%s\n%s"):format(what.file, what.collection, what.dataset,
    columns(rows, {}))
end

---One line about a published source.
function M.published(what)
  local objects = what.zarr_format == 2 and (" in %d objects"):format(what.objects) or ""
  return ("%s: published %s/%s version %s: %s; %d steps, %s in, %s out%s, %s s"):format(what.file,
    what.collection, what.dataset, what.version, table.concat(what.variables, ", "), what.steps,
    bytes(what.bytes_in), bytes(what.bytes_out), objects, M.seconds(what.seconds))
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
      M.seconds(what.seconds),
    }
    for key, value in pairs(sum) do sum[key] = value + what[key] end
  end
  if #list > 1 then
    rows[#rows + 1] = {
      ("%d files"):format(#list), "", "", tostring(sum.steps), bytes(sum.bytes_in),
      bytes(sum.bytes_out), M.seconds(sum.seconds),
    }
  end
  return columns(rows, { [4] = true, [5] = true, [6] = true, [7] = true })
end

return M
