local spec = require "rastrum.spec"
local route = require "rastrum.route"

local it, equal, raises = spec.it, spec.equal, spec.raises

local function router(...)
  local r = route.new()
  for _, template in ipairs { ... } do
    r:add("GET", template, function(shown) return shown end)
  end
  return r
end

it("matches literals before patterns", function()
  local r = router("/a/{x}", "/a/b", "/{y}/b")
  equal(r:match("GET", "/a/b"), "/a/b")
  equal(r:match("GET", "/a/c"), "/a/{x}")
  equal(r:match("GET", "/z/b"), "/{y}/b")
  equal(r:match("GET", "/z/c"), nil)
  equal(r:match("GET", "/a"), nil)
end)

it("takes several values from one segment", function()
  local r = router("/t/{c}/{z:int}/{x:int}/{y}.{format}", "/p/{lon:number},{lat:number}")
  local entry, values = r:match("GET", "/t/sst/3/4/5@2x.png")
  equal(entry, "/t/{c}/{z}/{x}/{y}.{format}")
  equal(values, { c = "sst", z = "3", x = "4", y = "5@2x", format = "png" })
  entry, values = r:match("GET", "/p/-5.25,52.1")
  equal(entry, "/p/{lon},{lat}")
  equal(values, { lon = "-5.25", lat = "52.1" })
end)

it("expands optional pieces", function()
  local r = router("/t/{y:int}[@{scale:int}x].{format}")
  equal({ r:match("GET", "/t/1.png") }, { "/t/{y}.{format}", { y = "1", format = "png" } })
  equal({ r:match("GET", "/t/1@2x.png") }, { "/t/{y}@{scale}x.{format}",
    { y = "1", scale = "2", format = "png" } })
end)

it("takes the rest of a path", function()
  local r = router("/data/{c}/{path:rest}", "/data/{c}")
  local entry, values = r:match("GET", "/data/a/b/c%20d/e.tif")
  equal(entry, "/data/{c}/{path}")
  equal(values, { c = "a", path = "b/c d/e.tif" })
  equal(r:match("GET", "/data/a"), "/data/{c}")
end)

it("decodes segments, and only after splitting", function()
  local r = router("/a/{x}", "/a/{x}/{y}")
  local _, values = r:match("GET", "/a/g%2Fv")
  equal(values, { x = "g/v" })
  equal(r:match("GET", "/a/%zz"), nil)
  equal(r:match("GET", "/a/%00"), nil)
end)

it("does not take empty segments", function()
  local r = router("/a/{x}")
  equal(r:match("GET", "/a//"), nil)
  equal(r:match("GET", "//a/x"), nil)
  equal(r:match("GET", "/a/x/"), "/a/{x}")
end)

it("tells other methods of a path", function()
  local r = router("/a")
  equal(r:match("HEAD", "/a"), "/a")
  local entry, methods = r:match("POST", "/a")
  equal(entry, nil)
  equal(methods.GET ~= nil, true)
end)

it("does not take a path twice", function()
  local r = router("/a/{x}")
  equal((r:add("GET", "/a/{y}", function() end)), "/a/{y}")
  equal(r:add("POST", "/a/{y}", function() end), nil)
end)

it("checks templates", function()
  raises("begins with", route.check, "a")
  raises("unknown type", route.check, "/{x:float}")
  raises("in braces", route.check, "/{x")
  raises("comes last", route.check, "/{x:rest}/y")
  route.check("/a/{b}/{c:int}[@{d:int}x].{e}")
end)

return spec.plugin
