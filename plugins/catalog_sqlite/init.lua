-- The catalog in one SQLite file: the driver of catalog URLs "sqlite:<path>". What a driver is:
-- plugins/catalog_sqlite's README. One row a dataset; an R*Tree over the distinct footprints only,
-- then one index walk a footprint.
local M = { name = "catalog_sqlite", api = 1, description = "the catalog in an SQLite file" }

-- What makes the tables of each layout (PRAGMA user_version) out of those of the one before.
local LAYOUTS = {}
local LAYOUT = 4

LAYOUTS[1] = {
  "CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
  "INSERT INTO counter VALUES ('sequence', 0)",
  [[CREATE TABLE collections (id TEXT PRIMARY KEY, generation INTEGER NOT NULL,
    created TEXT NOT NULL,
    stretch TEXT NOT NULL, stretch_generation INTEGER NOT NULL)]],
  [[CREATE TABLE footprints (id INTEGER PRIMARY KEY, west REAL, south REAL, east REAL, north REAL,
    UNIQUE (west, south, east, north))]],
  "CREATE VIRTUAL TABLE footprint_boxes USING rtree (id, west, east, south, north)",
  [[CREATE TABLE datasets (collection TEXT NOT NULL, dataset TEXT NOT NULL, version TEXT NOT NULL,
    fingerprint TEXT NOT NULL, source TEXT NOT NULL, published INTEGER NOT NULL,
      created TEXT NOT NULL,
    start INTEGER, stop INTEGER, footprint INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (collection, dataset))]],
  "CREATE INDEX datasets_time ON datasets (collection, footprint, start)",
  [[CREATE TABLE retired (collection TEXT NOT NULL, dataset TEXT NOT NULL, version TEXT NOT NULL,
    since INTEGER NOT NULL, PRIMARY KEY (collection, dataset, version))]],
  [[CREATE TABLE leases (collection TEXT NOT NULL, dataset TEXT NOT NULL, version TEXT NOT NULL,
    owner TEXT NOT NULL,
    beat INTEGER NOT NULL, PRIMARY KEY (collection, dataset))]],
}

-- What is published no longer keeps its row, so that its versioned addresses can be answered until
-- gc: it was current for sequences published <= s < ended.
LAYOUTS[2] = {
  "ALTER TABLE retired ADD COLUMN published INTEGER",
  "ALTER TABLE retired ADD COLUMN ended INTEGER",
  "ALTER TABLE retired ADD COLUMN source TEXT",
  "ALTER TABLE retired ADD COLUMN created TEXT",
  "ALTER TABLE retired ADD COLUMN start INTEGER",
  "ALTER TABLE retired ADD COLUMN stop INTEGER",
  "ALTER TABLE retired ADD COLUMN body TEXT",
  "ALTER TABLE leases ADD COLUMN since INTEGER NOT NULL DEFAULT 0",
}

LAYOUTS[3] = {
  [[CREATE TABLE segments (collection TEXT NOT NULL, version TEXT NOT NULL, kind TEXT NOT NULL,
    tier INTEGER NOT NULL, published INTEGER NOT NULL, rest INTEGER NOT NULL,
    created TEXT NOT NULL, members TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (collection, version))]],
}

-- Of collections that a named search joins, those of higher priority answer first.
LAYOUTS[4] = { "ALTER TABLE collections ADD COLUMN priority REAL NOT NULL DEFAULT 0" }

local Catalog = {}
Catalog.__index = Catalog

local function newer(path, found)
  return nil, { code = "unsupported", where = path,
    message = ("the catalog has layout %d; this program knows up to %d: use a newer "
      .. "program"):format(found, LAYOUT) }
end

local function layout_of(db)
  local rows, err = db:query("PRAGMA user_version")
  return rows and rows[1].user_version, err
end

