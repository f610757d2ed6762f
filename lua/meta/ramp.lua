---@meta

---A colour ramp from the JSON of a file in colormaps/ or of titiler's `colormap` parameter.
---@param json string
---@return rastrum.Ramp|nil
---@return rastrum.Error|nil
function rastrum.ramp.parse(json) end
