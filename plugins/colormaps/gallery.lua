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

local POLICY = "default-src 'self'; img-src 'self' data:; frame-ancestors *"

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

local function escape(text) return (tostring(text):gsub('[&<>"]', ENTITIES)) end

local function group_of(each)
  if each.own then return "own" end
  for _, group in ipairs(GROUPS) do
    if group[1] == each.kind then return each.kind end
  end
  return "miscellaneous"
end

-- "cmocean (Kristen M. Thyng), as sampled…" and "A; B" are told in full at the end of the page.
local function short(text) return (text:match("^[^,;(]+") or text):match("^(.-)%s*$") end

local function note_of(each)
  local note = each.title or each.description or each.source and short(each.source) or each.type
  if each.range then note = ("%s \194\183 %.6g to %.6g"):format(note, unpack(each.range)) end
  return each.licence and note .. " \194\183 " .. short(each.licence) or note
end

local function card(each)
  local id, note = escape(each.id), escape(note_of(each))
  local words = table.concat({ each.id, each.kind or "", each.type, each.title or "",
    each.description or "", each.source or "" }, " ")
  return ([[<li class="ramp" data-words="%s"%s>
<a href="colorMaps/%s"><img src="colorMaps/%s?format=png&amp;height=1" alt="%s" loading="lazy"></a>
<button type="button" data-name="%s" title="Copy the name">%s</button>
<p title="%s">%s</p></li>]]):format(escape(words:lower()), each.reverses and " data-turns" or "",
    id, id, id, id, id, note, note)
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

-- Each source once, in full.
local function sources(described)
  local rows, seen = {}, {}
  for _, each in ipairs(described) do
    local row = each.source and ("<dt>%s</dt><dd>%s</dd>"):format(escape(each.source),
      escape(each.licence or "its file names no licence"))
    if row and not seen[row] then
      seen[row] = true
      rows[#rows + 1] = row
    end
  end
  table.sort(rows)
  return table.concat(rows, "\n")
end

local function headers_of(etag)
  return { ETag = etag, ["Cache-Control"] = "no-cache", ["X-Content-Type-Options"] = "nosniff",
    Vary = "Accept", ["Content-Security-Policy"] = POLICY }
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
    refused = refusals(refused), sources = sources(described) }
  local body = rastrum.asset("gallery.html"):gsub("{{(%w+)}}", function(name)
    return tostring(parts[name])
  end)
  return send(req, body, "text/html")
end

function M.script(req) return send(req, rastrum.asset("gallery.js"), "text/javascript") end
function M.style(req) return send(req, rastrum.asset("gallery.css"), "text/css") end

return M
