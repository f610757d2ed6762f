local spec = require "rastrum.spec"
local text = require "rastrum.text"

local it, equal = spec.it, spec.equal

it("reads queries", function()
  equal(text.query(""), {})
  equal(text.query("a=1&b=2&b=3"), { a = "1", b = { "2", "3" } })
  equal(text.query("a=b=c&d&&e="), { a = "b=c", d = "", e = "" })
  equal(text.query("=x"), { [""] = "x" })
  equal(text.query("a+b=%41%26+c&&"), { ["a b"] = "A& c" })
  equal({ text.query("a=1&b=%4") }, { nil, "b=%4" })
end)

it("decodes and encodes", function()
  equal(text.unescape("%e2%82%ac%2F"), "\226\130\172/")
  equal(text.unescape("%"), nil)
  equal(text.unescape("%00"), nil)
  equal(text.escape("a b/\226\130\172"), "a%20b%2F%E2%82%AC")
  equal(text.escape("a,b/c", ",/"), "a,b/c")
  for byte = 1, 255 do equal(text.unescape(text.escape(string.char(byte))), string.char(byte)) end
end)

it("finds the nearest word", function()
  equal(text.nearest("viridiss", { "magma", "viridis" }), "viridis")
  equal(text.nearest("xyz", { "magma", "viridis" }), nil)
end)

it("shows a value on one line", function()
  equal(text.shown("a\nb"), "a?b")
  equal(#text.shown(("x"):rep(100)), 60)
end)

return spec.plugin
