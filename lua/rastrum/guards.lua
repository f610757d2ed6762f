-- The string and table libraries of plugins, and xpcall: what one call could make too much of or spend
-- too long in is C of the host's (guard_*.c), what calls back is written here, so that it can be
-- preempted. Built once a VM by rastrum.sandbox; nothing else is reachable from it.
---@diagnostic disable: deprecated
local _, host = ...

local LONG_TEXT = 65536 -- as in guard_string.c
local LONG_LIST = 20000
local LONG_PIECE = 2000
local SHORT_SORT = 500

local type, error, tostring, select = type, error, tostring, select
local pcall, rawget, rawset, unpack = pcall, rawget, rawset, unpack
local floor, tobit, sub, raw_sort = math.floor, bit.tobit, string.sub, table.sort

local strings = { byte = string.byte, char = string.char, len = string.len, sub = string.sub }
local tables = { insert = table.insert, maxn = table.maxn, remove = table.remove }
for _, name in ipairs { "find", "match", "gmatch", "rep", "lower", "upper", "reverse" } do
  strings[name] = host[name]
end

local gsub, next_match, concat = host.gsub, host.gsub_next, host.concat
local check_format, format = host.check_format, string.format

-- What calls back into a plugin is written in Lua, so that a callback can be preempted. It may not
-- wait there: what it is called from (a sort, a substitution) would be held up with it.
local function left(ok, ...)
  host.callbacks(-1)
  if not ok then error((...), 0) end
  return ...
end

local function with_callbacks(fn, ...)
  host.callbacks(1)
  return left(pcall(fn, ...))
end

-- Tail calls below: an error in C names the plugin's line.

-- The arguments of string.format with those of %s that have a __tostring as texts.
local function told(form, ...)
  local values, i = { ... }, 0
  for kind in strings.gmatch(form, "%%[^%a%%]*([%a%%])") do
    if kind ~= "%" then i = i + 1 end
    if kind == "s" and type(values[i]) ~= "string" then values[i] = tostring(values[i]) end
  end
  return form, unpack(values, 1, select("#", ...))
end

function strings.format(form, ...)
  if check_format(form, ...) then return format(told(form, ...)) end
  return format(form, ...)
end

-- Pieces of a text in the making, capped like one that is made in C.
local function add_piece(pieces, piece, what)
  pieces[#pieces + 1] = piece
  pieces.size = (pieces.size or 0) + #piece
  if pieces.size > host.output() then host.too_big(what, pieces.size) end
end

local function replaced(replacement, call, first, past, ...)
  if not first then return nil end
  if call then return first, past, replacement(...) end
  return first, past, replacement[...]
end

local function substitute(text, pattern, replacement, call, most)
  local pieces, made, n, at, copied = nil, "", 0, 1, 1
  while n < most do
    local first, past, value = replaced(replacement, call, next_match(text, pattern, at, not call))
    if not first then break end
    if value then
      local kind = type(value)
      if kind ~= "string" and kind ~= "number" then
        error(("invalid replacement value (a %s)"):format(kind), 4)
      end
      made = made .. sub(text, copied, first - 1) .. value
      copied = past
      if #made > LONG_PIECE then
        pieces = pieces or {}
        add_piece(pieces, made, "string.gsub")
        made = ""
      end
    end
    n = n + 1
    at = past > first and past or past + 1
  end
  made = made .. sub(text, copied)
  if not pieces then return made, n end
  add_piece(pieces, made, "string.gsub")
  return tables.concat(pieces), n
end

local function substitute_long(text, pattern, replacement, most)
  local pieces, n, at = {}, 0, 1
  repeat
    local piece, matches
    piece, matches, at = gsub(text, pattern, replacement, most - n, at)
    n = n + matches
    add_piece(pieces, piece, "string.gsub")
  until not at
  return tables.concat(pieces), n
end

-- Numbers as texts; what is wrong is left for the original's error.
local function each_match(text, pattern, replacement, most)
  if type(text) == "number" then text = tostring(text) end
  if type(pattern) == "number" then pattern = tostring(pattern) end
  if type(text) ~= "string" or type(pattern) ~= "string" or (most and not tonumber(most)) then
    return gsub(text, pattern, "", most)
  end
  most = most and tobit(floor(tonumber(most))) or #text + 1
  local call = type(replacement) == "function"
  if most > 0 and not next_match(text, pattern, 1, true) then return text, 0 end
  return with_callbacks(substitute, text, pattern, replacement, call, most)
end

function strings.gsub(text, pattern, replacement, most)
  local kind = type(replacement)
  if kind == "function" or kind == "table" then
    return each_match(text, pattern, replacement, most)
  end
  local long = type(text) == "string" and #text > LONG_TEXT
  if long and (kind == "string" or kind == "number") and type(most or 1) == "number" then
    return substitute_long(text, pattern, replacement, most or #text + 1)
  end
  return gsub(text, pattern, replacement, most)
end

local function concat_long(list, separator, first, last)
  local pieces = {}
  for i = first, last, LONG_LIST do
    local piece = concat(list, separator, i, i + LONG_LIST - 1 < last and i + LONG_LIST - 1 or last)
    add_piece(pieces, piece, "table.concat")
  end
  return concat(pieces, separator)
end

function tables.concat(list, separator, first, last)
  if type(list) == "table" and (last or #list) - (first or 1) > LONG_LIST then
    return concat_long(list, separator, first or 1, last or #list)
  end
  return concat(list, separator, first, last)
end

local function less_than(a, b) return a < b end

-- from[first…middle-1] and from[middle…last], each in order, into to[first…last].
local function merge(from, to, first, middle, last, less)
  local a, b = first, middle
  for at = first, last do
    if a < middle and (b > last or not less(from[b], from[a])) then
      to[at], a = from[a], a + 1
    else
      to[at], b = from[b], b + 1
    end
  end
end

-- A merge sort of a copy: a list is never seen half sorted, and each comparison can be preempted.
local function sort(list, less, n)
  local from, to, width = {}, {}, 1
  for i = 1, n do from[i] = rawget(list, i) end
  while width < n do
    for first = 1, n, 2 * width do
      local middle, last = first + width, first + 2 * width - 1
      merge(from, to, first, middle < n + 1 and middle or n + 1, last < n and last or n, less)
    end
    from, to, width = to, from, 2 * width
  end
  for i = 1, n do rawset(list, i, from[i]) end
end

function tables.sort(list, less)
  local n = type(list) == "table" and #list or 0
  local lacks = less == nil
  if n < 2 or (lacks and n <= SHORT_SORT) or not (lacks or type(less) == "function") then
    return raw_sort(list, less)
  end
  return with_callbacks(sort, list, less or less_than, n)
end

-- ---- xpcall

local function handled(ok, ...)
  if ok then return false, (...) end
  return false, "error in error handling"
end

local function checked(handler, ok, ...)
  if ok then return true, ... end
  return handled(pcall(handler, ...))
end

-- The handler runs when the error has been caught, where it can be preempted.
local function guarded_xpcall(fn, handler, ...)
  if type(handler) ~= "function" then
    error(("bad argument #2 to 'xpcall' (function expected, got %s)"):format(type(handler)), 2)
  end
  return checked(handler, pcall(fn, ...))
end

return { string = strings, table = tables, xpcall = guarded_xpcall }
