---@meta

---@class rastrum.FetchOptions
---@field method string|nil  GET when absent, POST with a body
---@field headers table<string, string>|nil
---@field body string|rastrum.Handle|nil
---@field timeout integer|nil  milliseconds for all of it; 10000 when absent
---@field most integer|nil  bytes of the answer's body; 1 MiB when absent, 16 MiB at most
---@field redirects integer|nil  how many to follow; 0 when absent

---Asks an HTTP server. Any status is an answer. Loopback, private and other special addresses are
---refused (code "denied") unless the setting fetch_allow names them.
---@param url string  http:// or https://
---@param options rastrum.FetchOptions|nil
---@return {status: integer, headers: table<string, string>, body: string}|nil answer
---@return rastrum.Error|nil
function rastrum.fetch(url, options) end
