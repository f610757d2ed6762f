-- What plugins see: built once a VM, before anything else, with the real libraries still at hand.
-- Each plugin gets an environment and read-only library tables of its own; nothing here is
-- reachable from it. (host.md §4)
---@diagnostic disable: deprecated
local host, real = ...

local LONG_TEXT = 65536 -- as in guard_string.c
local LONG_LIST = 20000
local LONG_PIECE = 2000
local SHORT_SORT = 500

-- What plugins may require; specs may require all but the first two of the others.
local PUBLIC, PRIVATE = {}, { ["rastrum.app"] = true, ["rastrum.sandbox"] = true }
for _, name in ipairs { "catalog", "colormaps", "compaction", "http", "segments", "select", "series",
  "stac", "text", "workflow" } do
  PUBLIC["rastrum." .. name] = true
end

local getmetatable, setmetatable, rawset, setfenv = getmetatable, setmetatable, rawset, setfenv
local pairs, type, error, tostring, select = pairs, type, error, tostring, select
local pcall, rawget, unpack, floor, tobit = pcall, rawget, unpack, math.floor, bit.tobit
local sub, raw_sort = string.sub, table.sort
local raw_resume, raw_yield, raw_create = coroutine.resume, coroutine.yield, coroutine.create

local function pick(from, ...)
  local out = {}
  for i = 1, select("#", ...) do
    local name = select(i, ...)
    out[name] = from[name]
  end
  return out
end

-- An empty table in front of `inner`. getmetatable gives false, setmetatable and rawset raise.
local function readonly(inner, what)
  return setmetatable({}, {
    __index = inner,
    __newindex = function(_, key)
      error(("%s is read-only: cannot set '%s'"):format(what, tostring(key)), 2)
    end,
    __metatable = false,
  })
end

local function guarded_rawset(t, key, value)
  if type(t) == "table" and getmetatable(t) == false then error("this table is read-only", 2) end
  return rawset(t, key, value)
end

