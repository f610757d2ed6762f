-- The page at `/`: plain ES modules, styles and the world's outlines, served as they lie beside
-- this file. Everything they show comes from the public routes.
local http = require "rastrum.http"

local M = { name = "viewer", api = 1, description = "the page at /" }

local TYPES = {
  html = "text/html; charset=utf-8", js = "text/javascript; charset=utf-8",
  css = "text/css; charset=utf-8", json = "application/json",
}

local FILES = { "api.js", "basemap.js", "chart.js", "histogram.js", "index.html", "layers.js",
  "legend.js", "links.js", "main.js", "map.js", "points.js", "projection.js", "ramps.js",
  "state.js", "tiles.js", "time.js", "ui.js", "viewer.css", "world-110m.json", "world-50m.json" }

local known = {}
for _, name in ipairs(FILES) do known[name] = true end

local function send(req, name)
  local text = rastrum.asset(name)
  local etag = http.etag_of(text)
  local headers = {
    ETag = etag, ["Cache-Control"] = "no-cache", ["X-Content-Type-Options"] = "nosniff",
    ["Content-Security-Policy"] = "default-src 'self'; img-src 'self' data: blob:; "
      .. "frame-ancestors *",
  }
  return http.not_modified(req, etag, headers)
    or { status = 200, type = TYPES[name:match("%.(%a+)$")], headers = headers, body = text,
      compress = true }
end

local function page(req) return send(req, "index.html") end

local function file(req)
  local name = req.params.file
  if not known[name] then
    return rastrum.problem(404, "Not found", "the page has no file of this name; it begins at /")
  end
  return send(req, name)
end

M.routes = {
  { "GET", "/", page, summary = "The page", params = {
    { name = "collection", type = "string",
      description = "the collection that is shown first" } } },
  { "GET", "/viewer/{file}", file, hidden = true, params = {
    { name = "file", type = "string", description = "its name" } } },
}

return M
