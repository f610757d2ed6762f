-- A collection's segments in a snapshot: joined stores, each of whose members names the dataset and
-- version that some of its steps are. A dataset is at home in a segment as long as that very version
-- is published; replaced or removed, it is read from its own store, or no more.
local _, host = ...

local M = {}

local BATCH = 8

-- {first, count} of each axis, by member, from the text that the compaction wrote.
local function members_of(text)
  local list = rastrum.json.decode(text) or {}
  for _, member in ipairs(list) do
    member.first, member.count = {}, {}
    for k, steps in ipairs(member.steps) do
      member.first[k], member.count[k] = steps[1], steps[2]
    end
    member.steps = nil
  end
  return list
end

local function parse(driver, collection, rows, out)
  local versions = {}
  for i, row in ipairs(rows) do versions[i] = row.version end
  local bodies, err = driver:segment_bodies(collection, versions)
  if not bodies then return nil, err end
  local texts, kept = {}, {}
  for _, row in ipairs(rows) do
    local found = bodies[row.version]
    if found then
      texts[#texts + 1] = found.body
      kept[#kept + 1] = { row = row, members = members_of(found.members) }
    end
  end
  local list
  list, err = rastrum.dataset.parse_list(texts)
  if not list then return nil, err end
  for i, dataset in ipairs(list) do
    kept[i].dataset = host.pin(dataset)
    out[#out + 1] = kept[i]
  end
  return true
end

---The segments of a collection, the first published first: {row, dataset (a handle), members}; those
---of the old snapshot are used again.
---@param driver table
---@param collection string
---@param old rastrum.Snapshot|nil
function M.read(driver, collection, old)
  local rows, err = driver:segments(collection)
  if not rows then return nil, err end
  local known, out, wanted = {}, {}, {}
  for _, segment in ipairs(old and old.segments or {}) do known[segment.row.version] = segment end
  for _, row in ipairs(rows) do
    local same = known[row.version]
    if same then
      out[#out + 1] = { row = row, dataset = same.dataset, members = same.members }
    else
      wanted[#wanted + 1] = row
    end
  end
  for first = 1, #wanted, BATCH do
    local some = {}
    for i = first, math.min(first + BATCH - 1, #wanted) do some[#some + 1] = wanted[i] end
    local ok
    ok, err = parse(driver, collection, some, out)
    if not ok then return nil, err end
  end
  table.sort(out, function(a, b) return a.row.published < b.row.published end)
  return out
end

---Gives each dataset of a snapshot its home {segment, member}, and each segment `live`, the number
---of members that are published. Of several segments that hold a dataset the last published wins.
---@param shot rastrum.Snapshot
function M.settle(shot)
  for _, segment in ipairs(shot.segments) do
    for _, member in ipairs(segment.members) do
      local entry = shot.entries[member.dataset]
      if entry and entry.row.version == member.version then
        entry.home = { segment = segment, member = member }
      end
    end
  end
  for _, segment in ipairs(shot.segments) do segment.live = 0 end
  for _, entry in ipairs(shot.list) do
    if entry.home then entry.home.segment.live = entry.home.segment.live + 1 end
  end
end

---The version of the segment that holds a dataset, "" where none does.
---@param entry table  of shot.list
---@return string
function M.home(entry) return entry.home and entry.home.segment.row.version or "" end

---The version of the segment that holds each dataset of a snapshot, "" for those in none.
---@param shot rastrum.Snapshot
---@return string[]
function M.homes(shot)
  if shot.homes then return shot.homes end
  local out = {}
  for i, entry in ipairs(shot.list) do out[i] = M.home(entry) end
  shot.homes = out
  return out
end

---A tag that changes with any dataset's move from one store to another.
---@param shot rastrum.Snapshot
function M.tag(shot)
  shot.homes_tag = shot.homes_tag or rastrum.hash(table.concat(M.homes(shot), ","))
  return shot.homes_tag
end

---What a client can open to have every published step once: segments of which all is published, and
---the own stores of the datasets that are in none of them. In time order: {dataset = handle of the
---store, start, stop = ms or nil, first, last = ids of the datasets}.
---@param shot rastrum.Snapshot
function M.stores(shot)
  if shot.stores then return shot.stores end
  local out, of = {}, {}
  for _, entry in ipairs(shot.list) do
    local segment = entry.home and entry.home.segment
    local whole = segment and segment.live == #segment.members
    local store, id, row = whole and of[segment], entry.dataset:id(), entry.row
    if store then
      store.last, store.stop = id, math.max(store.stop, row.stop)
    else
      store = { dataset = whole and segment.dataset or entry.dataset, first = id, last = id,
        start = row.start, stop = row.stop }
      out[#out + 1] = store
      if whole then of[segment] = store end
    end
  end
  shot.stores = out
  return out
end

return M
