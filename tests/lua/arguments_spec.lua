-- Every function of rastrum with arguments that nobody would give: it raises or answers, and nothing else happens.
local spec = require "rastrum.spec"

local random = math.random

local function cycle()
  local t = {}
  t.self, t[1] = t, t
  return t
end

-- A table whose fields are another thing each time.
local function fickle()
  local values = { "x", 1, {}, true, 0 / 0, -1, "\0", function() end }
  return setmetatable({}, { __index = function() return values[random(#values)] end,
    __len = function() return 1e9 end, __tostring = function() return {} end,
    __call = function() error("called") end, __eq = function() return true end })
end

local function closed()
  local buf = rastrum.json.buffer { 1 }
  buf:close()
  return buf
end

local long = ("long"):rep(500)
local makers = {
  function() return nil end, function() return true end, function() return false end,
  function() return -1 end, function() return 0 end, function() return 1 end,
  function() return 1.5 end, function() return 2 ^ 53 end, function() return 1e300 end,
  function() return -1e300 end, function() return 0 / 0 end, function() return 1 / 0 end,
  function() return "" end, function() return "x" end, function() return "a\0b" end,
  function() return long end, function() return "../../etc/passwd" end,
  function() return "%s%n" end, function() return "\255\254" end,
  function() return "[1,2" end, function() return "{}" end,
  function() return {} end, function() return { 1, 2, 3 } end, function() return { long } end,
  function() return { { { {} } } } end, cycle, fickle, closed,
  function() return { dataset = fickle(), variable = {}, z = 1e300, x = "1" } end,
  function() return { path = 1, collection = true, members = { {} }, steps = { {} } } end,
  function() return rastrum.json.buffer { 1 } end, function() return rastrum.op.sleep(1) end,
  function() return rastrum.json.null end, function() return rastrum.json.array {} end,
  function() return rastrum.json.raw("[") end, function() return print end,
  function() return coroutine.create(print) end, function() return string end,
  function() return rastrum end,
}

-- What would wait, write to the log, or start something.
local left_out = { sleep = true, all = true, spawn = true, ["metrics.count"] = true, emit = true }

local function find(name)
  local value = rastrum
  for part in name:gmatch("[^.]+") do value = value[part] end
  return value
end

local function attack(name, fn, rounds)
  for _ = 1, rounds do
    local args, n = {}, random(0, 5)
    for i = 1, n do args[i] = makers[random(#makers)]() end
    pcall(fn, unpack(args, 1, n))
  end
  return name
end

spec.it("survives any arguments", function()
  local count = 0
  for name in pairs(spec.functions()) do
    local plain = name:gsub("^op%.", "")
    local waits = rastrum.op[plain] or pcall(find, "op." .. plain) and find("op." .. plain)
    local callable = name:find("^op%.") or not waits
    if callable and not left_out[plain] and not plain:find("^log%.") then
      attack(name, find(name), 12)
      count = count + 1
    end
  end
  if count < 30 then error(("only %d functions were tried"):format(count)) end
  spec.keeps(1)  -- ready() opened the catalog
end)

spec.it("survives any arguments of methods", function()
  local ramp = '{"type":"linear","colors":["#000000","#ffffff"]}'
  for _, make in ipairs { function() return rastrum.json.buffer { 1, 2 } end,
    function() return rastrum.ramp.parse(ramp) end } do
    local handle = make()
    for _, name in ipairs { "size", "text", "close", "keep", "reversed", "digest", "kind" } do
      if handle[name] then attack(name, handle[name], 30) end
    end
    handle:close()
  end
end)

spec.it("works as before", function()
  spec.equal(rastrum.json.decode('{"a":[1]}').a[1], 1)
  spec.equal(("X"):lower(), "x")
end)

return spec.plugin
