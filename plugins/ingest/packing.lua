-- How the cells of variables become values, in words, and what is told where files of one collection
-- differ in it.
local M = {}

local function number(value, digits)
  return type(value) == "number" and ("%." .. digits .. "g"):format(value) or value
end

---"int16 x 0.01 + 273.15, missing -32767"
---@param variable table  {dtype, packing} of a plan or of a dataset's body
---@param digits integer|nil  of each number; 7
---@return string
function M.words(variable, digits)
  local packing, out = variable.packing, variable.dtype
  digits = digits or 7
  if packing.scale ~= 1 then out = out .. " x " .. number(packing.scale, digits) end
  if packing.offset ~= 0 then
    local sign = packing.offset < 0 and "-" or "+"
    out = ("%s %s %s"):format(out, sign, number(math.abs(packing.offset), digits))
  end
  local missing = {}
  for i, value in ipairs(packing.missing) do missing[i] = number(value, digits) end
  return #missing > 0 and out .. ", missing " .. table.concat(missing, " ") or out
end

local function both_words(a, b)
  local digits = M.words(a) == M.words(b) and 17 or 7
  return M.words(a, digits), M.words(b, digits)
end

local function of_name(list)
  local out = {}
  for _, variable in ipairs(list) do out[variable.name] = variable end
  return out
end

local function finding(code, variable, message, ...)
  return { code = code, severity = "warning", where = variable.name, message = message:format(...) }
end

---What differs between a source and a dataset of its collection, as findings.
---@param plan table  of the source
---@param body table  of the dataset, decoded
---@return table[]
function M.differences(plan, body)
  local out, others = {}, of_name(body.variables)
  for _, variable in ipairs(plan.variables) do
    local other = others[variable.name]
    if other and M.words(variable, 17) ~= M.words(other, 17) then
      local own, theirs = both_words(variable, other)
      out[#out + 1] = finding("packing-differs", variable, "is packed as %s, but as %s in dataset "
        .. "'%s': each is decoded with its own, in maps and in series", own, theirs, body.dataset)
    end
    if other and variable.units ~= other.units then
      out[#out + 1] = finding("units-differ", variable, "has units '%s', but '%s' in dataset '%s': "
        .. "values are not converted, so that a series over both mixes them", variable.units,
        other.units, body.dataset)
    end
  end
  return out
end

return M
