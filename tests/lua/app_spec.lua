-- Requests through the whole of the application, to the built-in plugins and to routes of this
-- spec.
local spec = require "rastrum.spec"

local it, equal, contains = spec.it, spec.equal, spec.contains

spec.plugin.routes = {
  { "GET", "/spec/echo/{n:int}", function(req)
    return { status = 200, type = "application/json",
      body = rastrum.json.encode { params = req.params, given = req.given, base = req.base_url,
        route = req.route } }
  end, summary = "what came in", cache = "private",
    params = {
      { name = "n", type = "integer", min = 0, max = 9, description = "a digit" },
      { name = "word", type = "string", default = "w", description = "a word" },
    } },
  { "POST", "/spec/echo", function(req) return { status = 200, body = rastrum.json.encode(req.json),
    type = "application/json" }
  end,
    summary = "the body", body = { description = "an object", schema = {
      type = "object", properties = { a = { type = "integer" } }, required = { "a" },
      additional = false } } },
}

it("answers with typed parameters", function()
  local r = spec.request("GET", "/spec/echo/3?word=x", { headers = { host = "localhost:81" } })
  equal(r.status, 200)
  equal(r.json, { params = { n = 3, word = "x" }, given = { word = true },
    base = "http://localhost:81",
    route = "/spec/echo/{n}" })
  equal(r.headers["Cache-Control"], "private")
  equal(spec.request("HEAD", "/spec/echo/3").status, 200)
end)

it("answers a wrong parameter with 400", function()
  local r = spec.request("GET", "/spec/echo/12")
  equal(r.status, 400)
  equal(r.type, "application/problem+json")
  equal(r.json.parameter, "n")
  equal(r.json.value, "12")
  equal(r.json.allowed, "an integer from 0 to 9")
  equal(r.headers["Cache-Control"], "no-store")
  r = spec.request("GET", "/spec/echo/3?wrd=x")
  equal(r.status, 400)
  contains(r.json.detail, "did you mean 'word'")
end)

it("answers other methods", function()
  local r = spec.request("DELETE", "/spec/echo/3")
  equal(r.status, 405)
  equal(r.headers.Allow, "GET, HEAD, OPTIONS")
  r = spec.request("OPTIONS", "/spec/echo/3")
  equal(r.status, 204)
  equal(r.headers.Allow, "GET, HEAD, OPTIONS")
end)

it("answers an unknown path with the nearest", function()
  local r = spec.request("GET", "/healtz")
  equal(r.status, 404)
  contains(r.json.detail, "/healthz")
end)

it("reads bodies", function()
  local r = spec.request("POST", "/spec/echo", { body = '{"a":3}' })
  equal(r.json, { a = 3 })
  equal(spec.request("POST", "/spec/echo", { body = '{"a":"x"}' }).status, 400)
  equal(spec.request("POST", "/spec/echo", { body = '{"a":3' }).status, 400)
  equal(spec.request("POST", "/spec/echo", {}).status, 400)
  r = spec.request("POST", "/spec/echo", { body = "a=3",
    headers = { ["content-type"] = "application/x-www-form-urlencoded" } })
  equal(r.status, 415)
  r = spec.request("POST", "/spec/echo", { body = '{"a":3}',
    headers = { ["content-type"] = "application/geo+json" } })
  equal(r.status, 200)
end)

it("begins links where it may", function()
  local http = require "rastrum.http"
  equal(http.base_url("maps.example.org", true), "https://maps.example.org")
  equal(http.base_url("127.0.0.1:99", false), "http://127.0.0.1:99")
  equal(http.base_url("evil.example.com", false), "http://127.0.0.1:8080")
  equal(http.base_url("localhost/../x", false), "http://127.0.0.1:8080")
end)

it("tells health and plugins", function()
  equal(spec.request("GET", "/healthz").json.status, "ok")
  local names = {}
  for _, each in ipairs(spec.request("GET", "/plugins").json.plugins) do names[each.name] = true end
  equal(names.service, true)
  equal(names.spec, true)
end)

it("refuses no built-in plugin", function()
  equal(spec.request("GET", "/plugins").json.refused, {})
end)

it("describes the routes", function()
  local r = spec.request("GET", "/openapi.json")
  local echo = r.json.paths["/spec/echo/{n}"].get
  equal(r.json.openapi, "3.1.0")
  equal(echo.summary, "what came in")
  equal(echo.parameters[1], { name = "n", ["in"] = "path", required = true, description = "a digit",
    schema = { type = "integer", minimum = 0, maximum = 9 } })
  equal(echo.parameters[2].schema.default, "w")
  local body = r.json.paths["/spec/echo"].post.requestBody.content["application/json"].schema
  equal(body.additionalProperties, false)
  equal(body.required, { "a" })
end)

it("answers 304", function()
  local r = spec.request("GET", "/openapi.json")
  local again = spec.request("GET", "/openapi.json",
    { headers = { ["if-none-match"] = r.headers.ETag } })
  equal(again.status, 304)
  equal(again.body, nil)
end)

it("writes metrics", function()
  rastrum.metrics.count("spec_cases", "Cases of a spec.", 2)
  local text = spec.request("GET", "/metrics").body:text()
  contains(text, 'rastrum_plugin_spec_cases_total{plugin="spec"} 2')
  contains(text, "rastrum_lua_heap_bytes ")
end)

it("joins and waits", function()
  equal(rastrum.all({ rastrum.op.sleep(3), rastrum.op.sleep(1) }), { true, true })
  equal(rastrum.all({}), {})
  local began = rastrum.time.clock()
  rastrum.sleep(5)
  equal(rastrum.time.clock() - began >= 0.004, true)
end)

it("knows dates of other calendars", function()
  local ms = rastrum.time.parse("2020-02-30T06:00:00Z", "360_day")
  equal(rastrum.time.format(ms, "360_day"), "2020-02-30T06:00:00Z")
  local _, exact = rastrum.time.to_iso(ms, "360_day")
  equal(exact, false)
  local none, err = rastrum.time.parse("2020-02-30", "standard")
  equal(none, nil)
  equal(err.code, "invalid")
end)

it("shares values", function()
  rastrum.shared.set("spec.a", "x")
  equal(rastrum.shared.get("spec.a"), "x")
  rastrum.shared.set("spec.a", nil)
  equal(rastrum.shared.get("spec.a"), nil)
  equal(rastrum.shared.incr("spec.n"), 1)
  equal(rastrum.shared.incr("spec.n", 4), 5)
  rastrum.shared.set("spec.n", nil)
end)

return spec.plugin
