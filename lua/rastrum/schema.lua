-- Parameters and JSON bodies: from one declaration come validation, typed values and OpenAPI. A
-- declaration is
--   { name=, type="string|integer|number|boolean|list", items=, min=, max=, min_items=, max_items=,
--   enum=, default=,
--     pattern=, max_length=, repeatable=, required=, description=, example= }
-- `list` is one value with commas in it; `repeatable` may be given several times. Bodies also take
-- "object", "array", "any".
local text = require "rastrum.text"

local M = {}

local LENGTH_MOST = 8192
local TYPES = { string = true, integer = true, number = true, boolean = true, list = true }
local BODY_TYPES = { string = true, integer = true, number = true, boolean = true, object = true,
  array = true, any = true }
local FIELDS = { name = true, type = true, items = true, min = true, max = true, min_items = true,
  max_items = true,
  enum = true, default = true, pattern = true, max_length = true, repeatable = true,
  required = true, description = true,
  example = true, in_ = true }
local BOOLEANS = { ["true"] = true, ["1"] = true, ["yes"] = true, ["on"] = true,
  ["false"] = false, ["0"] = false, ["no"] = false, ["off"] = false }

local function number_words(spec, noun)
  if spec.min and spec.max then
    return ("%s from %.14g to %.14g"):format(noun, spec.min, spec.max)
  end
  if spec.min then return ("%s of at least %.14g"):format(noun, spec.min) end
  if spec.max then return ("%s of at most %.14g"):format(noun, spec.max) end
  return noun
end

---What a declaration allows, in words.
function M.allowed(spec)
  if spec.enum then
    local words = {}
    for i, each in ipairs(spec.enum) do words[i] = tostring(each) end
    return "one of " .. table.concat(words, ", ")
  end
  if spec.type == "integer" then return number_words(spec, "an integer") end
  if spec.type == "number" then return number_words(spec, "a number") end
  if spec.type == "boolean" then return "true or false" end
  if spec.type == "list" then
    local count = spec.min_items and spec.min_items == spec.max_items
      and ("%d values"):format(spec.min_items)
      or spec.max_items and ("%d to %d values"):format(spec.min_items or 0, spec.max_items)
        or "values"
    return ("%s separated by commas, each %s"):format(count,
      M.allowed { type = spec.items or "string", min = spec.min, max = spec.max, enum = spec.enum })
  end
  if spec.pattern then return ("a text that matches %s"):format(spec.pattern) end
  return ("a text of at most %d bytes"):format(spec.max_length or LENGTH_MOST)
end

local function in_range(spec, value)
  return (not spec.min or value >= spec.min) and (not spec.max or value <= spec.max)
end

local function member(list, value)
  for _, each in ipairs(list) do
    if each == value then return true end
  end
  return false
end

-- Each returns the typed value, or nil when the text is not allowed.
local readers = {}

function readers.string(spec, value)
  if #value > (spec.max_length or LENGTH_MOST) then return nil end
  if spec.pattern and not value:find(spec.pattern) then return nil end
  return value
end

function readers.number(spec, value)
  if not value:find("^[%+%-]?[%d%.]+[eE]?[%+%-]?%d*$") then return nil end
  local number = tonumber(value)
  if not number or number - number ~= 0 or not in_range(spec, number) then return nil end
  return number
end

function readers.integer(spec, value)
  if not value:find("^[%+%-]?%d+$") then return nil end
  local number = tonumber(value)
  if number > 2 ^ 53 or number < -2 ^ 53 or not in_range(spec, number) then return nil end
  return number
end

function readers.boolean(_, value) return BOOLEANS[value:lower()] end

