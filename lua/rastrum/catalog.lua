-- The catalog as routes and workflows see it: collections, their datasets as a snapshot in memory,
-- publishing, leases. The snapshot is checked against one counter of the driver at most every
-- `catalog_staleness`, beside the requests while they come often; where the driver has a stamp that
-- tells of a change at no cost, at once. A catalog that does not answer leaves the snapshot in use.
-- Drivers are plugins (catalog_drivers); what is shared above them is here and in rastrum.snapshot.
local registry = require "rastrum.registry"
local snapshots = require "rastrum.snapshot"
local sources = require "rastrum.sources"
local _, host = ...

local M = {}

local WAIT_MS, REFRESH_S = 20000, 30
local READY_MS = 1000
local PATIENCE_MS = 250  -- for a catalog that does not answer, where a snapshot can
local LARGE, KEPT_S = 200, 3e-4  -- datasets of a snapshot from which on each keeps it so much longer

local function new_state()
  return { handle = nil, revision = nil, checked = -math.huge, known = false, rows = {}, order = {},
    shots = {}, kept_until = {}, busy = {} }
end

local state = new_state()

local function staleness()
  local ms = rastrum.config.catalog_staleness
  return (type(ms) == "number" and ms or 5000) / 1000
end

-- What others see of a driver's handle: its methods, which it cannot lose.
local function front(handle)
  local methods = {}
  return setmetatable({}, {
    __index = function(_, name)
      local method = methods[name]
      if method == nil and type(handle[name]) == "function" then
        method = function(_, ...) return handle[name](handle, ...) end
        methods[name] = method
      end
      return method
    end,
    __newindex = function(_, name)
      error(("the catalog's driver is read-only: cannot set '%s'"):format(tostring(name)), 2)
    end,
    __metatable = false,
  })
end

---The driver's handle of the configured catalog.
function M.driver()
  if state.handle then return state.handle end
  local url = rastrum.config.catalog_url or ""
  local scheme, rest = url:match("^(%w+):(.*)$")
  local driver = scheme and registry.catalog_driver(scheme)
  if not driver then
    return nil, { code = "invalid", where = url,
      message = ("no driver for the catalog '%s'; there are: %s"):format(url,
      table.concat(registry.catalog_drivers(), ", ")) }
  end
  local handle, err = driver.open(rest)
  if not handle then return nil, err end
  state.handle = front(handle)
  return state.handle
end

-- ---- freshness. Reading is a job of its own, so that a client that goes away leaves nothing half
-- done; those who need the result wait for it.

local function start(key, read)
  local running = state.busy[key]
  if running and rastrum.time.clock() - running.since <= REFRESH_S then return running end
  running = { since = rastrum.time.clock() }
  state.busy[key] = running
  rastrum.spawn(function()
    local ok, value, err = pcall(read)
    if not ok then
      value, err = nil, { code = "internal", where = "catalog", message = tostring(value) }
    end
    running.value, running.err = value, err
    running.done = true  -- after them: a slice may end between any two assignments
    if state.busy[key] == running then state.busy[key] = nil end
  end)
  return running
end

local function wait(running, ms)
  for _ = 1, ms do
    if running.done then return running.value, running.err end
    rastrum.sleep(1)
  end
  return nil, { code = "timeout", where = "catalog", message = "reading the catalog takes too long",
    retry = true }
end

-- A server makes a catalog that is not there yet, where it may write.
local function create(driver)
  if rastrum.role ~= "serve" or state.created then return end
  local ok, err = driver:create()
  state.created = true
  if not ok then rastrum.log.warn("the catalog cannot be written", { message = err.message }) end
end

---What the driver says of changes without asking the database; nil where it cannot.
function M.stamp() return state.handle and state.handle.stamp and state.handle:stamp() or nil end

local function read_rows()
  local driver, err = M.driver()
  if not driver then return nil, err end
  create(driver)
  local began, stamp = rastrum.time.clock(), M.stamp()
  local revision
  revision, err = driver:revision()
  if revision == nil then return nil, err end
  if revision ~= state.revision then
    local list
    list, err = driver:collections()
    if not list then return nil, err end
    local rows, shots = {}, {}
    for _, row in ipairs(list) do
      rows[row.id], shots[row.id] = row, state.shots[row.id]
    end
    state.rows, state.order, state.shots = rows, list, shots
    state.revision = revision
  end
  state.known, state.stamp = true, stamp
  state.checked = began
  return true
end

-- Once a staleness, so that a catalog that is away does not fill the log.
local function note_trouble(err)
  local now = rastrum.time.clock()
  if now - (state.noted or -math.huge) < 10 then return end
  state.noted = now
  rastrum.log.warn("the catalog does not answer; what was read before is served",
    { message = err.message, where = err.where })
end

