-- How a request for a time or an item finds the datasets and steps that answer it, in a snapshot
-- (rastrum.snapshot): what tiles are drawn from, all times, one item.
local M = {}

local MOST_SOURCES, KEPT_PLANS = 16, 2000
-- a date without ISO equal stands up to three days from its neighbour
local DAY_MS = 86400000
local SLACK_MS = 3 * DAY_MS
local MODES = { nearest = true, ffill = true, bfill = true, exact = true }

local function in_window(shot, variable, ms)
  local window = shot.window
  if not window or not ms then return true end
  local time = rastrum.time.to_iso(ms, variable.calendar)
  return (not window[1] or time >= window[1]) and (not window[2] or time <= window[2])
end

-- Entries whose span may hold an ISO instant: those without time, then from the last that starts
-- before it backward, as long as any of them reaches that far.
local function candidates(shot, time)
  local out, low, high = {}, shot.timeless + 1, #shot.list
  for i = 1, shot.timeless do out[i] = shot.list[i] end
  while low <= high do
    local middle = math.floor((low + high) / 2)
    if shot.list[middle].start <= time + SLACK_MS then low = middle + 1 else high = middle - 1 end
  end
  for i = high, shot.timeless + 1, -1 do
    if shot.until_[i] < time - SLACK_MS then break end
    if shot.list[i].stop >= time - SLACK_MS then out[#out + 1] = shot.list[i] end
  end
  return out
end

local function iso_of(variable, text)
  local calendar = variable.calendar or "proleptic_gregorian"
  local ms, err = rastrum.time.parse(text, calendar)
  if ms then return (rastrum.time.to_iso(ms, calendar)) end
  ms = rastrum.time.parse(text)
  if ms then return ms end
  err.where = "datetime"
  return nil, err
end

---The dates of the data's calendar that items give as this one, since they have no ISO equal: the
---29th and 30th of February for the 28th. Where no step has the date itself, theirs are meant.
---@param variable table  of a snapshot
---@param text string
---@return string[]
function M.stand_ins(variable, text)
  local out, calendar = {}, variable.calendar
  local ms = calendar and rastrum.time.parse(text, calendar)
  if not ms then return out end
  local iso = rastrum.time.to_iso(ms, calendar)
  for days = 1, 2 do
    local true_ms = ms + days * DAY_MS
    local near, exact = rastrum.time.to_iso(true_ms, calendar)
    if near == iso and not exact then
      out[#out + 1] = rastrum.time.format(true_ms, calendar)
    end
  end
  return out
end

-- {dataset, variable, step, published, ms, distance, run} of every entry that has a step at the
-- text's time; one for each of its runs, unless one run is asked for.
local function matches(shot, wanted, entries, text, mode)
  local out, name = {}, wanted.variable
  local function add(entry, step, ms, distance, run)
    out[#out + 1] = { dataset = entry.dataset, variable = name, step = step,
      published = entry.row.published, priority = entry.priority or 0, ms = ms,
      distance = distance, run = run }
  end
  for _, entry in ipairs(entries) do
    local variable = entry.dataset:variable(name)
    if variable then
      local step, ms, distance, run = entry.dataset:find_step(name, text, mode, wanted.run)
      if not step and type(ms) == "table" then return nil, ms end
      if step and in_window(shot, variable, ms) then
        add(entry, step, ms, distance, run)
        local others = run and not wanted.run and entry.dataset:other_runs(name, step) or {}
        for _, other in ipairs(others) do add(entry, other[1], ms, distance, other[2]) end
      end
    end
  end
  return out
end

-- Those of the best time: the nearest, or the latest when none was asked for. Without time they are
-- valid at all times.
local function best_of(list, better)
  local best
  for _, each in ipairs(list) do
    if each.ms and (not best or better(each, best)) then best = each end
  end
  if not best then return list end
  local out = {}
  for _, each in ipairs(list) do
    if not each.ms or math.abs(each.ms - best.ms) <= 500 then out[#out + 1] = each end
  end
  return out
end

local function nearer(a, b)
  if a.distance ~= b.distance then return a.distance < b.distance end
  return a.ms < b.ms
end

local function later(a, b) return a.ms > b.ms end

---The order in which datasets answer: priority of their collection, the latest run, the latest
---published.
function M.before(a, b)
  if a.priority ~= b.priority then return a.priority > b.priority end
  if a.run ~= b.run then return (a.run or -math.huge) > (b.run or -math.huge) end
  if a.published ~= b.published then return a.published > b.published end
  if a.dataset:id() ~= b.dataset:id() then return a.dataset:id() < b.dataset:id() end
  return (a.step or 0) < (b.step or 0)
end

-- Of what has no time (a land mask in each daily file) the latest published are enough, and of
-- forecasts the latest runs: older ones could only fill holes.
local function most_of(shot, list)
  if shot.limit then return shot.limit end
  local timeless = list[1] and not list[1].ms and not list[#list].ms
  return (timeless or list[1] and list[1].run) and MOST_SOURCES or math.huge
end

local function in_order(shot, list)
  table.sort(list, M.before)
  for i = #list, most_of(shot, list) + 1, -1 do list[i] = nil end
  if #list > MOST_SOURCES then
    return nil, { code = "too_big", where = "datetime", message =
      ("%d datasets have a step at this time; at most %d are drawn together: ask for one item, or "
        .. "a smaller collection")
      :format(#list, MOST_SOURCES) }
  end
  return list
end

-- The steps of the latest time: from the last entry backward, as long as any before it reaches as
-- far.
local function latest(shot, wanted)
  local out, best, best_iso = {}, nil, -math.huge
  local i = #shot.list
  while i > 0 do
    if i > shot.timeless and shot.until_[i] < best_iso - SLACK_MS then i = shot.timeless end
    if i == 0 then break end
    local entry = shot.list[i]
    local found, err = matches(shot, wanted, { entry }, nil, nil)
    if not found then return nil, err end
    for _, each in ipairs(found) do out[#out + 1] = each end
    if found[1] and found[1].ms and (not best or found[1].ms > best.ms) then
      best, best_iso = found[1], rastrum.time.to_iso(found[1].ms,
        entry.dataset:variable(wanted.variable).calendar)
    end
    i = i - 1
  end
  return best_of(out, later)
end

-- The steps nearest to a time, looked for in wider and wider surroundings.
local function around(shot, wanted, time, text, mode)
  for _, days in ipairs { 10, 400, math.huge } do
    local near, some = days * 86400000, {}
    for _, entry in ipairs(shot.list) do
      if not entry.start or (entry.start <= time + near and entry.stop >= time - near) then
        some[#some + 1] = entry
      end
    end
    local found, err = matches(shot, wanted, some, text, mode)
    if not found then return nil, err end
    local best, timed = best_of(found, nearer), nil
    for _, each in ipairs(best) do timed = each.ms and each or timed end
    if days == math.huge or (timed and timed.distance <= near - SLACK_MS) then return best end
  end
end

local function plan(shot, wanted)
  local variable = shot.variables[wanted.variable]
  local found, err
  if not wanted.datetime then
    found, err = latest(shot, wanted)
    if not found then return nil, err end
    return in_order(shot, found)
  end
  local mode, text = wanted.datetime:match("^(%a+)::(.*)$")
  if mode and not MODES[mode] then
    return nil, { code = "invalid", where = "datetime", message =
      ("datetime is '%s'; it takes a time, or nearest::, ffill:: or bfill:: and a "
        .. "time"):format(wanted.datetime) }
  end
  mode, text = mode or "exact", text or wanted.datetime
  local time
  time, err = iso_of(variable, text)
  if not time then return nil, err end
  if mode == "exact" then
    local entries = variable.calendar and candidates(shot, time) or shot.list
    found, err = matches(shot, wanted, entries, text, mode)
    for _, other in ipairs(found and #found == 0 and M.stand_ins(variable, text) or {}) do
      found = matches(shot, wanted, entries, other, mode)
      if #found > 0 then break end
    end
  else
    found, err = around(shot, wanted, time, text, mode)
  end
  if not found then return nil, err end
  return in_order(shot, found)
end

-- ---- runs of forecasts

-- {ms, time} of every run of a variable, the latest first.
local function runs_of(shot, name)
  local kept = shot.runs[name]
  if kept then return kept end
  local list, seen = {}, {}
  for _, entry in ipairs(shot.list) do
    for _, run in ipairs(entry.dataset:variable(name) and entry.dataset:runs(name) or {}) do
      if not seen[run.time] then list[#list + 1] = run end
      seen[run.time] = true
    end
  end
  table.sort(list, function(a, b) return a.ms > b.ms end)
  shot.runs[name] = list
  return list
end

---The reference time that `run` names: itself, or for "latest" the variable's last one. nil: all
---runs.
---@param shot rastrum.Snapshot
---@param name string  a variable
---@param run string|nil
---@return string|nil
---@return rastrum.Error|nil
function M.run(shot, name, run)
  if not run then return nil end
  local runs, calendar = runs_of(shot, name), shot.variables[name].calendar
  if #runs == 0 then
    return nil, { code = "invalid", where = "run", message =
      ("variable '%s' of collection '%s' is no forecast: it has no runs"):format(name, shot.id) }
  end
  if run == "latest" then return runs[1].time end
  local ms, err = rastrum.time.parse(run, calendar)
  if not ms then
    return nil, { code = "invalid", where = "run", message =
      ("run is '%s'; it takes a reference time or latest: %s"):format(run, err.message) }
  end
  for _, each in ipairs(runs) do
    if math.abs(each.ms - ms) <= 500 then return each.time end
  end
  return nil, { code = "not_found", where = "run", message =
    ("variable '%s' has no run %s; the latest is %s, the first %s"):format(name, run, runs[1].time,
      runs[#runs].time) }
end

---ISO milliseconds of the latest run of any variable; nil where there are no forecasts.
function M.latest_run(shot)
  local last
  for name, variable in pairs(shot.variables) do
    local run = runs_of(shot, name)[1]
    local ms = run and rastrum.time.to_iso(run.ms, variable.calendar)
    if ms and ms > (last or -math.huge) then last = ms end
  end
  return last
end

local function source_of_item(shot, wanted)
  local found, err = M.item(shot, wanted.item)
  if not found then return nil, err end
  if not found.dataset:variable(wanted.variable) then
    return nil, { code = "not_found", where = "variable",
      message = ("item '%s' has no variable '%s'"):format(wanted.item, wanted.variable) }
  end
  local step = found.dataset:item_step(wanted.variable, found.index)
  return step and { { dataset = found.dataset, variable = wanted.variable, step = step } } or {}
end

---What a map is drawn from, the latest published first: {{dataset=, variable=, step=}, …}; empty
---where nothing is valid at that time.
---@param shot rastrum.Snapshot
---@param wanted table  {variable=, datetime = a time, "nearest::T" … or nil for the latest,
---  item = an item's id, run = of M.run or nil}
function M.sources(shot, wanted)
  if wanted.item then return source_of_item(shot, wanted) end
  local key = ("%s\0%s\0%s"):format(wanted.variable, wanted.datetime or "", wanted.run or "")
  local known = shot.plans[key]
  if known then return known end
  local list, err = plan(shot, wanted)
  if not list then return nil, err end
  if shot.plan_count >= KEPT_PLANS then shot.plans, shot.plan_count = {}, 0 end
  shot.plans[key], shot.plan_count = list, shot.plan_count + 1
  return list
end

---What a refusal of a time or an interval ends with: the nearest time that there is.
---@param shot rastrum.Snapshot
---@param name string  a variable
---@param datetime string|nil  as the request gave it
---@return string
function M.nearest_words(shot, name, datetime)
  local low, high = (datetime or ""):match("^([^/]*)/?(.*)$")
  local text = low ~= "" and low ~= ".." and low or high
  local variable = shot.variables[name]
  local time = iso_of(variable, text)
  local found = time and around(shot, { variable = name }, time, text, "nearest") or {}
  for _, each in ipairs(found) do
    if each.ms then
      return "; the nearest is " .. rastrum.time.format(each.ms, variable.calendar)
    end
  end
  return ""
end

---First and last millisecond of what a request can be drawn from, generously; nil where any dataset
---counts.
---@return number[]|nil
function M.span(shot, wanted)
  if wanted.item then
    local found = M.item(shot, wanted.item)
    local row = found and shot.entries[found.dataset:id()].row
    return row and row.start and { row.start, row.stop } or nil
  end
  local variable = shot.variables[wanted.variable]
  local time = wanted.datetime and not wanted.datetime:find("::", 1, true)
    and iso_of(variable or {}, wanted.datetime)
  return time and { time - SLACK_MS, time + SLACK_MS } or nil
end

---The tag of what a step is drawn from: 12 hexadecimal digits.
function M.step_version(shot, list)
  local words = {}
  for i, source in ipairs(list) do words[i] = source.dataset:version() .. ":" .. source.step end
  return rastrum.hash(table.concat(words, ","), tostring(shot.stretch_generation or 0)):sub(1, 12)
end

-- Handles, the latest published first.
local function newest_first(shot)
  if shot.newest then return shot.newest end
  local entries, out = {}, {}
  for i, entry in ipairs(shot.list) do entries[i] = entry end
  table.sort(entries, function(a, b)
    if a.row.published ~= b.row.published then return a.row.published > b.row.published end
    return a.dataset:id() < b.dataset:id()
  end)
  for i, entry in ipairs(entries) do out[i] = entry.dataset end
  shot.newest = out
  return out
end

---All times of a variable in order, each with its version, as JSON: {collection, variable,
---calendar, times, versions, and runs of a forecast}. A variable without time has one, null.
---@return userdata|nil buf
---@return rastrum.Error|nil err
---@param run string|nil  of M.run
function M.times(shot, name, run)
  local window = shot.window or {}
  return rastrum.times {
    datasets = newest_first(shot), collection = shot.id, variable = name, first = window[1],
    last = window[2],
    generation = tostring(shot.stretch_generation or 0), run = run or "", most = MOST_SOURCES,
  }
end

-- ---- items

local function dataset_ids(id)
  local list = { id }
  local stem = id:match("^(.+)_%-?%d+T%d+Z$") or id:match("^(.+)_%-?%d+T%d+Z_%d+$")
  list[2] = stem
  return list
end

---@param shot rastrum.Snapshot
---@param id string
---@return table|nil item  {id=, dataset=, index=}
---@return rastrum.Error|nil
function M.item(shot, id)
  for _, dataset_id in ipairs(dataset_ids(id)) do
    local entry = shot.entries[dataset_id]
    local i = entry and entry.dataset:find_item(id)
    if i then return { id = id, dataset = entry.dataset, index = i } end
  end
  return nil, { code = "not_found", where = "item",
    message = ("collection '%s' has no item '%s'"):format(shot.id, id:sub(1, 200)) }
end

---The step of a variable at an item's time; nil where it has none.
function M.step_of(item, variable) return item.dataset:item_step(variable.name, item.index) end

return M
