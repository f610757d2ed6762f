-- The application: reads plugins, matches requests to their routes, checks parameters, calls
-- handlers and hooks. Called by the host (core/script): start, load, setup, self_test, refuse,
-- loaded, verify, dispatch, run_workflow, start_hooks, plugins, refused, hot.
local _, host, real = ...

real.emit = host.emit
require "rastrum.problem"
local catalog = require "rastrum.catalog"
local http = require "rastrum.http"
local openapi = require "rastrum.openapi"
local plugin = require "rastrum.plugin"
local registry = require "rastrum.registry"
local route = require "rastrum.route"
local schema = require "rastrum.schema"
local text = require "rastrum.text"
local workflow = require "rastrum.workflow"

local App = { router = route.new(), entries = {} }
local loaded, order, refused = {}, {}, {}
local sandbox

local BODY_MOST_DEPTH = 32

-- ---- reading plugins

function App.start(the_sandbox) sandbox = the_sandbox end

---In phase load, in a task of the plugin's own. `dir` is nil for a plugin of one file.
function App.load(name, file, dir)
  local function load(module)
    if not dir then return nil, { message = "a plugin of one file has no others" } end
    return host.load(("%s/%s.lua"):format(dir, module), ("%s/%s.lua"):format(name, module))
  end
  local env = sandbox.environment(name, load, dir and host.assets(dir) or {})
  local chunk, err = host.load(file, dir and name .. "/init.lua" or name .. ".lua")
  if not chunk then error(err.message, 0) end
  local value = sandbox.setfenv(chunk, env)(name)
  loaded[name] = { value = value, file = file }
  order[#order + 1] = name
  plugin.admit(App, name, value)
end

---In phase setup, when all are read.
function App.setup(name)
  local entry = loaded[name]
  if entry and entry.value.setup then entry.value.setup(sandbox.config_of(name)) end
end

---In phase setup, after all setups.
function App.self_test(name)
  local entry = loaded[name]
  if entry and entry.value.self_test then entry.value.self_test(sandbox.config_of(name)) end
end

-- Takes back all routes and hooks of a plugin: the tree is made anew without it.
local function retract(name)
  registry.remove(name)
  local kept = {}
  for _, entry in ipairs(App.entries) do
    if entry.plugin ~= name then kept[#kept + 1] = entry end
  end
  App.router, App.entries = route.new(), kept
  for _, entry in ipairs(kept) do
    App.router:add(entry.method, entry.template, function() return entry end)
  end
end

function App.refuse(name, reason)
  refused[name] = reason
  loaded[name] = nil
  retract(name)
  rastrum.log.error(("plugin '%s' is refused: %s"):format(name, reason))
end

function App.loaded()
  table.sort(App.entries, function(a, b)
    if a.path ~= b.path then return a.path < b.path end
    return a.method < b.method
  end)
end

local function descriptions()
  local list = {}
  for name, entry in pairs(loaded) do list[name] = entry.value.description end
  return list
end

---Whether this VM may take the place of one that serves: raises when it is worse. `known` is what
---that one has refused, as JSON: a plugin that stays as it was does not stop the others.
function App.verify(_, known)
  known = rastrum.json.decode(known)
  local names = {}
  for name in pairs(refused) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    if known[name] ~= refused[name] then
      error({ code = "invalid", where = name,
        message = ("plugin '%s': %s"):format(name, refused[name]) }, 0)
    end
  end
  openapi.document(App.entries, "http://localhost", descriptions())
end

---{name = reason}
function App.refused() return refused end

---What loaded and what did not: /plugins.
function App.plugins()
  local list, bad = rastrum.json.array {}, rastrum.json.array {}
  for _, name in ipairs(order) do
    local entry = loaded[name]
    if entry then
      local value, routes = entry.value, rastrum.json.array {}
      for _, each in ipairs(App.entries) do
        if each.plugin == name then routes[#routes + 1] = each.method .. " " .. each.path end
      end
      list[#list + 1] = { name = name, description = value.description, version = value.version,
        routes = routes, blocked = host.blocked(name) }
    end
  end
  local names = {}
  for name in pairs(refused) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do bad[#bad + 1] = { name = name, reason = refused[name] } end
  local note = host.note()
  return { plugins = list, refused = bad, reload = note and rastrum.json.raw(note) }
end

-- ---- hooks

-- It rests between its runs; a VM that is replaced ends it there.
local function run_timer(name, timer)
  while not host.retired() do
    host.own(name)  -- ends it when the watchdog has switched the plugin off
    host.rest(true)
    rastrum.sleep(timer.every)
    host.rest(false)
    local ok, err = pcall(timer.run)
    if not ok then
      rastrum.log.error(("a timer of plugin '%s' failed: %s"):format(name, tostring(err)))
    end
  end
end

function App.start_hooks()
  for _, hook in ipairs(registry.hooks("on_start")) do
    rastrum.spawn(function()
      host.own(hook.plugin)
      hook.run()
    end)
  end
  for _, hook in ipairs(registry.hooks("on_timer")) do
    for _, timer in ipairs(hook.run) do rastrum.spawn(run_timer, hook.plugin, timer) end
  end
end

---Whether requests can be answered: true, or false and why.
function App.ready()
  if host.draining() then return false, "the server is shutting down" end
  local ok, reason = catalog.ready()
  if not ok then return false, reason end
  for _, hook in ipairs(registry.hooks("on_ready")) do
    ok, reason = hook.run()
    if not ok then return false, reason or ("plugin '%s' is not ready"):format(hook.plugin) end
  end
  return true
end

-- ---- requests

local function bad_request(err)
  return rastrum.problem(400, "Bad request", err.message,
    { code = "invalid", parameter = err.parameter, value = err.value, allowed = err.allowed })
end

local function allow_of(methods)
  local list = { "OPTIONS" }
  for method in pairs(methods) do
    list[#list + 1] = method
    if method == "GET" then list[#list + 1] = "HEAD" end
  end
  table.sort(list)
  return table.concat(list, ", ")
end

local function unmatched(method, path, methods)
  if not methods then
    local near = App.router:nearest(path)
    return rastrum.problem(404, "Not found", ("there is no %s%s"):format(text.shown(path),
      near and ("; the nearest is %s"):format(near) or "; /openapi.json lists what there is"))
  end
  local allow = allow_of(methods)
  if method == "OPTIONS" then return { status = 204, headers = { Allow = allow } } end
  return rastrum.problem(405, "Method not allowed",
    ("%s is not for this path; it takes %s"):format(text.shown(method), allow),
    nil, { Allow = allow })
end

-- A JSON body that its route declares, decoded and checked into req.json; an answer when it is
-- wrong.
local function read_body(req, body)
  local kind = (req.headers["content-type"] or "application/json"):match("^%s*([^;%s]*)"):lower()
  if not (kind == "application/json" or kind:find("^application/[%w%.%-]+%+json$")) then
    return rastrum.problem(415, "Unsupported media type",
      ("the body is %s; application/json is wanted"):format(text.shown(kind)))
  end
  if not req.body then
    if body.required == false then return nil end
    return bad_request { message = "the request has no body; a JSON text is wanted",
      parameter = "body", allowed = "JSON" }
  end
  local value, err = rastrum.json.decode(req.body, BODY_MOST_DEPTH)
  if value == nil then
    return bad_request { message = "body: " .. err.message, parameter = "body", allowed = "JSON" }
  end
  if body.schema then
    local ok
    ok, err = schema.check_body(body.schema, value)
    if not ok then return bad_request(err) end
  end
  req.json = value
end

local function before(req)
  for _, hook in ipairs(registry.hooks("on_request")) do
    local response = hook.run(req)
    if response ~= nil then return response end
  end
end

local function finish(entry, req, response)
  if type(response) ~= "table" then return response end
  if entry.cache then
    response.headers = response.headers or {}
    if not response.headers["Cache-Control"] and (response.status or 200) < 300 then
      response.headers["Cache-Control"] = entry.cache
    end
  end
  for _, hook in ipairs(registry.hooks("on_response")) do hook.run(req, response) end
  return response
end

---In phase request. What it returns is the response's table.
function App.dispatch(method, path, query, headers, id, secure, body)
  local entry, values = App.router:match(method, path)
  if not entry then return unmatched(method, path, values) end
  host.label(entry.path, entry.plugin)
  local params, given = entry.read(values, query)
  if not params then return bad_request(given) end
  local req = {
    method = method, path = path, query = query, route = entry.path, params = params, given = given,
    headers = headers,
    body = body, id = id, secure = secure, base_url = http.base_url(headers.host, secure),
  }
  local response
  if entry.body then response = read_body(req, entry.body) end
  if response == nil then response = before(req) end
  if response == nil then response = entry.handler(req) end
  return finish(entry, req, response)
end

-- ---- jobs

---The collections that are in memory: what a new VM reads before it takes over.
function App.hot() return { collections = rastrum.json.array(catalog.hot()) } end

function App.run_workflow(name, args)
  if name == "rastrum.warm" then return catalog.warm(args.collections) end
  return workflow.run(name, args)
end

-- ---- what built-in plugins tell of the program

---The OpenAPI document of all routes.
function real.openapi(base_url)
  return sandbox.copy(openapi.document(App.entries, base_url, descriptions())) -- parts of it are the plugins' own
end

---What loaded, what was refused and why.
function real.plugins() return App.plugins() end

---Whether requests can be answered, and if not, why.
function real.ready() return App.ready() end

return App
