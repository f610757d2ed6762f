-- What handlers need to speak HTTP: entity tags, 304, JSON answers, cache words, and where absolute
-- links begin.
local M = {}

M.SHORT = "public, max-age=60, stale-while-revalidate=600"
M.IMMUTABLE = "public, max-age=31536000, immutable"
M.NO_STORE = "no-store"

-- Part of every tag: a change of what requests with equal parameters are answered with goes up
-- here.
local EPOCH = "1"

local hosts = {}
local host_count = 0

local LOOPBACK = { ["localhost"] = true, ["[::1]"] = true }

local function allowed(host)
  local name = host:gsub(":%d+$", "")
  if LOOPBACK[name] or name:find("^127%.%d+%.%d+%.%d+$") then return true end
  for _, each in ipairs(rastrum.config.allowed_hosts or {}) do
    if each == host or each == name then return true end
  end
  return false
end

---Where absolute links begin: public_url, or the Host header where that is allowed, or the address
---listened at.
---@param host string|nil  the Host header
---@param secure boolean
---@return string
function M.base_url(host, secure)
  local public = rastrum.config.public_url
  if public and public ~= rastrum.json.null then return (public:gsub("/+$", "")) end
  host = host and host:lower() or ""
  local known = hosts[host]
  if known == nil then
    if host_count > 64 then hosts, host_count = {}, 0 end
    known = host:find("^[%w%.%-%[%]:]+$") ~= nil and allowed(host)
    hosts[host] = known
    host_count = host_count + 1
  end
  if not known then host = rastrum.config.listen or "127.0.0.1:8080" end
  return (secure and "https://" or "http://") .. host
end

---Whether an Accept header asks for a page rather than for JSON. One that names neither does not.
---@param accept string|nil
---@return boolean
function M.prefers_html(accept)
  local html, json = 0, 0
  for range in (accept or ""):lower():gmatch("[^,]+") do
    local kind, words = range:match("^%s*([^;%s]+)(.*)$")
    local weight = words and tonumber(words:match(";%s*q=([%d.]+)")) or 1
    if kind == "text/html" then html = math.max(html, weight) end
    if kind and kind:find("[/+]json$") then json = math.max(json, weight) end
  end
  return html > json
end

---A strong tag of texts alone.
function M.etag_of(...) return '"' .. rastrum.hash(EPOCH, ...) .. '"' end

-- The parameters that were given, by name, checked and typed, as one text: the order and the
-- spelling of a query don't matter.
local function normalised(req)
  local names = {}
  for name in pairs(req.given) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do
    local value = req.params[name]
    if type(value) == "table" then value = rastrum.json.encode(value) end
    names[i] = name .. "=" .. tostring(value)
  end
  return table.concat(names, "\0")
end

---A strong tag of a request (its path and normalised query) and of texts: versions, ramp digests
---and so on.
---@param req rastrum.Request
---@param ... string|number
---@return string
function M.etag(req, ...)
  return '"' .. rastrum.hash(EPOCH, req.path, normalised(req), req.base_url, ...) .. '"'
end

---The 304 answer when the client has this tag already, else nil. `headers` are those of the full
---answer.
---@param req rastrum.Request
---@param etag string
---@param headers table|nil
---@return rastrum.Response|nil
function M.not_modified(req, etag, headers)
  local seen = req.headers["if-none-match"]
  if not seen or not rastrum.etag_matches(seen, etag) then return nil end
  return { status = 304, headers = headers or { ETag = etag } }
end

---A JSON answer with a tag made of its own text.
---@param req rastrum.Request
---@param value any
---@param options table|nil  {status=, type=, cache=, headers=}
---@return rastrum.Response
function M.json(req, value, options)
  options = options or {}
  local body = rastrum.json.encode(value)
  local headers = { ["Cache-Control"] = options.cache or M.SHORT,
    ETag = M.etag_of(options.type or "", body) }
  for name, each in pairs(options.headers or {}) do headers[name] = each end
  local unchanged = (options.status or 200) == 200 and M.not_modified(req, headers.ETag, headers)
  if unchanged then return unchanged end
  return { status = options.status or 200, type = options.type or "application/json",
    headers = headers, body = body,
    compress = true }
end

return M
