-- What plugins see: built once a VM, before anything else, with the real libraries still at hand.
-- Each plugin gets an environment and read-only library tables of its own; nothing here is
-- reachable from it. (host.md §4)
---@diagnostic disable: deprecated
local host, real = ...

-- What plugins may require; specs also the rest, but for what is private.
local PUBLIC = {}
local PRIVATE = { ["rastrum.app"] = true, ["rastrum.sandbox"] = true, ["rastrum.guards"] = true }
for _, name in ipairs { "catalog", "colormaps", "compaction", "hooks", "http", "look",
  "segments", "select", "series", "stac", "text", "tilesets", "workflow" } do
  PUBLIC["rastrum." .. name] = true
end

local getmetatable, setmetatable, rawset, setfenv = getmetatable, setmetatable, rawset, setfenv
local pairs, type, error, tostring, select = pairs, type, error, tostring, select
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

local coroutines = {
  create = raw_create, resume = resume, wrap = wrap, yield = host.yield, running = host.running,
  status = coroutine.status,
}

-- ---- libraries

local guards = host.library("rastrum.guards")("rastrum.guards", host)
local strings = guards.string

local libraries = {
  string = strings,
  table = guards.table,
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
base.rawset, base.xpcall = guarded_rawset, guards.xpcall

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

-- A plugin's own copy of the configuration; what was set for another plugin may be a secret.
local function config_of(plugin)
  local out = copy(real.config)
  if plugin and out.plugin_settings then
    out.plugin_settings = { [plugin] = out.plugin_settings[plugin] }
  end
  return out
end

-- A front of the C modules and of what the library adds, with what is the plugin's own.
local function rastrum_for(own, plugin)
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
  inner.config = config_of(plugin)
  for name, value in pairs(own) do inner[name] = value end
  return readonly(inner, "rastrum")
end

local function environment(own, require, plugin)
  local env = {}
  for name, value in pairs(base) do env[name] = value end
  for name, library in pairs(libraries) do env[name] = readonly(library, name) end
  env.rastrum = rastrum_for(own, plugin)
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
      error(("no module '%s'; a plugin may require files of its own folder and, of rastrum.*, "
        .. "what plugins/README.md names"):format(name), 2)
    end
    loaded[name] = module
    return module
  end
  local function asset(name)
    return assets[name] or error(("plugin '%s' has no file '%s'"):format(plugin, tostring(name)), 2)
  end
  env = environment({ asset = asset }, require, plugin)
  return env
end

return { environment = plugin_environment, require = require_library, setfenv = setfenv,
  copy = copy, config_of = config_of }
