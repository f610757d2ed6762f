---@meta

---Opens an object of the store, to be sent as a response's `file`.
---@param key string
---@return rastrum.File|nil
---@return rastrum.Error|nil
function rastrum.store.open(key) end

---Whether the store is there and can be read.
---@return true|nil
---@return rastrum.Error|nil
function rastrum.store.check() end
