---@meta
-- What outlives a reload and what all plugins of the process see.

---@param key string
---@return string|number|boolean|nil
function rastrum.shared.get(key) end

---@param key string
---@param value string|number|boolean|nil  nil deletes
function rastrum.shared.set(key, value) end

---@param key string
---@param by number|nil  1 when absent
---@return number
function rastrum.shared.incr(key, by) end
