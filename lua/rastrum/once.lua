-- What several ask for at the same time is made once, by a job of its own: nobody pays for it with
-- the time of his request, and one that goes away leaves nothing half done.
local M = {}

local WAIT_MS = 20000

---Waits for make(), which runs once for all who ask for `key` meanwhile.
---@param running table  where those that run are noted
---@param key string
---@param make fun(): any, rastrum.Error|nil
---@return any
---@return rastrum.Error|nil
function M.run(running, key, make)
  local job = running[key]
  if not job then
    job = {}
    running[key] = job
    rastrum.spawn(function()
      local ok, value, err = pcall(make)
      if not ok then
        value, err = nil, { code = "internal", where = key, message = tostring(value) }
      end
      job.value, job.err = value, err
      job.done = true  -- after them: a slice may end between any two assignments
      running[key] = nil
    end)
  end
  for _ = 1, WAIT_MS do
    if job.done then return job.value, job.err end
    rastrum.sleep(1)
  end
  return nil, { code = "timeout", where = key, message = "planning takes too long", retry = true }
end

return M
