local spec = require "rastrum.spec"
local colormaps = require "rastrum.colormaps"

local it, equal = spec.it, spec.equal

it("lists every ramp once, in order", function()
  local names, seen = colormaps.names(), {}
  for i, name in ipairs(names) do
    equal(seen[name], nil)
    seen[name] = true
    if i > 1 then equal(names[i - 1] < name, true) end
  end
  for _, name in ipairs { "viridis", "magma", "plasma", "inferno", "cividis", "turbo" } do
    equal(seen[name], true)
  end
end)

it("parses all of them", function()
  for _, name in ipairs(colormaps.names()) do
    local ramp, err = colormaps.get(name)
    if not ramp then error(name .. ": " .. err.message) end
    spec.keeps(1)
  end
end)

it("keeps what it parsed and reverses by name", function()
  local ramp, reversed = colormaps.get("viridis"), colormaps.get("viridis_r")
  spec.keeps(1)
  equal(ramp == colormaps.get("viridis"), true)
  equal(ramp:digest() ~= reversed:digest(), true)
end)

it("suggests a name", function()
  local ramp, err = colormaps.get("viridiss")
  equal(ramp, nil)
  equal(err.code, "invalid")
  spec.contains(err.message, "did you mean 'viridis'")
end)

return spec.plugin
