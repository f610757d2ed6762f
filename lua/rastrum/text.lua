-- Texts of requests: percent-encoding, query strings, and the nearest of several words for
-- messages.
local M = {}

local function unhex(digits) return string.char(tonumber(digits, 16)) end

---Percent-decodes; nil for a broken escape or a zero byte.
---@param text string
---@return string|nil
function M.unescape(text)
  if not text:find("%", 1, true) then return text end
  if text:gsub("%%%x%x", ""):find("%", 1, true) then return nil end
  local out = text:gsub("%%(%x%x)", unhex)
  if out:find("%z") then return nil end
  return out
end

---Percent-encodes everything but unreserved characters and those in `keep`.
---@param text string
---@param keep string|nil  a set for a pattern class, such as ",:/"
---@return string
function M.escape(text, keep)
  return (tostring(text):gsub("[^%w%-%._~" .. (keep or "") .. "]",
    function(c) return ("%%%02X"):format(c:byte()) end))
end

local function add(values, name, value)
  local old = values[name]
  if old == nil then
    values[name] = value
  elseif type(old) == "table" then
    old[#old + 1] = value
  else
    values[name] = { old, value }
  end
end

---Reads "a=1&b=2&b=3" into {a = "1", b = {"2", "3"}}.
---@param query string
---@return table|nil values
---@return string|nil broken  the piece that cannot be decoded
function M.query(query)
  local values = {}
  if query == "" then return values end
  local coded = query:find("[%%+]")
  for name, value in query:gmatch("([^&=]*)=?([^&]*)") do
    if coded then
      local piece = name .. "=" .. value
      name, value = M.unescape((name:gsub("+", " "))), M.unescape((value:gsub("+", " ")))
      if not (name and value) then return nil, piece end
    end
    if name ~= "" or value ~= "" then add(values, name, value) end
  end
  return values
end

-- Edits that turn one word into the other, by rows.
local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and diagonal or diagonal + 1
      diagonal = row[j]
      row[j] = math.min(cost, row[j] + 1, row[j - 1] + 1)
    end
  end
  return row[#b]
end

---The nearest of some words, or nil when none is near.
---@param word string
---@param list string[]
---@return string|nil
function M.nearest(word, list)
  if #word > 64 then return nil end
  local best, least = nil, math.floor(#word / 2) + 1
  for _, each in ipairs(list) do
    if #each <= 64 and math.abs(#each - #word) < least then
      local d = distance(word:lower(), each:lower())
      if d < least then best, least = each, d end
    end
  end
  return best
end

---A value of a request for a message: one line, not too long.
---@param value any
---@return string
function M.shown(value)
  local text = tostring(value):gsub("[%c]", "?")
  if #text > 60 then text = text:sub(1, 57) .. "..." end
  return text
end

return M
