-- Hooks of an ingest: what plugins declared for one of its events, run one after another, each as a
-- job of its own, so that one that fails, spins or takes too much memory costs its time and no more.
local registry = require "rastrum.registry"
local _, host = ...

local M = {}

local POLL_MS, POLL_MOST_MS = 1, 50

-- What a hook changes in its table is seen by nobody else.
local function copy(value)
  if type(value) ~= "table" then return value end
  local out = {}
  for key, each in pairs(value) do out[key] = copy(each) end
  return out
end

local function limit_ms()
  local ms = rastrum.config.hook_timeout
  return type(ms) == "number" and ms or 30000
end

-- {ok, results…} of pcall; nil when it took too long or was ended by a limit.
local function run_one(hook, what, alive)
  local done
  rastrum.spawn(function()
    host.own(hook.plugin)
    done = { pcall(hook.run, copy(what)) }
  end)
  local until_, pause = rastrum.time.clock() + limit_ms() / 1000, POLL_MS
  while not done and rastrum.time.clock() < until_ do
    rastrum.sleep(pause)
    pause = math.min(pause * 2, POLL_MOST_MS)
    if alive then alive() end
  end
  return done
end

local function log_failure(name, hook, reason)
  rastrum.log.error(("%s of plugin '%s' failed: %s"):format(name, hook.plugin, tostring(reason)))
end

local function refusal(hook, what, reason)
  local code, message = "invalid", tostring(reason or "it gave no reason")
  if type(reason) == "table" then code, message = reason.code or code, reason.message or "" end
  return {
    code = code, where = what.file,
    message = ("plugin '%s' refuses it: %s"):format(hook.plugin, message),
  }
end

---Runs the hooks of an event. A hook that fails is logged; only one of on_validate that returns
---false, or nil and a reason, has a say.
---@param name string  "on_validate", "on_step", "on_publish", "on_failure"
---@param what table  what happened; each hook gets a copy
---@param alive fun()|nil  called now and then while a hook runs
---@return boolean|nil ok
---@return rastrum.Error|nil refusal
function M.run(name, what, alive)
  for _, hook in ipairs(registry.hooks(name)) do
    local done = run_one(hook, what, alive)
    if not done then
      log_failure(name, hook, ("it did not end within %d ms (hook_timeout)"):format(limit_ms()))
    elseif not done[1] then
      log_failure(name, hook, done[2])
    elseif name == "on_validate" and (done[2] == false or (done[2] == nil and done[3] ~= nil)) then
      return nil, refusal(hook, what, done[3])
    end
  end
  return true
end

return M
