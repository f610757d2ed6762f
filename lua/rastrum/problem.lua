-- Failures as answers: application/problem+json. The table of codes and statuses is the host's.
local _, host, rastrum_real = ...

local M = {}

---@param status integer
---@param title string
---@param detail string|nil
---@param extra table|nil  more members
---@param headers table|nil
---@return rastrum.Response
function M.problem(status, title, detail, extra, headers)
  local body = { type = "about:blank", title = title, status = status, detail = detail }
  for key, value in pairs(extra or {}) do body[key] = value end
  local out = {}
  for key, value in pairs(headers or {}) do out[key] = value end
  if not out["Cache-Control"] then out["Cache-Control"] = "no-store" end
  return { status = status, type = "application/problem+json", headers = out,
    body = rastrum.json.encode(body) }
end

---The answer to a failure that a binding or a library function gave back.
---@param err rastrum.Error
---@param headers table|nil
---@return rastrum.Response
function M.fail(err, headers)
  if type(err) ~= "table" then error("rastrum.fail takes the error of `nil, err`", 2) end
  local code = err.code or "internal"
  local status, title = host.status(code)
  local where = err.where ~= "" and err.where or nil
  local detail = err.message
  if status >= 500 and status ~= 503 then
    rastrum.log.error("a request failed", { code = code, where = where, message = detail })
    local other = status == 502 or status == 504  -- another server's failure is told
    detail, where = other and detail or "the server could not do this; its log says why", nil
  end
  local out
  if status == 503 then
    out = { ["Retry-After"] = "1" }
    for key, value in pairs(headers or {}) do out[key] = value end
  end
  return M.problem(status, title, detail, { code = code, where = where }, out or headers)
end

rastrum_real.fail = M.fail
rastrum_real.problem = M.problem

return M
