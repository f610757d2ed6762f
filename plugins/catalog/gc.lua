-- What the store holds, and what of it nothing names. A version goes when it is not current, no live
-- lease names it, and it stopped being current (or its lease died, or, where neither is known,
-- something was last written to it) longer than the grace ago. It goes under the dataset's lease, so
-- that nobody can begin to write or publish it meanwhile.
local catalog = require "rastrum.catalog"

local M = {}

local function key_of(each)
  return ("%s/%s/%s"):format(each.collection, each.dataset, each.version)
end

local function folder_of(each) return each.collection .. "/" .. each.dataset end

local function read_current(driver, state)
  local collections, err = driver:collections()
  if not collections then return nil, err end
  for _, row in ipairs(collections) do
    local rows
    rows, err = driver:datasets(row.id)
    if not rows then return nil, err end
    for _, each in ipairs(rows) do
      each.collection = row.id
      state.current[key_of(each)], state.known[key_of(each)] = true, true
    end
    rows, err = driver:segments(row.id)
    if not rows then return nil, err end
    for _, each in ipairs(rows) do
      each.collection, each.dataset = row.id, "segments"
      state.current[key_of(each)] = true
    end
  end
  return true
end

local function read_leases(driver, state)
  local leases, err = driver:leases()
  if not leases then return nil, err end
  for _, each in ipairs(leases) do
    state.known[key_of(each)] = true
    each.state = catalog.lease_state(each, state.now)
    if each.state == "live" then
      state.writing[folder_of(each)] = each
    else
      state.dead[#state.dead + 1] = each
      state.died[key_of(each)] = each.beat
    end
  end
  return true
end

local function read_retired(driver, state)
  local rows, err = driver:retired()
  if not rows then return nil, err end
  for _, each in ipairs(rows) do
    state.known[key_of(each)] = true
    state.retired[key_of(each)] = each
  end
  return true
end

---What the catalog says: sets by key of the current versions, of retired ones, of what died; live
---leases by folder.
---@return table|nil state
---@return rastrum.Error|nil
function M.state(driver)
  local state = { now = rastrum.time.now(), current = {}, retired = {}, writing = {}, dead = {},
    died = {}, known = {} }
  for _, read in ipairs { read_current, read_leases, read_retired } do
    local ok, err = read(driver, state)
    if not ok then return nil, err end
  end
  return state
end

---"current", "writing", "retired" or "unfinished", and since when (ms) where it is not current.
function M.state_of(state, version)
  local key = key_of(version)
  if state.current[key] then return "current" end
  local lease = state.writing[folder_of(version)]
  if lease and lease.version == version.version then return "writing", lease.since end
  local retired = state.retired[key]
  if retired then return "retired", retired.since end
  return "unfinished", math.max(version.mtime, state.died[key] or version.mtime)
end

local function is_garbage(state, version, oldest)
  local what, since = M.state_of(state, version)
  return (what == "retired" or what == "unfinished") and since <= oldest
end

-- Garbage by dataset, in the store's order.
local function group(state, versions, oldest)
  local groups, by_folder, kept = {}, {}, 0
  for _, version in ipairs(versions) do
    local folder = folder_of(version)
    if is_garbage(state, version, oldest) then
      if not by_folder[folder] then
        by_folder[folder] = { collection = version.collection, dataset = version.dataset }
        groups[#groups + 1] = by_folder[folder]
      end
      table.insert(by_folder[folder], version)
    elseif not state.current[key_of(version)] then
      kept = kept + 1
    end
  end
  return groups, kept
end

-- Under the lease: what is still garbage now is removed.
local function empty(driver, group_, oldest, report)
  local state, err = M.state(driver)
  if not state then return nil, err end
  state.writing[folder_of(group_)] = nil
  local gone = {}
  for _, version in ipairs(group_) do
    if is_garbage(state, version, oldest) then
      local ok
      ok, err = rastrum.versions.remove(version.collection, version.dataset, version.version)
      if not ok then return nil, err end
      gone[#gone + 1] = version
      report.removed[#report.removed + 1] = version
      report.bytes = report.bytes + version.bytes
      report.objects = report.objects + version.objects
    end
  end
  return driver:forget(gone)
end

local function collect(driver, group_, oldest, report)
  local lease, err = catalog.lease(group_.collection, group_.dataset, "gc")
  if not lease then
    if err.code ~= "conflict" then return nil, err end
    report.kept = report.kept + #group_
    return true
  end
  local ok, problem = empty(driver, group_, oldest, report)
  lease.release()
  return ok, problem
end

-- Rows of what is not in the store any more: of an earlier gc that was killed, of a process that died.
local function tidy_rows(driver, state, versions, oldest)
  local there, forgotten = {}, {}
  for _, version in ipairs(versions) do there[key_of(version)] = true end
  for key, row in pairs(state.retired) do
    if not there[key] and row.since <= oldest then forgotten[#forgotten + 1] = row end
  end
  local ok, err = driver:forget(forgotten)
  for _, lease in ipairs(ok and state.dead or {}) do
    if lease.beat <= oldest then
      ok, err = driver:release(lease.collection, lease.dataset, lease.owner)
      if not ok then return nil, err end
    end
  end
  return ok, err
end

local function sweep(driver, oldest, report)
  local state, err = M.state(driver)
  if not state then return nil, err end
  local kept = {}
  for folder in pairs(state.writing) do kept[#kept + 1] = folder end
  report.swept, err = rastrum.versions.sweep(oldest, kept)
  return report.swept and true, err
end

-- The catalog of another store, or none, would make garbage of everything: where the store holds
-- finished versions, the catalog must know one of them.
local function refuse_strangers(driver, state, versions)
  local revision, err = driver:revision()
  if revision == nil then return nil, err end
  local finished = 0
  for _, version in ipairs(versions) do
    if state.known[key_of(version)] then return true end
    if version.finished then finished = finished + 1 end
  end
  if finished == 0 then return true end
  return nil, { code = "conflict", where = rastrum.config.catalog_url, message = (revision
    and "names none of the %d versions in the store: nothing is removed; is it the catalog of "
    .. "another store?" or "there is no such catalog, and the store holds %d versions: nothing is "
    .. "removed"):format(finished) }
end

---Removes what nothing names: {removed = versions, objects =, bytes =, kept =, swept = {files=, bytes=}}.
---@param grace number  milliseconds
---@return table|nil report
---@return rastrum.Error|nil
function M.run(driver, grace)
  local versions, err = rastrum.versions.list()
  if not versions then return nil, err end
  local state
  state, err = M.state(driver)
  if not state then return nil, err end
  local ok
  ok, err = refuse_strangers(driver, state, versions)
  if not ok then return nil, err end
  local oldest = state.now - grace
  local groups, kept = group(state, versions, oldest)
  local report = { removed = rastrum.json.array {}, objects = 0, bytes = 0, kept = kept }
  for _, each in ipairs(groups) do
    ok, err = collect(driver, each, oldest, report)
    if not ok then return nil, err end
  end
  ok, err = tidy_rows(driver, state, versions, oldest)
  if ok then ok, err = sweep(driver, oldest, report) end
  return ok and report, err
end

return M
