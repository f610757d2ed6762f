-- A plugin's table: what it may say, checked field by field; a mistake raises with the sentence
-- that /plugins shows.
local registry = require "rastrum.registry"
local route = require "rastrum.route"
local schema = require "rastrum.schema"
local text = require "rastrum.text"

local M = { API = 1 }

local FIELDS = { "name", "api", "description", "version", "routes", "workflows", "searches",
  "ramps", "tile_matrix_sets", "hooks",
  "catalog_driver", "catalog_drivers", "setup", "self_test" }
local METHODS = { GET = true, POST = true, PUT = true, PATCH = true, DELETE = true }
local HOOKS = { "on_start", "on_timer", "on_request", "on_response", "on_ready",
  "on_validate", "on_step", "on_publish", "on_failure" }
local ROUTE_FIELDS = { [1] = true, [2] = true, [3] = true, summary = true, description = true,
  params = true, body = true,
  cache = true, responses = true, tags = true, hidden = true }

local function fail(...) error((...):format(select(2, ...)), 0) end

local function known(list)
  local set = {}
  for _, name in ipairs(list) do set[name] = true end
  return set
end

local known_fields, known_hooks = known(FIELDS), known(HOOKS)

local function need(kind, value, where)
  if type(value) ~= kind then fail("%s is a %s; a %s is wanted", where, type(value), kind) end
  return value
end

local function check_head(plugin, name)
  if type(plugin) ~= "table" then
    fail("init.lua returns a %s; the plugin's table is wanted", type(plugin))
  end
  if plugin.api ~= M.API then
    fail("api is %s; this program has api = %d", tostring(plugin.api), M.API)
  end
  if plugin.name ~= name then fail(
    "name is '%s' and the folder or file is '%s'; they are to be equal",
    tostring(plugin.name), name) end
  for field in pairs(plugin) do
    -- A plugin keeps what it likes in fields of its own beginning with '_'.
    if not known_fields[field] and not tostring(field):find("^_") then
      local near = text.nearest(tostring(field), FIELDS)
      fail("unknown field '%s'%s", tostring(field), near and ("; did you mean '%s'?"):format(near)
        or "")
    end
  end
end

local function check_route(entry, i)
  local where = ("route %d"):format(i)
  need("table", entry, where)
  local method, path, handler = entry[1], entry[2], entry[3]
  if not METHODS[method] then
    fail("%s: method '%s'; GET, POST, PUT, PATCH or DELETE is wanted", where, tostring(method))
  end
  route.check(path)
  where = ("route %s %s"):format(method, path)
  need("function", handler, where .. ": its handler")
  for field in pairs(entry) do
    if not ROUTE_FIELDS[field] then fail("%s: unknown field '%s'", where, tostring(field)) end
  end
  if entry.params ~= nil then need("table", entry.params, where .. ": params") end
  if entry.body and entry.body.schema then schema.check_body_spec(entry.body.schema, where) end
  return where
end

local function add_route(app, plugin, entry, i)
  local where = check_route(entry, i)
  local taken, owner = app.router:add(entry[1], entry[2], function(shown, names, template)
    local mine = {}
    for _, spec in ipairs(entry.params or {}) do mine[#mine + 1] = spec end
    local in_template, here = known(route.names(entry[2])), known(names)
    for k = #mine, 1, -1 do  -- a parameter of an optional piece that this path lacks
      if in_template[mine[k].name] and not here[mine[k].name] then table.remove(mine, k) end
    end
    local read, all = schema.compile(mine, names, where)
    local made = { method = entry[1], path = shown, template = template, plugin = plugin.name,
      handler = entry[3], read = read, params = all,
      names = names, route = entry, cache = entry.cache, body = entry.body,
        order = #app.entries + 1 }
    table.insert(app.entries, made)
    return made
  end)
  if taken then
    fail("%s: plugin '%s' answers %s %s already", where, owner.entry.plugin, entry[1], taken)
  end
end

local function add_all(kind, entries, plugin, check)
  for name, value in pairs(need("table", entries, kind)) do
    if type(name) ~= "string" or not name:find("^[%w_%-:]+$") then
      fail("%s: the name '%s'; letters, digits, '_' and '-' are wanted", kind, tostring(name))
    end
    value = check and check(value, ("%s.%s"):format(kind, name)) or value
    local owner = registry.add(kind, name, value, plugin.name)
    if owner then fail("%s.%s: plugin '%s' has declared that name already", kind, name, owner) end
  end
end

local function check_table(value, where) return need("table", value, where) end

-- A function is a workflow of one step.
local function check_workflow(value, where)
  if type(value) == "function" then return { steps = { { "run", value } } } end
  need("table", value, where)
  for i, step in ipairs(need("table", value.steps, where .. ".steps")) do
    if type(step) ~= "table" or type(step[1]) ~= "string" or type(step[2]) ~= "function" then
      fail("%s: step %d; {\"name\", function} is wanted", where, i)
    end
  end
  return value
end

local function check_hook(name, value)
  if name == "on_timer" then
    for i, timer in ipairs(need("table", value, "hooks.on_timer")) do
      if type(timer) ~= "table" or type(timer.every) ~= "number" or timer.every < 10
        or type(timer.run) ~= "function" then
        fail("hooks.on_timer: entry %d; {every = milliseconds (10 or more), run = function} is "
          .. "wanted", i)
      end
    end
  else
    need("function", value, "hooks." .. name)
  end
end

local function add_hooks(plugin)
  for name, value in pairs(need("table", plugin.hooks, "hooks")) do
    if not known_hooks[name] then
      local near = text.nearest(tostring(name), HOOKS)
      fail("unknown hook '%s'%s", tostring(name), near and ("; did you mean '%s'?"):format(near)
        or "")
    end
    check_hook(name, value)
    registry.add_hook(name, value, plugin.name)
  end
end

---Takes a plugin's table in. Raises (a text) when it is refused; what was added by then is taken
---back by `retract`.
---@param app table
---@param name string
---@param plugin any
function M.admit(app, name, plugin)
  check_head(plugin, name)
  for i, entry in ipairs(need("table", plugin.routes or {}, "routes")) do
    add_route(app, plugin, entry, i)
  end
  if plugin.workflows then add_all("workflows", plugin.workflows, plugin, check_workflow) end
  if plugin.searches then add_all("searches", plugin.searches, plugin, check_table) end
  if plugin.ramps then add_all("ramps", plugin.ramps, plugin, check_table) end
  if plugin.tile_matrix_sets then
    add_all("tile_matrix_sets", plugin.tile_matrix_sets, plugin, check_table)
  end
  if plugin.catalog_drivers then
    add_all("catalog_drivers", plugin.catalog_drivers, plugin, check_table)
  end
  if plugin.catalog_driver then
    local driver = need("table", plugin.catalog_driver, "catalog_driver")
    add_all("catalog_drivers", { [need("string", driver.scheme,
      "catalog_driver.scheme")] = driver }, plugin, check_table)
  end
  if plugin.setup ~= nil then need("function", plugin.setup, "setup") end
  if plugin.self_test ~= nil then need("function", plugin.self_test, "self_test") end
  if plugin.hooks then add_hooks(plugin) end
end

return M
