-- The colour ramps by name: a list, a table, a picture.
local colormaps = require "rastrum.colormaps"
local http = require "rastrum.http"

local M = { name = "colormaps", api = 1,
  description = "colour ramps by name, as tables and pictures" }

---@param req rastrum.Request
local function list(req)
  return http.json(req, { colorMaps = rastrum.json.array(colormaps.names()) })
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
  if p.format == "json" then
    return { status = 200, type = "application/json", headers = headers, body = ramp:json(),
      compress = true }
  end
  local upright = p.orientation == "vertical"
  local body
  body, err = ramp:png(upright and 20 or 256, upright and 256 or 20, upright)
  if not body then return rastrum.fail(err) end
  return { status = 200, type = "image/png", headers = headers, body = body }
end

-- `rastrum colormap list`, `rastrum colormap check FILE`; the file's text comes along.
local function command(ctx)
  local words, text = ctx.args.words, ctx.args.text
  if words[1] == "list" and #words == 1 then
    local names = colormaps.names()
    ctx.result = { text = table.concat(names, "\n"), json = rastrum.json.array(names), code = 0 }
    return true
  end
  if words[1] ~= "check" or not text then
    return nil, { code = "invalid", where = "colormap", message = "it takes: list, or check FILE" }
  end
  local ramp, err = rastrum.ramp.parse(text)
  if not ramp then return nil, { code = "corrupt", where = words[2], message = err.message } end
  local kind = ramp:kind()
  ctx.result = { text = ("%s: a %s ramp"):format(words[2], kind),
    json = { file = words[2], kind = kind }, code = 0 }
  return true
end

M.workflows = { colormap = command }

M.routes = {
  { "GET", "/colorMaps", list, summary = "The names of all colour ramps" },
  { "GET", "/colorMaps/{name}", show,
    summary = "A colour ramp as a table of 256 colours, or as a picture",
    params = {
      { name = "name", type = "string", description = "a ramp; name_r is reversed" },
      { name = "format", type = "string", enum = { "json", "png" }, default = "json",
        description = "table or picture" },
      { name = "orientation", type = "string", enum = { "horizontal", "vertical" },
        default = "horizontal",
        description = "of the picture" },
    } },
}

return M
