-- What a series is read from: a plan, a plain list of segments in time order for each variable, each
-- naming a store, the steps there, and the members of extra dimensions. Whoever has the plan and the
-- store can execute it: nothing of the catalog or of this server is needed (encode, decode).
local M = {}

local KEPT_PLANS = 200

-- ---- where a dataset's steps are

-- The one rule of precedence: of the copies of a step, the one in a segment counts while the version
-- it was made of is the published one; else the dataset's own store. Returns the store's handle, the
-- variable there, the first of the dataset's steps and their number.
local function source_of(entry, name)
  local home = entry.home
  local variable = home and home.segment.dataset:variable(name)
  if variable then
    local axis = variable.axis
    local first = axis and home.member.first[axis] or 0
    return home.segment.dataset, variable, first, axis and home.member.count[axis] or 1
  end
  variable = entry.dataset:variable(name)
  if not variable then return nil end
  local counts = variable.axis and entry.dataset:steps_per_axis()
  return entry.dataset, variable, 0, counts and counts[variable.axis] or 1
end

-- The shares of the named variables in one dataset: {[v] = false or {dataset, variable, first,
-- count}}; nil when it has none of them. `axis`: the one that all of them have; false: they differ.
local function shares_of(entry, names)
  local out, any, axis = {}, false, nil
  for v, name in ipairs(names) do
    local dataset, variable, first, count = source_of(entry, name)
    out[v] = dataset and { dataset = dataset, variable = variable, first = first, count = count }
      or false
    any = any or out[v]
    local own = dataset and variable.axis or nil
    if own and axis ~= nil and axis ~= own then axis = false end
    if own and axis == nil then axis = own end
  end
  return any and out, axis
end

-- ---- runs: datasets whose steps follow each other in the same stores too

local function continues(run, shares, axis)
  if axis == false or run.axis ~= axis then return false end
  for v, share in ipairs(shares) do
    local last = run[v]
    if not share ~= not last then return false end
    if share then
      if share.dataset ~= last.dataset then return false end
      if share.variable.axis and share.first ~= last.first + last.count then return false end
    end
  end
  return true
end

local function extend(run, shares)
  for v, share in ipairs(shares) do
    if share then run[v].count = run[v].count + share.count end
  end
end

