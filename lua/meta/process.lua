---@meta

---Who this process is: a text that look() understands.
---@return string
function rastrum.process.id() end

---What became of the process of such a text; "unknown" when it is of another machine.
---@param id string
---@return "alive"|"dead"|"unknown"
function rastrum.process.look(id) end
