-- Colour ramps by name: the files of colormaps/ and --colormaps, then what plugins declare; NAME_r
-- is NAME reversed unless there is such a file. Each is read when it is first asked for, and kept.
local registry = require "rastrum.registry"
local text = require "rastrum.text"
local _, host = ...

local M = {}

local files = {}    -- name -> {file, text, folder}
local refused = {}  -- {file, message, folder}: those whose name or reading fails
local parsed = {}

local function refuse(entry, message)
  refused[#refused + 1] = { file = entry.file, message = message, folder = entry.folder }
end

for _, entry in ipairs(host.files("colormaps")) do
  local name = entry.file:match("^(.+)%.%a+$") or entry.file
  if entry.failed then
    refuse(entry, entry.text)
  elseif #name > 64 or not name:find("^[%w_%-]+$") then
    refuse(entry, "a ramp's name is made of letters, digits, '_' and '-'; rename the file")
  else
    files[name] = entry
  end
end

---What a ramp is made from: {text=, file=}, or nil for an unknown name.
local function source_of(name)
  if files[name] then return files[name] end
  local declared = registry.ramp(name)
  return declared and { text = rastrum.json.encode(declared), file = "" }
end

local function base_of(name)
  local base = name:match("^(.+)_r$")
  return base and source_of(base) and base
end

---The names of all ramps, without those reversed.
---@return string[]
function M.names()
  local list = {}
  for _, name in ipairs(registry.ramps()) do
    if not files[name] then list[#list + 1] = name end
  end
  for name in pairs(files) do
    if not base_of(name) then list[#list + 1] = name end
  end
  table.sort(list)
  return list
end

local function not_found(name)
  local near = text.nearest(name, M.names())
  return nil, { code = "invalid", where = "colormap_name",
    message = ("there is no colour ramp '%s'%s"):format(
    text.shown(name), near and ("; did you mean '%s'?"):format(near) or "; /colorMaps lists them") }
end

local function read(source)
  local ramp, err = rastrum.ramp.parse(source.text, source.file)
  if ramp then return ramp end
  return nil, { code = "invalid", where = "colormap_name",
    message = source.file ~= "" and source.file .. ": " .. err.message or err.message }
end

local function parse(name)
  local source = source_of(name)
  if source then return read(source) end
  local base = base_of(name)
  if not base then return not_found(name) end
  local ramp, err = read(source_of(base))
  if not ramp then return nil, err end
  return ramp:reversed()
end

---@param name string
---@return rastrum.Ramp|nil
---@return rastrum.Error|nil
function M.get(name)
  if parsed[name] then return parsed[name] end
  local ramp, err = parse(name)
  if not ramp then return nil, err end
  parsed[name] = host.pin(ramp)
  return ramp
end

-- Reads a ramp only to see what it is: {kind=, range=} or {message=}, kept.
local looked = {}

local function look_at(name)
  if not looked[name] then
    local source = source_of(name)
    local ramp, err = rastrum.ramp.parse(source.text, source.file)
    looked[name] = ramp and { kind = ramp:kind(), range = { ramp:range() } }
      or { message = err.message }
    if ramp then ramp:close() end
  end
  return looked[name]
end

---The files of ramps that were refused: {file, message, folder}; folder 0 came along. `own`: look
---only at those of --colormaps.
---@param own boolean
---@return table[]
function M.refused(own)
  local list = {}
  for _, each in ipairs(refused) do
    if not own or each.folder > 0 then list[#list + 1] = each end
  end
  for name, entry in pairs(files) do
    local message = (not own or entry.folder > 0) and look_at(name).message
    if message then
      list[#list + 1] = { file = entry.file, message = message, folder = entry.folder }
    end
  end
  table.sort(list, function(a, b) return a.file < b.file end)
  return list
end

-- What a file says of itself; a table of stops says nothing.
local function about(name)
  local source = source_of(name)
  local said = source.text:find("^%s*{") and rastrum.json.decode(source.text)
  return type(said) == "table" and said or {}, source
end

local function word(value) return type(value) == "string" and value ~= "" and value or nil end

local function describe(name)
  local kind, range = look_at(name).kind, look_at(name).range
  if not kind then return nil end
  local said, source = about(name)
  return { id = name, title = word(said.title), description = word(said.description), type = kind,
    kind = word(said.kind), source = word(said.source),
    licence = word(said.licence) or word(said.license),
    range = range[1] and range, own = source.folder ~= 0, reverses = kind == "linear" }
end

local all

---What is known of every ramp, in the order of their names: {id, title, description, type, kind,
---range, source, licence, own, reverses}. Files that are refused are left out.
---@return table[]
function M.described()
  if not all then
    all = {}
    for _, name in ipairs(M.names()) do all[#all + 1] = describe(name) end
  end
  return all
end

return M
