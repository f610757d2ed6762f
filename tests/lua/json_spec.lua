local spec = require "rastrum.spec"

local it, equal, raises = spec.it, spec.equal, spec.raises
local json = rastrum.json

it("writes scalars", function()
  equal(json.encode(1), "1")
  equal(json.encode(-0.5), "-0.5")
  equal(json.encode(2 ^ 53 - 1), "9007199254740991")
  equal(json.encode(0.1), "0.1")
  equal(json.encode(true), "true")
  equal(json.encode(json.null), "null")
  equal(json.encode(0 / 0), "null")
  equal(json.encode(1 / 0), "null")
  equal(json.encode('a"\n\0b'), '"a\\"\\n\\u0000b"')
end)

it("tells lists from objects", function()
  equal(json.encode {}, "{}")
  equal(json.encode(json.array {}), "[]")
  equal(json.encode { 1, 2 }, "[1,2]")
  equal(json.encode { a = json.array { { b = 1 } } }, '{"a":[{"b":1}]}')
end)

it("keeps empty lists through decoding", function()
  equal(json.encode(json.decode('{"a":[],"b":{}}').a), "[]")
  equal(json.encode(json.decode('{"a":[],"b":{}}').b), "{}")
  equal(json.is_array(json.decode "[]"), true)
  equal(json.is_array(json.decode "{}"), false)
end)

it("reads what it writes", function()
  local value = { a = { 1, 2.5, "x", true, json.null }, b = { c = { d = "\226\130\172" } } }
  equal(json.decode(json.encode(value)), value)
end)

it("splices raw texts and buffers", function()
  equal(json.encode { json.raw "[1, 2]" }, "[[1, 2]]")
  local buf = json.buffer { 3 }
  equal(json.encode { x = buf }, '{"x":[3]}')
  equal(json.encode { x = json.raw(buf) }, '{"x":[3]}')
end)

it("refuses what JSON cannot say", function()
  raises("function cannot be written", json.encode, { f = print })
  raises("as key", json.encode, { [true] = 1 })
  local loop = {}
  loop.loop = loop
  raises("inside itself", json.encode, loop)
end)

it("says where a text is wrong", function()
  local value, err = json.decode('{"a":}')
  equal(value, nil)
  equal(err.code, "invalid")
  spec.contains(err.message, "line 1")
end)

it("caps depth", function()
  local value, err = json.decode(("["):rep(40) .. ("]"):rep(40), 32)
  equal(value, nil)
  spec.contains(err.message, "deeper")
  equal(type(json.decode(("["):rep(30) .. ("]"):rep(30), 32)), "table")
end)

return spec.plugin
