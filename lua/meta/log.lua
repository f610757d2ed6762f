---@meta

---@param message string
---@param fields table|nil
function rastrum.log.debug(message, fields) end

---@param message string
---@param fields table|nil
function rastrum.log.info(message, fields) end

---@param message string
---@param fields table|nil
function rastrum.log.warn(message, fields) end

---@param message string
---@param fields table|nil
function rastrum.log.error(message, fields) end
