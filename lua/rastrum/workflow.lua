-- Workflows: named steps in order, as one job. A step is called with a context, ctx.args being the
-- caller's argument, and leaves in it what later steps need; `nil, err` or a raised error ends the
-- workflow. The result is ctx.result.
local registry = require "rastrum.registry"
local text = require "rastrum.text"
local _, host = ...

local M = {}

local function find(name)
  local workflow, plugin = registry.workflow(name)
  if workflow then return workflow, plugin end
  local near = text.nearest(name, registry.workflows())
  error({ code = "not_found", where = name, message = near
    and ("no workflow '%s'; did you mean '%s'?"):format(name, near)
    or ("no workflow '%s'; no plugin declares it"):format(name) }, 0)
end

---Runs a workflow; raises an error table when a step fails.
---@param name string
---@param args table
---@return any result
function M.run(name, args)
  local workflow, plugin = find(name)
  host.own(plugin)
  local ctx = { args = args, workflow = name }
  for i, step in ipairs(workflow.steps) do
    rastrum.emit { event = "step", workflow = name, step = step[1], index = i,
      steps = #workflow.steps }
    local ok, err = step[2](ctx)
    if ok == nil and err ~= nil then
      if type(err) ~= "table" then
        err = { code = "internal", where = step[1], message = tostring(err) }
      end
      error(err, 0)
    end
    if ctx.done then break end
  end
  return ctx.result
end

return M
