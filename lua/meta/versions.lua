---@meta

---What the store holds: {collection=, dataset=, version=, objects=, bytes=, mtime=, finished=} each.
---@param folder string|nil  only what is below "collection/dataset"
---@return table[]|nil
---@return rastrum.Error|nil
function rastrum.versions.list(folder) end

---Removes what processes that died left half done and is older than `before` (milliseconds): files and
---folders under way, empty folders; nothing below the folders "collection/dataset" of `kept`. Jobs only.
---@param before number
---@param kept string[]
---@return table|nil swept  {files=, bytes=}
---@return rastrum.Error|nil
function rastrum.versions.sweep(before, kept) end

---Jobs only.
---@param collection string
---@param dataset string
---@param version string
---@return boolean|nil
---@return rastrum.Error|nil
function rastrum.versions.remove(collection, dataset, version) end
