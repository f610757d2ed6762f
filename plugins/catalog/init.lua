-- `rastrum catalog`: look at the catalog and tidy it. One workflow, "catalog", whose answer is
-- {text=, json=}.
local catalog = require "rastrum.catalog"
local gc = require "gc"
local stretch = require "stretch"
local text = require "text"

local M = { name = "catalog", api = 1, description = "the command `rastrum catalog`" }

local USAGE = "catalog takes: list [COLLECTION], show COLLECTION [DATASET], remove COLLECTION "
  .. "[DATASET], gc, restretch COLLECTION [VARIABLE LOW,HIGH], priority COLLECTION NUMBER"
local DAY_MS = 86400000

local function usage(message)
  return nil, { code = "invalid", where = "catalog", message = message or USAGE }
end

local function missing(where, what)
  return nil, { code = "not_found", where = where,
    message = ("there is no such %s; `rastrum catalog list` says what there is"):format(what) }
end

-- ---- list

local function datasets_of(driver, id)
  local rows, err = driver:datasets(id)
  if not rows then return nil, err end
  local list = rastrum.json.array {}
  for i, row in ipairs(rows) do
    list[i] = { collection = id, dataset = row.dataset, version = row.version, source = row.source,
      created = row.created, start = row.start and text.time(row.start),
      stop = row.stop and text.time(row.stop) }
  end
  return list
end

local function list(words)
  if words[3] then return usage() end
  local driver, err = catalog.driver()
  if not driver then return nil, err end
  local rows
  rows, err = catalog.collections()
  if not rows then return nil, err end
  local all, lines = rastrum.json.array {}, {}
  for _, row in ipairs(rows) do
    if not words[2] or words[2] == row.id then
      local datasets
      datasets, err = datasets_of(driver, row.id)
      if not datasets then return nil, err end
      all[#all + 1] = { id = row.id, created = row.created, generation = row.generation,
        datasets = datasets }
      for _, each in ipairs(datasets) do
        lines[#lines + 1] = { row.id, each.dataset, each.version, each.start or "always",
          each.stop or "", each.created, each.source }
      end
    end
  end
  if words[2] and #all == 0 then return missing(words[2], "collection") end
  return { json = all, text = #lines == 0 and "the catalog is empty" or text.columns({ "COLLECTION",
    "DATASET", "VERSION", "FROM", "TO", "CREATED", "SOURCE" }, lines) }
end

-- ---- show

local function variable_table(variables)
  local rows = {}
  for i, variable in ipairs(variables) do
    rows[i] = { variable.name, variable.dtype, "(" .. table.concat(variable.dims, ", ") .. ")",
      variable.units, variable.long_name }
  end
  return text.columns({ "VARIABLE", "TYPE", "DIMENSIONS", "UNITS", "NAME" }, rows)
end

local function shown_lease(lease, now)
  return { dataset = lease.dataset, version = lease.version, holder = catalog.holder(lease),
    state = catalog.lease_state(lease, now), since = text.time(lease.since),
    beat = text.time(lease.beat) }
end

