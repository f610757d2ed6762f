---@meta

---Arithmetic over variables, such as "(t2m - 273.15) * 1.8 + 32"; several results split by ';'.
---@param text string
---@return rastrum.Expression|nil
---@return rastrum.Error|nil
function rastrum.expression.parse(text) end
