-- Planning: which stores become one, what is read where, and what it is worth as text. No store is
-- read here; what is read is tested over HTTP.
local spec = require "rastrum.spec"
local compaction = require "rastrum.compaction"
local segments = require "rastrum.segments"
local series = require "rastrum.series"

local it, equal = spec.it, spec.equal
local DAY = 86400000

-- The body of `count` daily steps of variables from a day on.
local function body(id, version, day, count, names)
  local variables = rastrum.json.array {}
  for i, name in ipairs(names or { "t" }) do
    variables[i] = { name = name, units = "K", dims = { "time", "lat", "lon" },
      shape = { count, 2, 4 }, dtype = "float32", grid = "g", time = "t", time_dim = 0, y_dim = 1,
      x_dim = 2, mappable = true, bands = 1 }
  end
  return rastrum.json.encode {
    format = 1, collection = "c", dataset = id, version = version,
    created = "2026-01-01T00:00:00Z",
    grids = rastrum.json.array { {
      id = "g", x = "lon", y = "lat", native = { 2, 4 }, shape = { 2, 4 },
      transform = { -180, 90, 0, 90, 0, -90 }, crs = { epsg = 4326 },
      bbox = { -180, -90, 180, 90 }, wraps = true,
      geometry = { type = "Point", coordinates = { 0, 0 } },
    } },
    axes = rastrum.json.array { { id = "t", name = "time", calendar = "standard", count = count,
      start = day * DAY, step = DAY } },
    variables = variables,
  }
end

local made = {}

local function dataset_of(id, version, day, count, names)
  local key = table.concat({ id, version, day, count, table.concat(names or {}, "+") }, " ")
  if not made[key] then
    made[key] = assert(rastrum.dataset.parse(body(id, version, day, count, names))):keep()
  end
  return made[key]
end

-- A snapshot of datasets {id, version, day, count, names} and segments {version, tier, members,
-- names}.
local function snapshot(datasets, joined)
  local shot = { id = "c", list = {}, entries = {}, segments = {}, datasets = {} }
  for i, each in ipairs(datasets) do
    local id, version, day, count, names = unpack(each)
    local entry = { dataset = dataset_of(id, version, day, count or 1, names), start = day * DAY,
      stop = (day + (count or 1) - 1) * DAY,
      row = { version = version, published = i, start = day * DAY } }
    shot.list[i], shot.entries[id], shot.datasets[i] = entry, entry, entry.dataset
  end
  table.sort(shot.list, function(a, b) return a.start < b.start end)
  for i, each in ipairs(joined or {}) do
    local members, at = {}, 0
    for k, member in ipairs(each.members) do
      local count = member[3] or 1
      members[k] = { dataset = member[1], version = member[2], first = { at }, count = { count } }
      at = at + count
    end
    local dataset = dataset_of("segments", each.version, 1, at, each.names)
    shot.segments[i] = { dataset = dataset, members = members,
      row = { version = each.version, kind = shot.list[1].dataset:kind(), tier = each.tier,
        published = 100 + i } }
  end
  segments.settle(shot)
  return shot
end

