-- The page at `/`. Three files beside this one, served as they are; everything they show comes from
-- the public routes.
local http = require "rastrum.http"

local M = { name = "viewer", api = 1, description = "the page at /" }

local FILES = {
  ["index.html"] = "text/html; charset=utf-8",
  ["viewer.js"] = "text/javascript; charset=utf-8",
  ["viewer.css"] = "text/css; charset=utf-8",
}

local function send(req, name)
  local text = rastrum.asset(name)
  local etag = http.etag_of(text)
  local headers = {
    ETag = etag, ["Cache-Control"] = "no-cache", ["X-Content-Type-Options"] = "nosniff",
    ["Content-Security-Policy"] = "default-src 'self'; img-src 'self' data: blob:; "
      .. "frame-ancestors *",
  }
  return http.not_modified(req, etag, headers)
    or { status = 200, type = FILES[name], headers = headers, body = text, compress = true }
end

local function page(req) return send(req, "index.html") end
local function script(req) return send(req, "viewer.js") end
local function style(req) return send(req, "viewer.css") end

M.routes = {
  { "GET", "/", page, summary = "The page", params = {
    { name = "collection", type = "string",
      description = "the collection that is shown first" } } },
  { "GET", "/viewer/viewer.js", script, summary = "The page's script" },
  { "GET", "/viewer/viewer.css", style, summary = "The page's style" },
}

return M
