-- Routes: templates into a tree of path segments, matched by literal first, then the most literal
-- pattern, then {x:rest}. A template's pieces: {name}, {name:int}, {name:number} (documentation;
-- the value is checked by its declaration), {name:rest} (the last piece; takes slashes),
-- [optional]. "/tiles/{c}/{z:int}/{x:int}/{y:int}[@{scale:int}x].{format}" is two templates.
local text = require "rastrum.text"

local M = {}

local function segments_of(path)
  local list = {}
  for segment in path:gmatch("[^/]+") do list[#list + 1] = segment end
  return list
end

-- A template with [optional] pieces as all the templates that it stands for.
local function expand(template)
  local before, inside, rest = template:match("^(.-)%[(.-)%](.*)$")
  if not before then return { template } end
  local out = {}
  for _, each in ipairs(expand(rest)) do
    out[#out + 1] = before .. each
    out[#out + 1] = before .. inside .. each
  end
  return out
end

local function plain(literal) return (literal:gsub("%p", "%%%0")) end

-- One segment: its Lua pattern, the names in it and how many literal bytes it has.
local function compile_segment(segment)
  local pattern, names, weight, at = "^", {}, 0, 1
  while at <= #segment do
    local from, to, name = segment:find("{([%a_][%w_]*)[:%a]*}", at)
    local literal = segment:sub(at, (from or #segment + 1) - 1)
    pattern, weight = pattern .. plain(literal), weight + #literal
    if not from then break end
    pattern = pattern .. "(.+)"
    names[#names + 1] = name
    at = to + 1
  end
  return { pattern = pattern .. "$", names = names, weight = weight }
end

local function new_node() return { literal = {}, patterns = {}, methods = nil, rest = nil } end

local function child_of(node, segment)
  if not segment:find("{", 1, true) then
    node.literal[segment] = node.literal[segment] or new_node()
    return node.literal[segment], {}
  end
  local compiled = compile_segment(segment)
  for _, each in ipairs(node.patterns) do
    if each.pattern == compiled.pattern then return each.node, compiled.names end
  end
  compiled.node = new_node()
  table.insert(node.patterns, compiled)
  table.sort(node.patterns, function(a, b) return a.weight > b.weight end)
  return compiled.node, compiled.names
end

---The names in a template, in order.
function M.names(template)
  local list = {}
  for name in template:gmatch("{([%a_][%w_]*)") do list[#list + 1] = name end
  return list
end

---A template as OpenAPI writes it: without types.
function M.shown(template) return (template:gsub("{([%a_][%w_]*):%a+}", "{%1}")) end

---Raises with a reason unless a template is one.
function M.check(template)
  if type(template) ~= "string" or template:sub(1, 1) ~= "/" then
    error("a route's path begins with '/'", 0)
  end
  local bare = template:gsub("{[%a_][%w_]*:?(%a*)}", function(kind)
    if kind ~= "" and kind ~= "int" and kind ~= "number" and kind ~= "rest" then
      error(("path '%s': unknown type '%s'"):format(template, kind), 0)
    end
    return ""
  end)
  if bare:find("[{}]") then error(("path '%s': a name in braces is wanted"):format(template), 0) end
  if template:find(":rest}.") then
    error(("path '%s': {name:rest} comes last"):format(template), 0)
  end
end

---@class rastrum.Router
local Router = {}
Router.__index = Router

function M.new() return setmetatable({ root = new_node(), shown = {} }, Router) end

local function place(node, template)
  local path_names = {}
  for _, segment in ipairs(segments_of(template)) do
    local rest = segment:match("^{([%a_][%w_]*):rest}$")
    if rest then
      node.rest = node.rest or new_node()
      path_names[#path_names + 1] = rest
      return node.rest, path_names
    end
    local names
    node, names = child_of(node, segment)
    for _, name in ipairs(names) do path_names[#path_names + 1] = name end
  end
  return node, path_names
end

---Adds an entry for each template that `template` stands for. `make(shown, names, template)` gives
---the entry.
---@return string|nil taken  the path that another route has already
function Router:add(method, template, make)
  local placed = {}
  for _, each in ipairs(expand(template)) do
    local node, names = place(self.root, each)
    node.methods = node.methods or {}
    if node.methods[method] then return M.shown(each), node.methods[method] end
    placed[#placed + 1] = { node = node, names = names, shown = M.shown(each), template = each }
  end
  for _, each in ipairs(placed) do
    each.node.methods[method] = { names = each.names, entry = make(each.shown, each.names,
      each.template) }
    self.shown[#self.shown + 1] = each.shown
  end
end

-- Walks from segment i; captures go to `values`. Returns the node whose methods answer, or nil.
local function walk(node, segments, i, values, captured)
  local segment = segments[i]
  if not segment then
    if node.methods then return node end
    return nil
  end
  local literal = node.literal[segment]
  if literal then
    local found = walk(literal, segments, i + 1, values, captured)
    if found then return found end
  end
  for _, each in ipairs(node.patterns) do
    local from, _, a, b, c, d = segment:find(each.pattern)
    if from then
      values[captured + 1], values[captured + 2], values[captured + 3], values[captured + 4] = a, b,
        c, d
      local found = walk(each.node, segments, i + 1, values, captured + #each.names)
      if found then return found end
    end
  end
  if node.rest then
    values[captured + 1] = table.concat(segments, "/", i)
    return node.rest
  end
  return nil
end

---@return table|nil entry
---@return table|nil values  by name; without entry: the methods of the path, or nil when there is no such path
function Router:match(method, path)
  if path:find("//", 1, true) then return nil end
  local segments, coded = segments_of(path), path:find("%", 1, true)
  if coded then
    for i, segment in ipairs(segments) do
      segments[i] = text.unescape(segment)
      if not segments[i] then return nil end
    end
  end
  local captured = {}
  local node = walk(self.root, segments, 1, captured, 0)
  if not node then return nil end
  local found = node.methods[method] or (method == "HEAD" and node.methods.GET)
  if not found then return nil, node.methods end
  local values = {}
  for i, name in ipairs(found.names) do values[name] = captured[i] end
  return found.entry, values
end

---The path nearest to one that does not exist.
function Router:nearest(path) return text.nearest(path, self.shown) end

return M
