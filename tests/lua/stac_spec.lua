local spec = require "rastrum.spec"
local stac = require "rastrum.stac"

local it, equal, contains = spec.it, spec.equal, spec.contains

local function refused(where, value, err)
  equal(value, nil)
  equal(err.code, "invalid")
  equal(err.where, where)
end

it("reads instants and intervals", function()
  equal(stac.interval(nil), {})
  equal(stac.interval("1970-01-01T00:00:01Z"), { first = 1000, last = 1000 })
  equal(stac.interval("1970-01-01t01:00:00.500+01:00"), { first = 500, last = 500 })
  equal(stac.interval("1970-01-01T00:00:00Z/.."), { first = 0 })
  equal(stac.interval("/1970-01-01T00:00:00Z"), { last = 0 })
  equal(stac.interval("1970-01-01T00:00:00Z/1970-01-01T00:00:01Z"), { first = 0, last = 1000 })
end)

it("refuses other times", function()
  for _, text in ipairs { "", "/", "../..", "1970-01-01", "1970-01-01T00:00:00", "yesterday",
    "1970-02-30T00:00:00Z", "1970-01-01T00:00:00Z/1969-01-01T00:00:00Z", "1970-01-01T00:00:00,5Z",
    "1970-01-01T00:00:00+0100", "21970-01-01T00:00:00Z",
    "1970-01-01T00:00:00Z/1970-01-01T00:00:00Z/1970-01-01T00:00:00Z" } do
    refused("datetime", stac.interval(text))
  end
end)

it("reads boxes", function()
  equal(stac.box(nil), nil)
  equal(stac.box { 170, -10, -170, 10 }, { 170, -10, -170, 10 })
  equal(stac.box { 1, 2, -100, 3, 4, 900 }, { 1, 2, 3, 4 })
  for _, box in ipairs { { 1, 2, 3 }, { 1, 2, 3, 4, 5 }, { 0, 10, 0, 5 }, { -181, 0, 0, 0 },
    { 0, 0, 0, 91 } } do
    refused("bbox", stac.box(box))
  end
end)

it("reads orders", function()
  equal(stac.sorts("+properties.datetime,-id"), { "datetime", "-id" })
  equal(stac.sorts(" datetime"), { "datetime" })
  local given = { { field = "collection", direction = "desc" }, { field = "properties.updated" } }
  equal(stac.sorts(given), { "-collection", "created" })
  equal(stac.sorts("id,-id"), { "id" })
  local _, err = stac.sorts("colour")
  contains(err.message, "datetime, id, collection, created")
end)

it("reads fields", function()
  equal(stac.fields(nil), nil)
  equal(stac.fields(""), nil)
  equal(rastrum.json.decode(stac.fields("id,-links,+assets")),
    { include = { "id", "assets" }, exclude = { "links" } })
  equal(rastrum.json.decode(stac.fields { exclude = { "a.b" } }),
    { include = {}, exclude = { "a.b" } })
end)

it("answers with documents and problems", function()
  local landing = spec.request("GET", "/stac")
  equal(landing.status, 200)
  equal(landing.json.type, "Catalog")
  equal(spec.request("GET", "/stac/search?limit=0").status, 400)
  equal(spec.request("GET", "/stac/collections/none").status, 404)
  equal(spec.request("POST", "/stac/search", { body = '{"limit":"x"}' }).status, 400)
  require("rastrum.catalog").close()
end)

return spec.plugin
