---@meta

---Adds to a counter of the plugin's own: rastrum_plugin_<name>_total.
---@param name string
---@param help string|nil
---@param amount number|nil  1 when absent
function rastrum.metrics.count(name, help, amount) end

---All metrics in Prometheus' text format.
---@return rastrum.Buffer|nil
---@return rastrum.Error|nil
function rastrum.metrics.text() end