local function refresh()
  local age, most = rastrum.time.clock() - state.checked, staleness()
  local changed = M.stamp() ~= state.stamp
  if age < most / 2 and not changed then return true end
  local began = rastrum.time.clock()
  local running = start("", read_rows)
  if age < most and not changed then return true end
  local ok, err = wait(running, state.known and PATIENCE_MS or WAIT_MS)
  if ok and running.since < began and M.stamp() ~= state.stamp then  -- it looked before the change
    ok, err = wait(start("", read_rows), PATIENCE_MS)
  end
  if ok or not state.known then return ok, err end
  note_trouble(err)
  state.checked, state.stamp = rastrum.time.clock(), M.stamp()
  return true
end

local function check()
  local ok, err = rastrum.store.check()
  if not ok then return nil, err end
  local driver
  driver, err = M.driver()
  if not driver then return nil, err end
  create(driver)
  if driver.check then return driver:check() end
  ok, err = driver:revision()
  return ok ~= nil, err
end

---Whether the store and the catalog can be read: true, or false and why. Looked at anew where it was longer ago than
---half of `catalog_staleness`; what does not answer within a second counts as away.
---@return boolean
---@return string|nil
function M.ready()
  local health, now = state.health, rastrum.time.clock()
  if not health or now - health.at > staleness() / 2 then
    local running = start("?", check)
    local ok, err = wait(running, READY_MS)
    health = { at = now, ok = ok and true or false, reason = err and err.message }
    state.health = health
  end
  return health.ok, health.reason
end

---After a write of this process: what is in memory is old.
function M.expire()
  state.checked, state.revision, state.known, state.kept_until = -math.huge, nil, false, {}
end

---Lets go of the database and of everything in memory; the next call begins anew.
function M.close()
  for _, shot in pairs(state.shots) do
    for _, entry in ipairs(shot.list) do host.close(entry.dataset) end
    for _, segment in ipairs(shot.segments) do host.close(segment.dataset) end
  end
  if state.handle and state.handle.close then state.handle:close() end
  state = new_state()
end

-- ---- reading

---All collections: {id, generation, created, stretch (JSON), stretch_generation, priority}.
function M.collections()
  local ok, err = refresh()
  if not ok then return nil, err end
  return state.order
end

