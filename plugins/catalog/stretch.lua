-- The limits that maps are drawn between, made anew: the 2nd and 98th percentile over all datasets of
-- a collection, from the histograms in their rows.
local M = {}

local BINS = 1024

local function variables_of(dataset)
  local body = rastrum.json.decode(dataset:body())
  return body and body.variables or {}
end

-- {low =, high =, list = {histogram, …}} by name.
local function gather(shot)
  local found = {}
  for _, entry in ipairs(shot.list) do
    for _, variable in ipairs(variables_of(entry.dataset)) do
      local h = variable.histogram
      if type(h) == "table" and variable.mappable then
        local own = found[variable.name] or { low = math.huge, high = -math.huge, list = {} }
        local least, most = variable.statistics.min, variable.statistics.max
        own.low, own.high = math.min(own.low, least), math.max(own.high, most)
        own.list[#own.list + 1] = { histogram = h, least = least, most = most }
        found[variable.name] = own
      end
    end
  end
  return found
end

-- Spreads `count` values evenly over [from, to) of the joined bins.
local function spread(bins, own, from, to, count)
  if count == 0 then return end
  local width = (own.high - own.low) / BINS
  local first = math.max(0, math.min(BINS - 1, math.floor((from - own.low) / width)))
  local last = math.max(first, math.min(BINS - 1, math.ceil((to - own.low) / width) - 1))
  for i = first, last do
    local left, right = own.low + i * width, own.low + (i + 1) * width
    local part = to > from and (math.min(to, right) - math.max(from, left)) / (to - from) or 1
    bins[i + 1] = bins[i + 1] + count * math.max(0, part)
  end
end

local function joined(own)
  local bins = {}
  for i = 1, BINS do bins[i] = 0 end
  for _, each in ipairs(own.list) do
    local h = each.histogram
    local side = (h.max - h.min) / #h.counts
    spread(bins, own, each.least, h.min, h.below)
    spread(bins, own, h.max, each.most, h.above)
    for i, count in ipairs(h.counts) do
      spread(bins, own, h.min + (i - 1) * side, h.min + i * side, count)
    end
  end
  return bins
end

local function percentile(bins, own, share)
  local total, sum = 0, 0
  for _, count in ipairs(bins) do total = total + count end
  for i, count in ipairs(bins) do
    if count > 0 and sum + count >= share * total then
      return own.low + (i - 1 + (share * total - sum) / count) * (own.high - own.low) / BINS
    end
    sum = sum + count
  end
  return own.high
end

-- "low,high" of one variable.
local function given(shot, name, text)
  if not shot.variables[name] then
    return nil, { code = "not_found", where = shot.id, message = ("there is no variable '%s'; "
      .. "there are %s"):format(name, table.concat(shot.variable_names, ", ")) }
  end
  local low, high = text:match("^([^,]+),([^,]+)$")
  low, high = tonumber(low), tonumber(high)
  if not (low and high and low < high and high - low < math.huge) then
    return nil, { code = "invalid", where = name, message = ("'%s' is no LOW,HIGH with LOW below "
      .. "HIGH"):format(text) }
  end
  return { [name] = rastrum.json.array { low, high } }
end

---{variable = {low, high}}: those given, or of all variables those that the datasets' histograms say.
---@param shot rastrum.Snapshot
---@param name string|nil
---@param text string|nil  "low,high" of that variable
function M.limits(shot, name, text)
  if name then return given(shot, name, text) end
  local limits = {}
  for variable, own in pairs(gather(shot)) do
    local low, high = own.low, own.high
    if low < high then
      local bins = joined(own)
      low, high = percentile(bins, own, 0.02), percentile(bins, own, 0.98)
    end
    if low >= high then low, high = own.low, own.high end
    limits[variable] = rastrum.json.array { low, high }
  end
  if next(limits) then return limits end
  return nil, { code = "not_found", where = shot.id,
    message = "no variable of this collection has a histogram" }
end

return M