-- Versions in the store below a folder, with their states; leases of the collection or dataset.
local function holdings(driver, collection, dataset)
  local state, err = gc.state(driver)
  if not state then return nil, err end
  local versions
  versions, err = rastrum.versions.list(dataset and collection .. "/" .. dataset or collection)
  if not versions then return nil, err end
  local out = { versions = rastrum.json.array {}, leases = rastrum.json.array {}, bytes = 0 }
  for i, version in ipairs(versions) do
    local what, since = gc.state_of(state, version)
    out.versions[i] = { dataset = version.dataset, version = version.version, state = what,
      objects = version.objects, bytes = version.bytes, since = since and text.time(since) }
    out.bytes = out.bytes + version.bytes
  end
  local leases
  leases, err = driver:leases()
  for _, lease in ipairs(leases or {}) do
    if lease.collection == collection and (not dataset or lease.dataset == dataset) then
      out.leases[#out.leases + 1] = shown_lease(lease, state.now)
    end
  end
  return leases and out, err
end

local function version_table(held)
  local rows = {}
  for i, each in ipairs(held.versions) do
    rows[i] = { each.dataset, each.version, each.state, tostring(each.objects),
      text.size(each.bytes), each.since or "" }
  end
  return text.columns({ "DATASET", "VERSION", "STATE", "OBJECTS", "SIZE", "SINCE" }, rows)
end

local function lease_lines(held)
  local lines = {}
  for i, each in ipairs(held.leases) do
    lines[i] = ("lease     %s writes %s version %s, since %s: %s"):format(each.holder, each.dataset,
      each.version, each.since, each.state)
  end
  return table.concat(lines, "\n")
end

-- Blocks with an empty line between; those without text are left out.
local function blocks(...)
  local out = {}
  for _, each in ipairs { ... } do
    if each ~= "" then out[#out + 1] = each end
  end
  return table.concat(out, "\n\n")
end

local function show_dataset(driver, shot, id)
  local entry = shot.entries[id]
  if not entry then return missing(shot.id .. "/" .. id, "dataset") end
  local held, err = holdings(driver, shot.id, id)
  if not held then return nil, err end
  local row, dataset = entry.row, entry.dataset
  local head = ("%s/%s  version %s\nsource    %s\ncreated   %s\nitems     %d, %s to %s\nstored    "
    .. "%s in %s"):format(shot.id, id, row.version, row.source, row.created, dataset:items(),
    text.time(row.start), text.time(row.stop), text.size(held.bytes),
    text.count(#held.versions, "version"))
  return {
    json = { collection = shot.id, dataset = id, version = row.version, source = row.source,
      fingerprint = row.fingerprint, created = row.created, items = dataset:items(),
      start = row.start and text.time(row.start), stop = row.stop and text.time(row.stop),
      versions = held.versions, leases = held.leases, bytes = held.bytes,
      body = rastrum.json.raw(dataset:body()) },
    text = blocks(head, lease_lines(held), variable_table(dataset:variables()),
      version_table(held)),
  }
end

-- Joined stores that series are read from: {version, kind, tier, created} each.
local function segments_of(driver, id)
  local rows, err = driver:segments(id)
  if not rows then return nil, err end
  local out = rastrum.json.array {}
  for i, row in ipairs(rows) do
    out[i] = { version = row.version, kind = row.kind, tier = row.tier, created = row.created }
  end
  return out
end

local function show_collection(driver, shot)
  local held, err = holdings(driver, shot.id)
  if not held then return nil, err end
  local segments
  segments, err = segments_of(driver, shot.id)
  if not segments then return nil, err end
  local variables, names = {}, rastrum.json.array {}
  for i, name in ipairs(shot.variable_names) do
    variables[i], names[i] = shot.variables[name], name
  end
  local head = ("%s  %s\ndatasets  %d\nsegments  %d\ntimes     %s to %s\nstored    %s in "
    .. "%s"):format(shot.id, shot.title or "", #shot.datasets, #segments, text.time(shot.first),
    text.time(shot.last),
    text.size(held.bytes), text.count(#held.versions, "version"))
  return {
    json = { id = shot.id, title = shot.title, datasets = #shot.datasets, variables = names,
      segments = segments,
      generation = shot.generation, stretch = shot.stretch,
      start = shot.first and text.time(shot.first), stop = shot.last and text.time(shot.last),
      versions = held.versions, leases = held.leases, bytes = held.bytes },
    text = blocks(head, lease_lines(held), variable_table(variables), version_table(held)),
  }
end

local function show(words)
  if not words[2] or words[4] then
    return usage("catalog show takes COLLECTION, or COLLECTION DATASET")
  end
  local driver, err = catalog.driver()
  if not driver then return nil, err end
  local shot
  shot, err = catalog.collection(words[2])
  if not shot then return nil, err end
  if words[3] then return show_dataset(driver, shot, words[3]) end
  return show_collection(driver, shot)
end

-- ---- remove, gc

local function remove(words)
  if not words[2] or words[4] then
    return usage("catalog remove takes COLLECTION, or COLLECTION DATASET")
  end
  local key = words[3] and words[2] .. "/" .. words[3] or words[2]
  local done, err = catalog.remove(words[2], words[3])
  if done == nil then return nil, err end
  if not done then return missing(key, words[3] and "dataset" or "collection") end
  return { json = { collection = words[2], dataset = words[3], removed = done },
    text = ("removed %s; its objects go with `rastrum catalog gc`, after its grace"):format(key) }
end

local function collect(words)
  if words[2] then return usage("catalog gc takes no words; --grace says what is old enough") end
  local driver, err = catalog.driver()
  if not driver then return nil, err end
  local grace = rastrum.config.grace
  local report
  report, err = gc.run(driver, type(grace) == "number" and grace or DAY_MS)
  if not report then return nil, err end
  local rows = {}
  for i, each in ipairs(report.removed) do
    rows[i] = { each.collection .. "/" .. each.dataset, each.version, tostring(each.objects),
      text.size(each.bytes) }
  end
  return { json = report, text = blocks(
    text.columns({ "REMOVED", "VERSION", "OBJECTS", "SIZE" }, rows),
    ("removed %s, %s, and %s left by processes that died; %s not old enough or in use"):format(
      text.count(#rows, "version"), text.size(report.bytes),
      text.count(report.swept.files, "file"), text.count(report.kept, "version"))) }
end

-- ---- restretch, priority

local function restretch(words)
  if not words[2] or words[5] or (words[3] and not words[4]) then
    return usage("catalog restretch takes COLLECTION, or COLLECTION VARIABLE LOW,HIGH")
  end
  local shot, err = catalog.collection(words[2])
  if not shot then return nil, err end
  local limits
  limits, err = stretch.limits(shot, words[3], words[4])
  if not limits then return nil, err end
  local done
  done, err = catalog.restretch(shot.id, limits)
  if not done then return nil, err end
  local rows = {}
  for name, pair in pairs(limits) do
    rows[#rows + 1] = { name, ("%.6g"):format(pair[1]), ("%.6g"):format(pair[2]) }
  end
  table.sort(rows, function(a, b) return a[1] < b[1] end)
  return { json = { collection = shot.id, stretch = limits },
    text = text.columns({ "VARIABLE", "LOW", "HIGH" }, rows) }
end

local function prioritise(words)
  local number = tonumber(words[3])
  if not number or words[4] or number ~= number or math.abs(number) > 1e9 then
    return usage("catalog priority takes COLLECTION NUMBER; the higher answers first")
  end
  local done, err = catalog.prioritise(words[2], number)
  if done == nil then return nil, err end
  if not done then return missing(words[2], "collection") end
  return { json = { collection = words[2], priority = number },
    text = ("%s has priority %g"):format(words[2], number) }
end

local VERBS = { list = list, show = show, remove = remove, gc = collect, restretch = restretch,
  priority = prioritise }

M.workflows = {
  catalog = function(ctx)
    local words = ctx.args.words
    local verb = VERBS[words[1]]
    if not verb then return usage() end
    local result, err = verb(words)
    if not result then return nil, err end
    ctx.result = result
    return true
  end,
}

return M
