-- Takes a route that a built-in plugin has.
local function mine() return { status = 200, type = "text/plain", body = "mine" } end
return { name = "clash", api = 1, routes = { { "GET", "/healthz", mine, summary = "Another health" } } }
