-- Ways out of a plugin's environment, by name. Each function returns what it got hold of, or nothing; an error is
-- nothing too. neighbour.lua tells afterwards whether anything of its own has changed.
local M = { name = "escape", api = 1 }

local ways, order = {}, {}

local function way(name, fn)
  assert(not ways[name], name)
  ways[name] = fn
  order[#order + 1] = name
end

-- A global by name, so that the linter does not take it for a use.
local function global(name) return rawget(_G, name) or _G[name] end

-- The value if it is one of a kind that leads on.
local function loot(value)
  local kind = type(value)
  return (kind == "table" or kind == "function" or kind == "thread" or kind == "userdata") and kind or nil
end

-- ---- functions that lead out

for _, name in ipairs { "getfenv", "setfenv", "load", "loadstring", "loadfile", "dofile", "debug", "jit", "ffi", "package",
  "module", "newproxy", "collectgarbage", "gcinfo", "io", "arg" } do
  way("global " .. name, function() return loot(global(name)) end)
end
for _, pair in ipairs { { "os", "execute" }, { "os", "exit" }, { "os", "getenv" }, { "os", "remove" }, { "os", "rename" },
  { "os", "tmpname" }, { "os", "setlocale" }, { "string", "dump" }, { "math", "randomseed" }, { "table", "foreach" },
  { "coroutine", "isyieldable" } } do
  way(pair[1] .. "." .. pair[2], function() return loot(_G[pair[1]][pair[2]]) end)
end
for _, name in ipairs { "ffi", "debug", "jit", "jit.util", "jit.opt", "string.buffer", "table.new", "package", "io", "os", "_G",
  "string", "cjson", "lfs", "socket" } do
  way("require " .. name, function() return loot(require(name)) end)
end
for _, name in ipairs { "app", "sandbox", "registry", "plugin", "spec", "openapi", "snapshot", "sources", "route", "schema",
  "problem" } do
  way("require rastrum." .. name, function() return loot(require("rastrum." .. name)) end)
end
for _, name in ipairs { "host", "real", "dispatch", "load", "library", "label", "own", "pin", "close", "gsub_next" } do
  way("rastrum." .. name, function() return loot(rastrum[name]) end)
end

-- ---- other plugins and files

for _, name in ipairs { "neighbour", "neighbour.init", "../neighbour", "../escape/own", "/etc/passwd", "rastrum/app",
  "rastrum.../app", "rastrum.app\0", "own.lua", "./own", "" } do
  way("require '" .. name:gsub("%z", "\\0") .. "'", function() return loot(require(name)) end)
end
for _, name in ipairs { "../neighbour.lua", "/etc/passwd", "init.lua", "own.lua", "__index", "" } do
  way("asset '" .. name .. "'", function() return rastrum.asset(name) end)
end
for _, path in ipairs { "/etc/passwd", "../../etc/passwd", "/tmp/escape.db", "file:/tmp/escape.db?mode=rwc", "escape.db", ":memory:",
  "", "a/../../escape.db" } do
  way("sql.open '" .. path .. "'", function() return (rastrum.sql.open(path)) end)
end
for _, key in ipairs { "/etc/passwd", "../../../../etc/passwd", "a/../../x", "./x", "a//b", ".", "..", "" } do
  way("store.open '" .. key .. "'", function() return (rastrum.store.open(key)) end)
end

local function catalog_db()
  return assert(rastrum.sql.open((rastrum.config.catalog_url:gsub("^sqlite:", ""))))
end

way("ATTACH", function()
  local db = catalog_db()
  return (db:query("ATTACH '/tmp/rastrum-escape.db' AS stolen"))
end)
way("VACUUM INTO", function()
  local db = catalog_db()
  return (db:query("VACUUM INTO '/tmp/rastrum-escape.db'"))
end)
way("load_extension", function()
  local db = catalog_db()
  return (db:query("SELECT load_extension('libc.so.6')"))
end)
way("readfile", function()
  local db = catalog_db()
  return (db:query("SELECT readfile('/etc/passwd')"))
end)
way("ingest.open", function() return (rastrum.ingest.open("/etc/passwd", {})) end)
way("ingest.inspect", function() return (rastrum.ingest.inspect("/etc/passwd", {})) end)

-- ---- metatables

for name, value in pairs { text = "", number = 1, boolean = true, ["function"] = print, thread = coroutine.create(print),
  null = rastrum.json.null, environment = _G, string = string, rastrum = rastrum, json = rastrum.json, op = rastrum.op,
  http = require "rastrum.http", array = rastrum.json.array {}, raw = rastrum.json.raw("1") } do
  way("metatable of " .. name, function() return loot(getmetatable(value)) end)
  way("metatable for " .. name, function()
    setmetatable(value, { __index = function() return "stolen" end })
    return value.anything
  end)
end
way("index of texts", function()
  getmetatable("").__index.lower = function() return "stolen" end
  return ("X"):lower() == "stolen"
end)
way("metatable of a host's error", function()
  local _, err = rastrum.json.decode("{")
  assert(type(err) == "table")
  return loot(getmetatable(err))
end)

-- ---- tables that everybody uses

way("string.lower =", function() string.lower = print return "written" end)
way("rawset string", function() rawset(string, "lower", print) return "written" end)
way("rawset rastrum", function() rawset(rastrum, "fail", print) return "written" end)
way("rastrum.json =", function() rastrum.json = {} return "written" end)
way("rastrum.json.encode =", function() rastrum.json.encode = print return "written" end)
way("rastrum.op.sleep =", function() rastrum.op.sleep = print return "written" end)
way("rastrum.op.sql.open =", function() rastrum.op.sql.open = print return "written" end)
way("a module's function =", function() require("rastrum.http").json = print return "written" end)
way("_G.leak =", function() _G.leak = 1 return "written" end)
way("rawset _G", function() rawset(_G, "leak", 1) return "written" end)
way("table.insert into string", function() table.insert(string, 1, print) return rawget(string, "lower") end)
way("json.array of a library", function() return rastrum.json.array(string) end)
way("walking a library", function() for _, value in pairs(string) do if value ~= print then return loot(value) end end end)
way("next of rastrum", function() return next(rastrum) end)
way("the library behind the proxy", function() return rawget(string, "rep") or rawget(rastrum, "json") end)
way("a module's constants", function()
  require("rastrum.stac").CONFORMANCE[1] = "stolen"
  require("rastrum.stac").SORTABLE[1] = "stolen"
end)
way("rastrum.config", function() rastrum.config.listen = "stolen" end)
way("setup's config", function() M._setup.listen = "stolen" end)
way("the OpenAPI document", function()
  for _, each in ipairs(rastrum.openapi("").paths["/neighbour/state"].get.parameters) do
    if each.name == "kind" then each.schema.enum[1] = "stolen" end
  end
end)
way("the OpenAPI document's common parts", function()
  rastrum.openapi("").components.schemas.Problem.type = "stolen"
end)
way("the list of plugins", function() rastrum.plugins().plugins[1] = nil end)
way("the catalog's driver", function() require("rastrum.catalog").driver().stolen = 1 return "written" end)
way("rawset on the catalog's driver", function() rawset(require("rastrum.catalog").driver(), "stolen", 1) return "written" end)

-- ---- userdata

local function handles()
  local ramp = require("rastrum.colormaps").get("viridis")
  local list = { buf = rastrum.json.buffer { 1 }, op = rastrum.op.sleep(1), ramp = ramp, sql = catalog_db() }
  local shot = require("rastrum.catalog").collection("globe")
  list.dataset = shot.list[1].dataset
  return list
end

for _, name in ipairs { "buf", "op", "ramp", "sql", "dataset" } do
  way("metatable of a " .. name, function() return loot(getmetatable(handles()[name])) end)
  way("metatable for a " .. name, function() setmetatable(handles()[name], {}) return "set" end)
  way("methods of a " .. name, function() handles()[name].close = print return "written" end)
  way("__gc of a " .. name, function() return loot(handles()[name].__gc) end)
  way("__index of a " .. name, function() return loot(handles()[name].__index) end)
end
way("a method on another type", function()
  local list = handles()
  return list.buf.size(list.op)
end)
way("a method on null", function() return handles().buf.size(rastrum.json.null) end)
way("closing everybody's ramp", function() handles().ramp:close() end)
way("closing everybody's dataset", function() handles().dataset:close() end)
way("collecting everybody's ramp", function()
  local ramp = handles().ramp
  ramp:keep()
  ramp:close()
end)

-- ---- coroutines, errors, metamethods

way("the task's own coroutine", function() return coroutine.running() end)
way("yielding out of the handler", function() coroutine.yield("out") return "yielded" end)
way("resuming itself", function()
  local co
  co = coroutine.create(function() return coroutine.resume(co) end)
  local _, ok = coroutine.resume(co)
  return ok and "resumed" or nil
end)
way("waiting in a coroutine of its own", function()
  return coroutine.wrap(function() rastrum.sleep(1) return "waited" end)()
end)
way("waiting in a sort", function()
  table.sort({ 3, 2, 1 }, function(a, b) rastrum.sleep(1) return a < b end)
  return "waited"
end)
way("yielding in a substitution", function()
  return coroutine.wrap(function() return (("a"):gsub("a", function() return coroutine.yield("out") end)) end)() == "out" and "yielded" or nil
end)
way("the stack in an error handler", function()
  local seen
  xpcall(function() error("x", 0) end, function(...) seen = select("#", ...) + (... == "x" and 0 or 1) end)
  return seen ~= 1 and "more than the message" or nil
end)
way("a metamethod in option tables", function()
  local ran
  pcall(rastrum.tile, setmetatable({}, { __index = function() ran = "ran" end }))
  pcall(rastrum.items, setmetatable({}, { __index = function() ran = "ran" end }))
  return ran
end)
way("a text that is none", function()
  local told
  pcall(rastrum.log.info, setmetatable({}, { __tostring = function() told = "told" return "x" end }))
  pcall(rastrum.hash, setmetatable({}, { __tostring = function() told = "told" return "x" end }))
  return told
end)
way("__pairs in JSON", function()
  local ran
  pcall(rastrum.json.encode, setmetatable({}, { __pairs = function() ran = "ran" end, __index = function() ran = "ran" end,
    __len = function() ran = "ran" return 1 end }))
  return ran
end)
way("__gc of a table", function()
  local ran
  do setmetatable({}, { __gc = function() ran = "ran" end }) end
  for _ = 1, 1000 do string.rep("x", 10000) end
  return ran
end)
way("values below the stack", function() return (select(-3, 1)) end)
way("unpack past the end", function() return (unpack({}, 1, 1e7)) end)
way("a huge text", function() return string.rep("x", 2 ^ 31) end)

-- ---- answers

local function run()
  local got = {}
  for _, name in ipairs(order) do
    local ok, value = pcall(ways[name])
    got[#got + 1] = { name = name, loot = ok and value and tostring(value) or false }
  end
  return { status = 200, type = "application/json", body = rastrum.json.encode(got) }
end

local function endless() while true do end end
local trap = setmetatable({}, { __index = endless, __tostring = endless })

function M.setup(config)
  M._setup = config
  config.listen = "stolen"  -- neighbour's setup comes later
end

M.routes = {
  { "GET", "/escape/ways", run, summary = "All of them" },
  { "GET", "/escape/answer", function() return trap end, summary = "An answer whose fields never come" },
  { "GET", "/escape/error", function() error(trap) end, summary = "An error whose fields never come" },
  { "GET", "/escape/handles", function()
    local names = {}
    for name in pairs(handles()) do names[#names + 1] = name end
    table.sort(names)
    return { status = 200, type = "text/plain", body = table.concat(names, " ") }
  end, summary = "What there is to try" },
  { "GET", "/escape/own", function()
    return { status = 200, type = "text/plain", body = tostring(require("own").mine) }
  end, summary = "A file of its own" },
}

return M
