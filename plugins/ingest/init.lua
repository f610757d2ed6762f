-- Ingest: a source file becomes one published version of one dataset, in four steps over the
-- primitives of rastrum.ingest: validate, convert, describe, publish. Several sources run one after
-- another; one that fails is reported and does not stop the others.
local catalog = require "rastrum.catalog"
local compaction = require "rastrum.compaction"
local hooks = require "rastrum.hooks"
local inspection = require "inspection"
local packing = require "packing"
local said = require "report"

local M = { name = "ingest", api = 1, description = "NetCDF files into Zarr, COG and the catalog" }

local WATCH_MS = 200  -- between two looks at a conversion
local BEATS = 6       -- of a lease's heart in the time that it lives without one
local PUBLISH_S = 30  -- how long a catalog that another process holds is asked again

-- ---- which dataset a source becomes

-- A path as it is, a URL without its query, which may hold a signature.
local function place(path)
  if path:match("^https?://") then return (path:match("^[^?#]*"):gsub("/+$", "")) end
  return path
end

local function split(path)
  local folder, file = place(path):match("^(.*)/([^/]*)$")
  return folder or "", file or path
end

local function file_of(path) return select(2, split(path)) end

local function stem(file) return (file:gsub("%.[^.]*$", "")) end

-- The longest folder that all sources lie in.
local function common_parent(sources)
  local parent = (split(sources[1].path))
  for _, source in ipairs(sources) do
    local path = source.path
    while path:sub(1, #parent + 1) ~= parent .. "/" do parent = (split(parent)) end
  end
  return parent
end

-- Below a root: the path there. One source: its stem. Several: the path below their common parent,
-- so that 2020/data.nc and 2021/data.nc differ.
local function dataset_id(source, parent, root)
  local name
  if root and source.given:sub(1, #root + 1) == root .. "/" then
    name = source.given:sub(#root + 2)
  else
    name = parent and source.path:sub(#parent + 2) or file_of(source.path)
  end
  return rastrum.ingest.id(stem(name))
end

local function collection_id(path)
  return rastrum.ingest.id(file_of((split(path))))
end

local function invalid(where, message, ...)
  return { code = "invalid", where = where, message = message:format(...) }
end

-- ---- steps: each takes a job {path, file, options, …} and leaves in it what later steps need

-- What is published now, unless another source than this one became it.
local function find_published(job)
  local row, err = catalog.find(job.collection, job.dataset)
  if row == nil then return nil, err end
  if row and row.source ~= place(job.path) and not job.options.dataset then
    return catalog.clash(row, job.collection, place(job.path))
  end
  job.old = row and row.version or nil
  return true
end

-- What was published last in the job's collection: in this run, else before it.
local function published_before(job)
  local last = job.before[job.collection]
  if last then return last end
  local newest = catalog.newest(job.collection, job.dataset)
  return newest and rastrum.json.decode(newest.body)
end

-- What the collection has already may be packed otherwise; a catalog that cannot be read is told of
-- when it is needed.
local function compare(job)
  local last = published_before(job)
  for _, finding in ipairs(last and packing.differences(job.plan, last) or {}) do
    table.insert(job.plan.findings, finding)
  end
end

local function tell_findings(job)
  for _, finding in ipairs(job.plan.findings) do
    local where = finding.where ~= "" and finding.where .. ": " or ""
    rastrum.emit {
      event = "finding", code = finding.code, severity = finding.severity, where = finding.where,
      message = finding.message, source = job.given, dataset = job.dataset,
      text = ("%s: %s: %s%s"):format(job.file, finding.severity, where, finding.message),
    }
  end
end

local function finish_unchanged(job)
  job.done = true
  rastrum.emit {
    event = "unchanged", source = job.given, collection = job.collection, dataset = job.dataset,
    version = job.version,
    text = ("%s: unchanged: %s/%s is published as version %s"):format(
      job.file, job.collection, job.dataset, job.version),
  }
  return true
end

local function variable_names(plan)
  local names = {}
  for _, variable in ipairs(plan.variables) do
    if variable.mappable then names[#names + 1] = variable.name end
  end
  return names
end

local function step_count(plan)
  local steps = 1
  for _, axis in ipairs(plan.times.axes) do steps = math.max(steps, axis.count) end
  return steps
end

-- The catalog's row; a catalog that another process holds for a while does not undo an hour's work.
local function write_row(job)
  local until_ = rastrum.time.clock() + PUBLISH_S
  while true do
    local ok, err = catalog.publish {
      body = job.body, fingerprint = job.fingerprint, source = place(job.path), old = job.old,
      lease = job.lease, takeover = job.options.dataset ~= nil,
    }
    if ok or err.code ~= "busy" or rastrum.time.clock() > until_ then return ok, err end
  end
end

local function finish_dry(job)
  local p = job.plan.plan
  job.done = true
  rastrum.emit {
    event = "planned", source = job.given, collection = job.collection, dataset = job.dataset,
    plan = job.plan,
    text = said.planned {
      file = job.file, collection = job.collection, dataset = job.dataset,
      variables = variable_names(job.plan), steps = step_count(job.plan), bytes = job.plan.bytes,
      estimate = p.estimate, memory = p.memory_bytes, in_place = p.in_place,
    },
  }
  return true
end

-- What hooks are told of a source.
local function about(job, more)
  local what = {
    source = job.path or job.given, file = job.file, collection = job.collection,
    dataset = job.dataset, version = job.version,
  }
  for key, value in pairs(more or {}) do what[key] = value end
  return what
end

local function validate(job)
  local o = job.options
  local handle, plan = rastrum.ingest.open(job.path, {
    collection = job.collection, dataset = job.dataset, variables = o.variables,
    datetime = o.datetime, cog_compress = o.cog_compress, memory = o.memory, scratch = o.scratch,
    jobs = o.jobs, zarr_format = o.zarr_format, estimate = o.dry_run, in_place = o.in_place,
    copy = o.copy, virtual = o.virtual,
  })
  if not handle then return nil, plan end
  job.handle, job.plan = handle, plan
  compare(job)
  tell_findings(job)
  local ok, err = hooks.run("on_validate", about(job, { plan = plan }))
  if not ok then return nil, err end
  if o.dry_run then return finish_dry(job) end
  local version, fingerprint = rastrum.ingest.fingerprint(handle)
  if not version then return nil, fingerprint end
  job.version, job.fingerprint = version, fingerprint
  ok, err = find_published(job)
  if not ok then return nil, err end
  return job.old == version and finish_unchanged(job) or true
end

local function show_progress(job)
  local p = job.progress
  rastrum.emit {
    event = "progress", dataset = job.dataset,
    fraction = p.bytes_total > 0 and p.bytes_done / p.bytes_total or 0,
    text = said.progress(job.file, p, rastrum.time.clock() - job.converting),
  }
end

local function note_waiting(job, holder)
  rastrum.emit {
    event = "note", code = "waiting",
    text = ("%s: waits: %s writes %s/%s"):format(job.file, holder or "another process",
      job.collection, job.dataset),
  }
end

-- Who has not been heard of for too long may find another process in its place; what lies in the
-- store is that one's then, and must not be removed.
local function beat(job)
  local now = rastrum.time.clock()
  if now - job.beat < catalog.lease_ms() / 1000 / BEATS then return true end
  local ok, err = job.lease.renew()
  if ok then job.beat = now end
  if ok or err.code ~= "conflict" then return true end
  rastrum.ingest.keep(job.handle)
  return nil, {
    code = "conflict", where = job.file,
    message = ("another process took %s/%s over, since nothing had been heard of this one for too "
      .. "long"):format(job.collection, job.dataset),
  }
end

-- The lease keeps other processes from the same dataset; its heart beats while the conversion runs.
local function take_lease(job)
  local err
  job.lease, err = catalog.lease(job.collection, job.dataset, job.version, {
    wait = rastrum.config.lease_wait,
    waiting = function(holder) note_waiting(job, holder) end,
  })
  job.beat = rastrum.time.clock()
  return job.lease and true, err
end

local function convert(job)
  local ok, err = take_lease(job)
  if not ok then return nil, err end
  ok, err = find_published(job)  -- it may have changed while this process had no lease
  if not ok then return nil, err end
  if job.old == job.version then return finish_unchanged(job) end
  ok, err = catalog.is_retired(job.collection, job.dataset, job.version)
  if ok == nil then return nil, err end
  if ok then rastrum.ingest.keep(job.handle) end  -- requests may still read what is there
  job.converting = rastrum.time.clock()
  repeat
    job.progress, err = rastrum.ingest.convert(job.handle, WATCH_MS)
    if not job.progress then return nil, err end
    show_progress(job)
    ok, err = beat(job)
    if not ok then return nil, err end
  until job.progress.done
  return true
end

local function describe(job)
  local err
  job.body, err = rastrum.ingest.describe(job.handle)
  return job.body and true, err
end

local function publish(job)
  local ok, err = write_row(job)
  if not ok then return nil, err end
  local p = job.progress
  job.published = {
    file = job.file, collection = job.collection, dataset = job.dataset, version = job.version,
    replaced = job.old, variables = rastrum.json.array(variable_names(job.plan)),
    steps = step_count(job.plan), bytes_in = job.plan.bytes, bytes_out = p.bytes_written,
    seconds = rastrum.time.clock() - job.started, objects = p.objects,
    zarr_format = job.options.zarr_format,
  }
  local event = {
    event = "published", source = job.given, chunks_read = p.chunks_read,
    scratch_bytes = p.scratch_peak, text = said.published(job.published),
  }
  for key, value in pairs(job.published) do event[key] = value end
  rastrum.emit(event)
  return true
end

local STEPS = {
  { "validate", validate },
  { "convert", convert },
  { "describe", describe },
  { "publish", publish },
}

-- ---- running them

-- People find the file at the front of a refusal, whatever was at fault in it.
local function report(job, err)
  if type(err) ~= "table" then err = { code = "internal", message = tostring(err) } end
  local message, where = err.message or "failed", err.where or ""
  if where ~= "" and where ~= job.file and where ~= job.path then
    message = ("%s: %s"):format(where, message)
  end
  rastrum.emit {
    event = "error", code = err.code or "internal", message = message, where = job.file,
    source = job.given,
  }
  hooks.run("on_failure", about(job, {
    step = job.step, code = err.code or "internal", message = message,
  }))
end

-- Nothing may name what is discarded, and nobody else may be writing it: where the lease was lost,
-- it has to be had again.
local function discard(job)
  if not job.lease.renew() then
    job.lease = catalog.lease(job.collection, job.dataset, job.version)
    if not job.lease then return end
  end
  local row = catalog.find(job.collection, job.dataset)
  local unnamed = row == false or (row and row.version ~= job.version)
  if unnamed and catalog.is_retired(job.collection, job.dataset, job.version) == false then
    rastrum.versions.remove(job.collection, job.dataset, job.version)
  end
end

-- What a job held or wrote is given back, whatever happened.
local function settle(job, failed)
  if job.handle then job.handle:close() end  -- ends a conversion that still runs
  if failed and job.lease then discard(job) end
  if job.lease then job.lease.release() end
end

-- The lease must not die while a hook is waited for.
local function run_hooks(name, job, more)
  local function alive()
    if job.lease then beat(job) end
  end
  hooks.run(name, about(job, more), alive)
end

local function run_job(job)
  job.started = rastrum.time.clock()
  for i, step in ipairs(STEPS) do
    job.step = step[1]
    run_hooks("on_step", job, { step = step[1], index = i, steps = #STEPS })
    rastrum.emit {
      event = "step", step = step[1], index = i, steps = #STEPS, source = job.given,
      dataset = job.dataset,
    }
    local ok, err = step[2](job)
    if not ok then
      settle(job, true)
      return nil, err
    end
    if job.done then break end
  end
  settle(job, false)
  job.lease = nil
  if job.done then return true end
  run_hooks("on_publish", job, job.published)
  compaction.after_publish(job.collection, job.options)
  return true
end

-- Sources that are there, as {given=, path= absolute}; the others are reported.
local function locate(given)
  local sources = {}
  for _, source in ipairs(given) do
    local path, err = rastrum.ingest.locate(source)
    if path then
      sources[#sources + 1] = { given = source, path = path }
    else
      report({ file = source, given = source }, err)
    end
  end
  return sources
end

-- Two sources of one run must not become one dataset; below a root the later one alone is refused.
local function list_jobs(sources, options)
  local jobs, seen, before = {}, {}, {}
  local parent = #sources > 1 and common_parent(sources) or nil
  for _, source in ipairs(sources) do
    local path = source.path
    local job = {
      path = path, given = source.given, file = file_of(path), options = options, before = before,
      collection = options.collection or collection_id(options.root and source.given or path),
      dataset = options.dataset or dataset_id(source, parent, options.root),
    }
    local key = job.collection .. "/" .. job.dataset
    local err = seen[key] and invalid(path,
      "becomes dataset '%s', and so does %s; ingest one with --dataset", key, seen[key])
    if err and not options.root then return nil, err end
    if err then report(job, err) else jobs[#jobs + 1] = job end
    seen[key] = seen[key] or path
  end
  return jobs
end

local function ingest(ctx)
  local options = ctx.args.options or {}
  if options.zarr_format and options.zarr_format ~= 3 and options.zarr_format ~= 2 then
    return nil, invalid("--zarr-format", "%d is no version that is written; 3 or 2",
      options.zarr_format)
  end
  local jobs, err = list_jobs(locate(ctx.args.sources), options)
  if not jobs then return nil, err end
  local results, published = {}, {}
  for i, job in ipairs(jobs) do
    local ok, problem = run_job(job)
    if ok then
      job.before[job.collection] = { dataset = job.dataset, variables = job.plan.variables }
    else
      report(job, problem)
    end
    published[#published + 1] = job.published
    results[i] = { dataset = job.dataset, version = job.version, ok = ok or false }
  end
  if options.terminal and #published > 0 then
    rastrum.emit { event = "note", code = "summary", text = said.closing(published) }
  end
  ctx.result = { datasets = rastrum.json.array(results) }
  return true
end

-- ---- inspect

local function inspect(ctx)
  local options, source = ctx.args.options or {}, ctx.args.sources[1]
  local json, err = rastrum.ingest.inspect(source, {
    variables = options.variables, datetime = options.datetime, memory = options.memory,
    scratch = options.scratch, jobs = options.jobs,
  })
  if not json then return nil, err end
  local plan = rastrum.json.decode(json)
  ctx.result = {
    json = rastrum.json.raw(json), text = inspection.text(source, plan), verdict = plan.verdict,
    reason = plan.verdict == "refuse" and plan.findings[1].message or nil,
  }
  return true
end

M.workflows = {
  ingest = { steps = { { "sources", ingest } } },
  inspect = { steps = { { "inspect", inspect } } },
}

return M
