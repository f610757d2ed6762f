-- What a series is read from: a plan, a plain list of segments in time order for each variable, each
-- naming a store, the steps there, and the members of extra dimensions. Whoever has the plan and the
-- store can execute it: nothing of the catalog or of this server is needed (encode, decode).
local once = require "rastrum.once"
local sources = require "rastrum.sources"

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

-- A variable of a dataset. A segment's description serves all of its members; what only they have
-- (their statistics) is not asked for here.
local function variable_of(entry, name)
  return entry.home and entry.home.segment.dataset:variable(name) or entry.dataset:variable(name)
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
    if (not share) ~= (not last) then return false end
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

-- ---- groups: datasets or runs of a forecast that have steps of the same times

local function has_overlapping_runs(entry, names)
  if entry.home then return false end  -- forecasts are in no segment
  for _, name in ipairs(names) do
    local variable = entry.dataset:variable(name)
    if variable and #entry.dataset:runs(name) > 1 then return true end
  end
  return false
end

-- The first of the groups whose times the entry overlaps in one of the variables; nil: none.
local function overlapped(entry, names, last)
  local first
  for v, name in ipairs(names) do
    local variable = entry.start and last[v] and variable_of(entry, name)
    if variable and variable.axis and entry.start <= last[v].stop then
      first = math.min(first or math.huge, last[v].group)
    end
  end
  return first
end

local function note_span(entry, names, last, group)
  for v, name in ipairs(names) do
    local variable = entry.start and variable_of(entry, name)
    if variable and variable.axis then
      local stop = math.max(entry.stop, last[v] and last[v].stop or -math.huge)
      last[v] = { stop = stop, group = group }
    elseif last[v] then
      last[v].group = math.min(last[v].group, group)
    end
  end
end

