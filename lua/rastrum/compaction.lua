-- Joining the stores of a collection's datasets, so that a series opens few: tiers of segments, as in
-- a log-structured store. Whenever FAN_IN units of one tier and kind are there, the first of them in
-- time order become one of the next tier; a series so opens at most 31 stores a tier, and a byte is
-- written once a tier. Units need not be neighbours: what arrives out of order, or again, is found by
-- (dataset, version), wherever it lies.
local catalog = require "rastrum.catalog"

local M = {}

local FAN_IN = 32
local FORMAT = 1    -- raised when the same members would give other bytes
local BEATS = 6     -- of a lease's heart in the time that it lives without one
local WATCH_MS = 100

-- ---- units: segments, and datasets that are in none

-- Whether a dataset can be joined, and with which; nil: it has no time.
local function kind_of(shot, entry)
  if entry.home then return entry.home.segment.row.kind end
  shot.kinds = shot.kinds or {}
  local version = entry.dataset
  if shot.kinds[version] == nil then shot.kinds[version] = entry.dataset:kind() or false end
  return shot.kinds[version] or nil
end

-- A segment of which little is left counts as one of a lower tier.
local function tier_of(unit)
  local tier = unit.segment and unit.segment.row.tier or 0
  while tier > 0 and #unit.entries <= FAN_IN ^ (tier - 1) do tier = tier - 1 end
  return tier
end

