-- What escape/init.lua tries to reach: its state, and what it sees of the libraries.
local stac = require "rastrum.stac"

local M = { name = "neighbour", api = 1, _secret = "kept" }

local secret = { value = "kept" }
local kind = { name = "kind", type = "string", enum = { "one", "two" }, description = "one of two" }

local function enum_of(document)
  for _, parameter in ipairs(document.paths["/neighbour/state"].get.parameters) do
    if parameter.name == "kind" then return parameter.schema.enum[1] end
  end
end

-- A global by name: the linter need not know it.
local function global(name) return rawget(_G, name) end

local function state()
  local driver = require("rastrum.catalog").driver()
  return { status = 200, type = "application/json", body = rastrum.json.encode {
    secret = secret.value .. M._secret, lower = ("ABC"):lower(), rep = string.rep("ab", 2),
    encode = rastrum.json.encode { 1 }, listen = rastrum.config.listen, setup = M._listen,
    conformance = stac.CONFORMANCE[1], sortable = stac.SORTABLE[1], enum = enum_of(rastrum.openapi("")),
    problem = rastrum.openapi("").components.schemas.Problem.type,
    leak = tostring(global("leak")), driver = tostring(driver.stolen), sum = tostring(math.max(1, 2)),
    ramp = require("rastrum.colormaps").get("viridis"):digest() ~= nil, ramps = kind.enum[1],
  } }
end

function M.setup(config) M._listen = config.listen end

M.routes = { { "GET", "/neighbour/state", state, summary = "State", params = { kind } } }

return M
