-- Ingest: a source file becomes one published version of one dataset, in four steps over the primitives of
-- rastrum.ingest: validate, convert, describe, publish. Several sources run one after another; one that fails is
-- reported and does not stop the others.
local catalog = require "rastrum.catalog"

local M = { name = "ingest", api = 1, description = "NetCDF files into Zarr, COG and the catalog" }

local WATCH_MS = 200  -- between two looks at a conversion

-- ---- which dataset a source becomes

local function split(path)
  local folder, file = path:match("^(.*)/([^/]*)$")
  return folder or "", file or path
end

local function stem(file)
  return (file:gsub("%.[^.]*$", ""))
end

-- The longest folder that all paths lie in.
local function common_parent(paths)
  local parent = (split(paths[1]))
  for _, path in ipairs(paths) do
    while path:sub(1, #parent + 1) ~= parent .. "/" do parent = (split(parent)) end
  end
  return parent
end

-- One source: its stem. Several: the path below their common parent, so that 2020/data.nc and 2021/data.nc differ.
local function dataset_id(path, paths)
  local name = select(2, split(path))
  if #paths > 1 then name = path:sub(#common_parent(paths) + 2) end
  return rastrum.ingest.id(stem(name))
end

local function collection_id(path)
  return rastrum.ingest.id((select(2, split((split(path))))))
end

local function invalid(where, message)
  return { code = "invalid", where = where, message = message }
end

-- ---- steps: each takes a job {path, source, options, …} and leaves in it what later steps need

local function published(job)
  local snapshot = catalog.collection(job.collection)
  for _, dataset in ipairs(snapshot and snapshot.datasets or {}) do
    if dataset:id() == job.dataset then return dataset:version() end
  end
end

local function validate(job)
  local o = job.options
  local handle, plan = rastrum.ingest.open(job.path, {
    collection = job.collection, dataset = job.dataset, variables = o.variables, datetime = o.datetime,
    cog_compress = o.cog_compress, memory = o.memory, jobs = o.jobs,
  })
  if not handle then return nil, plan end
  job.handle, job.plan = handle, plan
  for _, finding in ipairs(plan.findings) do
    local about = finding.where ~= "" and ("%s: %s"):format(finding.where, finding.message) or finding.message
    rastrum.emit { event = "note", code = finding.code, text = ("%s: %s: %s"):format(job.file, finding.severity, about) }
  end
  if o.dry_run then
    job.done = true
    return true
  end
  local version, err = rastrum.ingest.fingerprint(handle)
  if not version then return nil, err end
  job.version = version
  job.expected = published(job)
  if job.expected == version then
    rastrum.emit { event = "unchanged", collection = job.collection, dataset = job.dataset, version = version,
      text = ("%s: unchanged: %s/%s is published as version %s"):format(job.file, job.collection, job.dataset, version) }
    job.done = true
  end
  return true
end

local function show(job, p)
  local fraction = p.bytes_total > 0 and p.bytes_done / p.bytes_total or 0
  rastrum.emit { event = "progress", fraction = fraction, dataset = job.dataset,
    text = ("%s  %.1f of %.1f MB, %d of %d maps"):format(
      job.file, p.bytes_done / 1e6, p.bytes_total / 1e6, p.steps_done, p.steps_total) }
end

local function convert(job)
  repeat
    local p, err = rastrum.ingest.convert(job.handle, WATCH_MS)
    if not p then return nil, err end
    job.progress = p
    show(job, p)
  until p.done
  job.written = true
  return true
end

local function describe(job)
  local body, err = rastrum.ingest.describe(job.handle)
  if not body then return nil, err end
  job.body = body
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

local function publish(job)
  local ok, err = catalog.publish {
    collection = job.collection, dataset = job.dataset, expect_version = job.expected, version = job.version,
    body = job.body, source = job.path,
  }
  if not ok then return nil, err end
  local names, p = variable_names(job.plan), job.progress
  local seconds = (rastrum.time.now() - job.started) / 1000
  rastrum.emit {
    event = "published", collection = job.collection, dataset = job.dataset, version = job.version,
    variables = rastrum.json.array(names), steps = step_count(job.plan), bytes_in = job.plan.bytes,
    bytes_out = p.bytes_written, seconds = seconds,
    text = ("%s: published %s/%s version %s: %s; %d steps, %.1f MB in, %.1f MB out, %.2f s"):format(
      job.file, job.collection, job.dataset, job.version, table.concat(names, ", "), step_count(job.plan),
      job.plan.bytes / 1e6, p.bytes_written / 1e6, seconds),
  }
  return true
end

local STEPS = { { "validate", validate }, { "convert", convert }, { "describe", describe }, { "publish", publish } }

-- ---- running them

local function report(job, err)
  if type(err) ~= "table" then err = { code = "internal", message = tostring(err) } end
  local message = err.message or "failed"
  if err.where and err.where ~= "" and err.where ~= job.file and err.where ~= job.path then
    message = ("%s: %s"):format(err.where, message)
  end
  rastrum.emit { event = "error", code = err.code or "internal", message = message, where = job.file }
end

-- What a job held or wrote is given back, whatever happened.
local function settle(job, failed)
  if failed and job.written then rastrum.ingest.discard(job.handle) end
  if job.handle then job.handle:close() end
  if job.lease then job.lease:release() end
end

local function run_job(job)
  job.started = rastrum.time.now()
  for i, step in ipairs(STEPS) do
    rastrum.emit { event = "step", step = step[1], index = i, steps = #STEPS, source = job.file, dataset = job.dataset }
    local ok, err = step[2](job)
    if not ok then
      settle(job, true)
      return nil, err
    end
    if job.done then break end
  end
  settle(job, false)
  return true
end

local function list_jobs(args)
  local options, paths, jobs = args.options or {}, {}, {}
  for i, source in ipairs(args.sources) do
    local path, err = rastrum.ingest.locate(source)
    if not path then
      report({ file = source }, err)
    else
      paths[#paths + 1] = path
    end
    if i == #args.sources and #paths == 0 then return jobs end
  end
  if options.dataset and #paths > 1 then
    return nil, invalid("--dataset", "names one dataset; there are several sources")
  end
  for _, path in ipairs(paths) do
    jobs[#jobs + 1] = {
      path = path, file = select(2, split(path)), options = options,
      collection = options.collection or collection_id(path),
      dataset = options.dataset or dataset_id(path, paths),
    }
  end
  return jobs
end

-- Two sources of one run must not become one dataset.
local function check_clash(jobs)
  local seen = {}
  for _, job in ipairs(jobs) do
    local key = job.collection .. "/" .. job.dataset
    if seen[key] then
      return nil, invalid(job.path, ("becomes dataset '%s', and so does %s; rename one, or ingest it with --dataset")
        :format(job.dataset, seen[key]))
    end
    seen[key] = job.path
  end
  return true
end

local function ingest(ctx)
  local options = ctx.args.options or {}
  if options.zarr_format and options.zarr_format ~= 3 then
    return nil, invalid("--zarr-format", "3 is what this version writes")
  end
  local jobs, err = list_jobs(ctx.args)
  if not jobs then return nil, err end
  local ok
  ok, err = check_clash(jobs)
  if not ok then return nil, err end
  local results = {}
  for _, job in ipairs(jobs) do
    ok, err = run_job(job)
    if not ok then report(job, err) end
    results[#results + 1] = { dataset = job.dataset, version = job.version, ok = ok or false }
  end
  ctx.result = { datasets = rastrum.json.array(results) }
  return true
end

-- ---- inspect

local function line(...) return (...):format(select(2, ...)) end

local function describe_plan(plan, lines)
  for _, grid in ipairs(plan.grid.grids) do
    lines[#lines + 1] = line("grid      %s x %s: %d x %d cells, %s, west %.6g south %.6g east %.6g north %.6g",
      grid.x, grid.y, grid.shape[2], grid.shape[1], grid.crs:match("^EPSG:%d+") or "own CRS", unpack(grid.bbox))
  end
  for _, axis in ipairs(plan.times.axes) do
    lines[#lines + 1] = line("time      %s: %d steps, %s, %s to %s", axis.name, axis.count, axis.calendar,
      tostring(axis.first), tostring(axis.last))
  end
  for _, variable in ipairs(plan.variables) do
    lines[#lines + 1] = line("variable  %s (%s) %s, %s: %s", variable.name, table.concat(variable.dims, ", "), variable.dtype,
      table.concat(variable.shape, " x "),
      variable.mappable and ("%d maps of %d bands"):format(variable.cogs, variable.bands) or "Zarr only")
  end
  lines[#lines + 1] = line("plan      %.1f MB raw, %d arrays, %d COGs, %.0f MB of memory", plan.plan.raw_bytes / 1e6,
    plan.plan.arrays, plan.plan.cogs, plan.plan.memory_bytes / 1e6)
end

local function inspect(ctx)
  local options, source = ctx.args.options or {}, ctx.args.sources[1]
  local json, err = rastrum.ingest.inspect(source, {
    collection = options.collection and rastrum.ingest.id(options.collection) or "data", dataset = "data",
    variables = options.variables, datetime = options.datetime, memory = options.memory, jobs = options.jobs,
  })
  if not json then return nil, err end
  local plan = rastrum.json.decode(json)
  local lines = { line("source    %s (%s)", source, type(plan.format) == "string" and plan.format or "unknown") }
  if plan.verdict == "ingest" then describe_plan(plan, lines) end
  for _, finding in ipairs(plan.findings) do
    lines[#lines + 1] = line("%-9s %s%s [%s]", finding.severity, finding.where ~= "" and finding.where .. ": " or "",
      finding.message, finding.code)
  end
  lines[#lines + 1] = line("verdict   %s", plan.verdict)
  ctx.result = {
    json = rastrum.json.raw(json), text = table.concat(lines, "\n"), verdict = plan.verdict,
    reason = plan.verdict == "refuse" and plan.findings[1].message or nil,
  }
  return true
end

M.workflows = {
  ingest = { steps = { { "sources", ingest } } },
  inspect = { steps = { { "inspect", inspect } } },
}

return M
