local spec = require "rastrum.spec"
local colormaps = require "rastrum.colormaps"
local looks = require "rastrum.look"

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

it("describes them by what their files say", function()
  local all, kinds = colormaps.described(), {}
  equal(#all, #colormaps.names())
  for _, each in ipairs(all) do
    equal(each.type, "linear")
    equal(each.own, false)
    equal(#each.source > 0 and #each.licence > 0, true)
    kinds[each.kind] = true
  end
  for _, kind in ipairs { "sequential", "diverging", "cyclic", "qualitative", "miscellaneous" } do
    equal(kinds[kind], true)
  end
  equal(colormaps.refused(false), {})
end)

local FLAGS = { { value = 0, meaning = "open_water" }, { value = 0.5, meaning = "ice" } }

it("draws flags as categories, where no ramp is asked for", function()
  local ramp = looks.ramp({ flags = FLAGS }, {})
  equal(ramp:kind(), "categories")
  local entries = ramp:entries()
  equal(#entries, 2)
  equal({ entries[1].low, entries[1].label }, { 0, "open water" })
  equal({ entries[2].low, entries[2].label }, { 0.5, "ice" })
  equal(looks.ramp({ flags = FLAGS }, {}) == ramp, true)
  local named, name = looks.ramp({ flags = FLAGS }, { colormap_name = "magma" })
  equal({ named:kind(), name }, { "linear", "magma" })
  equal({ select(2, looks.ramp({}, {})) }, { "viridis" })
  spec.keeps(5)
end)

it("takes the range asked for, the ramp's, the collection's, in this order", function()
  local snapshot = { stretch = { t = { 3, 4 } } }
  local ramp = rastrum.ramp.parse("value,colour\n-5,#000000\n5,#ffffff\n", "a.csv")
  local variable = { name = "t", min = 1, max = 2 }
  equal(looks.rescale(snapshot, variable, { rescale = "7,8" }, ramp), { 7, 8 })
  equal(looks.rescale(snapshot, variable, {}, ramp), { -5, 5 })
  equal(looks.rescale(snapshot, variable, {}), { 3, 4 })
  equal(looks.rescale({ stretch = {} }, variable, {}), { 1, 2 })
  equal(looks.rescale({ stretch = {} }, { name = "t", min = 2, max = 2 }, {}), { 1.5, 2.5 })
  equal(looks.rescale({ stretch = {} }, { name = "t" }, {}), { 0, 1 })
  for _, wrong in ipairs { "8,7", "1,1", "1", "a,b", "1,2,3", "nan,1", "-inf,1", "-1e308,1e308" } do
    local range, err = looks.rescale(snapshot, variable, { rescale = wrong }, ramp)
    equal({ range, err.where }, { nil, "rescale" })
  end
end)

return spec.plugin
