-- `rastrum compact COLLECTION`: joins the stores of a collection's datasets into segments.
local catalog = require "rastrum.catalog"
local compaction = require "rastrum.compaction"
local segments = require "rastrum.segments"

local M = { name = "compact", api = 1, description = "the command `rastrum compact`" }

local function compact(ctx)
  local collection, options = ctx.args.sources[1], ctx.args.options or {}
  local done, err = compaction.run(collection, { memory = options.memory, jobs = options.jobs,
    thorough = true })
  if not done then return nil, err end
  local shot
  shot, err = catalog.collection(collection)
  if not shot then return nil, err end
  local stores = #segments.stores(shot)
  rastrum.emit {
    event = "done", collection = collection, segments = done, datasets = #shot.datasets,
    stores = stores,
    text = ("%s: %d datasets in %d stores, %d segments written"):format(collection,
      #shot.datasets, stores, done),
  }
  return true
end

M.workflows = { compact = { steps = { { "compact", compact } } } }

return M
