-- Counts tile requests and tells how many there were. What plugins share is in rastrum.shared: it
-- is the process's, not the VM's, so it outlives a reload, and every other plugin sees it too.
local M = { name = "popular", api = 1,
  description = "how often tiles are asked for" }

local function count(req)
  local collection = req.path:match("^/tiles/([%w_%-%.]+)/")
  if collection then
    rastrum.shared.incr("popular." .. collection)
    rastrum.shared.set("popular.last", collection, 60000) -- forgotten after a minute
  end
end

local function show(req)
  local collection = req.params.collection
  local n = rastrum.shared.get("popular." .. collection) or 0
  local last = rastrum.shared.get("popular.last") or "none"
  return { status = 200, type = "text/plain",
    body = ("%s: %d requests by now; the last was for %s\n"):format(collection, n, last) }
end

M.hooks = { on_request = count }
M.routes = {
  { "GET", "/popular/{collection}", show, summary = "How often a collection's tiles were asked for",
    params = { { name = "collection", type = "string", description = "its id" } } },
}

return M
