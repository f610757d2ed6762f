-- The catalog as routes and workflows see it: collections, their datasets as a snapshot in memory,
-- publishing. The snapshot is checked against one counter of the driver at most every
-- `catalog_staleness`; in between no request touches the database. Drivers are plugins
-- (catalog_drivers); what is shared above them is here and in rastrum.snapshot.
local registry = require "rastrum.registry"
local snapshots = require "rastrum.snapshot"
local sources = require "rastrum.sources"

local M = {}

local WAIT_MS, REFRESH_S = 20000, 30

local function new_state()
  return { handle = nil, revision = nil, checked = -math.huge, rows = {}, order = {}, shots = {},
    busy = {} }
end

local state = new_state()

local function staleness()
  local ms = rastrum.config.catalog_staleness
  return (type(ms) == "number" and ms or 5000) / 1000
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
  state.handle = handle
  return handle
end

-- ---- freshness. Reading is a job of its own, so that a client that goes away leaves nothing half
-- done; those who need the result wait for it.

local function once(key, read)
  local running = state.busy[key]
  if not running or rastrum.time.clock() - running.since > REFRESH_S then
    running = { since = rastrum.time.clock() }
    state.busy[key] = running
    rastrum.spawn(function()
      local ok, value, err = pcall(read)
      if not ok then
        value, err = nil, { code = "internal", where = "catalog", message = tostring(value) }
      end
      running.value, running.err, running.done = value, err, true
      if state.busy[key] == running then state.busy[key] = nil end
    end)
  end
  for _ = 1, WAIT_MS do
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

local function read_rows()
  local driver, err = M.driver()
  if not driver then return nil, err end
  create(driver)
  local began = rastrum.time.clock()
  local revision
  revision, err = driver:revision()
  if revision == nil then return nil, err end
  if revision ~= state.revision then
    local list
    list, err = driver:collections()
    if not list then return nil, err end
    state.rows, state.order = {}, list
    for _, row in ipairs(list) do state.rows[row.id] = row end
    for id in pairs(state.shots) do
      if not state.rows[id] then state.shots[id] = nil end
    end
    state.revision = revision
  end
  state.checked = began
  return true
end

local function refresh()
  if rastrum.time.clock() - state.checked < staleness() then return true end
  return once("", read_rows)
end

---After a write of this process: what is in memory is old.
function M.expire() state.checked, state.revision = -math.huge, nil end

---Lets go of the database and of everything in memory; the next call begins anew.
function M.close()
  for _, shot in pairs(state.shots) do
    for _, entry in ipairs(shot.list) do entry.dataset:close() end
  end
  if state.handle and state.handle.close then state.handle:close() end
  state = new_state()
end

-- ---- reading

---All collections: {id, generation, created, stretch (JSON), stretch_generation}.
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
    or #names == 0 and "there is none yet"
    or ("there are %s%s"):format(table.concat(names, ", ", 1, math.min(#names, 10)), more)
  return nil, { code = "not_found", where = "collection",
    message = ("there is no collection '%s'; %s"):format(id, known) }
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
  return once("=" .. id, function()
    local made, problem = snapshots.read(state.handle, row, state.shots[id])
    if not made then return nil, problem end
    state.shots[id] = made
    return made
  end)
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
M.run = sources.run
M.latest_run = sources.latest_run
M.times = sources.times
M.item = sources.item
M.step_of = sources.step_of
M.step_version = sources.step_version

-- ---- writing

---The published row of a dataset {version, fingerprint, source, …}; false when there is none.
function M.find(collection, dataset)
  local driver, err = M.driver()
  if not driver then return nil, err end
  return driver:find(collection, dataset)
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

---Publishes a dataset: one conditional write. Code "conflict" when what is there is not `old`.
---@param wanted table  {body = JSON text, fingerprint =, source =, old = the version it replaces or nil}
---@return boolean|nil ok
---@return rastrum.Error|nil err
function M.publish(wanted)
  local driver, err = M.driver()
  if not driver then return nil, err end
  local dataset
  dataset, err = rastrum.dataset.parse(wanted.body)
  if not dataset then return nil, err end
  local start, stop = dataset:span()
  local ok
  ok, err = driver:publish {
    collection = dataset:collection(), dataset = dataset:id(), version = dataset:version(),
    fingerprint = wanted.fingerprint,
    source = wanted.source, created = dataset:about().created, body = wanted.body,
    bbox = dataset:bbox(), start = start,
    stop = stop, stretch = stretch_of(dataset), old = wanted.old, now = rastrum.time.now(),
  }
  M.expire()
  return ok, err
end

---Takes a dataset out of the catalog; its objects stay until gc. true, or false when there was
---none.
function M.remove(collection, dataset)
  local driver, err = M.driver()
  if not driver then return nil, err end
  local done
  done, err = driver:remove(collection, dataset, rastrum.time.now())
  M.expire()
  return done, err
end

-- ---- leases: one writer a dataset. The heart has to beat (renew) more often than LEASE_MS.

M.LEASE_MS = 60000

---A lease {renew(), release()}; nil and code "conflict" while another process holds it.
---@param collection string
---@param dataset string
---@param version string  what is being written
function M.lease(collection, dataset, version)
  local driver, err = M.driver()
  if not driver then return nil, err end
  local owner = rastrum.hash(tostring({}), rastrum.time.clock(), rastrum.time.now())
  local lease = {}
  function lease.renew()
    local now = rastrum.time.now()
    return driver:lease(collection, dataset, version, owner, now, now - M.LEASE_MS)
  end
  function lease.release() return driver:release(collection, dataset, owner) end
  local ok
  ok, err = lease.renew()
  if not ok then
    if err.code == "conflict" then
      err = { code = "conflict", where = collection .. "/" .. dataset, retry = true,
        message = "another process is ingesting this dataset: wait for it, or try again in a "
          .. "minute if it died" }
    end
    return nil, err
  end
  return lease
end

return M
