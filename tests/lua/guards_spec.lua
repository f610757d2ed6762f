-- The parts of plugins' libraries that are written in Lua (rastrum.guards): table.sort, table.concat,
-- string.format, xpcall. Patterns are compared with LuaJIT's own in tests/unit/script.
local spec = require "rastrum.spec"

local it, equal, raises = spec.it, spec.equal, spec.raises
local random = math.random

local function numbers(n, most)
  local list = {}
  for i = 1, n do list[i] = random(most) end
  return list
end

local function counts(list)
  local seen = {}
  for _, value in ipairs(list) do seen[value] = (seen[value] or 0) + 1 end
  return seen
end

it("sorts lists of any length", function()
  for _, n in ipairs { 0, 1, 2, 3, 7, 8, 9, 100, 500, 501, 1025 } do
    for _, less in ipairs { false, function(a, b) return a > b end } do
      local list = numbers(n, n * 2 + 1)
      local before = counts(list)
      if less then table.sort(list, less) else table.sort(list) end
      equal(#list, n)
      equal(counts(list), before)
      for i = 2, n do
        local wrong = less and list[i] > list[i - 1] or not less and list[i] < list[i - 1]
        if wrong then error(("%d values: out of order at %d"):format(n, i)) end
      end
    end
  end
end)

it("keeps what is equal in its order", function()
  local list = {}
  for i = 1, 600 do list[i] = { random(10), i } end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  for i = 2, #list do
    local a, b = list[i - 1], list[i]
    if a[1] > b[1] or (a[1] == b[1] and a[2] > b[2]) then error("out of order at " .. i) end
  end
end)

it("leaves a list as it was when a comparison fails", function()
  local list = { 3, 1, 2 }
  raises("no order", table.sort, list, function() error("no order", 0) end)
  equal(list, { 3, 1, 2 })
  raises("compare", table.sort, { 1, "a", {} })
  raises("expected", table.sort, { 2, 1 }, 5)
  raises("expected", table.sort, nil)
end)

it("ends with a comparison that contradicts itself", function()
  local list = numbers(300, 100)
  local before = counts(list)
  table.sort(list, function() return random(2) == 1 end)
  equal(counts(list), before)
end)

it("joins long lists", function()
  local list, size = {}, 0
  for i = 1, 20003 do
    list[i] = i
    size = size + #tostring(i) + 1
  end
  local text = table.concat(list, ",")
  equal(#text, size - 1)
  equal(text:sub(1, 8), "1,2,3,4,")
  equal(text:sub(-12), ",20002,20003")
  equal(table.concat(list, "", 2, 4), "234")
  equal(#table.concat(list, "", 2, 20002), #table.concat(list, "", 1, 20002) - 1)
  raises("invalid value (nil) at index 20004", table.concat, list, ",", 1, 20004)
  raises("invalid value (table) at index 2", table.concat, { 1, {} })
  equal(table.concat({}, ","), "")
  equal(table.concat({ 1, 2 }, ",", 2, 1), "")
end)

it("formats what tells itself", function()
  local told = setmetatable({}, { __tostring = function() return "told" end })
  equal(("%s and %5s|%.2s"):format(told, told, told), "told and  told|to")
  equal(("%s %s"):format(nil, true), "nil true")
  raises("bad argument", string.format, "%d", told)
end)

it("handles errors as xpcall does", function()
  local function fail() error("broken", 0) end
  equal({ xpcall(fail, function(err) return err .. "!", 2 end) }, { false, "broken!" })
  equal({ xpcall(function(...) return ... end, fail, 1, 2) }, { true, 1, 2 })
  equal({ xpcall(fail, fail) }, { false, "error in error handling" })
  raises("function expected", xpcall, fail)
end)

it("waits in no callback", function()
  raises("cannot wait inside a callback", table.sort, { 2, 1 }, function() rastrum.sleep(1) end)
  raises("cannot wait inside a callback", string.gsub, "a", "a", function() rastrum.sleep(1) end)
  local co = coroutine.create(function()
    table.sort({ 2, 1 }, function() coroutine.yield() end)
  end)
  local ok, err = coroutine.resume(co)
  equal(ok, false)
  spec.contains(err, "coroutine.yield inside a callback")
  rastrum.sleep(1)
end)

it("yields in coroutines of a callback", function()
  local list = { 3, 1, 2 }
  table.sort(list, function(a, b)
    local less = coroutine.wrap(function()
      coroutine.yield(a < b)
    end)
    return less()
  end)
  equal(list, { 1, 2, 3 })
end)

return spec.plugin
