-- What operators and clients ask of the program itself: is it well, what does it offer, what
-- loaded.
local http = require "rastrum.http"

local M = { name = "service", api = 1, description = "health, plugins and the OpenAPI document" }

local NO_STORE = { ["Cache-Control"] = http.NO_STORE }
local OPENAPI = "application/vnd.oai.openapi+json;version=3.1"

local function healthz()
  return { status = 200, type = "application/json", headers = NO_STORE, body = '{"status":"ok"}' }
end

-- Says no names: it is for load balancers, and public.
local function readyz()
  local ready, reason = rastrum.ready()
  if ready then
    return { status = 200, type = "application/json", headers = NO_STORE,
      body = '{"status":"ready"}' }
  end
  rastrum.log.warn("not ready", { reason = reason })
  return rastrum.problem(503, "Not ready", "the server cannot answer requests now", nil,
    { ["Retry-After"] = "1" })
end

local function plugins(req) return http.json(req, rastrum.plugins(), { cache = http.NO_STORE }) end

local function document(req)
  local kind = (req.headers.accept or ""):find("vnd.oai.openapi+json", 1, true) and OPENAPI
    or "application/json"
  return http.json(req, rastrum.openapi(req.base_url), { type = kind,
    headers = { Vary = "Accept" } })
end

M.routes = {
  { "GET", "/healthz", healthz, summary = "Does the process run" },
  { "GET", "/readyz", readyz, summary = "Can requests be answered" },
  { "GET", "/plugins", plugins, summary = "The plugins that loaded, those that did not, and why" },
  { "GET", "/openapi.json", document, summary = "The OpenAPI 3.1 document of all routes" },
}

return M
