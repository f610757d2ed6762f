---@meta

---null.
rastrum.json.null = nil

---JSON text of a value; raises for what JSON cannot say. NaN and infinities are null.
---@param value any
---@return string
function rastrum.json.encode(value) end

---The same as a buffer, for bodies that need not be Lua strings.
---@param value any
---@return rastrum.Buffer|nil
---@return rastrum.Error|nil
function rastrum.json.buffer(value) end

---@param text string|rastrum.Buffer
---@param depth integer|nil  at most 64
---@return any
---@return rastrum.Error|nil
function rastrum.json.decode(text, depth) end

---Tags a table as a list, so that an empty one is written as [].
---@param list table|nil
---@return table
function rastrum.json.array(list) end

---Whether a table is written as a list.
---@param value any
---@return boolean
function rastrum.json.is_array(value) end

---Text that is JSON already.
---@param text string|rastrum.Buffer
---@return table
function rastrum.json.raw(text) end
