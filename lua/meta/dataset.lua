---@meta

---@param body string  a catalog row's JSON
---@return rastrum.Dataset|nil
---@return rastrum.Error|nil
function rastrum.dataset.parse(body) end

---@param bodies string[]
---@return rastrum.Dataset[]|nil
---@return rastrum.Error|nil
function rastrum.dataset.parse_list(bodies) end
