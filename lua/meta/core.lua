---@meta

---32 hex digits that depend on every value and on where one ends.
---@param ... string|number|boolean|nil|rastrum.Buffer
---@return string
function rastrum.hash(...) end

---The plugin that runs.
---@return string
function rastrum.plugin() end

---"load", "setup", "request" or "job".
---@return string
function rastrum.phase() end

---Whether an If-None-Match header names a tag.
---@param if_none_match string
---@param etag string
---@return boolean
function rastrum.etag_matches(if_none_match, etag) end

---The answer to a failure, by its code.
---@param err rastrum.Error
---@param headers table|nil
---@return rastrum.Response
function rastrum.fail(err, headers) end

---application/problem+json.
---@param status integer
---@param title string
---@param detail string|nil
---@param extra table|nil  more members
---@param headers table|nil
---@return rastrum.Response
function rastrum.problem(status, title, detail, extra, headers) end

---A file beside the plugin's init.lua, read when the plugin was.
---@param name string
---@return string
function rastrum.asset(name) end

---An event for whoever started this workflow (`rastrum ingest --json` prints it).
---@param event table
function rastrum.emit(event) end

---The OpenAPI document of all routes.
---@param base_url string
---@return table
function rastrum.openapi(base_url) end

---What loaded, what was refused and why.
---@return table
function rastrum.plugins() end

---Whether requests can be answered; if not, why.
---@return boolean ready
---@return string|nil reason
function rastrum.ready() end
