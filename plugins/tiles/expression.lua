-- What an expression's names stand for: variables of the collection, or b1, b2, … for bands of the
-- one that `variable` chooses.
local select = require "rastrum.select"

local M = {}

local function with(p, changes)
  local copy = {}
  for name, value in pairs(p) do copy[name] = value end
  for name, value in pairs(changes) do copy[name] = value end
  return copy
end

-- Which variable, and which of its bands (nil: as level and sel choose).
local function meaning(snapshot, p, name)
  local band = not snapshot.variables[name] and tonumber(name:match("^b(%d+)$"))
  if band then return p.variable, band end
  local variable, err = select.variable(snapshot, name)
  if not variable then
    return nil, nil, { code = "invalid", where = "expression",
      message = "expression: " .. err.message }
  end
  return name
end

---What a tile of the expression is drawn from, as `plan` gives it for one variable.
---@param snapshot rastrum.Snapshot
---@param p table  the request's parameters
---@param plan fun(snapshot: table, p: table): table|nil, rastrum.Error|nil
---@return table|nil drawn  with `expression` and `operands`
---@return rastrum.Error|nil
function M.plan(snapshot, p, plan)
  local expression, err = rastrum.expression.parse(p.expression)
  if not expression then return nil, err end
  local sources, operands, versions, first = {}, {}, {}, nil
  for i, name in ipairs(expression:names()) do
    local variable, band, unknown = meaning(snapshot, p, name)
    if unknown then return nil, unknown end
    local own
    own, err = plan(snapshot, with(p, { variable = variable, bidx = band and { band } or nil }))
    if not own then return nil, err end
    operands[i] = { first = #sources + 1, count = #own.sources, band = own.bands[1] }
    for _, source in ipairs(own.sources) do sources[#sources + 1] = source end
    versions[i] = own.versions
    first = first or own.variable
  end
  local bands = {}
  for i = 1, expression:results() do bands[i] = i - 1 end
  local variable = { name = p.expression, long_name = "", units = "", bbox = first.bbox,
    cell_degrees = first.cell_degrees }
  return { variable = variable, sources = sources, operands = operands,
    bands = bands, expression = expression, versions = table.concat(versions, ",") }
end

return M
