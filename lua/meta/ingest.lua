---@meta
-- The primitives that ingest workflows are made of; see plugins/ingest.

---@param path string
---@param options table
---@return rastrum.Handle|nil handle
---@return table|rastrum.Error plan
function rastrum.ingest.open(path, options) end

---@param handle rastrum.Handle
---@return string|nil version
---@return string|rastrum.Error fingerprint
function rastrum.ingest.fingerprint(handle) end

---Starts converting, then watches it.
---@param handle rastrum.Handle
---@param wait_ms integer
---@return table|nil progress
---@return rastrum.Error|nil
function rastrum.ingest.convert(handle, wait_ms) end

---@param handle rastrum.Handle
---@return boolean|nil
---@return rastrum.Error|nil
function rastrum.ingest.discard(handle) end

---From now on neither a failure nor discard() removes objects: they are others' too.
---@param handle rastrum.Handle
function rastrum.ingest.keep(handle) end

---@param path string
---@param options table
---@return string|nil json
---@return rastrum.Error|nil
function rastrum.ingest.inspect(path, options) end

---@param path string
---@return string|nil absolute
---@return rastrum.Error|nil
function rastrum.ingest.locate(path) end

---@param handle rastrum.Handle
---@return string|nil body
---@return rastrum.Error|nil
function rastrum.ingest.describe(handle) end

---A collection or dataset id made of a text.
---@param text string
---@return string
function rastrum.ingest.id(text) end