function readers.list(spec, value)
  local out, each = {}, spec.items or "string"
  if value ~= "" then
    for piece in (value .. ","):gmatch("([^,]*),") do
      local item = readers[each](spec, piece)
      if item == nil or (spec.enum and not member(spec.enum, item)) then return nil end
      out[#out + 1] = item
    end
  end
  if #out < (spec.min_items or 0) or #out > (spec.max_items or LENGTH_MOST) then return nil end
  return out
end

local function read_one(spec, value)
  local out = readers[spec.type](spec, value)
  if out ~= nil and spec.enum and spec.type ~= "list" and not member(spec.enum, out) then
    return nil
  end
  return out
end

local function wrong(spec, value)
  return nil, {
    code = "invalid", where = spec.name, parameter = spec.name, value = text.shown(value),
    allowed = M.allowed(spec),
    message = ("%s is '%s'; %s is wanted"):format(spec.name, text.shown(value), M.allowed(spec)),
  }
end

local function read_repeated(spec, value)
  local out = {}
  for i, each in ipairs(type(value) == "table" and value or { value }) do
    out[i] = read_one(spec, each)
    if out[i] == nil then return wrong(spec, each) end
  end
  return out
end

local function read(spec, value)
  if spec.repeatable then return read_repeated(spec, value) end
  if type(value) == "table" then
    return nil, { code = "invalid", where = spec.name, parameter = spec.name,
      value = text.shown(table.concat(value, ", ")),
      allowed = "once", message = ("%s is given %d times; it may be given once"):format(spec.name,
        #value) }
  end
  local out = read_one(spec, value)
  if out == nil then return wrong(spec, value) end
  return out
end

local function check(spec, where)
  if type(spec) ~= "table" or type(spec.name) ~= "string" then
    error(where .. ": a parameter needs a name", 0)
  end
  where = ("%s: parameter '%s'"):format(where, spec.name)
  if not TYPES[spec.type] then
    error(("%s: unknown type '%s'"):format(where, tostring(spec.type)), 0)
  end
  for field in pairs(spec) do
    if not FIELDS[field] then
      error(("%s: unknown field '%s'"):format(where, tostring(field)), 0)
    end
  end
  if spec.type == "list" and not TYPES[spec.items or "string"] then
    error(("%s: unknown items '%s'"):format(where, tostring(spec.items)), 0)
  end
end

local function unknown(name, names)
  local near = text.nearest(name, names)
  local allowed = #names > 0 and table.concat(names, ", ") or "no parameters"
  return nil, { code = "invalid", where = name, parameter = text.shown(name), allowed = allowed,
    message = ("unknown parameter '%s'; %s"):format(text.shown(name),
      near and ("did you mean '%s'?"):format(near) or "this route takes " .. allowed) }
end

---Makes the reader of a route's parameters from their declarations.
---@param specs table[]
---@param path_names string[]  the names in the template
---@param where string  the route, for messages
---@return fun(path: table, query: string): table|nil, table  params and which were given, or nil and an error
---@return table[] all  the declarations with those of undeclared path names
function M.compile(specs, path_names, where)
  local by_name, in_path, all, query_names, fallbacks, required = {}, {}, {}, {}, {}, {}
  for _, name in ipairs(path_names) do in_path[name] = true end
  for _, spec in ipairs(specs or {}) do
    check(spec, where)
    if by_name[spec.name] then
      error(("%s: parameter '%s' is declared twice"):format(where, spec.name), 0)
    end
    by_name[spec.name] = spec
    all[#all + 1] = spec
    if not in_path[spec.name] then
      query_names[#query_names + 1] = spec.name
      if spec.default ~= nil then fallbacks[spec.name] = spec.default end
      if spec.required then required[#required + 1] = spec end
    elseif spec.default ~= nil then
      fallbacks[spec.name] = spec.default
    end
  end
  for _, name in ipairs(path_names) do
    if not by_name[name] then
      by_name[name] = { name = name, type = "string" }
      all[#all + 1] = by_name[name]
    end
  end
  table.sort(query_names)

  local function read_all(path, query)
    local params, given = {}, {}
    for name, value in pairs(fallbacks) do params[name] = value end
    for name, value in pairs(path) do
      local out, err = read(by_name[name], value)
      if out == nil then return nil, err end
      params[name] = out
    end
    if query ~= "" then
      local values, broken = text.query(query)
      if not values then
        return nil, { code = "invalid", where = text.shown(broken),
          message = ("the query '%s' is not percent-encoded rightly"):format(text.shown(broken)) }
      end
      for name, value in pairs(values) do
        local spec = by_name[name]
        if not spec or in_path[name] then return unknown(name, query_names) end
        local out, err = read(spec, value)
        if out == nil then return nil, err end
        params[name], given[name] = out, true
      end
    end
    for _, spec in ipairs(required) do
      if params[spec.name] == nil then
        return nil, { code = "invalid", where = spec.name, parameter = spec.name,
          allowed = M.allowed(spec),
          message = ("%s is missing; %s is wanted"):format(spec.name, M.allowed(spec)) }
      end
    end
    return params, given
  end
  return read_all, all
end

-- ---- bodies

local function body_error(where, wanted, value)
  return nil, { code = "invalid", where = where, parameter = where, allowed = wanted,
    message = ("%s is %s; %s is wanted"):format(where, value == rastrum.json.null and "null"
      or type(value) == "table" and "a list or object" or ("'%s'"):format(text.shown(value)),
        wanted) }
end

local check_value

local function check_object(spec, value, where)
  if type(value) ~= "table" or (rastrum.json.is_array(value) and next(value) ~= nil) then
    return body_error(where, "an object", value)
  end
  for _, name in ipairs(spec.required or {}) do
    if value[name] == nil then return nil, { code = "invalid", where = where .. "." .. name,
      parameter = name,
      message = ("%s.%s is missing"):format(where, name) } end
  end
  local names = {}
  for name in pairs(spec.properties or {}) do names[#names + 1] = name end
  table.sort(names)
  for name, each in pairs(value) do
    local own = spec.properties and spec.properties[name]
    if own then
      local ok, err = check_value(own, each, where .. "." .. name)
      if not ok then return nil, err end
    elseif spec.additional == false then
      return unknown(tostring(name), names)
    end
  end
  return true
end

local function check_array(spec, value, where)
  if type(value) ~= "table" or not rastrum.json.is_array(value) then
    return body_error(where, "a list", value)
  end
  if #value < (spec.min_items or 0) or #value > (spec.max_items or 1e6) then
    return body_error(where, ("a list of %d to %d values"):format(spec.min_items or 0,
      spec.max_items or 1e6), value)
  end
  for i, each in ipairs(value) do
    local ok, err = check_value(spec.items or { type = "any" }, each,
      ("%s[%d]"):format(where, i - 1))
    if not ok then return nil, err end
  end
  return true
end

local function scalar_ok(spec, value)
  if spec.type == "integer" then
    return type(value) == "number" and value % 1 == 0 and in_range(spec, value)
  elseif spec.type == "number" then
    return type(value) == "number" and in_range(spec, value)
  elseif spec.type == "boolean" then
    return type(value) == "boolean"
  end
  return type(value) == "string" and #value <= (spec.max_length or LENGTH_MOST)
    and (not spec.pattern or value:find(spec.pattern) ~= nil)
end

function check_value(spec, value, where)
  if spec.type == "any" then return true end
  if spec.nullable and value == rastrum.json.null then return true end
  if spec.type == "object" then return check_object(spec, value, where) end
  if spec.type == "array" then return check_array(spec, value, where) end
  if not scalar_ok(spec, value) or (spec.enum and not member(spec.enum, value)) then
    return body_error(where, M.allowed(spec), value)
  end
  return true
end

---Checks a decoded JSON body against its declaration.
---@param spec table  {type="object", properties={name=spec}, required={…}, additional=false} and so on
---@param value any
---@return boolean|nil ok
---@return table|nil err
function M.check_body(spec, value) return check_value(spec, value, "body") end

---Raises unless a body's declaration is one.
function M.check_body_spec(spec, where)
  if type(spec) ~= "table" or not BODY_TYPES[spec.type] then
    error(where .. ": the body's declaration has no known type", 0)
  end
  for name, each in pairs(spec.properties or {}) do
    M.check_body_spec(each, where .. "." .. name)
  end
  if spec.items then M.check_body_spec(spec.items, where .. "[]") end
end

return M