local function days(from, to, names)
  local list = {}
  for day = from, to do list[#list + 1] = { "d" .. day, "v" .. day, day, 1, names } end
  return list
end

local function members(from, to)
  local list = {}
  for day = from, to do list[#list + 1] = { "d" .. day, "v" .. day } end
  return list
end

local function ids(job)
  local words = {}
  for i, member in ipairs(job.members) do words[i] = member.dataset end
  return table.concat(words, " ")
end

-- "store:first+count …" of the first variable; steps are listed where they are.
local function places(shot, names, datetime)
  local parts = assert(series.plan(shot, names or { "t" }, { datetime = datetime,
    extras = function() return {} end }))
  local words = {}
  for i, part in ipairs(parts[1]) do
    words[i] = not part and "-" or ("%s:%s"):format(part.dataset:version(), part.steps
      and table.concat(part.steps, ",") or part.first .. "+" .. part.count)
  end
  return table.concat(words, " ")
end

local function append(list, ...)
  for _, each in ipairs { ... } do list[#list + 1] = each end
  return list
end

it("knows what can be joined", function()
  local a, b = dataset_of("a", "1", 0, 1), dataset_of("b", "2", 9, 5)
  equal(a:kind(), b:kind())
  equal(a:kind() ~= dataset_of("c", "3", 0, 1, { "t", "u" }):kind(), true)
  equal(b:steps_per_axis(), { 5 })
end)

it("joins 32 of one tier, the first in time", function()
  equal(compaction.next(snapshot(days(1, 31))), nil)
  local job = compaction.next(snapshot(days(1, 40)))
  equal(#job.members, 32)
  equal(job.tier, 1)
  equal(job.rest, 8)
  equal(ids(job):sub(1, 8), "d1 d2 d3")
  equal(job.members[1].store:version(), "v1")
end)

it("joins segments, each read where it is", function()
  local joined = {}
  for k = 0, 31 do
    joined[k + 1] = { version = "s" .. k, tier = 1, members = members(k * 2 + 1, k * 2 + 2) }
  end
  local job = compaction.next(snapshot(days(1, 67), joined))
  equal(job.tier, 2)
  equal(#job.members, 64)
  equal(#job.replaces, 32)
  equal(job.members[4].store:version(), "s1")
  equal(job.members[4].first, { 1 })
  equal(job.seen, 132)
  equal(job.rest, 3)
end)

it("keeps sets of variables apart", function()
  local list = append(days(1, 31), unpack(days(100, 131, { "rain" })))
  local job = compaction.next(snapshot(list))
  equal(ids(job):sub(1, 9), "d100 d101")
  equal(#job.members, 32)
end)

local STALE = { { version = "s", tier = 1, members = members(1, 32) } }

it("reads what was replaced from its own store", function()
  local list = days(1, 34)
  list[5][2] = "new"
  table.remove(list, 20)
  local shot = snapshot(list, STALE)
  equal(places(shot), "s:0+4 new:0+1 s:5+14 s:20+12 v33:0+1 v34:0+1")
  equal(places(shot, nil, "1970-01-05/1970-01-08"), "s:3+1 new:0+1 s:5+2")
  equal(#segments.stores(shot), 33)
  equal(compaction.next(shot, true).replaces, { "s" })
  equal(ids(compaction.next(shot)):find("d20 ", 1, true), nil)
end)

it("puts late days into the segment around them when asked to", function()
  local list = append(days(1, 32), { "late", "l", 7.5 })
  local shot = snapshot(list, STALE)
  equal(places(shot), "s:0+7 l:0+1 s:7+25")
  equal(compaction.next(shot), nil)
  equal(ids(compaction.next(shot, true)):sub(1, 28), "d1 d2 d3 d4 d5 d6 d7 late d8")
end)

it("drops a segment of which nothing is left", function()
  local list = days(1, 32)
  for _, each in ipairs(list) do each[2] = each[2] .. "b" end
  local job = compaction.next(snapshot(list, STALE))
  equal(job.replaces, { "s" })
  equal(job.version, nil)
end)

it("makes the same tag of the same datasets, wherever they lie", function()
  local function tag(joined, datetime, list)
    return select(2, series.plan(snapshot(list or days(1, 34), joined), { "t" }, {
      datetime = datetime, extras = function() return {} end }))
  end
  equal(tag(STALE), tag())
  equal(tag(STALE, "1970-01-03/1970-01-09"), tag(nil, "1970-01-03/1970-01-09"))
  local other = days(1, 34)
  other[20][2] = "new"
  equal(tag(STALE, nil, other) ~= tag(), true)
  equal(tag(STALE, "1970-01-03/1970-01-09", other), tag(nil, "1970-01-03/1970-01-09"))
end)

it("is text and back", function()
  local list = days(1, 34)
  list[5][2] = "new"
  local parts = assert(series.plan(snapshot(list, STALE), { "t" },
    { extras = function() return { 0 } end }))
  local text = series.encode(parts)
  local again = assert(series.decode(text))
  equal(#again[1], #parts[1])
  for i, part in ipairs(parts[1]) do
    equal(again[1][i].dataset:version(), part.dataset:version())
    local own = again[1][i]
    equal({ own.first, own.count, own.extra }, { part.first, part.count, part.extra })
  end
end)

it("lets go", function()
  for _, dataset in pairs(made) do dataset:close() end
end)

return spec.plugin