local function note_member(run, entry, shares)
  local member = { version = entry.dataset:version() }
  for v, share in ipairs(shares) do member[v] = share and share.first or false end
  run.members[#run.members + 1] = member
end

-- All runs of the named variables in time order, and the digest of the versions in them; kept with
-- the snapshot.
local function runs_of(shot, names)
  local key = table.concat(names, "\0")
  shot.series = shot.series or { count = 0 }
  local kept = shot.series[key]
  if kept then return kept end
  local runs, last, versions = {}, nil, {}
  for _, entry in ipairs(shot.list) do
    local shares, axis = shares_of(entry, names)
    if shares then
      if last and continues(last, shares, axis) then
        extend(last, shares)
      else
        last = shares
        last.axis, last.members = axis, {}
        runs[#runs + 1] = last
      end
      note_member(last, entry, shares)
      versions[#versions + 1] = entry.dataset:version()
    end
  end
  runs.versions = rastrum.hash(table.concat(versions, ","))
  if shot.series.count >= KEPT_PLANS then shot.series = { count = 0 } end
  shot.series[key], shot.series.count = runs, shot.series.count + 1
  return runs
end

-- ---- a window of time

-- The place in an ascending list of the first number that is not below `least`.
local function lower(list, least)
  local low, high = 1, #list
  while low <= high do
    local middle = math.floor((low + high) / 2)
    if list[middle] < least then low = middle + 1 else high = middle - 1 end
  end
  return low
end

-- Of the steps that a store has in the window, those within a share: first, last place in `steps`.
local function within(steps, share)
  return lower(steps, share.first), lower(steps, share.first + share.count) - 1
end

-- Steps of a store in the window, asked for once a request.
local function steps_in(memo, share, name, datetime)
  local known = memo[share.dataset]
  if not known then
    known = {}
    memo[share.dataset] = known
  end
  local err
  if not known[name] then
    known[name], err = share.dataset:steps(name, datetime)
  end
  return known[name], err
end

local function part_with(share, name, extra)
  local part = { dataset = share.dataset, variable = name, extra = extra }
  if share.variable.axis then
    part.first, part.count = share.first, share.count
  else  -- the one cell stands for each dataset's
    part.steps = {}
    for i = 1, share.count do part.steps[i] = 0 end
  end
  return part
end

-- The share's part in the window; false: none of it. Also the steps, first to last place.
local function windowed(memo, share, name, extra, datetime)
  local part = part_with(share, name, extra)
  if not (datetime and share.variable.axis) then return part end
  local steps, err = steps_in(memo, share, name, datetime)
  if not steps then return nil, err end
  local from, to = within(steps, share)
  if from > to then return false end
  part.first, part.count = steps[from], to - from + 1
  if steps[to] - steps[from] ~= to - from then
    part.first, part.count, part.steps = nil, nil, {}
    for i = from, to do part.steps[#part.steps + 1] = steps[i] end
  end
  return part, steps, from, to
end

-- Marks the members of a run that the steps [from, to] of variable v touch.
local function touch(touched, run, v, steps, from, to)
  local m = 1
  for i = from, to do
    while run.members[m + 1] and run.members[m + 1][v] <= steps[i] do m = m + 1 end
    touched[m] = true
  end
end

local function cut(memo, run, names, extras, datetime, versions)
  local parts, any, touched = {}, false, {}
  for v, name in ipairs(names) do
    local share, part = run[v], false
    if share then
      local extra, steps, from, to
      extra, steps = extras(share.dataset, share.variable)
      if not extra then return nil, steps end
      part, steps, from, to = windowed(memo, share, name, extra, datetime)
      if part == nil then return nil, steps end
      if part and steps then
        touch(touched, run, v, steps, from, to)
      elseif part and datetime then
        for m in ipairs(run.members) do touched[m] = true end
      end
    end
    parts[v], any = part, any or part
  end
  for m, member in ipairs(datetime and run.members or {}) do
    if touched[m] then versions[#versions + 1] = member.version end
  end
  return any and parts or false
end

---The plan of a series: parts[v][s], each {dataset = handle of the store, variable =, first =,
---count = | steps = {…}, extra = {…}} or false where that segment lacks the variable; and a tag that
---changes with any dataset in it, and not with the stores that hold them.
---@param shot rastrum.Snapshot
---@param names string[]  variables
---@param wanted table  {datetime = text|nil, extras = function(dataset, variable): indexes|nil, err}
---@return table|nil parts
---@return string|rastrum.Error tag
function M.plan(shot, names, wanted)
  local runs, memo, versions, parts, chosen = runs_of(shot, names), {}, {}, {}, {}
  for v = 1, #names do parts[v] = {} end
  local function extras(dataset, variable)
    local own = chosen[variable]
    if own then return own end
    local list, err = wanted.extras(dataset, variable)
    chosen[variable] = list
    return list, err
  end
  for _, run in ipairs(runs) do
    local own, err = cut(memo, run, names, extras, wanted.datetime, versions)
    if own == nil then return nil, err end
    for v = 1, own and #names or 0 do parts[v][#parts[v] + 1] = own[v] end
  end
  if not wanted.datetime then return parts, runs.versions end
  return parts, rastrum.hash(table.concat(versions, ","))
end

-- ---- as text

---A plan as JSON: the stores' descriptions once, the parts by their number.
---@param parts table  of M.plan
---@return string
function M.encode(parts)
  local stores, number = rastrum.json.array {}, {}
  local variables = rastrum.json.array {}
  for v, list in ipairs(parts) do
    local out = rastrum.json.array {}
    for s, part in ipairs(list) do
      if part and not number[part.dataset] then
        stores[#stores + 1] = rastrum.json.raw(part.dataset:body())
        number[part.dataset] = #stores
      end
      out[s] = part and { store = number[part.dataset], variable = part.variable,
        first = part.first, count = part.count, steps = part.steps
        and rastrum.json.array(part.steps), extra = rastrum.json.array(part.extra) }
    end
    variables[v] = out
  end
  return rastrum.json.encode { stores = stores, variables = variables }
end

---The plan of a text, with handles of its own.
---@param text string
---@return table|nil parts
---@return rastrum.Error|nil
function M.decode(text)
  local plan, err = rastrum.json.decode(text)
  if not plan then return nil, err end
  local bodies = {}
  for i, body in ipairs(plan.stores) do bodies[i] = rastrum.json.encode(body) end
  local handles
  handles, err = rastrum.dataset.parse_list(bodies)
  if not handles then return nil, err end
  for _, list in ipairs(plan.variables) do
    for _, part in ipairs(list) do
      if part then part.dataset, part.store = handles[part.store], nil end
    end
  end
  return plan.variables
end

return M