-- ---- coroutines: a preemption (a hook's yield) is passed outward and the inner coroutine resumed
-- again, so that neither side sees it. host.preempted() is false after an ordinary return or yield.

local busy = setmetatable({}, { __mode = "k" })

local function after(co, ...)
  local passing = host.preempted()
  if passing == false then return ... end
  if passing then
    busy[co] = true
    raw_yield()
    busy[co] = nil
  end
  return after(co, raw_resume(co))
end

local function resume(co, ...)
  if busy[co] then return false, "this coroutine runs in another task" end
  return after(co, raw_resume(co, ...))
end

local function unwrapped(ok, ...)
  if not ok then error((...), 0) end
  return ...
end

local function wrap(f)
  local co = raw_create(f)
  return function(...) return unwrapped(resume(co, ...)) end
end

local libraries

local coroutines = {
  create = raw_create, resume = resume, wrap = wrap, yield = host.yield, running = host.running,
  status = coroutine.status,
}

-- ---- libraries

local strings = pick(string, "byte", "char", "len", "sub")
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
  return libraries.table.concat(pieces), n
end

local function substitute_long(text, pattern, replacement, most)
  local pieces, n, at = {}, 0, 1
  repeat
    local piece, matches
    piece, matches, at = gsub(text, pattern, replacement, most - n, at)
    n = n + matches
    add_piece(pieces, piece, "string.gsub")
  until not at
  return libraries.table.concat(pieces), n
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

local tables = pick(table, "insert", "maxn", "remove")

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

libraries = {
  string = strings,
  table = tables,
  math = pick(math, "abs", "acos", "asin", "atan", "atan2", "ceil", "cos", "cosh", "deg", "exp",
  "floor", "fmod",
    "frexp", "huge", "ldexp", "log", "log10", "max", "min", "modf", "pi", "pow", "rad", "random",
    "sin", "sinh", "sqrt",
    "tan", "tanh"),
  bit = pick(bit, "arshift", "band", "bnot", "bor", "bswap", "bxor", "lshift", "rol", "ror",
  "rshift", "tobit", "tohex"),
  os = pick(os, "clock", "date", "difftime", "time"),
  coroutine = coroutines,
}

local base = pick(_G, "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall",
  "rawequal", "rawget",
  "select", "setmetatable", "tonumber", "tostring", "type", "unpack", "_VERSION")
base.rawset = guarded_rawset

local function handled(ok, ...)
  if ok then return false, (...) end
  return false, "error in error handling"
end

local function checked(handler, ok, ...)
  if ok then return true, ... end
  return handled(pcall(handler, ...))
end

-- The handler runs when the error has been caught, where it can be preempted.
function base.xpcall(fn, handler, ...)
  if type(handler) ~= "function" then
    error(("bad argument #2 to 'xpcall' (function expected, got %s)"):format(type(handler)), 2)
  end
  return checked(handler, pcall(fn, ...))
end

function base.print(...)
  local words = {}
  for i = 1, select("#", ...) do words[i] = tostring((select(i, ...))) end
  real.log.info(table.concat(words, "\t"))
end

local string_type = getmetatable("")
string_type.__index = strings
string_type.__metatable = false

-- ---- the rastrum table

local function copy(value)
  if type(value) ~= "table" then return value end
  local out = {}
  for key, each in pairs(value) do out[key] = copy(each) end
  return real.json.is_array(value) and real.json.array(out) or out
end

-- A front of the C modules and of what the library adds, with what is the plugin's own.
local function rastrum_for(own)
  local inner = setmetatable({}, { __index = real })
  for name, module in pairs(real) do
    if type(module) == "table" and name ~= "op" and name ~= "config" then
      inner[name] = readonly(module, "rastrum." .. name)
    end
  end
  local op = {}
  for name, module in pairs(real.op) do
    op[name] = type(module) == "table" and readonly(module, "rastrum.op." .. name) or module
  end
  inner.op = readonly(op, "rastrum.op")
  inner.config = copy(real.config)
  for name, value in pairs(own) do inner[name] = value end
  return readonly(inner, "rastrum")
end

local function environment(own, require)
  local env = {}
  for name, value in pairs(base) do env[name] = value end
  for name, library in pairs(libraries) do env[name] = readonly(library, name) end
  env.rastrum = rastrum_for(own)
  env.require = require
  env._G = env
  return setmetatable(env, {
    __newindex = function(_, name)
      error(("'%s' is no local variable; globals cannot be set"):format(tostring(name)), 2)
    end,
    __metatable = false,
  })
end

-- ---- modules

local library = {}
local library_env

local function require_library(name)
  local module = library[name]
  if module ~= nil then
    if module == false then error(("module '%s' requires itself"):format(name), 3) end
    return module
  end
  local chunk, err = host.library(name)
  if not chunk then error(("no module '%s': %s"):format(name, err.message), 3) end
  library[name] = false
  module = setfenv(chunk, library_env)(name, host, real)
  if module == nil then module = true end
  library[name] = module
  return module
end

library_env = environment({}, require_library)

-- A module as a plugin sees it: its functions, and copies of its tables.
local function view(module, name)
  if type(module) ~= "table" then return module end
  local own = {}
  for key, value in pairs(module) do own[key] = copy(value) end
  return readonly(own, name)
end

-- The environment of a plugin. `load(name)` compiles a file of its folder; assets are its other
-- files, by name.
local function plugin_environment(plugin, load, assets)
  local loaded = {}
  local env
  local function require(name)
    if type(name) ~= "string" then error("require takes a name", 2) end
    if loaded[name] ~= nil then return loaded[name] end
    local module
    if PUBLIC[name] or (real.config.specs and name:find("^rastrum%.[%a_]+$")
      and not PRIVATE[name]) then
      module = view(require_library(name), name)
    elseif name:find("^[%w_]+$") then
      local chunk, err = load(name)
      if not chunk then error(("no module '%s': %s"):format(name, err.message), 2) end
      module = setfenv(chunk, env)(name)
      if module == nil then module = true end
    else
      error(("no module '%s'; a plugin may require rastrum.* and files of its own "
        .. "folder"):format(name), 2)
    end
    loaded[name] = module
    return module
  end
  local function asset(name)
    return assets[name] or error(("plugin '%s' has no file '%s'"):format(plugin, tostring(name)), 2)
  end
  env = environment({ asset = asset }, require)
  return env
end

return { environment = plugin_environment, require = require_library, setfenv = setfenv, copy = copy }
