-- The program's metrics in Prometheus' text format. With `admin` set they are not on the public
-- port.
local M = { name = "metrics", api = 1, description = "metrics for Prometheus" }

local function metrics()
  local body, err = rastrum.metrics.text()
  if not body then return rastrum.fail(err) end
  return { status = 200, type = "text/plain; version=0.0.4; charset=utf-8",
    headers = { ["Cache-Control"] = "no-store" },
    body = body, compress = true }
end

M.routes = {
  { "GET", "/metrics", metrics, summary = "Metrics in Prometheus' text format",
    responses = { ["200"] = { description = "metrics", content = { ["text/plain"] = {} } } } },
}

return M
