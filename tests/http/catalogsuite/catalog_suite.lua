-- The suite that every catalog driver passes: POST /suite runs it on the configured catalog, which has to be empty, and
-- answers {passed=, failed={…}}. A driver's own plugin stays outside; only rastrum.catalog is asked for it.
local catalog = require "rastrum.catalog"

local M = { name = "catalog_suite", api = 1 }

local DAY = 86400000

local function record(id, version, day, box, old)
  return {
    collection = "c", dataset = id, version = version, fingerprint = "f" .. version, source = "/in/" .. id .. ".nc",
    created = "2026-01-01T00:00:00Z", body = ('{"dataset":"%s","version":"%s"}'):format(id, version), bbox = box,
    start = day and day * DAY, stop = day and (day + 1) * DAY, stretch = ('{"sst":[%d,%d]}'):format(#id, #id + 1),
    old = old, now = 1000,
  }
end

local function names(rows)
  local list = {}
  for i, row in ipairs(rows) do list[i] = row.dataset end
  return table.concat(list, " ")
end

local function equal(got, want, what)
  if got ~= want then error(("%s: %s, expected %s"):format(what, tostring(got), tostring(want)), 0) end
end

local function fails(code, ok, err)
  if ok then error("succeeded, expected " .. code, 0) end
  equal(err.code, code, "code")
end

local WORLD, NORTH, EAST, CROSSING = { -180, -90, 180, 90 }, { -10, 40, 10, 60 }, { 100, -10, 120, 10 }, { 170, -5, -170, 5 }

local cases = {
  { "an empty catalog", function(driver)
    equal(#driver:collections(), 0, "collections")
    equal(#driver:datasets("c"), 0, "datasets")
    equal(driver:find("c", "a"), false, "find")
  end },
  { "publishing", function(driver)
    local before = driver:revision()
    assert(driver:publish(record("b", "1", 2, NORTH)))
    assert(driver:publish(record("a", "1", 1, EAST)))
    assert(driver:publish(record("d", "1", 1, CROSSING)))
    assert(driver:publish(record("always", "1", nil, WORLD)))
    assert(driver:publish(record("nowhere", "1", 9, nil)))
    if driver:revision() == before then error("the revision is the same", 0) end
    local row = driver:collections()[1]
    equal(row.id, "c", "collection")
    equal(row.generation, 5, "generation")
    equal(rastrum.json.decode(row.stretch).sst[1], 1, "the first publication's limits")
  end },
  { "time order", function(driver)
    equal(names(driver:datasets("c")), "always a d b nowhere", "all")
    equal(names(driver:datasets("c", nil, 2.5 * DAY, 3 * DAY)), "always b", "a window")
    equal(names(driver:datasets("c", nil, 3 * DAY, 3 * DAY)), "always b", "an end is inside")
    equal(names(driver:datasets("c", nil, nil, 1 * DAY)), "always a d", "open start")
    equal(names(driver:datasets("other")), "", "another collection")
  end },
  { "footprints", function(driver)
    equal(names(driver:datasets("c", driver:footprints { { 0, 45, 1, 46 } })), "always b", "north")
    equal(names(driver:datasets("c", driver:footprints { { 100, -90, 101, 0 } }, nil, 1 * DAY)), "always a d", "east, and a candidate")
    equal(names(driver:datasets("c", {})), "", "none")
  end },
  { "bodies", function(driver)
    local bodies = driver:bodies("c", { "a", "b", "gone" })
    equal(bodies.a, '{"dataset":"a","version":"1"}', "a")
    equal(bodies.gone, nil, "gone")
  end },
  { "what was published last", function(driver)
    local last = driver:newest("c", "")
    local before = driver:newest("c", last.dataset)
    if driver:find("c", last.dataset).published <= driver:find("c", before.dataset).published then
      error(("%s was published before %s"):format(last.dataset, before.dataset), 0)
    end
    equal(rastrum.json.decode(before.body).dataset, before.dataset, "its body")
    equal(driver:newest("nowhere", ""), false, "in no collection")
  end },
  { "conditional writes", function(driver)
    fails("conflict", driver:publish(record("a", "2", 1, EAST)))
    fails("conflict", driver:publish(record("a", "3", 1, EAST, "2")))
    equal(driver:find("c", "a").version, "1", "version")
    equal(driver:collections()[1].generation, 5, "a lost write changes nothing")
    local published = driver:find("c", "a").published
    assert(driver:publish(record("a", "2", 3, NORTH, "1")))
    local row = driver:find("c", "a")
    equal(row.version, "2", "version")
    if row.published <= published then error("published is not later", 0) end
    equal(names(driver:datasets("c")), "always d b a nowhere", "moved in time")
    equal(driver:retired()[1].version, "1", "retired")
    assert(driver:publish(record("a", "1", 1, EAST, "2")))
    equal(#driver:retired(), 1, "what is published again is retired no longer")
    equal(driver:retired()[1].version, "2", "retired")
  end },
  { "leases", function(driver)
    assert(driver:lease("c", "a", "9", "me", 1000, 500))
    fails("conflict", driver:lease("c", "a", "9", "you", 1001, 500))
    assert(driver:renew("c", "a", "me", 1400))
    equal(driver:leases()[1].beat, 1400, "beat")
    equal(driver:leases()[1].since, 1000, "since")
    assert(driver:lease("c", "a", "9", "you", 3000, 2000))
    equal(driver:leases()[1].owner, "you", "a dead heart's lease is taken over")
    fails("conflict", driver:renew("c", "a", "me", 3001))
    fails("conflict", driver:lease("c", "a", "9", "me", 3001, 2000, "someone"))
    assert(driver:lease("c", "a", "9", "me", 3001, 2000, "you"))
    equal(driver:leases()[1].owner, "me", "who is known to have ended does not count")
    fails("conflict", driver:renew("c", "a", "you", 3002))
    assert(driver:lease("c", "a", "9", "you", 9000, 8000))
    assert(driver:release("c", "a", "me"))
    equal(#driver:leases(), 1, "released by another")
    assert(driver:release("c", "a", "you"))
    equal(#driver:leases(), 0, "released")
    fails("conflict", driver:renew("c", "a", "you", 9001))
  end },
  { "publishing under a lease", function(driver)
    local mine = record("leased", "1", 1, EAST)
    mine.owner = "me"
    fails("conflict", driver:publish(mine))
    assert(driver:lease("c", "leased", "1", "you", 1000, 500))
    fails("conflict", driver:publish(mine))
    equal(driver:find("c", "leased"), false, "nothing is published without the lease")
    mine.owner = "you"
    assert(driver:publish(mine))
    assert(driver:release("c", "leased", "you"))
  end },
  { "another source", function(driver)
    local other = record("leased", "2", 1, EAST, "1")
    other.source = "/elsewhere/leased.nc"
    fails("conflict", driver:publish(other))
    equal(driver:find("c", "leased").version, "1", "what is there stays")
    other.takeover = true
    assert(driver:publish(other))
    equal(driver:find("c", "leased").source, other.source, "taken over on purpose")
  end },
  { "earlier states", function(driver)
    local past = driver:past("c", 1)
    equal(#past, 1, "as many as asked for")
    equal(past[1].dataset .. past[1].version, "leased1", "the last ended first")
    equal(past[1].ended, driver:find("c", "leased").published, "ended when the next began")
    equal(past[1].body, '{"dataset":"leased","version":"1"}', "its body")
    driver:remove("c", "leased", 1)
    equal(driver:past("c", 9)[1].version, "2", "a removed one, too")
    assert(driver:forget { { collection = "c", dataset = "leased", version = "1" },
      { collection = "c", dataset = "leased", version = "2" } })
    if driver:past("c", 9)[1].dataset == "leased" then error("it is not forgotten", 0) end
  end },
  { "limits", function(driver)
    local before = driver:collections()[1]
    equal(before.priority, 0, "priority at first")
    equal(driver:prioritise("c", 2.5), true, "prioritise")
    equal(driver:prioritise("nowhere", 1), false, "prioritise what is not there")
    equal(driver:collections()[1].priority, 2.5, "priority")
    if driver:collections()[1].generation == before.generation then error("the same generation", 0) end
    assert(driver:restretch("c", '{"sst":[7,8]}'))
    local row = driver:collections()[1]
    equal(rastrum.json.decode(row.stretch).sst[1], 7, "low")
    equal(row.stretch_generation, 1, "generation of the limits")
  end },
  { "segments", function(driver)
    local function segment(version, seen, replaces)
      return { collection = "c", version = version, kind = "k", tier = 1, rest = 3, created = "2026-01-01T00:00:00Z",
        members = '[{"dataset":"a","version":"1","steps":[[0,1]]}]', body = ('{"version":"%s"}'):format(version),
        seen = seen, replaces = replaces or {}, owner = "me", now = 2000 }
    end
    equal(#driver:segments("c"), 0, "none at first")
    local pending = driver:pending("c")
    equal(pending.since, #driver:datasets("c"), "all datasets are new")
    equal(pending.rest, 0, "nothing was left")
    fails("conflict", driver:swap(segment("s1", 0)))
    assert(driver:lease("c", "segments", "s1", "me", 1000, 500))
    fails("conflict", driver:swap(segment("s1", 1)))
    equal(#driver:segments("c"), 0, "a lost swap changes nothing")
    local before = driver:collections()[1].generation
    assert(driver:swap(segment("s1", 0)))
    if driver:collections()[1].generation == before then error("the same generation", 0) end
    local row = driver:segments("c")[1]
    equal(row.version .. row.kind .. row.tier, "s1k1", "its row")
    equal(driver:pending("c").since, 0, "nothing is new")
    equal(driver:pending("c").rest, 3, "what it left")
    equal(driver:segment_bodies("c", { "s1", "gone" }).s1.body, '{"version":"s1"}', "its body")
    fails("conflict", driver:swap(segment("s2", 0)))
    fails("conflict", driver:swap(segment("s2", row.published, { "s0" })))
    assert(driver:swap(segment("s2", row.published, { "s1" })))
    equal(#driver:segments("c"), 1, "one in place of the other")
    local retired = driver:retired()
    local last = retired[#retired]
    for _, each in ipairs(retired) do last = each.version == "s1" and each or last end
    equal(last.dataset .. last.version, "segmentss1", "the other is retired")
    assert(driver:forget { last })
    local only = segment(nil, driver:segments("c")[1].published, { "s2" })
    assert(driver:swap(only))
    equal(#driver:segments("c"), 0, "dropped without another")
    assert(driver:swap(segment("s2", 0)))
    for _, each in ipairs(driver:retired()) do equal(each.version ~= "s2", true, "what is published again is not retired") end
    assert(driver:release("c", "segments", "me"))
  end },
  { "removal", function(driver)
    equal(driver:remove("c", "gone", 1), false, "what is not there")
    for _, id in ipairs { "a", "b", "d", "always", "nowhere" } do equal(driver:remove("c", id, 1), true, id) end
    equal(#driver:collections(), 0, "a collection without datasets goes")
    assert(driver:publish(record("x", "1", 1, EAST)))
    assert(driver:publish(record("y", "1", 1, EAST)))
    if driver:collections()[1].generation <= 5 then error("a generation comes again", 0) end
    equal(driver:remove("c", nil, 1), true, "all of a collection")
    equal(driver:remove("c", nil, 1), false, "all of nothing")
    equal(#driver:collections(), 0, "collections")
    assert(driver:forget { { collection = "c", dataset = "x", version = "1" },
      { collection = "c", dataset = "y", version = "1" } })
    local retired = driver:retired()
    equal(#retired, 7, "retired, the segment with its collection")
    equal(#driver:segments("c"), 0, "segments")
    assert(driver:forget(retired))
    equal(#driver:retired(), 0, "forgotten")
  end },
  { "quotes and percent signs", function(driver)
    local odd = record("x", "1", 1, EAST)
    odd.source = [[/in/it's "100%".nc]]
    assert(driver:publish(odd))
    equal(driver:find("c", "x").source, odd.source, "source")
    equal(driver:find("c", "x' OR '1'='1"), false, "a name is no SQL")
    driver:remove("c", "x", 1)
  end },
}

local function run()
  local driver, err = catalog.driver()
  if not driver then return rastrum.fail(err) end
  local passed, failed = 0, rastrum.json.array {}
  for _, case in ipairs(cases) do
    local ok, reason = pcall(case[2], driver)
    if ok then
      passed = passed + 1
    else
      failed[#failed + 1] = case[1] .. ": " .. tostring(type(reason) == "table" and reason.message or reason)
    end
  end
  return { status = 200, type = "application/json", body = rastrum.json.encode { passed = passed, failed = failed } }
end

M.routes = { { "POST", "/suite", run, summary = "Runs the suite of catalog drivers" } }

return M
