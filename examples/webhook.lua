-- Tells another program what became of each file that is ingested, by a POST of JSON. In rastrum.lua:
--   return { plugins = "examples", plugin_settings = { webhook = { url = "https://example.org/hook" } } }
-- An address of the machine itself or of a private network has to be allowed, too:
--   fetch_allow = "10.0.0.0/8"
local M = { name = "webhook", api = 1, description = "posts what is published and what fails" }

local url

function M.setup(config)
  url = (config.plugin_settings.webhook or {}).url
end

local function post(event, what)
  if not url then return end
  local answer, err = rastrum.fetch(url, {
    headers = { ["Content-Type"] = "application/json" },
    body = rastrum.json.encode { event = event, dataset = what.dataset, file = what.file,
      collection = what.collection, version = what.version, variables = what.variables,
      steps = what.steps, message = what.message },
  })
  if not answer then
    rastrum.log.warn("the webhook was not told", { reason = err.message })
  elseif answer.status >= 300 then
    rastrum.log.warn("the webhook did not take it", { status = answer.status })
  end
end

M.hooks = {
  on_publish = function(what) post("published", what) end,
  on_failure = function(what) post("failed", what) end,
}

return M
