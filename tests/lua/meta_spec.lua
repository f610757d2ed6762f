-- The stubs of lua/meta name exactly the functions that there are.
local spec = require "rastrum.spec"

local stubs = {}
for name in rastrum.asset("meta.txt"):gmatch("\nfunction rastrum%.([%w_%.]+)%(") do
  stubs[name] = true
end
stubs.asset = nil -- each plugin's own

spec.it("has a stub for every function", function()
  for name in pairs(spec.functions()) do
    if not name:find("^op%.") and not stubs[name] then error("no stub for rastrum." .. name) end
  end
end)

spec.it("has a function for every stub", function()
  local functions = spec.functions()
  for name in pairs(stubs) do
    if not functions[name] then error("a stub for rastrum." .. name .. ", which does not exist") end
  end
end)

spec.it("has a waiting form of every operation", function()
  local functions = spec.functions()
  for name in pairs(functions) do
    local waiting = name:match("^op%.(.+)$")
    if waiting then spec.equal(functions[waiting], true) end
  end
end)

return spec.plugin
