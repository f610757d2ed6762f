---@meta

---A colour ramp from the text of a file in colormaps/ or of titiler's `colormap` parameter.
---@param text string
---@param file? string  the file's name: .csv and .cpt are tables, all else is JSON
---@return rastrum.Ramp|nil
---@return rastrum.Error|nil
function rastrum.ramp.parse(text, file) end
