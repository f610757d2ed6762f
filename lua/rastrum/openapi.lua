-- The OpenAPI 3.1 document of all routes, from the tables that they are matched and validated by.
local M = {}

local array = rastrum.json.array

local PROBLEM = { ["$ref"] = "#/components/responses/Problem" }

local function copy(list) return list and array { unpack(list) } end

local function scalar(spec, kind)
  local out = { type = kind, minimum = spec.min, maximum = spec.max }
  if kind == "string" and not spec.enum then out.maxLength = spec.max_length end
  return out
end

local function param_schema(spec)
  local out
  if spec.type == "list" then
    local items = scalar(spec, spec.items or "string")
    items.enum = copy(spec.enum)
    out = { type = "array", items = items, minItems = spec.min_items, maxItems = spec.max_items }
    if spec.default then out.default = copy(spec.default) end
    return out
  end
  out = scalar(spec, spec.type)
  out.enum = copy(spec.enum)
  if spec.repeatable then return { type = "array", items = out } end
  out.default = spec.default
  return out
end

local function parameter(spec, in_path)
  local out = { name = spec.name, ["in"] = in_path and "path" or "query", required = in_path
    or spec.required or nil,
    description = spec.description, schema = param_schema(spec), example = spec.example }
  if spec.type == "list" and not in_path then out.style, out.explode = "form", false end
  return out
end

local function body_schema(spec)
  local out = {}
  if spec.type ~= "any" then out = scalar(spec, spec.type) end
  out.enum, out.description = copy(spec.enum), spec.description
  if spec.nullable and out.type then out.type = array { out.type, "null" } end
  out.minItems, out.maxItems = spec.min_items, spec.max_items
  if spec.items then out.items = body_schema(spec.items) end
  if spec.properties then
    out.properties = {}
    for name, each in pairs(spec.properties) do out.properties[name] = body_schema(each) end
  end
  out.required = copy(spec.required)
  if spec.additional == false then out.additionalProperties = false end
  return out
end

local function request_body(body)
  return {
    required = body.required ~= false, description = body.description,
    content = { [body.type or "application/json"] = { schema = body.schema
    and body_schema(body.schema) or {} } },
  }
end

local function responses(entry)
  local out = { ["default"] = PROBLEM, ["200"] = { description = "done" } }
  for status, each in pairs(entry.route.responses or {}) do
    out[tostring(status)] = type(each) == "string" and { description = each } or each
  end
  return out
end

local function operation_id(entry)
  local id = (entry.method:lower() .. entry.path):gsub("[^%w]+", "_"):gsub("_$", "")
  return id
end

local function operation(entry)
  local parameters, in_path = array {}, {}
  for _, name in ipairs(entry.names) do in_path[name] = true end
  for _, spec in ipairs(entry.params) do
    parameters[#parameters + 1] = parameter(spec, in_path[spec.name])
  end
  return {
    operationId = operation_id(entry), summary = entry.route.summary,
    description = entry.route.description,
    tags = copy(entry.route.tags) or array { entry.plugin }, parameters = parameters,
    requestBody = entry.body and request_body(entry.body) or nil, responses = responses(entry),
  }
end

local PROBLEM_SCHEMA = {
  type = "object", required = array { "type", "title", "status" },
  properties = {
    type = { type = "string" }, title = { type = "string" }, status = { type = "integer" },
    detail = { type = "string" },
    parameter = { type = "string", description = "the parameter that is wrong" },
    value = { type = "string", description = "its value" },
    allowed = { type = "string", description = "what is allowed" },
  },
}

local PROBLEM_CONTENT = {
  ["application/problem+json"] = { schema = { ["$ref"] = "#/components/schemas/Problem" } },
}

local COMPONENTS = {
  responses = {
    Problem = { description = "what is wrong, and what would be right", content = PROBLEM_CONTENT },
  },
  schemas = { Problem = PROBLEM_SCHEMA },
}

-- The plugins that answer something, in the order of their routes.
local function tags_of(entries, descriptions)
  local list, seen = array {}, {}
  for _, entry in ipairs(entries) do
    local name = entry.plugin
    if not entry.route.hidden and not entry.route.tags and not seen[name] then
      seen[name] = true
      list[#list + 1] = { name = name, description = descriptions[name] }
    end
  end
  return list
end

---@param entries table[]  the app's routes
---@param base_url string
---@param descriptions table<string, string>  of the plugins
---@return table
function M.document(entries, base_url, descriptions)
  local paths = {}
  for _, entry in ipairs(entries) do
    if not entry.route.hidden then
      paths[entry.path] = paths[entry.path] or {}
      paths[entry.path][entry.method:lower()] = operation(entry)
    end
  end
  return {
    openapi = "3.1.0",
    info = { title = "Rastrum", version = rastrum.version,
    description = "Map tiles, time series and a STAC catalog of NetCDF, Zarr and GeoTIFF files." },
    servers = array { { url = base_url } },
    tags = tags_of(entries, descriptions),
    paths = paths,
    components = COMPONENTS,
  }
end

return M
