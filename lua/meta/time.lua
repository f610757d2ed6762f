---@meta
-- Instants are milliseconds since 1970-01-01 counted in their own calendar ("standard", "noleap",
-- "360_day", …; absent: the ISO one).

---@param text string  RFC 3339, or a part of it
---@param calendar string|nil
---@return number|nil ms
---@return rastrum.Error|nil
function rastrum.time.parse(text, calendar) end

---@param ms number
---@param calendar string|nil
---@return string
function rastrum.time.format(ms, calendar) end

---The same date in the ISO calendar, or the nearest that exists there.
---@param ms number
---@param calendar string|nil
---@return number ms
---@return boolean exact
function rastrum.time.to_iso(ms, calendar) end

---@param ms number
---@param calendar string|nil
---@return number ms
---@return boolean exact
function rastrum.time.from_iso(ms, calendar) end

---Wall time in milliseconds.
---@return number
function rastrum.time.now() end

---Monotonic seconds.
---@return number
function rastrum.time.clock() end
