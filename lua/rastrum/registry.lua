-- What plugins declared, by kind and name. Filled while plugins are read (rastrum/plugin.lua), read
-- by everyone after.
local M = {}

local hooks = {}  -- event -> {{plugin=, run=}, …} in the order of the plugins
local kinds = { searches = {}, ramps = {}, tile_matrix_sets = {}, workflows = {},
  catalog_drivers = {} }

---@param kind string
---@param name string
---@param value any
---@param plugin string
---@return string|nil owner  the plugin that has the name already
function M.add(kind, name, value, plugin)
  local old = kinds[kind][name]
  if old then return old.plugin end
  kinds[kind][name] = { value = value, plugin = plugin }
end

---@param event string
---@param run any
---@param plugin string
function M.add_hook(event, run, plugin)
  hooks[event] = hooks[event] or {}
  table.insert(hooks[event], { plugin = plugin, run = run })
end

local none = {}

---What plugins declared for an event: {{plugin=, run=}, …}.
function M.hooks(event) return hooks[event] or none end

---Forgets everything that a plugin declared.
function M.remove(plugin)
  for event, list in pairs(hooks) do
    for i = #list, 1, -1 do
      if list[i].plugin == plugin then table.remove(list, i) end
    end
    if #list == 0 then hooks[event] = nil end
  end
  for _, entries in pairs(kinds) do
    for name, entry in pairs(entries) do
      if entry.plugin == plugin then entries[name] = nil end
    end
  end
end

local function names(kind)
  local list = {}
  for name in pairs(kinds[kind]) do list[#list + 1] = name end
  table.sort(list)
  return list
end

local function get(kind, name)
  local entry = kinds[kind][name]
  if entry then return entry.value, entry.plugin end
  return nil
end

---A named STAC search: {collections=, datetime=, …} as its plugin wrote it.
function M.search(name) return get("searches", name) end

---@return string[]
function M.searches() return names("searches") end

---A ramp declared in a plugin: the table that a file in colormaps/ would hold.
function M.ramp(name) return get("ramps", name) end

---@return string[]
function M.ramps() return names("ramps") end

---A tile matrix set: the table of its JSON (OGC 17-083r4).
function M.tile_matrix_set(name) return get("tile_matrix_sets", name) end

---@return string[]
function M.tile_matrix_sets() return names("tile_matrix_sets") end

---{description=, steps={{name, fn}, …}}
function M.workflow(name) return get("workflows", name) end

---@return string[]
function M.workflows() return names("workflows") end

---The driver of catalog URLs "<scheme>:…".
function M.catalog_driver(scheme) return get("catalog_drivers", scheme) end

---@return string[]
function M.catalog_drivers() return names("catalog_drivers") end

return M