local function unknown(id)
  local names = {}
  for _, row in ipairs(state.order) do names[#names + 1] = row.id end
  local near = require("rastrum.text").nearest(id, names)
  local more = #names > 10 and (" and %d more; /stac/collections lists them"):format(#names - 10)
    or ""
  local known = near and ("did you mean '%s'?"):format(near)
    or #names == 0 and "nothing has been ingested into this store yet"
    or ("there are %s%s"):format(table.concat(names, ", ", 1, math.min(#names, 10)), more)
  return nil, { code = "not_found", where = "collection",
    message = ("there is no collection '%s'; %s"):format(id, known) }
end

-- A feed into a large collection must not have it read all the time.
local function read_shot(row)
  local made, err = snapshots.read(state.handle, row, state.shots[row.id])
  if not made then return nil, err end
  local datasets = #made.list > LARGE and #made.list or 0
  state.kept_until[row.id] = rastrum.time.clock() + datasets * KEPT_S
  state.shots[row.id] = made
  return made
end

---The collection's snapshot (rastrum.snapshot).
---@param id string
---@return rastrum.Snapshot|nil
---@return rastrum.Error|nil
function M.collection(id)
  local ok, err = refresh()
  if not ok then return nil, err end
  local row = state.rows[id]
  if not row then return unknown(id) end
  local shot = state.shots[id]
  if shot and shot.generation == row.generation then return shot end
  if shot and rastrum.time.clock() < (state.kept_until[id] or 0) then return shot end
  local function read() return read_shot(row) end
  local made
  made, err = wait(start("=" .. id, read), WAIT_MS)
  if made and made.generation ~= row.generation then  -- it was being read for an earlier request
    made, err = wait(start("=" .. id, read), WAIT_MS)
  end
  if made or not shot then return made, err end
  note_trouble(err)
  return shot
end

---Calls read(…), whose error is `gone` where what it read was replaced and collected meanwhile; then
---once more, on what the catalog says now.
---@param read fun(...): table|nil, rastrum.Error|nil
function M.again(read, ...)
  local answer, err = read(...)
  if answer or err.code ~= "gone" then return answer, err end
  state.checked = -math.huge
  answer, err = read(...)
  if answer or err.code ~= "gone" then return answer, err end
  return nil, { code = "corrupt", where = err.where,
    message = "the catalog names it, and it is not in the store" }
end

---The ids of the collections that are in memory.
---@return string[]
function M.hot()
  local list = {}
  for id in pairs(state.shots) do list[#list + 1] = id end
  table.sort(list)
  return list
end

---Reads collections, so that the first requests for them don't wait. What cannot be read now is read
---when it is asked for.
---@param ids string[]
function M.warm(ids)
  for _, id in ipairs(ids) do M.collection(id) end
end

local searches = {}

---A collection's snapshot, or that of a named search: the same shape, made of the datasets that the
---search names.
---@param name string
function M.resolve(name)
  local ok, err = refresh()
  if not ok then return nil, err end
  local search = not state.rows[name] and registry.search(name)
  if not search then return M.collection(name) end
  local parts, key = {}, {}
  for i, id in ipairs(search.collections or {}) do
    parts[i], err = M.collection(id)
    if not parts[i] then return nil, err end
    key[i] = parts[i].id .. ":" .. parts[i].generation
  end
  key = table.concat(key, ",")
  local kept = searches[name]
  if kept and kept.key == key then return kept.shot end
  local shot
  shot, err = snapshots.join(name, search, parts)
  if not shot then return nil, err end
  searches[name] = { key = key, shot = shot }
  return shot
end

M.sources = sources.sources
M.nearest_words = sources.nearest_words
M.stand_ins = sources.stand_ins
M.run = sources.run
M.latest_run = sources.latest_run
M.times = sources.times
M.item = sources.item
M.step_of = sources.step_of
M.step_version = sources.step_version
M.span = sources.span

---Earlier states of a collection that are not collected yet, the latest first: an iterator of
---snapshots, for addresses that name a version. `span`: {first, last} in milliseconds, or nil, that
---what changed must touch.
---@param shot rastrum.Snapshot
---@param span number[]|nil
function M.past(shot, span) return snapshots.past(state.handle, shot, span) end

-- ---- writing

---The published row of a dataset {version, fingerprint, source, …}; false when there is none.
function M.find(collection, dataset)
  local driver, err = M.driver()
  if not driver then return nil, err end
  return driver:find(collection, dataset)
end

---What was published last in a collection, but for one dataset: {dataset =, body = JSON}, or false.
---@return table|false|nil
---@return rastrum.Error|nil
function M.newest(collection, but)
  local driver, err = M.driver()
  if not driver then return nil, err end
  return driver:newest(collection, but)
end

---Whether a version was published once and is kept until gc.
---@return boolean|nil
---@return rastrum.Error|nil
function M.is_retired(collection, dataset, version)
  local driver, err = M.driver()
  if not driver then return nil, err end
  local rows
  rows, err = driver:retired()
  if not rows then return nil, err end
  for _, row in ipairs(rows) do
    if row.collection == collection and row.dataset == dataset and row.version == version then
      return true
    end
  end
  return false
end

-- {variable = {low, high}} of a dataset: the 2nd and 98th percentile, else the extremes.
local function stretch_of(dataset)
  local out, any = {}, false
  for _, variable in ipairs(dataset:variables()) do
    local low, high = variable.p2 or variable.min, variable.p98 or variable.max
    if low and high and low >= high then low, high = variable.min, variable.max end
    if variable.mappable and low and high then
      out[variable.name], any = rastrum.json.array { low, high }, true
    end
  end
  return any and rastrum.json.encode(out) or "{}"
end

local function conflict(where, message, ...)
  return nil, { code = "conflict", where = where, message = message:format(...) }
end

---What to say where a source would replace a dataset that was made of another one.
function M.clash(row, collection, source)
  return conflict(source, "dataset '%s/%s' was made of %s, this is %s; name another with "
    .. "--dataset, or the same to replace it", collection, row.dataset, row.source, source)
end

-- Why a conditional write lost.
local function explain(driver, record, err)
  local row = driver:find(record.collection, record.dataset)
  local where = record.collection .. "/" .. record.dataset
  if row and row.source ~= record.source and not record.takeover then
    return M.clash(row, record.collection, record.source)
  end
  for _, lease in ipairs(record.owner and driver:leases() or {}) do
    if lease.collection == record.collection and lease.dataset == record.dataset
      and lease.owner ~= record.owner then
      return conflict(where, "%s took the dataset over, since nothing had been heard of this "
        .. "process for too long", M.holder(lease))
    end
  end
  return nil, err
end

---Publishes a dataset: one conditional write. Code "conflict" when what is there is not `old`, when
---it is of another source and `takeover` is not set, or when the lease is not held any more.
---@param wanted table  {body = JSON text, fingerprint =, source =, old = the version it replaces or nil, lease =, takeover =}
---@return boolean|nil ok
---@return rastrum.Error|nil err
function M.publish(wanted)
  local driver, err = M.driver()
  if not driver then return nil, err end
  local dataset
  dataset, err = rastrum.dataset.parse(wanted.body)
  if not dataset then return nil, err end
  local start_ms, stop_ms = dataset:span()
  local record = {
    collection = dataset:collection(), dataset = dataset:id(), version = dataset:version(),
    fingerprint = wanted.fingerprint,
    source = wanted.source, created = dataset:about().created, body = wanted.body,
    bbox = dataset:bbox(), start = start_ms,
    stop = stop_ms, stretch = stretch_of(dataset), old = wanted.old, now = rastrum.time.now(),
    owner = wanted.lease and wanted.lease.owner, takeover = wanted.takeover,
  }
  local ok
  ok, err = driver:publish(record)
  M.expire()
  if not ok and err.code == "conflict" then return explain(driver, record, err) end
  return ok, err
end

---Takes a dataset, or without one a whole collection, out of the catalog; objects stay until gc.
---true, or false when there was none.
---@param collection string
---@param dataset string|nil
function M.remove(collection, dataset)
  local driver, err = M.driver()
  if not driver then return nil, err end
  local done
  done, err = driver:remove(collection, dataset, rastrum.time.now())
  M.expire()
  return done, err
end

---Replaces the ramp limits of some variables: {variable = {low, high}}.
---@return boolean|nil
---@return rastrum.Error|nil
function M.restretch(collection, limits)
  local driver, err = M.driver()
  if not driver then return nil, err end
  local done
  done, err = driver:restretch(collection, rastrum.json.encode(limits))
  M.expire()
  return done, err
end

---Sets the priority of a collection among those that a named search joins; false: there is none.
function M.prioritise(collection, priority)
  local driver, err = M.driver()
  if not driver then return nil, err end
  local done
  done, err = driver:prioritise(collection, priority)
  M.expire()
  return done, err
end

-- ---- leases: one writer a dataset. The heart has to beat (renew) several times in `lease`; then
-- silence, or the end of a process on this machine, frees it.

local POLL_MS = 200

---How long a lease lives without a beat, milliseconds.
function M.lease_ms()
  local ms = rastrum.config.lease
  return type(ms) == "number" and ms or 60000
end

---Whose it is, for people.
function M.holder(lease)
  local pid, machine = lease.owner:match("^(%d+)@([^/]*)/")
  return pid and ("process %s on %s"):format(pid, machine) or "another process"
end

---"live", or why its holder does not count any more: "ended" or "silent".
function M.lease_state(lease, now)
  if rastrum.process.look(lease.owner) == "dead" then return "ended" end
  return lease.beat >= now - M.lease_ms() and "live" or "silent"
end

---The lease on a dataset; false when there is none.
function M.leased(collection, dataset)
  local driver, err = M.driver()
  if not driver then return nil, err end
  local leases
  leases, err = driver:leases()
  for _, lease in ipairs(leases or {}) do
    if lease.collection == collection and lease.dataset == dataset then return lease end
  end
  return leases and false, err
end

-- One attempt; the holder that stood in the way as the second result.
local function try(driver, lease, version)
  local now, ended = rastrum.time.now(), nil
  local holder = M.leased(lease.collection, lease.dataset)
  if holder and holder.owner ~= lease.owner and M.lease_state(holder, now) == "ended" then
    ended = holder.owner
  end
  local ok, err = driver:lease(lease.collection, lease.dataset, version, lease.owner, now,
    now - M.lease_ms(), ended)
  if ok or err.code ~= "conflict" then return ok, err end
  return false, M.leased(lease.collection, lease.dataset) or holder
end

local function held(lease, holder)
  local seconds = holder and math.max(0, rastrum.time.now() - holder.since) / 1000 or 0
  return conflict(lease.collection .. "/" .. lease.dataset,
    "%s has been writing this dataset for %d s: wait for it, or ask for more patience with "
    .. "--lease-wait", holder and M.holder(holder) or "another process", seconds)
end

---A lease {owner=, renew(), release()}; nil and code "conflict" while another process holds it, after
---waiting for it. renew() fails with "conflict" when it was lost: what was written is not its own
---any more then.
---@param collection string
---@param dataset string
---@param version string  what is being written
---@param options table|nil  {wait = ms, waiting = function(who)}
function M.lease(collection, dataset, version, options)
  local driver, err = M.driver()
  if not driver then return nil, err end
  options = options or {}
  local lease = { collection = collection, dataset = dataset }
  lease.owner = rastrum.process.id() .. "/" .. rastrum.hash(tostring(lease), rastrum.time.clock())
  function lease.renew()
    return driver:renew(collection, dataset, lease.owner, rastrum.time.now())
  end
  function lease.release() return driver:release(collection, dataset, lease.owner) end
  local until_, told = rastrum.time.clock() + (options.wait or 0) / 1000, false
  while true do
    local ok, holder = try(driver, lease, version)
    if ok then return lease end
    if ok == nil then return nil, holder end
    if rastrum.time.clock() >= until_ then return held(lease, holder) end
    if not told and options.waiting then options.waiting(holder and M.holder(holder)) end
    told = true
    rastrum.sleep(POLL_MS)
  end
end

return M
