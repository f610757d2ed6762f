---@meta

---Waits.
---@param ms number
---@return boolean
function rastrum.sleep(ms) end

---Runs unstarted operations, at most `max` at a time; the first failure cancels the rest.
---@param operations rastrum.Operation[]
---@param max integer|nil  8 when absent
---@return any[]|nil results  each operation's first result
---@return rastrum.Error|nil
function rastrum.all(operations, max) end

---Starts a job of its own. Handles among the arguments have to be kept.
---@param fn function
---@param ... any
---@return boolean|nil
---@return rastrum.Error|nil
function rastrum.spawn(fn, ...) end
