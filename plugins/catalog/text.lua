-- Words and columns for people.
local M = {}

---Milliseconds as a time, "always" where there is none.
function M.time(ms) return ms and rastrum.time.format(ms) or "always" end

---"12.3 MB".
function M.size(bytes)
  if bytes < 1e3 then return ("%d B"):format(bytes) end
  local units, i = { "kB", "MB", "GB", "TB", "PB" }, 0
  repeat
    bytes, i = bytes / 1e3, i + 1
  until bytes < 999.5 or i == #units
  return ("%.3g %s"):format(bytes, units[i])
end

---"1 version", "3 versions".
function M.count(n, noun) return ("%d %s%s"):format(n, noun, n == 1 and "" or "s") end

---Rows as columns that line up, the heads first; "" without rows.
---@param heads string[]
---@param rows string[][]
---@return string
function M.columns(heads, rows)
  if #rows == 0 then return "" end
  local widths, lines = {}, {}
  local all = { heads }
  for i, row in ipairs(rows) do all[i + 1] = row end
  for _, row in ipairs(all) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, #cell) end
  end
  for i, row in ipairs(all) do
    local cells = {}
    for k, cell in ipairs(row) do
      cells[k] = k == #row and cell or cell .. (" "):rep(widths[k] - #cell)
    end
    lines[i] = (table.concat(cells, "  "):gsub("%s+$", ""))
  end
  return table.concat(lines, "\n")
end

return M
