-- The page at /docs: every route with its parameters, to read and to try. It is drawn in the browser
-- from /openapi.json, so a plugin's routes stand there as soon as it is loaded.
local http = require "rastrum.http"

local M = { name = "docs", api = 1, description = "the routes as a page, to read and to try" }

local FILES = {
  ["docs.html"] = "text/html; charset=utf-8",
  ["docs.css"] = "text/css; charset=utf-8",
  ["docs.js"] = "text/javascript; charset=utf-8",
  ["request.js"] = "text/javascript; charset=utf-8",
  ["answer.js"] = "text/javascript; charset=utf-8",
}

local POLICY = "default-src 'self'; img-src 'self' data: blob:; frame-ancestors *"

local function sender(name)
  return function(req)
    local text = rastrum.asset(name)
    local headers = { ETag = http.etag_of(text), ["Cache-Control"] = "no-cache",
      ["X-Content-Type-Options"] = "nosniff", ["Content-Security-Policy"] = POLICY }
    return http.not_modified(req, headers.ETag, headers)
      or { status = 200, type = FILES[name], headers = headers, body = text, compress = true }
  end
end

M.routes = {
  { "GET", "/docs", sender("docs.html"), summary = "This page: all routes, to read and to try" },
}
for _, name in ipairs { "docs.css", "docs.js", "request.js", "answer.js" } do
  M.routes[#M.routes + 1] = { "GET", "/docs/" .. name, sender(name), hidden = true }
end

return M