-- All entries of a snapshot in time order, in lists; `contested`: a rule has to choose between its
-- members' steps.
local function groups_of(shot, names)
  local groups, last = {}, {}
  for _, entry in ipairs(shot.list) do
    local first = overlapped(entry, names, last)
    if first then
      local into = groups[first]
      for g = first + 1, #groups do
        for _, each in ipairs(groups[g]) do into[#into + 1] = each end
        groups[g] = nil
      end
      into[#into + 1], into.contested = entry, true
    else
      groups[#groups + 1] = { entry, contested = has_overlapping_runs(entry, names) }
    end
    note_span(entry, names, last, #groups)
  end
  return groups
end

-- The shares of one variable that the rule picks of a group, in time order.
local function picked(group, name, run)
  local entries, candidates, out = {}, {}, {}
  for _, entry in ipairs(group) do
    local variable = variable_of(entry, name)
    if variable and variable.axis then
      entries[#entries + 1] = entry
      candidates[#candidates + 1] = { entry.dataset, entry.priority or 0, entry.row.published }
    end
  end
  if #candidates == 0 then return out end
  local picks, err = rastrum.pick(name, candidates, run)
  if not picks then return nil, err end
  for i, pick in ipairs(picks) do
    local entry = entries[pick[1]]
    local dataset, variable, first = source_of(entry, name)
    out[i] = { dataset = dataset, variable = variable, entry = entry, first = first + pick[2],
      count = pick[3] }
  end
  return out
end

local function alike(a, b)
  if #a ~= #b then return false end
  for i, share in ipairs(a) do
    local other = b[i]
    if share.entry ~= other.entry or share.first ~= other.first or share.count ~= other.count
      or share.variable.axis ~= other.variable.axis then
      return false
    end
  end
  return true
end

-- Goes on with the last run where the shares do, else begins one.
local function add_shares(runs, entry, shares, axis)
  local last = runs[#runs]
  if last and continues(last, shares, axis) then
    extend(last, shares)
  else
    last = shares
    last.axis, last.members = axis, {}
    runs[#runs + 1] = last
  end
  note_member(last, entry, shares)
end

-- Adds the runs of a contested group: side by side where all variables have the same ones, else one
-- variable after the other.
local function add_picked(runs, group, names, run)
  local lists, same = {}, true
  for v, name in ipairs(names) do
    local err
    lists[v], err = picked(group, name, run)
    if not lists[v] then return nil, err end
    same = same and alike(lists[1], lists[v])
  end
  for v = 1, same and 1 or #names do
    for i, share in ipairs(lists[v]) do
      local shares = {}
      for k = 1, #names do shares[k] = (same and lists[k][i]) or (k == v and share) or false end
      add_shares(runs, share.entry, shares, share.variable.axis)
    end
  end
  return true
end

-- What may fill holes of a group's steps, in the order in which it is asked.
local function add_fallbacks(list, group, names)
  local first = #list + 1
  local found = {}
  for v, name in ipairs(names) do
    for _, entry in ipairs(group) do
      local variable = entry.dataset:variable(name)
      local own = variable and variable.axis and entry.dataset:runs(name) or {}
      if variable and variable.axis and #own == 0 then own = { {} } end
      for _, each in ipairs(own) do
        found[#found + 1] = { line = v, dataset = entry.dataset, variable = variable,
          run = each.ms, priority = entry.priority or 0, published = entry.row.published }
      end
    end
  end
  table.sort(found, sources.before)
  for i, each in ipairs(found) do list[first + i - 1] = each end
end

-- All runs of the named variables in time order, the fallbacks of their holes, and the digest of the
-- versions in them.
local function make_runs(shot, names, run)
  local runs, versions, fallbacks = {}, {}, {}
  for _, group in ipairs(groups_of(shot, names)) do
    if group.contested or run then
      local ok, err = add_picked(runs, group, names, run)
      if not ok then return nil, err end
      if not run then add_fallbacks(fallbacks, group, names) end
      for _, entry in ipairs(group) do versions[#versions + 1] = entry.dataset:version() end
    else
      local shares, axis = shares_of(group[1], names)
      if shares then
        add_shares(runs, group[1], shares, axis)
        versions[#versions + 1] = group[1].dataset:version()
      end
    end
  end
  runs.versions, runs.fallbacks = rastrum.hash(table.concat(versions, ",")), fallbacks
  return runs
end

-- Kept with the snapshot. Made by a job of its own: thousands of datasets are more than the Lua time
-- of the request that happens to be the first.
local function runs_of(shot, names, run)
  local key = table.concat(names, "\0") .. "\0" .. (run or "")
  shot.series = shot.series or { count = 0, making = {} }
  local kept = shot.series[key]
  if kept then return kept end
  local runs, err = once.run(shot.series.making, key, function()
    return make_runs(shot, names, run)
  end)
  if not runs then return nil, err end
  if shot.series.count >= KEPT_PLANS then shot.series = { count = 0, making = {} } end
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
---@param wanted table  {datetime = text|nil, run = of rastrum.sources.run or nil,
---  extras = function(dataset, variable): indexes|nil, err}
---@return table|nil parts
---@return string|rastrum.Error tag
---@return table|nil fallbacks  {line =, dataset =, variable =, run =, extra =}, …: what is asked where a value is missing
function M.plan(shot, names, wanted)
  local runs, problem = runs_of(shot, names, wanted.run)
  if not runs then return nil, problem end
  local memo, versions, parts, chosen = {}, {}, {}, {}
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
  local tag = #runs.fallbacks > 0 and runs.versions or rastrum.hash(table.concat(versions, ","))
  if not wanted.datetime then tag = runs.versions end
  local fallbacks = {}
  for i, each in ipairs(runs.fallbacks) do
    local extra, err = extras(each.dataset, each.variable)
    if not extra then return nil, err end
    fallbacks[i] = { line = each.line, dataset = each.dataset, variable = each.variable.name,
      run = each.run, extra = extra }
  end
  return parts, tag, fallbacks
end

-- ---- as text

---A plan as JSON: the stores' descriptions once, the parts by their number.
---@param parts table  of M.plan
---@param fallbacks table|nil  of M.plan
---@return string
function M.encode(parts, fallbacks)
  local stores, number = rastrum.json.array {}, {}
  local function store_of(part)
    if not number[part.dataset] then
      stores[#stores + 1] = rastrum.json.raw(part.dataset:body())
      number[part.dataset] = #stores
    end
    return number[part.dataset]
  end
  local variables, others = rastrum.json.array {}, rastrum.json.array {}
  for v, list in ipairs(parts) do
    local out = rastrum.json.array {}
    for s, part in ipairs(list) do
      out[s] = part and { store = store_of(part), variable = part.variable,
        first = part.first, count = part.count, steps = part.steps
        and rastrum.json.array(part.steps), extra = rastrum.json.array(part.extra) }
    end
    variables[v] = out
  end
  for i, each in ipairs(fallbacks or {}) do
    others[i] = { store = store_of(each), line = each.line, variable = each.variable,
      run = each.run, extra = rastrum.json.array(each.extra) }
  end
  return rastrum.json.encode { stores = stores, variables = variables, fallbacks = others }
end

---The plan of a text, with handles of its own.
---@param text string
---@return table|nil parts
---@return table|rastrum.Error fallbacks
function M.decode(text)
  local plan, err = rastrum.json.decode(text)
  if not plan then return nil, err end
  local bodies = {}
  for i, body in ipairs(plan.stores) do bodies[i] = rastrum.json.encode(body) end
  local handles
  handles, err = rastrum.dataset.parse_list(bodies)
  if not handles then return nil, err end
  local function place(part) part.dataset, part.store = handles[part.store], nil end
  for _, list in ipairs(plan.variables) do
    for _, part in ipairs(list) do
      if part then place(part) end
    end
  end
  for _, each in ipairs(plan.fallbacks) do place(each) end
  return plan.variables, plan.fallbacks
end

return M
