---@meta
-- What outlives a reload and what all plugins of the process see: at most 10,000 keys of up to 256
-- bytes, texts of up to 1 MiB, `shared_memory` in all. Full: an error.

---@param key string
---@return string|number|boolean|nil
function rastrum.shared.get(key) end

---@param key string
---@param value string|number|boolean|nil  nil deletes
---@param ttl number|nil  milliseconds after which it is gone
function rastrum.shared.set(key, value, ttl) end

---Adds in one step; an absent number counts as 0 and gets the ttl.
---@param key string
---@param by number|nil  1 when absent
---@param ttl number|nil
---@return number
function rastrum.shared.incr(key, by, ttl) end

---@param key string
function rastrum.shared.delete(key) end
