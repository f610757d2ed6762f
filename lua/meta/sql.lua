---@meta

---Opens the configured catalog, or a file of the plugin's own data folder.
---@param path string
---@param options table|nil  {readonly = true}
---@return rastrum.Database|nil
---@return rastrum.Error|nil
function rastrum.sql.open(path, options) end

---@param db rastrum.Database
---@param sql string
---@param ... string|number|boolean|nil
---@return table[]|nil rows  by column name
---@return rastrum.Error|nil
function rastrum.sql.query(db, sql, ...) end

---All statements or none.
---@param db rastrum.Database
---@param statements table[]  {{sql, …}, …}
---@return integer[]|nil changed
---@return rastrum.Error|nil
function rastrum.sql.transaction(db, statements) end
