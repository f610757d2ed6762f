-- `rastrum catalog`: look at the catalog and tidy it. One workflow, "catalog", whose answer is
-- {text=, json=}.
local catalog = require "rastrum.catalog"

local M = { name = "catalog", api = 1, description = "the command `rastrum catalog`" }

local USAGE = "catalog takes: list [COLLECTION], show COLLECTION [DATASET], remove COLLECTION "
  .. "DATASET, gc"

local function usage(message)
  return nil, { code = "invalid", where = "catalog", message = message or USAGE }
end

local function time_text(ms) return ms and rastrum.time.format(ms) or "always" end

-- Rows as columns that line up.
local function columns(rows)
  local widths, lines = {}, {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, #cell) end
  end
  for i, row in ipairs(rows) do
    local cells = {}
    for k, cell in ipairs(row) do
      cells[k] = k == #row and cell or cell .. (" "):rep(widths[k] - #cell)
    end
    lines[i] = table.concat(cells, "  ")
  end
  return table.concat(lines, "\n")
end

local function datasets_of(driver, id)
  local rows, err = driver:datasets(id)
  if not rows then return nil, err end
  local list = rastrum.json.array {}
  for i, row in ipairs(rows) do
    list[i] = { collection = id, dataset = row.dataset, version = row.version, source = row.source,
      created = row.created,
      start = row.start and time_text(row.start), stop = row.stop and time_text(row.stop),
        bytes = row.size }
  end
  return list
end

local function list(words)
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
        lines[#lines + 1] = { row.id, each.dataset, each.version, each.start or "always", each.stop
          or "" }
      end
    end
  end
  if words[2] and #all == 0 then
    return nil, { code = "not_found", where = words[2], message = "there is no such collection" }
  end
  return { json = all, text = columns(lines) }
end

local function shown_variable(variable)
  return { variable.name, variable.dtype, "(" .. table.concat(variable.dims, ", ") .. ")",
    variable.units,
    variable.long_name }
end

local function show_dataset(shot, id)
  local entry = shot.entries[id]
  if not entry then
    return nil, { code = "not_found", where = shot.id .. "/" .. id,
      message = "there is no such dataset" }
  end
  local row, lines = entry.row, {}
  for i, variable in ipairs(entry.dataset:variables()) do lines[i] = shown_variable(variable) end
  return {
    json = rastrum.json.raw(entry.dataset:body()),
    text = ("%s/%s  version %s\nsource   %s\ncreated  %s\ntimes    %d items, %s to "
      .. "%s\n%s"):format(shot.id, id, row.version,
      row.source, row.created, entry.dataset:items(), time_text(row.start), time_text(row.stop),
        columns(lines)),
  }
end

local function show(words)
  if not words[2] then return usage("catalog show takes COLLECTION, or COLLECTION DATASET") end
  local shot, err = catalog.collection(words[2])
  if not shot then return nil, err end
  if words[3] then return show_dataset(shot, words[3]) end
  local lines, names = {}, rastrum.json.array {}
  for i, name in ipairs(shot.variable_names) do
    lines[i] = shown_variable(shot.variables[name])
    names[i] = name
  end
  return {
    json = { id = shot.id, title = shot.title, datasets = #shot.datasets, variables = names,
    generation = shot.generation,
      stretch = shot.stretch, start = shot.first and time_text(shot.first), stop = shot.last
      and time_text(shot.last) },
    text = ("%s  %s\ndatasets %d\ntimes    %s to %s\n%s"):format(shot.id, shot.title or "",
    #shot.datasets,
      time_text(shot.first), time_text(shot.last), columns(lines)),
  }
end

local function remove(words)
  if not words[3] then return usage("catalog remove takes COLLECTION DATASET") end
  local found, err = catalog.find(words[2], words[3])
  if found == nil then return nil, err end
  local key = words[2] .. "/" .. words[3]
  if not found then
    return nil, { code = "not_found", where = key,
      message = "there is no such dataset in the catalog" }
  end
  local done
  done, err = catalog.remove(words[2], words[3])
  if done == nil then return nil, err end
  return { json = { collection = words[2], dataset = words[3], removed = done },
    text = ("removed %s; its objects go with `rastrum catalog gc`"):format(key) }
end

-- ---- gc: a version goes when it is not current, no live lease names it, and for longer than the
-- grace it has been retired or, if it never was published, nothing was written to it.

local function key_of(each)
  return ("%s/%s/%s"):format(each.collection, each.dataset, each.version)
end

-- {current = set, leased = set, retired = {key = since}}
local function state_of(driver, now)
  local current, leased, retired = {}, {}, {}
  local collections, err = driver:collections()
  if not collections then return nil, err end
  for _, row in ipairs(collections) do
    local rows
    rows, err = driver:datasets(row.id)
    if not rows then return nil, err end
    for _, each in ipairs(rows) do
      current[key_of { collection = row.id, dataset = each.dataset, version = each.version }] = true
    end
  end
  local leases
  leases, err = driver:leases()
  if not leases then return nil, err end
  for _, each in ipairs(leases) do
    if each.beat >= now - catalog.lease_ms() then leased[key_of(each)] = true end
  end
  local list_
  list_, err = driver:retired()
  if not list_ then return nil, err end
  for _, each in ipairs(list_) do retired[key_of(each)] = each.since end
  return { current = current, leased = leased, retired = retired }
end

local function is_garbage(state, version, oldest)
  local key = key_of(version)
  if state.current[key] or state.leased[key] or version.dataset == "segments" then return false end
  return math.max(state.retired[key] or -math.huge, version.mtime) < oldest
end

local function gc()
  local driver, err = catalog.driver()
  if not driver then return nil, err end
  local grace = rastrum.config.grace
  local now = rastrum.time.now()
  local oldest = now - (type(grace) == "number" and grace or 86400000)
  local versions
  versions, err = rastrum.versions.list()
  if not versions then return nil, err end
  local state
  state, err = state_of(driver, now)
  if not state then return nil, err end
  local gone, bytes, kept = rastrum.json.array {}, 0, 0
  for _, version in ipairs(versions) do
    if is_garbage(state, version, oldest) then
      local ok
      ok, err = rastrum.versions.remove(version.collection, version.dataset, version.version)
      if not ok then return nil, err end
      gone[#gone + 1] = version
      bytes = bytes + version.bytes
    elseif not state.current[key_of(version)] then
      kept = kept + 1
    end
  end
  if #gone > 0 then
    local ok
    ok, err = driver:forget(gone)
    if not ok then return nil, err end
  end
  return { json = { removed = gone, bytes = bytes, kept = kept },
    text = ("removed %d versions, %.1f MB; %d wait for their grace"):format(#gone, bytes / 1e6,
      kept) }
end

local VERBS = { list = list, show = show, remove = remove, gc = gc }

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
