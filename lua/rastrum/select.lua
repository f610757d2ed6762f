-- What a request means within a collection: which variable, which member of its extra dimensions,
-- which band of the COG. Shared by tiles, series and points, so that the same words mean the same
-- everywhere (contracts.md §11).
local text = require "rastrum.text"

local M = {}

---The variable called `name`, or the collection's first mappable one.
---@param snapshot rastrum.Snapshot
---@param name string|nil
---@return table|nil variable  one of snapshot.variables
---@return table|nil err
function M.variable(snapshot, name)
  if name then
    local variable = snapshot.variables[name]
    if variable then return variable end
    local names = M.names(snapshot)
    local near = text.nearest(name, names)
    return nil, {
      code = "not_found",
      where = "variable",
      message = ("collection '%s' has no variable '%s'; %s %s"):format(snapshot.id,
        text.shown(name), near and ("did you mean '%s'? It has"):format(near) or "it has",
        table.concat(names, ", ")),
    }
  end
  for _, each in ipairs(M.names(snapshot)) do
    if snapshot.variables[each].mappable then return snapshot.variables[each] end
  end
  return nil, {
    code = "not_found", where = "variable",
    message = ("collection '%s' has no variable on a map grid"):format(snapshot.id),
  }
end

---Names of a collection's variables in their order, mappable ones first.
function M.names(snapshot)
  local names = {}
  for _, mappable in ipairs { true, false } do
    for _, name in ipairs(snapshot.variable_names) do
      if (snapshot.variables[name].mappable or false) == mappable then names[#names + 1] = name end
    end
  end
  return names
end

local function bad(where, message, ...)
  return nil, { code = "invalid", where = where, message = message:format(...) }
end

-- The extra dimensions of a variable that a request may choose from.
local function choosable(variable)
  local list = {}
  for _, extra in ipairs(variable.extra) do
    if extra.size > 1 then list[#list + 1] = extra.name end
  end
  return list
end

-- {dim = {value, where, text as it was given}} from `level` and `sel`.
local function wishes(variable, level, sel)
  local wanted = {}
  for _, word in ipairs(sel or {}) do
    local dim, value = word:match("^([^=]+)=(.+)$")
    if not dim then return bad("sel", "sel is '%s'; it takes dimension=value", word) end
    wanted[dim] = { value = value, where = "sel", text = word }
  end
  if level ~= nil then
    local dims = choosable(variable)
    if #dims == 0 then
      dims[1] = variable.extra[1] and variable.extra[1].name
    end
    if #dims == 0 then
      return bad("level", "level is '%s', but variable '%s' has no levels; leave level out",
        text.shown(level), variable.name)
    elseif #dims > 1 then
      return bad("level", "variable '%s' has the dimensions %s; choose with sel=dimension=value",
        variable.name, table.concat(dims, ", "))
    end
    wanted[dims[1]] = { value = level, where = "level", text = level }
  end
  return wanted
end

---Zero-based indexes of a dataset's variable, one an extra dimension; index 0 where nothing was
---asked.
---@param dataset userdata
---@param variable table  of this dataset
---@return number[]|nil indexes
---@return table err_or_chosen  {dim = value or index as text} of what was chosen
function M.extras(dataset, variable, level, sel)
  local wanted, err = wishes(variable, level, sel)
  if not wanted then return nil, err end
  local indexes, chosen = {}, {}
  for i, extra in ipairs(variable.extra) do
    local index = 0
    local wish = wanted[extra.name]
    if wish then
      index, err = dataset:extra_index(variable.name, extra.name, tostring(wish.value))
      if not index then
        return bad(wish.where, "%s is '%s'; %s", wish.where, wish.text, err.message)
      end
      wanted[extra.name] = nil
    end
    indexes[i] = index
    chosen[extra.name] = extra.values and extra.values[index + 1] or index
  end
  local unknown, wish = next(wanted)
  if unknown then
    return bad("sel", "sel is '%s'; variable '%s' has no dimension '%s'%s", wish.text,
      variable.name, unknown,
      #choosable(variable) > 0 and "; it has " .. table.concat(choosable(variable), ", ") or "")
  end
  return indexes, chosen
end

---The zero-based COG band of those indexes: C order of the extra dimensions.
function M.band(variable, indexes)
  local band = 0
  for i, extra in ipairs(variable.extra) do band = band * extra.size + indexes[i] end
  return band
end

return M
