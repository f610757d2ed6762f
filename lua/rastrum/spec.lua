-- Specs: tests in Lua that run inside the real host, as a plugin's job. A spec file is
--   local spec = require "rastrum.spec"
--   spec.it("does so", function() spec.equal(1 + 1, 2) end)
--   return spec.plugin
-- and is run by tests/lua/run_spec.
local app = require "rastrum.app"
local _, _, real = ...

local M = {}

local cases, kept = {}, 0

-- A value for a message.
local function shown(value)
  if type(value) ~= "table" then return ("%s '%s'"):format(type(value), tostring(value)) end
  local ok, json = pcall(rastrum.json.encode, value)
  return ok and json or tostring(value)
end

local function same(a, b)
  if a == b then return true end
  if type(a) ~= "table" or type(b) ~= "table" then return false end
  for key, value in pairs(a) do
    if not same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

---Adds a case.
---@param name string
---@param fn fun()
function M.it(name, fn) cases[#cases + 1] = { name = name, fn = fn } end

---@param got any
---@param want any
function M.equal(got, want)
  if not same(got, want) then error(("got %s, want %s"):format(shown(got), shown(want)), 2) end
end

---The text contains the part.
---@param text any
---@param part string
function M.contains(text, part)
  if not tostring(text):find(part, 1, true) then
    error(("'%s' is not in %s"):format(part, shown(text)), 2)
  end
end

---The call raises an error whose text contains the part.
---@param part string
---@param fn function
---@param ... any
function M.raises(part, fn, ...)
  local ok, err = pcall(fn, ...)
  if ok then error(("no error; '%s' was to be raised"):format(part), 2) end
  if not tostring(err):find(part, 1, true) then
    error(("'%s' is not in the error %s"):format(part, shown(tostring(err))), 2)
  end
end

---Handles that the spec keeps open on purpose (colour ramps stay parsed).
---@param n integer
function M.keeps(n) kept = kept + n end

---A request through routes and handlers; the response's table, its JSON body decoded into `json`.
---@param method string
---@param target string
---@param options table|nil  {headers=, body=}
---@return table
function M.request(method, target, options)
  options = options or {}
  local path, query = target:match("^([^?]*)%??(.*)$")
  local body = options.body and rastrum.json.buffer(rastrum.json.raw(options.body))
  local response = app.dispatch(method, path, query, options.headers or {}, "spec", false, body)
  if type(response.body) == "string" and (response.type or ""):find("json", 1, true) then
    response.json = rastrum.json.decode(response.body)
  end
  return response
end

---The names of all functions of the `rastrum` table: "json.encode", "op.sleep" and so on.
---@return table<string, boolean>
function M.functions()
  local out = {}
  local function walk(prefix, module)
    for name, value in pairs(module) do
      if type(value) == "function" then out[prefix .. name] = true end
      if type(value) == "table" and name ~= "config" then walk(prefix .. name .. ".", value) end
    end
  end
  walk("", real)
  return out
end

local function run(ctx)
  local failures = rastrum.json.array {}
  for _, case in ipairs(cases) do
    local ok, err = pcall(case.fn)
    if not ok then failures[#failures + 1] = ("%s: %s"):format(case.name, tostring(err)) end
  end
  ctx.result = { cases = #cases, failures = failures, kept = kept }
end

M.plugin = { name = "spec", api = 1, workflows = { spec = run } }

return M
