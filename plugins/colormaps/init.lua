-- The colour ramps by name: a gallery for people, lists and tables for programs, pictures; and the
-- command `rastrum colormap`.
local colormaps = require "rastrum.colormaps"
local gallery = require "gallery"
local http = require "rastrum.http"

local M = { name = "colormaps", api = 1,
  description = "colour ramps by name, as a gallery, tables and pictures" }

local function link(req, name)
  return { rel = "item", type = "application/json", title = "Definition of " .. name .. " ColorMap",
    href = ("%s/colorMaps/%s"):format(req.base_url, name) }
end

-- One entry a name, the reversed ones too, as titiler lists them.
local function entries_of(req, described)
  local entries, names = rastrum.json.array {}, rastrum.json.array {}
  local function add(each, name)
    names[#names + 1] = name
    entries[#entries + 1] = { id = name, title = each.title, kind = each.kind, type = each.type,
      range = each.range and rastrum.json.array(each.range), source = each.source,
      licence = each.licence,
      links = rastrum.json.array { link(req, name) } }
  end
  for _, each in ipairs(described) do
    add(each, each.id)
    if each.reverses then add(each, each.id .. "_r") end
  end
  return entries, names
end

local function refused_of()
  local list = rastrum.json.array {}
  for i, each in ipairs(colormaps.refused(false)) do
    list[i] = { file = each.file, message = each.message }
  end
  return list
end

local function wants_page(req)
  if req.params.f then return req.params.f == "html" end
  return http.prefers_html(req.headers.accept)
end

---@param req rastrum.Request
local function list(req)
  local described, refused = colormaps.described(), refused_of()
  if wants_page(req) then return gallery.page(req, described, refused) end
  local entries, names = entries_of(req, described)
  return http.json(req, { colormaps = entries, colorMaps = names, refused = refused },
    { headers = { Vary = "Accept" } })
end

---@param req rastrum.Request
local function show(req)
  local p = req.params
  local ramp, err = colormaps.get(p.name)
  if not ramp then return rastrum.problem(404, "Not found", err.message) end
  local etag = http.etag(req, ramp:digest())
  local headers = { ETag = etag, ["Cache-Control"] = http.SHORT }
  local unchanged = http.not_modified(req, etag, headers)
  if unchanged then return unchanged end
  if (p.format or p.f or "json") == "json" then
    return { status = 200, type = "application/json", headers = headers, body = ramp:json(),
      compress = true }
  end
  local upright = p.orientation == "vertical"
  local body
  body, err = ramp:png(p.width or (upright and 20 or 256), p.height or (upright and 256 or 20),
    upright)
  if not body then return rastrum.fail(err) end
  return { status = 200, type = "image/png", headers = headers, body = body }
end

local function usage()
  return nil, { code = "invalid", where = "colormap",
    message = "it takes: list, check FILE, or preview NAME|FILE" }
end

local function names_command(ctx)
  local names = colormaps.names()
  ctx.result = { text = table.concat(names, "\n"), json = rastrum.json.array(names), code = 0 }
  return true
end

local function check_command(ctx, file, text)
  local ramp, err = rastrum.ramp.parse(text, file)
  if not ramp then return nil, { code = "corrupt", where = file, message = err.message } end
  local kind = ramp:kind()
  ctx.result = { text = ("%s: a %s ramp"):format(file, kind), json = { file = file, kind = kind },
    code = 0 }
  return true
end

local function channels(color)
  return tonumber(color:sub(2, 3), 16), tonumber(color:sub(4, 5), 16), tonumber(color:sub(6, 7), 16)
end

local function block(color, width)
  local r, g, b = channels(color)
  return ("\27[48;2;%d;%d;%dm%s\27[0m"):format(r, g, b, (" "):rep(width))
end

-- Sixty-four columns of a terminal, or a line an entry.
local function drawn(ramp)
  local entries, lines = ramp:entries(), {}
  if ramp:kind() == "linear" then
    local row = {}
    for i = 1, 64 do row[i] = block(entries[(i - 1) * 4 + 3].color, 1) end
    lines[1] = table.concat(row)
  else
    for i, entry in ipairs(entries) do
      local value = entry.low == entry.high and ("%.6g"):format(entry.low)
        or ("%.6g to %.6g"):format(entry.low, entry.high)
      lines[i] = ("%s %s %s"):format(block(entry.color, 4), value, entry.label or "")
    end
  end
  for mark, color in pairs(ramp:marks()) do
    lines[#lines + 1] = block(color, 4) .. " " .. mark
  end
  return table.concat(lines, "\n")
end

local function preview_command(ctx, name, text)
  local ramp, err
  if text then
    ramp, err = rastrum.ramp.parse(text, name)
    err = err and { code = "corrupt", where = name, message = err.message }
  else
    ramp, err = colormaps.get(name)
  end
  if not ramp then return nil, err end
  local colors = rastrum.json.array {}
  for i, entry in ipairs(ramp:entries()) do colors[i] = entry.color end
  ctx.result = { text = drawn(ramp), json = { name = name, kind = ramp:kind(), colors = colors },
    code = 0 }
  return true
end

-- `rastrum colormap`; the text of a file that is named comes along.
local function command(ctx)
  local words, text = ctx.args.words, ctx.args.text
  if words[1] == "list" and #words == 1 then return names_command(ctx) end
  if words[1] == "check" and text then return check_command(ctx, words[2], text) end
  if words[1] == "preview" and words[2] then return preview_command(ctx, words[2], text) end
  return usage()
end

M.workflows = { colormap = command }

-- What an operator's own files have wrong is said at once, not when somebody asks for the ramp.
M.hooks = { on_start = function()
  for _, each in ipairs(colormaps.refused(true)) do
    rastrum.log.warn("colour ramp refused", { file = each.file, reason = each.message })
  end
end }

local PICTURE = {
  { name = "name", type = "string", example = "viridis",
    description = "a ramp; name_r is reversed" },
  { name = "format", type = "string", enum = { "json", "png" },
    description = "table (the default) or picture" },
  { name = "f", type = "string", enum = { "json", "png" }, description = "the same" },
  { name = "orientation", type = "string", enum = { "horizontal", "vertical" },
    default = "horizontal", description = "of the picture" },
  { name = "width", type = "integer", min = 1, max = 2048,
    description = "pixels (default: 256, or 20 upright)" },
  { name = "height", type = "integer", min = 1, max = 2048,
    description = "pixels (default: 20, or 256 upright)" },
}

M.routes = {
  { "GET", "/colorMaps", list, summary = "All colour ramps: a page, or their names and sources",
    params = { { name = "f", type = "string", enum = { "json", "html" },
      description = "instead of the Accept header" } } },
  { "GET", "/colorMaps/{name}", show,
    summary = "A colour ramp as a table of 256 colours, or as a picture", params = PICTURE },
  { "GET", "/gallery/gallery.js", gallery.script, hidden = true },
  { "GET", "/gallery/gallery.css", gallery.style, hidden = true },
}

return M
