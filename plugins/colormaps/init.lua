-- The colour ramps by name: a list, a table, a picture.
local colormaps = require "rastrum.colormaps"
local http = require "rastrum.http"

local M = { name = "colormaps", api = 1, description = "colour ramps by name, as tables and pictures" }

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
    return { status = 200, type = "application/json", headers = headers, body = ramp:json(), compress = true }
  end
  local upright = p.orientation == "vertical"
  local body
  body, err = ramp:png(upright and 20 or 256, upright and 256 or 20, upright)
  if not body then return rastrum.fail(err) end
  return { status = 200, type = "image/png", headers = headers, body = body }
end

M.routes = {
  { "GET", "/colorMaps", list, summary = "The names of all colour ramps" },
  { "GET", "/colorMaps/{name}", show, summary = "A colour ramp as a table of 256 colours, or as a picture",
    params = {
      { name = "name", type = "string", description = "a ramp; name_r is reversed" },
      { name = "format", type = "string", enum = { "json", "png" }, default = "json", description = "table or picture" },
      { name = "orientation", type = "string", enum = { "horizontal", "vertical" }, default = "horizontal",
        description = "of the picture" },
    } },
}

return M
