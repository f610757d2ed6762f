-- Loops without end, each in its own way.
local M = { name = "spin", api = 1 }

local function for_ever() while true do end end

local function caught() while true do pcall(for_ever) end end

local function nested()
  local function layer(depth)
    if depth == 0 then for_ever() end
    local co = coroutine.create(layer)
    while true do coroutine.resume(co, depth - 1) end
  end
  layer(5)
end

local function wrapped()
  local inner = coroutine.wrap(function() for_ever() end)
  while true do pcall(inner) end
end

local function sorted()
  local list = {}
  for i = 1, 100 do list[i] = i end
  table.sort(list, function(a, b)
    for_ever()
    return a < b
  end)
end

local function allocating()
  local kept = {}
  while true do kept[#kept + 1] = { #kept, tostring(#kept) } end
end

local function recursive() return 1 + recursive() end

M.routes = {
  { "GET", "/bad/spin", for_ever, summary = "while true do end" },
  { "GET", "/bad/pcall", caught, summary = "pcall round it" },
  { "GET", "/bad/nested", nested, summary = "five coroutines deep" },
  { "GET", "/bad/wrap", wrapped, summary = "coroutine.wrap" },
  { "GET", "/bad/sort", sorted, summary = "inside a sort comparator" },
  { "GET", "/bad/allocate", allocating, summary = "memory without end" },
  { "GET", "/bad/recurse", recursive, summary = "stack without end" },
}

return M
