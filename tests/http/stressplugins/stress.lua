-- What a plugin may do by accident, one route each. tests/http/test_stress.py says what has to come of it.
local M = { name = "stress", api = 1 }

local MB = 1024 * 1024

local function for_ever() while true do end end

local cases, kept = {}, {}

cases["loop"] = for_ever

cases["pcall"] = function() while true do pcall(for_ever) end end

cases["xpcall"] = function()
  while true do xpcall(for_ever, function(message) return message end) end
end

cases["coroutines"] = function()
  local function layer(depth)
    if depth == 0 then for_ever() end
    local co = coroutine.create(layer)
    while true do coroutine.resume(co, depth - 1) end
  end
  layer(5)
end

cases["sort"] = function()
  local list = {}
  for i = 1, 100 do list[i] = i end
  table.sort(list, function(a, b)
    for_ever()
    return a < b
  end)
end

cases["gsub"] = function() return (("x"):rep(1000):gsub("x", function() for_ever() end)) end

cases["metamethods"] = function()
  local object = setmetatable({}, {
    __index = function(self, key) return self[key .. "x"] and 1 end,
    __add = function() for_ever() end,
    __lt = for_ever, __concat = for_ever, __call = for_ever,
  })
  while true do
    pcall(function() return object + 1 end)
    pcall(function() return object < object end)
    pcall(function() return object .. "" end)
    pcall(object)
  end
end

cases["iterators"] = function()
  for _ in function() return true end do end
end

cases["one call of 500 MB"] = function() return { status = 200, body = ("x"):rep(500 * MB) } end

cases["strings that are kept"] = function()
  local list = {}
  for i = 1, 100 do list[i] = ("%04d"):format(i) .. ("x"):rep(15 * MB) .. ("y"):rep(5 * MB) end
  return { status = 200, body = tostring(#list) }
end

cases["a table that grows"] = function()
  local list = {}
  while true do list[#list + 1] = { #list } end
end

cases["a pattern that backtracks"] = function()
  local found = ("a"):rep(28):match(("a?"):rep(28) .. ("a"):rep(28) .. "b")
  return { status = 200, body = tostring(found) }
end

cases["recursion"] = function()
  local function deeper(n) return 1 + deeper(n + 1) end
  return deeper(1)
end

cases["an error in an error handler"] = function()
  local ok, message = xpcall(error, function() error("again") end, "first")
  error(("%s: %s"):format(tostring(ok), tostring(message)))
end

cases["no answer"] = function() while true do rastrum.sleep(50) end end

cases["waiting in a comparator"] = function()
  local list = { 3, 1, 2 }
  table.sort(list, function(a, b)
    rastrum.sleep(1)
    return a < b
  end)
end

cases["an operation twice"] = function()
  local op = rastrum.op.sleep(1)
  rastrum.all { op }
  rastrum.all { op }
end

cases["a buffer after its scope"] = function(req)
  if kept.body then return { status = 200, body = tostring(kept.body:size()) } end
  kept.body = req.body
  return { status = 200, body = "kept" }
end

cases["operations that are not started"] = function()
  local list = {}
  for i = 1, 10000 do list[i] = rastrum.op.sleep(1000) end
  return { status = 200, body = "10000" }
end

M.hooks = { on_timer = { { every = 20, run = function() error("this timer fails each time") end } } }

M.routes = {}
for name, handler in pairs(cases) do
  local path = "/stress/" .. name:gsub(" ", "-")
  M.routes[#M.routes + 1] = { "GET", path, handler, summary = name }
  M.routes[#M.routes + 1] = { "POST", path, handler, summary = name }
end

return M
