-- An ingest workflow of one's own: the built-in one behind a check that the file has times.
--   rastrum ingest FILE.nc --workflow dated --plugins examples
local workflow = require "rastrum.workflow"

local M = { name = "dated", api = 1, description = "ingest of files that have times" }

local function check(ctx)
  for _, source in ipairs(ctx.args.sources) do
    local report, err = rastrum.ingest.inspect(source, {})
    if not report then return nil, err end
    local times = rastrum.json.decode(report).times
    if not (times and times.axes and #times.axes > 0) then
      return nil, { code = "invalid", where = source,
        message = "it has no times; ingest it with the workflow 'ingest'" }
    end
  end
  return true
end

local function ingest(ctx)
  ctx.result = workflow.run("ingest", ctx.args)
  return true
end

M.workflows = { dated = { steps = { { "check", check }, { "ingest", ingest } } } }

return M