-- Makes the tables that are wanted of those of an older layout, in one transaction.
local function migrate(db, layout)
  if layout == LAYOUT then return true end
  local statements = {}
  for i = layout + 1, LAYOUT do
    for _, text in ipairs(LAYOUTS[i]) do statements[#statements + 1] = { text } end
  end
  statements[#statements + 1] = { ("PRAGMA user_version = %d"):format(LAYOUT) }
  local ok, err = db:transaction(statements)
  -- another process may have made them meanwhile
  return ok and true or layout_of(db) == LAYOUT, err
end

-- The connection that writes, made with its file and tables when it is first needed.
function Catalog:writer()
  if self.write then return self.write end
  local db, err = rastrum.sql.open(self.path)
  if not db then return nil, err end
  local layout
  layout, err = layout_of(db)
  if not layout then return nil, err end
  if layout > LAYOUT then return newer(self.path, layout) end
  local ok
  ok, err = migrate(db, layout)
  if not ok then return nil, err end
  self.write = db:keep()
  return self.write
end

-- The connection that reads; false while there is no file or nothing in it.
function Catalog:reader()
  if self.read then return self.read end
  local db, err = rastrum.sql.open(self.path, { readonly = true })
  if not db then
    if err.code == "not_found" then return false end
    return nil, err
  end
  local layout
  layout, err = layout_of(db)
  if not layout then return nil, err end
  if layout > LAYOUT then return newer(self.path, layout) end
  if layout == 0 then return false end
  if layout < LAYOUT then self:writer() end  -- where it cannot be written, older tables will do
  self.read_layout = layout_of(db)
  self.read = db:keep()
  return self.read
end

function Catalog:query(sql, ...)
  local db, err = self:reader()
  if not db then return db == false and {} or nil, err end
  return db:query(sql, ...)
end

---A value that is another one after any change; false while there is no catalog.
function Catalog:revision()
  local db, err = self:reader()
  if not db then return db, err end
  local rows
  rows, err = db:query("PRAGMA data_version")
  return rows and rows[1].data_version, err
end

---Whether the file can be read now, by somebody who opens it anew; a catalog that is not made yet is fine.
function Catalog:check()
  local db, err = rastrum.sql.open(self.path, { readonly = true })
  if not db then
    if err.code == "not_found" and not self.seen then return true end
    return nil, err
  end
  self.seen = true
  local rows
  rows, err = db:query("SELECT value FROM counter")
  db:close()
  return rows and true, err
end

---A number that is another one after any commit, read without asking the database; nil where there
---is none. Does not wait.
function Catalog:stamp() return self.read and self.read:stamp() end

---{id, generation, created, stretch (JSON), stretch_generation, priority} of each.
function Catalog:collections()
  return self:query(
    ("SELECT id, generation, created, stretch, stretch_generation, %s AS priority FROM collections "
      .. "ORDER BY id"):format(self.read_layout and self.read_layout < 4 and "0" or "priority"))
end

local COLUMNS = "dataset, version, fingerprint, source, published, created, start, stop, "
  .. "footprint, length(body) AS size"

-- The ids of footprints whose box touches one of the boxes {west, south, east, north}.
function Catalog:footprints(boxes)
  local seen, list = {}, {}
  for _, box in ipairs(boxes) do
    local rows, err = self:query(
      "SELECT id FROM footprint_boxes WHERE east >= ? AND west <= ? AND north >= ? AND south <= ?",
      box[1], box[3], box[2], box[4])
    if not rows then return nil, err end
    for _, row in ipairs(rows) do
      if not seen[row.id] then list[#list + 1] = row.id end
      seen[row.id] = true
    end
  end
  return list
end

local function merge_by_start(lists)
  local all = {}
  for _, list in ipairs(lists) do
    for _, row in ipairs(list) do all[#all + 1] = row end
  end
  table.sort(all, function(a, b)
    local x, y = a.start or -math.huge, b.start or -math.huge
    if x ~= y then return x < y end
    return a.dataset < b.dataset
  end)
  return all
end

---Rows of a collection's datasets in time order, without their bodies. footprints: nil for all, or
---a list from footprints(); t0, t1: nil or milliseconds; datasets without time are always among
---them.
function Catalog:datasets(collection, footprints, t0, t1)
  local window = "(start IS NULL OR (start <= ? AND stop >= ?))"
  local first, last = t0 or -9007199254740991, t1 or 9007199254740991
  if not footprints then
    local rows, err = self:query(
      ("SELECT %s FROM datasets WHERE collection = ? AND %s"):format(COLUMNS, window), collection,
      last, first)
    return rows and merge_by_start { rows }, err
  end
  local lists = {}
  for i, footprint in ipairs(footprints) do
    local rows, err = self:query(
      ("SELECT %s FROM datasets WHERE collection = ? AND footprint = ? AND %s ORDER BY "
        .. "start"):format(COLUMNS, window),
      collection, footprint, last, first)
    if not rows then return nil, err end
    lists[i] = rows
  end
  return merge_by_start(lists)
end

---The bodies of these datasets, by dataset id; those that are gone are left out.
function Catalog:bodies(collection, ids)
  local marks = ("?,"):rep(#ids):sub(1, -2)
  local rows, err = self:query(
    ("SELECT dataset, body FROM datasets WHERE collection = ? AND dataset IN (%s)"):format(marks),
      collection, unpack(ids))
  if not rows then return nil, err end
  local out = {}
  for _, row in ipairs(rows) do out[row.dataset] = row.body end
  return out
end

---The row of one dataset, or false.
function Catalog:find(collection, dataset)
  local rows, err = self:query(
    ("SELECT %s FROM datasets WHERE collection = ? AND dataset = ?"):format(COLUMNS), collection,
    dataset)
  if not rows then return nil, err end
  return rows[1] or false
end

---{dataset =, body =} of the dataset of a collection that was published last, but for this one; or false.
function Catalog:newest(collection, but)
  local rows, err = self:query("SELECT dataset, body FROM datasets WHERE collection = ? "
    .. "AND dataset <> ? ORDER BY published DESC LIMIT 1", collection, but)
  if not rows then return nil, err end
  return rows[1] or false
end

-- Global boxes stand for those that cross 180 degrees: the R*Tree finds candidates, the caller
-- tests exactly.
local FOOTPRINT = {
  "INSERT OR IGNORE INTO footprints (west, south, east, north) VALUES (?, ?, ?, ?)",
  [[INSERT INTO footprint_boxes SELECT id, min(west, iif(west > east, -180, west)),
    iif(west > east, 180, east), south, north
    FROM footprints WHERE west = ? AND south = ? AND east = ? AND north = ?
    AND id NOT IN (SELECT id FROM footprint_boxes)]],
}

local function footprint_statements(box)
  if not box then return {} end
  local list = {}
  for i, text in ipairs(FOOTPRINT) do list[i] = { text, box[1], box[2], box[3], box[4] } end
  return list
end

local FIND_FOOTPRINT =
  "coalesce((SELECT id FROM footprints WHERE west = ? AND south = ? AND east = ? AND north = ?), 0)"

local UPDATE = [[UPDATE datasets SET version = ?, fingerprint = ?, source = ?, created = ?,
  start = ?, stop = ?, body = ?,
  footprint = ]] .. FIND_FOOTPRINT .. [[,
    published = (SELECT value FROM counter WHERE name = 'sequence')
  WHERE collection = ? AND dataset = ? AND version = ? AND (source = ? OR ?)]]
local INSERT = [[INSERT INTO datasets (version, fingerprint, source, created, start, stop, body,
  footprint, published, collection,
  dataset) SELECT ?, ?, ?, ?, ?, ?, ?, ]] .. FIND_FOOTPRINT
    .. [[, value, ?, ? FROM counter WHERE name = 'sequence']]

local function dataset_statement(record)
  local box = record.bbox or {}
  local statement = { record.old and UPDATE or INSERT, record.version, record.fingerprint,
    record.source, record.created,
    record.start, record.stop, record.body, box[1], box[2], box[3], box[4], record.collection,
    record.dataset, n = 13, expect = 1 }
  if record.old then
    statement[15], statement[16], statement[17] = record.old, record.source,
      record.takeover and 1 or 0
    statement.n = 16
  end
  return statement
end

local COUNT = { "UPDATE counter SET value = value + 1 WHERE name = 'sequence'" }
local COUNTED = "(SELECT value FROM counter WHERE name = 'sequence')"

-- One dataset, or all of a collection, is published no longer.
local RETIRE = [[INSERT OR REPLACE INTO retired (collection, dataset, version, since, published,
  ended, source, created, start, stop, body)
  SELECT collection, dataset, version, ?, published, ]] .. COUNTED .. [[, source, created, start,
    stop, body FROM datasets WHERE collection = ? AND dataset = coalesce(?, dataset)]]

-- What a publication does before its own row: counted, the collection there, the lease still held.
local function publish_statements(record)
  local list = {
    COUNT,
    { [[INSERT OR IGNORE INTO collections (id, generation, created, stretch, stretch_generation)
      VALUES (?, 0, ?, '{}', 0)]], record.collection,
      record.created },
    { "UPDATE collections SET generation = " .. COUNTED .. ", stretch = json_patch(?, stretch) "
      .. "WHERE id = ?", record.stretch, record.collection },
  }
  if record.owner then
    list[#list + 1] = { "UPDATE leases SET beat = ? WHERE collection = ? AND dataset = ? AND "
      .. "owner = ?", record.now, record.collection, record.dataset, record.owner, expect = 1 }
  end
  if record.old and record.old ~= record.version then
    list[#list + 1] = { RETIRE, record.now, record.collection, record.dataset }
  end
  list[#list + 1] = { "DELETE FROM retired WHERE collection = ? AND dataset = ? AND version = ?",
    record.collection, record.dataset, record.version }
  for _, each in ipairs(footprint_statements(record.bbox)) do list[#list + 1] = each end
  return list
end

---One conditional write. record: {collection, dataset, version, fingerprint, source, created, body
---(JSON), bbox|nil, start, stop|nil (ms), stretch (JSON object), old = the version it replaces|nil,
---now = ms, owner = who must hold the dataset's lease|nil, takeover = another source's dataset may
---be replaced|nil}. `nil, err` with code "conflict" when what is published is not `old`, or of
---another source, or the lease is another's. Limits of the ramp that a variable has already stay.
function Catalog:publish(record)
  local db, err = self:writer()
  if not db then return nil, err end
  local statements = publish_statements(record)
  statements[#statements + 1] = dataset_statement(record)
  local done
  done, err = db:transaction(statements)
  return done and true, err
end

---Takes a dataset out, or without one all of the collection; true, or false when there was none.
function Catalog:remove(collection, dataset, now)
  local db, err = self:writer()
  if not db then return nil, err end
  local done
  done, err = db:transaction {
    COUNT,
    { RETIRE, now, collection, dataset, n = 3 },
    { "DELETE FROM datasets WHERE collection = ? AND dataset = coalesce(?, dataset)", collection,
      dataset, n = 2 },
    { "UPDATE collections SET generation = " .. COUNTED .. " WHERE id = ?", collection },
    { "DELETE FROM collections WHERE id = ? AND NOT EXISTS (SELECT 1 FROM datasets WHERE "
      .. "collection = ?)", collection,
      collection },
    { "INSERT OR REPLACE INTO retired (collection, dataset, version, since) SELECT collection, "
      .. "'segments', version, ? FROM segments WHERE collection NOT IN (SELECT id FROM "
      .. "collections)", now },
    { "DELETE FROM segments WHERE collection NOT IN (SELECT id FROM collections)" },
  }
  if not done then return nil, err end
  return done[3] > 0
end

---Replaces a collection's ramp limits by those given (JSON object, merged over what is there).
function Catalog:restretch(collection, stretch)
  local db, err = self:writer()
  if not db then return nil, err end
  local done
  done, err = db:transaction { COUNT, { "UPDATE collections SET generation = " .. COUNTED
    .. ", stretch = json_patch(stretch, ?), stretch_generation = stretch_generation + 1 "
    .. "WHERE id = ?", stretch, collection, expect = 1 } }
  return done and true, err
end

---Sets a collection's priority; true, or false when there is no such collection.
function Catalog:prioritise(collection, priority)
  local db, err = self:writer()
  if not db then return nil, err end
  local done
  done, err = db:transaction { COUNT, { "UPDATE collections SET generation = " .. COUNTED
    .. ", priority = ? WHERE id = ?", priority, collection } }
  if not done then return nil, err end
  return done[2] > 0
end

---Takes the lease on a dataset: true, or nil and code "conflict" while another owner's
---heart beats (not before `dead`, ms), unless that owner is `ended`, of whom the caller knows that
---it is no more.
function Catalog:lease(collection, dataset, version, owner, now, dead, ended)
  local db, err = self:writer()
  if not db then return nil, err end
  local done
  done, err = db:transaction { { [[INSERT INTO leases (collection, dataset, version, owner, beat,
    since) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (collection, dataset) DO UPDATE
    SET version = excluded.version, owner = excluded.owner, beat = excluded.beat,
    since = excluded.since
    WHERE leases.owner = excluded.owner OR leases.beat < ? OR leases.owner = ?]], collection,
      dataset, version, owner, now, now, dead, ended, n = 8, expect = 1 } }
  return done and true, err
end

---Lets the heart of a lease beat: true, or nil and code "conflict" when it is not `owner`'s any more.
function Catalog:renew(collection, dataset, owner, now)
  local db, err = self:writer()
  if not db then return nil, err end
  local done
  done, err = db:transaction { { "UPDATE leases SET beat = ? WHERE collection = ? AND dataset = ? "
    .. "AND owner = ?", now, collection, dataset, owner, expect = 1 } }
  return done and true, err
end

function Catalog:release(collection, dataset, owner)
  local db, err = self:writer()
  if not db then return nil, err end
  local done
  done, err = db:transaction { { "DELETE FROM leases WHERE collection = ? AND dataset = ? AND "
    .. "owner = ?", collection, dataset,
    owner } }
  return done and true, err
end

---All leases: {collection, dataset, version, owner, since, beat}.
function Catalog:leases()
  return self:query("SELECT collection, dataset, version, owner, since, beat FROM leases")
end

---Versions that are published no longer: {collection, dataset, version, since}.
function Catalog:retired()
  return self:query("SELECT collection, dataset, version, since FROM retired")
end

---Rows of a collection's versions that are published no longer, the last ended first, each with the
---sequences at which it was `published` and `ended`, and its body.
function Catalog:past(collection, most)
  return self:query([[SELECT dataset, version, published, ended, source, created, start, stop, body
    FROM retired WHERE collection = ? AND body IS NOT NULL ORDER BY ended DESC LIMIT ?]],
    collection, most)
end

---Forgets retired versions, whose objects are gone; snapshots that still have them are made anew.
function Catalog:forget(list)
  if #list == 0 then return true end
  local db, err = self:writer()
  if not db then return nil, err end
  local statements, seen = { COUNT }, {}
  for _, each in ipairs(list) do
    statements[#statements + 1] = { "DELETE FROM retired WHERE collection = ? AND dataset = ? AND "
      .. "version = ?", each.collection, each.dataset, each.version }
    if not seen[each.collection] then
      seen[each.collection] = true
      statements[#statements + 1] = { "UPDATE collections SET generation = " .. COUNTED
        .. " WHERE id = ?", each.collection }
    end
  end
  local done
  done, err = db:transaction(statements)
  return done and true, err
end

-- ---- segments: joined stores, one row each. Their retired versions stand among the others, with the
-- dataset "segments".

---Rows of a collection's segments: {version, kind, tier, published, created, rest}. None in the tables
---of an older layout that cannot be written.
function Catalog:segments(collection)
  if self.read_layout and self.read_layout < 3 then return {} end
  return self:query("SELECT version, kind, tier, published, created, rest FROM segments WHERE "
    .. "collection = ? ORDER BY published", collection)
end

---{body =, members =} (JSON) of these segments, by version; those that are gone are left out.
function Catalog:segment_bodies(collection, versions)
  local rows, err = self:query("SELECT version, body, members FROM segments WHERE collection = ? "
    .. "AND version IN (SELECT value FROM json_each(?))", collection,
    rastrum.json.encode(rastrum.json.array(versions)))
  if not rows then return nil, err end
  local out = {}
  for _, row in ipairs(rows) do out[row.version] = row end
  return out
end

---What has come together since the last segment: {since = datasets published, rest = what its
---compaction left}.
function Catalog:pending(collection)
  local rows, err = self:query([[SELECT count(*) AS since, coalesce((SELECT rest FROM segments
    WHERE collection = ? ORDER BY published DESC LIMIT 1), 0) AS rest FROM datasets
    WHERE collection = ? AND published > (SELECT coalesce(max(published), 0) FROM segments
    WHERE collection = ?)]], collection, collection, collection)
  return rows and rows[1], err
end

local function insert_segment(record)
  return { [[INSERT INTO segments (collection, version, kind, tier, rest, created, members, body,
    published) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ]] .. COUNTED .. ")",
    record.collection, record.version, record.kind, record.tier, record.rest, record.created,
    record.members, record.body, expect = 1 }
end

---One conditional write: a new segment (or none, `version` nil) in place of others. record:
---{collection, version, kind, tier, rest, created, members, body, replaces = versions, seen = the
---last `published` of the segments that were planned on, owner = who must hold the lease, now = ms}.
---`nil, err` with code "conflict" when the segments are not those any more, or the lease is another's.
function Catalog:swap(record)
  local db, err = self:writer()
  if not db then return nil, err end
  local replaces = rastrum.json.encode(rastrum.json.array(record.replaces))
  local statements = {
    COUNT,
    { "UPDATE collections SET generation = " .. COUNTED .. " WHERE id = ? AND ? = (SELECT "
      .. "coalesce(max(published), 0) FROM segments WHERE collection = ?)", record.collection,
      record.seen, record.collection, expect = 1 },
    { "UPDATE leases SET beat = ? WHERE collection = ? AND dataset = 'segments' AND owner = ?",
      record.now, record.collection, record.owner, expect = 1 },
    { "INSERT OR REPLACE INTO retired (collection, dataset, version, since) SELECT ?, 'segments', "
      .. "value, ? FROM json_each(?)", record.collection, record.now, replaces },
    { "DELETE FROM segments WHERE collection = ? AND version IN (SELECT value FROM json_each(?))",
      record.collection, replaces, expect = #record.replaces },
  }
  if record.version then
    statements[#statements + 1] = { "DELETE FROM retired WHERE collection = ? AND "
      .. "dataset = 'segments' AND version = ?", record.collection, record.version }
    statements[#statements + 1] = insert_segment(record)
  end
  local done
  done, err = db:transaction(statements)
  return done and true, err
end

function Catalog:close()
  if self.read then self.read:close() end
  if self.write then self.write:close() end
  self.read, self.write = nil, nil
end

M.catalog_driver = {
  scheme = "sqlite",
  ---`rest`: what follows the scheme, a path. Nothing is made until something is written, or
  ---create() is called.
  open = function(rest)
    local catalog = setmetatable({ path = rest }, Catalog)
    catalog.create = function(self) return self:writer() and true end
    return catalog
  end,
}

return M