-- {[kind] = units}, each list and each unit's entries in time order.
local function units_of(shot)
  local groups, of, order = {}, {}, {}
  for position, entry in ipairs(shot.list) do
    local kind = kind_of(shot, entry)
    if kind then
      local segment = entry.home and entry.home.segment
      local unit = segment and of[segment]
      if not unit then
        unit = { segment = segment, entries = {}, first = position }
        if segment then of[segment] = unit end
        if not groups[kind] then
          groups[kind] = {}
          order[#order + 1] = kind
        end
        table.insert(groups[kind], unit)
      end
      entry.position = position
      unit.last = position
      table.insert(unit.entries, entry)
    end
  end
  for _, units in pairs(groups) do
    for _, unit in ipairs(units) do unit.tier = tier_of(unit) end
  end
  return groups, order
end

-- ---- what to do next

local function member_of(entry)
  local home = entry.home
  local counts = home and home.member.count or entry.dataset:steps_per_axis()
  local first = home and home.member.first
  if not first then
    first = {}
    for k = 1, #counts do first[k] = 0 end
  end
  return { dataset = entry.dataset:id(), version = entry.row.version,
    store = home and home.segment.dataset or entry.dataset, first = first, count = counts }
end

-- The job that makes one segment of these units.
local function job_of(kind, tier, units)
  local entries, replaces, words = {}, {}, { FORMAT }
  for _, unit in ipairs(units) do
    for _, entry in ipairs(unit.entries) do entries[#entries + 1] = entry end
    if unit.segment then replaces[#replaces + 1] = unit.segment.row.version end
  end
  table.sort(entries, function(a, b) return a.position < b.position end)
  local members = {}
  for i, entry in ipairs(entries) do
    local member = member_of(entry)
    members[i] = member
    words[#words + 1] = ("%s %s %s"):format(member.dataset, member.version, member.store:version())
  end
  return { kind = kind, tier = tier, members = members, replaces = replaces,
    version = rastrum.hash(table.concat(words, ",")):sub(1, 16) }
end

-- FAN_IN units of one tier become one of the next.
local function merge(kind, units)
  local tiers, most = {}, 0
  for _, unit in ipairs(units) do
    tiers[unit.tier] = tiers[unit.tier] or {}
    table.insert(tiers[unit.tier], unit)
    most = math.max(most, unit.tier)
  end
  for tier = 0, most do
    local list = tiers[tier] or {}
    if #list >= FAN_IN then return job_of(kind, tier + 1, { unpack(list, 1, FAN_IN) }) end
  end
end

-- Datasets in no segment that lie in a unit's span of time.
local function enclosed(unit, units)
  local list = {}
  for _, other in ipairs(units) do
    if not other.segment and other.first > unit.first and other.first < unit.last then
      list[#list + 1] = other
    end
  end
  return list
end

-- A segment with steps that are published no longer is written anew, with what lies between its own:
-- a client that opens the collection's stores then finds each step once. Without being asked for it
-- (`thorough`) that waits until it is worth the writing.
local function repair(kind, units, thorough)
  for _, unit in ipairs(units) do
    local stale = unit.segment and #unit.segment.members - #unit.entries or 0
    local between = unit.segment and enclosed(unit, units) or {}
    local worth = (stale + #between) * FAN_IN >= #unit.entries
    if unit.segment and (thorough and stale + #between > 0 or stale > 0 and worth) then
      between[#between + 1] = unit
      return job_of(kind, unit.segment.row.tier, between)
    end
  end
end

-- Segments of which nothing is left.
local function drop(shot)
  local dead = {}
  for _, segment in ipairs(shot.segments) do
    if segment.live == 0 then dead[#dead + 1] = segment.row.version end
  end
  return #dead > 0 and { replaces = dead, members = {} } or nil
end

-- The most datasets of one kind that are in no segment and stay so after the job.
local function rest_of(groups, job)
  local most, taken = 0, {}
  for _, member in ipairs(job.members) do taken[member.dataset] = true end
  for _, units in pairs(groups) do
    local count = 0
    for _, unit in ipairs(units) do
      if unit.tier == 0 and not taken[unit.entries[1].dataset:id()] then count = count + 1 end
    end
    most = math.max(most, count)
  end
  return most
end

---What to do next for a snapshot; nil when there is nothing.
---@param shot rastrum.Snapshot
---@param thorough boolean|nil  repair every segment
---@return table|nil job  {kind, tier, version, members, replaces, seen, rest}
function M.next(shot, thorough)
  local groups, order = units_of(shot)
  local job = drop(shot)
  for _, kind in ipairs(order) do job = job or merge(kind, groups[kind]) end
  for _, kind in ipairs(order) do job = job or repair(kind, groups[kind], thorough) end
  if not job then return nil end
  job.seen, job.rest = 0, rest_of(groups, job)
  for _, segment in ipairs(shot.segments) do
    job.seen = math.max(job.seen, segment.row.published)
  end
  return job
end

-- ---- doing it

local function fresh(collection)
  catalog.expire()
  return catalog.collection(collection)
end

-- Beats until the function returned is called.
local function heart(lease)
  local beating, last = true, rastrum.time.clock()
  local every = catalog.lease_ms() / 1000 / BEATS
  rastrum.spawn(function()
    while beating do
      rastrum.sleep(WATCH_MS)
      if beating and rastrum.time.clock() - last > every then
        last = rastrum.time.clock()
        lease.renew()
      end
    end
  end)
  return function() beating = false end
end

local function write(collection, job, options)
  return rastrum.segment.write {
    collection = collection, version = job.version, members = job.members,
    created = rastrum.time.format(math.floor(rastrum.time.now() / 1000) * 1000),
    memory = options.memory, jobs = options.jobs,
  }
end

-- Nothing may name or read what is discarded, and nobody else may be writing it.
local function discard(driver, collection, version, lease)
  local holder = catalog.leased(collection, "segments")
  if not holder or holder.owner ~= lease.owner then return end
  for _, row in ipairs(driver:segments(collection) or { { version = version } }) do
    if row.version == version then return end
  end
  if catalog.is_retired(collection, "segments", version) == false then
    rastrum.versions.remove(collection, "segments", version)
  end
end

local function publish(driver, collection, job, made, lease)
  local ok, err = driver:swap {
    collection = collection, version = made and job.version, kind = job.kind, tier = job.tier,
    created = rastrum.time.format(rastrum.time.now()), body = made and made.body,
    members = made and made.members, replaces = job.replaces, seen = job.seen, rest = job.rest,
    now = rastrum.time.now(), owner = lease.owner,
  }
  catalog.expire()
  return ok, err
end

local function work(collection, job, options, lease)
  local driver, err = catalog.driver()
  if not driver then return nil, err end
  if not job.version then return publish(driver, collection, job, nil, lease) end
  local stop = heart(lease)
  local made
  made, err = write(collection, job, options)
  stop()
  local ok = made
  if made then ok, err = publish(driver, collection, job, made, lease) end
  if not ok then
    discard(driver, collection, job.version, lease)
    return nil, err
  end
  return made
end

local function report(collection, job, made, began)
  if not job.version then return end
  local seconds = rastrum.time.clock() - began
  rastrum.emit {
    event = "compacted", collection = collection, version = job.version, tier = job.tier,
    datasets = #job.members, bytes = made.bytes, seconds = seconds,
    text = ("%s: segment %s of %d datasets, %.1f MB, %.2f s"):format(collection, job.version,
      #job.members, made.bytes / 1e6, seconds),
  }
end

-- One job under its lease; false when there was nothing to do. What was planned before the lease was
-- held may have been done by another process: it is planned again.
local function step(collection, options)
  local shot, err = fresh(collection)
  if not shot then return nil, err end
  local job = M.next(shot, options.thorough)
  if not job then return false end
  local began = rastrum.time.clock()
  local lease
  lease, err = catalog.lease(collection, "segments", job.version or "none")
  if not lease then return nil, err end
  shot, err = fresh(collection)
  local again = shot and M.next(shot, options.thorough)
  local made = true
  if again and again.version == job.version then
    made, err = work(collection, again, options, lease)
    if made then report(collection, again, made, began) end
  elseif not shot then
    made = nil
  end
  lease.release()
  return made and true or nil, err
end

---Compacts a collection until there is nothing left to do: the number of segments that were written,
---or nil and code "conflict" while another process does.
---@param collection string
---@param options table|nil  {memory = bytes, jobs = threads, thorough = boolean}
---@return integer|nil
---@return rastrum.Error|nil
function M.run(collection, options)
  local done = 0
  while true do
    local more, err = step(collection, options or {})
    if more == nil then return nil, err end
    if not more then return done end
    done = done + 1
  end
end

---After a publication: compacts when enough has come together, and never fails the caller.
---@param collection string
---@param options table  {memory, jobs}
function M.after_publish(collection, options)
  if rastrum.config.compact == false then return end
  local driver = catalog.driver()
  local pending = driver and driver:pending(collection)
  if not pending or pending.since + pending.rest < FAN_IN then return end
  local done, err = M.run(collection, { memory = options.memory, jobs = options.jobs })
  if not done and err.code ~= "conflict" then
    rastrum.log.warn("the collection was not compacted", { collection = collection,
      message = err.message, where = err.where })
  end
end

return M
