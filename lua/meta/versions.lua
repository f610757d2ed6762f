---@meta

---What the store holds: {collection=, dataset=, version=, objects=, bytes=, mtime=} each.
---@return table[]|nil
---@return rastrum.Error|nil
function rastrum.versions.list() end

---Jobs only.
---@param collection string
---@param dataset string
---@param version string
---@return boolean|nil
---@return rastrum.Error|nil
function rastrum.versions.remove(collection, dataset, version) end
