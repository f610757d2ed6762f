local spec = require "rastrum.spec"
local catalog = require "rastrum.catalog"

local it, equal, contains = spec.it, spec.equal, spec.contains
local DAY = 86400000

-- The body of a dataset with daily steps from a day of 1970 on; years have 360 days.
local function body(id, version, day, count)
  return rastrum.json.encode {
    format = 1, collection = "sea", dataset = id, version = version,
    created = "2026-01-01T00:00:00Z",
    grids = rastrum.json.array { {
      id = "g", x = "lon", y = "lat", native = { 2, 4 }, shape = { 2, 4 },
      transform = { -180, 90, 0, 90, 0, -90 },
      crs = { epsg = 4326 }, bbox = { -180, -90, 180, 90 }, wraps = true,
      geometry = { type = "Point", coordinates = { 0, 0 } },
    } },
    axes = rastrum.json.array { { id = "t", name = "time", calendar = "360_day", count = count,
      start = day * DAY, step = DAY } },
    variables = rastrum.json.array {
      { name = "sst", units = "K", dims = { "time", "level", "lat", "lon" },
        shape = { count, 2, 2, 4 }, dtype = "int16", grid = "g", time = "t", time_dim = 0,
        y_dim = 2, x_dim = 3, mappable = true, bands = 2,
        extra = { { name = "level", dim = 1, size = 2, values = { 1000, 850 }, units = "hPa",
          vertical = true } },
        p2 = 200 + day, p98 = 300 },
      { name = "mask", dims = { "lat", "lon" }, shape = { 2, 4 }, dtype = "uint8", grid = "g",
        y_dim = 0, x_dim = 1, mappable = true, bands = 1 },
    },
  }
end

local function publish(id, version, day, count, old)
  return catalog.publish { body = body(id, version, day, count), source = id .. ".nc",
    fingerprint = "f" .. version, old = old }
end

local function drawn(variable, datetime, item)
  local shot = assert(catalog.collection("sea"))
  local list, err = catalog.sources(shot, { variable = variable, datetime = datetime, item = item })
  if not list then return nil, err end
  local words = {}
  for i, source in ipairs(list) do words[i] = source.dataset:id() .. ":" .. source.step end
  return table.concat(words, " ")
end

it("has nothing at first", function()
  equal(#catalog.collections(), 0)
  local shot, err = catalog.collection("sea")
  equal(shot, nil)
  equal(err.code, "not_found")
  equal(catalog.find("sea", "a"), false)
end)

it("publishes once for each expectation", function()
  assert(publish("a", "v1", 57, 5))
  local ok, err = publish("a", "v2", 57, 5)
  equal(ok, nil)
  equal(err.code, "conflict")
  assert(publish("b", "v1", 60, 3))
  equal(catalog.find("sea", "a").version, "v1")
end)

it("keeps the limits of the first publication", function()
  local shot = assert(catalog.collection("sea"))
  equal(shot.stretch.sst, { 257, 300 })
  equal(shot.variable_names, { "sst", "mask" })
end)

it("draws the latest published first", function()
  equal(drawn("sst", "1970-03-01T00:00:00Z"), "b:0 a:3")
  equal(drawn("sst", "1970-03-03"), "b:2")
  equal(drawn("sst", "1970-02-30"), "a:2")
  equal(drawn("sst", "1970-02-28 12:00"), "")
  equal(drawn("sst"), "b:2")
  assert(publish("a", "v2", 57, 5, "v1"))
  equal(drawn("sst", "1970-03-01"), "a:3 b:0")
end)

it("finds the nearest, the one before and the one after", function()
  equal(drawn("sst", "nearest::1970-03-03T13:00:00Z"), "b:2")
  equal(drawn("sst", "nearest::2999-01-01"), "b:2")
  equal(drawn("sst", "nearest::1800-01-01"), "a:0")
  equal(drawn("sst", "ffill::1970-02-28T23:00:00Z"), "a:0")
  equal(drawn("sst", "bfill::1970-02-28T01:00:00Z"), "a:1")
  equal(drawn("sst", "ffill::1970-01-01"), "")
  equal(select(2, drawn("sst", "nearer::1970-01-01")).code, "invalid")
  equal(select(2, drawn("sst", "1970-02-31")).code, "invalid")
end)

it("takes a variable without time at any time", function()
  equal(drawn("mask"), "a:0 b:0")
  equal(drawn("mask", "1999-01-01"), "a:0 b:0")
end)

it("finds items", function()
  equal(drawn("sst", nil, "a_19700230T000000Z"), "a:2")
  equal(select(2, drawn("sst", nil, "a_19700231T000000Z")).code, "not_found")
  equal(select(2, drawn("sst", nil, "c_19700230T000000Z")).code, "not_found")
end)

it("lists times with the versions of what is drawn", function()
  local shot = assert(catalog.collection("sea"))
  local times = rastrum.json.decode(assert(catalog.times(shot, "sst")))
  equal(times.calendar, "360_day")
  equal(times.times, { "1970-02-28T00:00:00Z", "1970-02-29T00:00:00Z", "1970-02-30T00:00:00Z",
    "1970-03-01T00:00:00Z", "1970-03-02T00:00:00Z", "1970-03-03T00:00:00Z" })
  for i, text in ipairs(times.times) do
    local sources = catalog.sources(shot, { variable = "sst", datetime = text })
    equal(times.versions[i], catalog.step_version(shot, sources))
  end
  equal(rastrum.json.decode(assert(catalog.times(shot, "mask"))).times, { rastrum.json.null })
end)

it("refuses to draw too many at once", function()
  for i = 1, 17 do assert(publish("same" .. i, "v1", 100, 1)) end
  local list, err = drawn("sst", "1970-04-11")
  equal(list, nil)
  equal(err.code, "too_big")
  contains(err.message, "17")
end)

it("lends a dataset to one writer", function()
  local lease = assert(catalog.lease("sea", "a", "v9"))
  local second, err = catalog.lease("sea", "a", "v9")
  equal(second, nil)
  equal(err.code, "conflict")
  assert(lease.renew())
  assert(lease.release())
  assert(assert(catalog.lease("sea", "a", "v9")).release())
end)

it("forgets what is removed", function()
  equal(catalog.remove("sea", "b"), true)
  equal(catalog.remove("sea", "b"), false)
  equal(drawn("sst", "1970-03-01"), "a:3")
end)

it("closes", function()
  catalog.close()
  equal(#catalog.collections(), 1)
  catalog.close()
end)

return spec.plugin
