-- A collection in memory: its datasets as handles in time order, its variables merged. Never changed
-- once made, but for what others keep with it; a newer one replaces it. rastrum.sources looks into it.
local segments = require "rastrum.segments"

local M = {}

local _, host = ...

local BATCH = 32

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
  for i, dataset in ipairs(list) do
    out[#out + 1] = { row = kept[i], dataset = host.pin(dataset) }
  end
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
    stretch = {}, plans = {}, plan_count = 0, runs = {} }
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
  shot.priority = row.priority or 0
  shot.segments, err = segments.read(driver, row.id, old)
  if not shot.segments then return nil, err end
  finish(shot, list)
  segments.settle(shot)
  return shot
end

-- ---- earlier states

local MOST_RETIRED, MOST_STATES = 64, 16

-- {row, dataset} of the versions that are published no longer; read once a snapshot.
local function retired_of(driver, shot)
  if shot.retired then return shot.retired end
  local rows = driver.past and driver:past(shot.id, MOST_RETIRED) or {}
  local texts, out = {}, {}
  for i, row in ipairs(rows) do texts[i], row.body = row.body, nil end
  local list = #texts > 0 and rastrum.dataset.parse_list(texts) or {}
  for i, dataset in ipairs(list) do out[i] = { row = rows[i], dataset = host.pin(dataset) } end
  shot.retired = out
  return out
end

local function touches(row, span)
  return not span or not row.start or (row.start <= span[2] and row.stop >= span[1])
end

-- The sequences at which something in the span changed, the last first.
local function changes(shot, retired, span)
  local seen, out = {}, {}
  local function add(sequence)
    if sequence and not seen[sequence] then
      seen[sequence] = true
      out[#out + 1] = sequence
    end
  end
  for _, entries in ipairs { shot.list, retired } do
    for _, entry in ipairs(entries) do
      if touches(entry.row, span) then
        add(entry.row.published)
        add(entry.row.ended)
      end
    end
  end
  table.sort(out, function(a, b) return a > b end)
  return out
end

local function before(shot, retired, sequence)
  local list = {}
  for _, entries in ipairs { shot.list, retired } do
    for _, entry in ipairs(entries) do
      local row = entry.row
      if row.published < sequence and (not row.ended or row.ended >= sequence) then
        list[#list + 1] = { row = row, dataset = entry.dataset }
      end
    end
  end
  local out = new_shot(shot.id)
  out.generation, out.created = shot.generation, shot.created
  out.stretch, out.stretch_generation = shot.stretch, shot.stretch_generation
  return finish(out, list)
end

---Earlier states of a collection, as far back as its retired versions are kept: an iterator of
---snapshots, the latest first. Only what touches `span` (milliseconds; nil: all) counts as a change.
---A named search has none.
---@param driver table
---@param shot rastrum.Snapshot
---@param span number[]|nil
function M.past(driver, shot, span)
  local retired = shot.window and {} or retired_of(driver, shot)
  local sequences, i = shot.window and {} or changes(shot, retired, span), 0
  shot.befores = shot.befores or {}
  return function()
    i = i + 1
    local sequence = i <= MOST_STATES and sequences[i]
    if not sequence then return nil end
    shot.befores[sequence] = shot.befores[sequence] or before(shot, retired, sequence)
    return shot.befores[sequence]
  end
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
        list[#list + 1] = { row = entry.row, dataset = entry.dataset, home = entry.home,
          priority = part.priority }
      end
    end
  end
  shot.generation, shot.stretch_generation = table.concat(generations, "."), 0
  shot.window, shot.limit, shot.datetime = { first, last }, search.limit, search.datetime
  finish(shot, list)
  shot.title = search.title or name
  return shot
end

return M
