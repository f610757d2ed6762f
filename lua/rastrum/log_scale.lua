-- The logarithmic scale: a linear ramp becomes 256 intervals of values whose ends lie on a
-- logarithmic scale, the first and the last open outwards.
local M = {}

local MOST_KEPT = 64
local OPEN = 1e308

local kept, kept_count = {}, 0

local function intervals(ramp, low, high)
  local entries, marks = ramp:entries(), ramp:marks()
  local step, list = math.log(high / low) / 256, rastrum.json.array {}
  local from = marks.below and low or -OPEN
  for i = 1, 256 do
    local to = i < 256 and low * math.exp(i * step) or marks.above and high or OPEN
    list[i] = { rastrum.json.array { from, to }, entries[i].color }
    from = to
  end
  marks.type, marks.colors = "intervals", list
  return rastrum.json.encode(marks)
end

---The limits on a logarithmic scale: `low` above zero, a thousandth of `high` where the data go
---lower.
---@param rescale number[]
---@param given boolean  the client said them
---@return number[]|nil
---@return rastrum.Error|nil
function M.limits(rescale, given)
  local low, high = rescale[1], rescale[2]
  if low > 0 then return rescale end
  if given or high <= 0 then
    return nil, { code = "invalid", where = "stretch",
      message = ("stretch=log takes limits above 0, not %g,%g; give rescale=low,high"):format(low,
        high) }
  end
  return { high / 1000, high }
end

---The ramp as it is drawn on a logarithmic scale between two values.
---@param ramp rastrum.Ramp  a linear one
---@param rescale number[]
---@return rastrum.Ramp|nil
---@return rastrum.Error|nil
function M.ramp(ramp, rescale)
  if ramp:kind() ~= "linear" then
    return nil, { code = "invalid", where = "stretch",
      message = "stretch=log takes a ramp of colours over a range, not intervals or categories" }
  end
  local key = ("%s %.17g %.17g"):format(ramp:digest(), rescale[1], rescale[2])
  if not kept[key] then
    if kept_count >= MOST_KEPT then kept, kept_count = {}, 0 end
    kept[key], kept_count = intervals(ramp, rescale[1], rescale[2]), kept_count + 1
  end
  return rastrum.ramp.parse(kept[key])
end

return M
