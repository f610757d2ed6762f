-- A collection in memory: its datasets as handles in time order, its variables merged, and how a
-- request for a time finds the steps that answer it. Never changed once made; a newer one replaces
-- it.
local M = {}

local BATCH, MOST_SOURCES, KEPT_PLANS = 32, 16, 2000
-- a date without ISO equal stands up to three days from its neighbour
local SLACK_MS = 3 * 86400000
local MODES = { nearest = true, ffill = true, bfill = true, exact = true }

-- ---- reading

local function parse_batch(driver, collection, rows, out)
  local ids = {}
  for i, row in ipairs(rows) do ids[i] = row.dataset end
  local bodies, err = driver:bodies(collection, ids)
  if not bodies then return nil, err end
  local texts, kept = {}, {}
  for _, row in ipairs(rows) do
    if bodies[row.dataset] then
      texts[#texts + 1] = bodies[row.dataset]
      kept[#kept + 1] = row
    end
  end
  local list
  list, err = rastrum.dataset.parse_list(texts)
  if not list then return nil, err end
  for i, dataset in ipairs(list) do out[#out + 1] = { row = kept[i], dataset = dataset:keep() } end
  return true
end

-- {row, dataset} of every row; handles of the old snapshot are used again where the version is the
-- same.
local function load_datasets(driver, collection, rows, old)
  local out, wanted = {}, {}
  for _, row in ipairs(rows) do
    local known = old and old.entries[row.dataset]
    if known and known.dataset:version() == row.version then
      out[#out + 1] = { row = row, dataset = known.dataset }
    else
      wanted[#wanted + 1] = row
    end
  end
  for first = 1, #wanted, BATCH do
    local some = {}
    for i = first, math.min(first + BATCH - 1, #wanted) do some[#some + 1] = wanted[i] end
    local ok, err = parse_batch(driver, collection, some, out)
    if not ok then return nil, err end
  end
  return out
end

local function least(a, b) return (not a or b and b < a) and b or a end
local function most(a, b) return (not a or b and b > a) and b or a end

-- The smallest box round both; across 180 degrees where that is narrower.
function M.join_boxes(a, b)
  if not a then return b and { b[1], b[2], b[3], b[4] } end
  if not b then return a end
  local function width(w, e) return e < w and e - w + 360 or e - w end
  local function holds(w, e, box)
    local begin = (box[1] - w) % 360
    return begin + width(box[1], box[3]) <= width(w, e) + 1e-9
  end
  local best
  for _, w in ipairs { a[1], b[1] } do
    for _, e in ipairs { a[3], b[3] } do
      if holds(w, e, a) and holds(w, e, b) and (not best
        or width(w, e) < width(best[1], best[2])) then
        best = { w, e }
      end
    end
  end
  best = best or { -180, 180 }
  return { best[1], math.min(a[2], b[2]), best[2], math.max(a[4], b[4]) }
end

local function copy(variable)
  local out = {}
  for key, value in pairs(variable) do out[key] = value end
  return out
end

-- Variables by name: the newest dataset's description, extremes and boxes over all. Datasets that
-- say the same of their variables are read once.
local function merge_variables(shot, list)
  local seen = {}
  table.sort(list, function(a, b) return a.row.published > b.row.published end)
  for _, entry in ipairs(list) do
    local signature = entry.dataset:signature()
    if not seen[signature] then
      seen[signature] = true
      for _, variable in ipairs(entry.dataset:variables()) do
        local own = shot.variables[variable.name]
        if not own then
          own = copy(variable)
          shot.variables[variable.name] = own
          shot.variable_names[#shot.variable_names + 1] = variable.name
        end
        own.min, own.max = least(own.min, variable.min), most(own.max, variable.max)
        own.bbox = M.join_boxes(own.bbox, variable.bbox)
      end
    end
  end
end

local function by_start(a, b)
  local x, y = a.row.start or -math.huge, b.row.start or -math.huge
  if x ~= y then return x < y end
  return a.dataset:id() < b.dataset:id()
end

-- Datasets in time order, with the latest end of all before and at each place.
local function index(shot, list)
  table.sort(list, by_start)
  local versions, last = {}, -math.huge
  for i, entry in ipairs(list) do
    entry.start, entry.stop = entry.row.start, entry.row.stop
    shot.list[i], shot.datasets[i] = entry, entry.dataset
    shot.entries[entry.dataset:id()] = shot.entries[entry.dataset:id()] or entry
    if entry.start then
      last = math.max(last, entry.stop)
      shot.first, shot.last = least(shot.first, entry.start), most(shot.last, entry.stop)
    else
      shot.timeless = i
    end
    shot.until_[i] = last
    shot.bbox = M.join_boxes(shot.bbox, entry.dataset:bbox())
    versions[i] = entry.dataset:version()
  end
  shot.versions_hash = rastrum.hash(table.concat(versions, ","))
end

local function new_shot(id)
  return { id = id, list = {}, datasets = {}, entries = {}, until_ = {}, timeless = 0,
    variables = {}, variable_names = {},
    stretch = {}, plans = {}, plan_count = 0 }
end

local function describe(shot)
  local newest
  for _, entry in ipairs(shot.list) do
    if not newest or entry.row.published > newest.row.published then newest = entry end
  end
  local about = newest and newest.dataset:about() or {}
  local function said(text) return text and text ~= "" and text or nil end
  shot.title = said(about.title)
  shot.summary = said(about.summary)
  shot.institution = said(about.institution)
  shot.license = said(about.license)
  shot.updated = newest and newest.row.created
end

local function finish(shot, list)
  merge_variables(shot, list)
  index(shot, list)
  describe(shot)
  return shot
end

---Reads a collection; handles of the old snapshot are kept where nothing changed.
---@param driver table
---@param row table  of the driver's collections()
---@param old rastrum.Snapshot|nil
---@return rastrum.Snapshot|nil
---@return rastrum.Error|nil
function M.read(driver, row, old)
  local rows, err = driver:datasets(row.id)
  if not rows then return nil, err end
  local list
  list, err = load_datasets(driver, row.id, rows, old)
  if not list then return nil, err end
  local shot = new_shot(row.id)
  shot.generation, shot.created = row.generation, row.created
  shot.stretch, shot.stretch_generation = rastrum.json.decode(row.stretch) or {},
    row.stretch_generation
  return finish(shot, list)
end

-- ---- named searches

local function overlaps(box, wanted)
  if not box then return false end
  if #wanted == 6 then wanted = { wanted[1], wanted[2], wanted[4], wanted[5] } end
  if box[2] > wanted[4] or box[4] < wanted[2] then return false end
  local function parts(w, e) return w > e and { { w, 180 }, { -180, e } } or { { w, e } } end
  for _, a in ipairs(parts(box[1], box[3])) do
    for _, b in ipairs(parts(wanted[1], wanted[3])) do
      if a[1] <= b[2] and a[2] >= b[1] then return true end
    end
  end
  return false
end

local function iso(text)
  if not text or text == ".." or text == "" then return nil end
  local ms, err = rastrum.time.parse(text)
  if not ms then return false, err end
  return ms
end

-- first, last of "a", "a/b", "../b", "a/.."; nil for an open end.
local function window_of(text)
  if not text then return nil, nil end
  local a, b = text:match("^([^/]*)/([^/]*)$")
  local first, err = iso(a or text)
  if first == false then return false, err end
  local last
  last, err = iso(b or text)
  if last == false then return false, err end
  return first, last
end

local function wanted_ids(search)
  if not search.ids then return nil end
  local set = {}
  for _, id in ipairs(search.ids) do set[id] = true end
  return set
end

local function has_item(dataset, ids)
  for id in pairs(ids) do
    if dataset:find_item(id) then return true end
  end
  return false
end

---The datasets of several collections that a named search asks for, in the shape of a snapshot.
function M.join(name, search, parts)
  local first, last = window_of(search.datetime)
  if first == false then return nil, last end
  local shot, list, ids, generations = new_shot(name), {}, wanted_ids(search), {}
  for _, part in ipairs(parts) do
    generations[#generations + 1] = part.generation
    for variable, limits in pairs(part.stretch) do
      shot.stretch[variable] = shot.stretch[variable] or limits
    end
    for _, entry in ipairs(part.list) do
      local timely = not entry.start or ((not last or entry.start <= last)
        and (not first or entry.stop >= first))
      if timely and (not search.bbox or overlaps(entry.dataset:bbox(), search.bbox))
        and (not ids or has_item(entry.dataset, ids)) then
        list[#list + 1] = { row = entry.row, dataset = entry.dataset }
      end
    end
  end
  shot.generation, shot.stretch_generation = table.concat(generations, "."), 0
  shot.window, shot.limit, shot.datetime = { first, last }, search.limit, search.datetime
  finish(shot, list)
  shot.title = search.title or name
  return shot
end

-- ---- choosing

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
  local ms = rastrum.time.parse(text, calendar)
  if ms then return (rastrum.time.to_iso(ms, calendar)) end
  local err
  ms, err = rastrum.time.parse(text)
  if ms then return ms end
  err.where = "datetime"
  return nil, err
end

-- {dataset, variable, step, published, ms, distance} of every entry that has a step at the text's
-- time.
local function matches(shot, name, entries, text, mode)
  local out = {}
  for _, entry in ipairs(entries) do
    local variable = entry.dataset:variable(name)
    if variable then
      local step, ms, distance = entry.dataset:find_step(name, text, mode)
      if not step and type(ms) == "table" then return nil, ms end
      if step and in_window(shot, variable, ms) then
        out[#out + 1] = { dataset = entry.dataset, variable = name, step = step,
          published = entry.row.published, ms = ms,
          distance = distance }
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

local function in_order(shot, list)
  table.sort(list, function(a, b)
    if a.published ~= b.published then return a.published > b.published end
    return a.dataset:id() < b.dataset:id()
  end)
  -- Of what has no time (a land mask in each daily file) the latest published are enough.
  local timeless = list[1] and not list[1].ms and not list[#list].ms
  for i = #list, (shot.limit or timeless and MOST_SOURCES or math.huge) + 1, -1 do list[i] = nil end
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
local function latest(shot, name)
  local out, best, best_iso = {}, nil, -math.huge
  local i = #shot.list
  while i > 0 do
    if i > shot.timeless and shot.until_[i] < best_iso - SLACK_MS then i = shot.timeless end
    if i == 0 then break end
    local entry = shot.list[i]
    local found, err = matches(shot, name, { entry }, nil, nil)
    if not found then return nil, err end
    out[#out + 1] = found[1]
    if found[1] and found[1].ms and (not best or found[1].ms > best.ms) then
      best, best_iso = found[1], rastrum.time.to_iso(found[1].ms,
        entry.dataset:variable(name).calendar)
    end
    i = i - 1
  end
  return best_of(out, later)
end

-- The steps nearest to a time, looked for in wider and wider surroundings.
local function around(shot, name, time, text, mode)
  for _, days in ipairs { 10, 400, math.huge } do
    local near, some = days * 86400000, {}
    for _, entry in ipairs(shot.list) do
      if not entry.start or (entry.start <= time + near and entry.stop >= time - near) then
        some[#some + 1] = entry
      end
    end
    local found, err = matches(shot, name, some, text, mode)
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
    found, err = latest(shot, wanted.variable)
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
    found, err = matches(shot, wanted.variable, entries, text, mode)
  else
    found, err = around(shot, wanted.variable, time, text, mode)
  end
  if not found then return nil, err end
  return in_order(shot, found)
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
---@param wanted table  {variable=, datetime = a time, "nearest::T" … or nil for the latest, item = an item's id}
function M.sources(shot, wanted)
  if wanted.item then return source_of_item(shot, wanted) end
  local key = wanted.variable .. "\0" .. (wanted.datetime or "")
  local known = shot.plans[key]
  if known then return known end
  local list, err = plan(shot, wanted)
  if not list then return nil, err end
  if shot.plan_count >= KEPT_PLANS then shot.plans, shot.plan_count = {}, 0 end
  shot.plans[key], shot.plan_count = list, shot.plan_count + 1
  return list
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
---calendar, times, versions}. A variable without time has one, null.
---@return userdata|nil buf
---@return rastrum.Error|nil err
function M.times(shot, name)
  local window = shot.window or {}
  return rastrum.times {
    datasets = newest_first(shot), collection = shot.id, variable = name, first = window[1],
    last = window[2],
    generation = tostring(shot.stretch_generation or 0),
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
