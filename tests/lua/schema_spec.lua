local spec = require "rastrum.spec"
local schema = require "rastrum.schema"

local it, equal, contains, raises = spec.it, spec.equal, spec.contains, spec.raises

local function reader(specs, names) return (schema.compile(specs, names or {}, "route")) end

it("types values", function()
  local read = reader {
    { name = "i", type = "integer" }, { name = "n", type = "number" },
      { name = "b", type = "boolean" },
    { name = "s", type = "string" }, { name = "l", type = "list", items = "number" },
  }
  local p, given = read({}, "i=-3&n=2.5e1&b=true&s=a%20b+c&l=1,2,3.5")
  equal(p, { i = -3, n = 25, b = true, s = "a b c", l = { 1, 2, 3.5 } })
  equal(given, { i = true, n = true, b = true, s = true, l = true })
end)

it("names the parameter, its value and what is allowed", function()
  local read = reader({ { name = "z", type = "integer", min = 0, max = 24 } }, { "z" })
  local p, err = read({ z = "99" }, "")
  equal(p, nil)
  equal(err.message, "z is '99'; an integer from 0 to 24 is wanted")
  equal(err.parameter, "z")
  for _, bad in ipairs { "", "1.5", "0x10", "1e3", "nan", " 1", "-1", "99999999999999999999" } do
    equal((read({ z = bad }, "")), nil)
  end
end)

it("refuses numbers that are none", function()
  local read = reader { { name = "n", type = "number" } }
  for _, bad in ipairs { "nan", "inf", "-inf", "0x1p3", "1e999", "1..2", "", "--1", "1e" } do
    equal((read({}, "n=" .. bad)), nil)
  end
  equal(read({}, "n=-.5").n, -0.5)
end)

it("fills defaults and asks for what is required", function()
  local read = reader { { name = "a", type = "string", default = "x" },
    { name = "b", type = "string", required = true } }
  equal(read({}, "b=1"), { a = "x", b = "1" })
  local p, err = read({}, "a=1")
  equal(p, nil)
  contains(err.message, "b is missing")
end)

it("takes repeatable ones as lists, others once", function()
  local read = reader { { name = "r", type = "integer", repeatable = true },
    { name = "o", type = "string" } }
  equal(read({}, "r=1&r=2").r, { 1, 2 })
  equal(read({}, "r=7").r, { 7 })
  local p, err = read({}, "o=1&o=2")
  equal(p, nil)
  contains(err.message, "it may be given once")
end)

it("refuses unknown parameters with the nearest name", function()
  local read = reader { { name = "variable", type = "string" } }
  local p, err = read({}, "varable=t")
  equal(p, nil)
  contains(err.message, "did you mean 'variable'")
end)

it("checks enumerations", function()
  local read = reader { { name = "f", type = "string", enum = { "json", "csv" } } }
  local p, err = read({}, "f=xml")
  equal(p, nil)
  contains(err.message, "one of json, csv")
end)

it("refuses broken percent-encoding and zero bytes", function()
  local read = reader { { name = "s", type = "string" } }
  for _, bad in ipairs { "s=%", "s=%g0", "s=%00", "s=a%2" } do equal((read({}, bad)), nil) end
end)

it("refuses wrong declarations", function()
  raises("unknown type", schema.compile, { { name = "a", type = "text" } }, {}, "r")
  raises("unknown field", schema.compile, { { name = "a", type = "string", maximum = 3 } }, {}, "r")
  raises("declared twice", schema.compile, { { name = "a", type = "string" },
    { name = "a", type = "string" } }, {}, "r")
end)

it("checks bodies and says where", function()
  local body = { type = "object", required = { "bbox" }, additional = false, properties = {
    bbox = { type = "array", items = { type = "number", min = -180, max = 360 }, min_items = 4,
    max_items = 6 },
    limit = { type = "integer", min = 1 } } }
  equal(schema.check_body(body, rastrum.json.decode '{"bbox":[1,2,3,4],"limit":3}'), true)
  local function message(text)
    return select(2, schema.check_body(body, rastrum.json.decode(text))).message
  end
  contains(message '{"bbox":[1,2,"x",4]}', "body.bbox[2] is 'x'; a number from -180 to 360")
  contains(message '{"bbox":[1]}', "a list of 4 to 6")
  contains(message '{"limit":1}', "body.bbox is missing")
  contains(message '{"bbox":[1,2,3,4],"limt":1}', "did you mean 'limit'")
  contains(message '[]', "body.bbox is missing")
  contains(message '[1]', "an object is wanted")
  contains(message '"x"', "an object is wanted")
end)

return spec.plugin
