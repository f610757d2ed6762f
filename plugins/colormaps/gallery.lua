-- The page of all ramps. It is whole without its script, which only searches and copies.
local http = require "rastrum.http"

local M = {}

local GROUPS = {
  { "own", "Your own", "from the folders given with --colormaps, and from plugins" },
  { "sequential", "Sequential", "from little to much" },
  { "diverging", "Diverging", "away from a middle" },
  { "cyclic", "Cyclic", "both ends alike: directions, hours, phases" },
  { "qualitative", "Qualitative", "classes that have no order" },
  { "miscellaneous", "Others", "for likeness with older maps; many are uneven to the eye" },
}

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

local function escape(text) return (tostring(text):gsub('[&<>"]', ENTITIES)) end

local function group_of(each)
  if each.own then return "own" end
  for _, group in ipairs(GROUPS) do
    if group[1] == each.kind then return each.kind end
  end
  return "miscellaneous"
end

local function card(each)
  local id = escape(each.id)
  local note = each.title or each.source or each.description or each.type .. " ramp"
  if each.licence then note = note .. " \194\183 " .. each.licence end
  local words = each.id .. " " .. (each.kind or "") .. " " .. note
  return ([[<li class="ramp" data-words="%s">
<a href="colorMaps/%s"><img src="colorMaps/%s?format=png&amp;height=1" alt="%s" loading="lazy"></a>
<button type="button" data-name="%s" title="Copy the name">%s</button>
<p title="%s">%s</p></li>]]):format(
    escape(words:lower()), id, id, id, id, id, escape(note), escape(note))
end

local function section(group, cards)
  if not cards then return "" end
  return ('<section id="%s"><h2>%s <small>%d \194\183 %s</small></h2><ul>%s</ul></section>'):format(
    group[1], group[2], #cards, group[3], table.concat(cards, "\n"))
end

local function refusals(refused)
  if #refused == 0 then return "" end
  local rows = {}
  for i, each in ipairs(refused) do
    rows[i] = ("<li><b>%s</b>: %s</li>"):format(escape(each.file), escape(each.message))
  end
  return ('<section id="refused"><h2>Refused</h2>'
    .. "<p>These files are not ramps; mend them and reload.</p><ul>%s</ul></section>"):format(
    table.concat(rows))
end

local function headers_of(etag)
  return { ETag = etag, ["Cache-Control"] = "no-cache", ["X-Content-Type-Options"] = "nosniff",
    Vary = "Accept", ["Content-Security-Policy"] = "default-src 'self'; frame-ancestors *" }
end

local function send(req, body, kind)
  local headers = headers_of(http.etag_of(body))
  return http.not_modified(req, headers.ETag, headers)
    or { status = 200, type = kind .. "; charset=utf-8", headers = headers, body = body,
      compress = true }
end

---@param req rastrum.Request
---@param described table[]  of rastrum.colormaps
---@param refused table[]
function M.page(req, described, refused)
  local cards, sections = {}, {}
  for _, each in ipairs(described) do
    local group = group_of(each)
    cards[group] = cards[group] or {}
    table.insert(cards[group], card(each))
  end
  for i, group in ipairs(GROUPS) do sections[i] = section(group, cards[group[1]]) end
  local parts = { count = #described, sections = table.concat(sections),
    refused = refusals(refused) }
  local body = rastrum.asset("gallery.html"):gsub("{{(%w+)}}", function(name)
    return tostring(parts[name])
  end)
  return send(req, body, "text/html")
end

function M.script(req) return send(req, rastrum.asset("gallery.js"), "text/javascript") end
function M.style(req) return send(req, rastrum.asset("gallery.css"), "text/css") end

return M
