-- Ways out of a plugin's environment; none leads anywhere.
local spec = require "rastrum.spec"

local it, equal, raises = spec.it, spec.equal, spec.raises

-- Globals by name, so that the linter does not take them for uses.
local function global(name) return rawget(_G, name) end

it("has none of the dangerous globals", function()
  for _, name in ipairs { "ffi", "debug", "jit", "package", "module", "getfenv", "setfenv", "load",
    "loadstring",
    "loadfile", "dofile", "newproxy", "collectgarbage", "gcinfo", "io", "arg" } do
    equal(global(name), nil)
  end
end)

it("has only the harmless part of the libraries", function()
  equal(os.execute, nil)
  equal(os.exit, nil)
  equal(os.getenv, nil)
  equal(os.remove, nil)
  equal(os.rename, nil)
  equal(os.tmpname, nil)
  equal(string.dump, nil)
  equal(math.randomseed, nil)
end)

it("requires nothing but the library and its own files", function()
  for _, name in ipairs { "ffi", "jit", "debug", "io", "os", "string", "table", "package",
    "../tiles/init",
    "rastrum.app", "rastrum.sandbox", "rastrum/app", "rastrum.../x", "cjson", "" } do
    raises("no module", require, name)
  end
  raises("takes a name", require, nil)
end)

it("hides the metatable of texts", function()
  equal(getmetatable(""), false)
  raises("", setmetatable, "", {})
  equal(("X"):lower(), "x")
end)

it("keeps library tables read-only", function()
  raises("read-only", function() string.lower = nil end)
  raises("read-only", function() rastrum.json = nil end)
  raises("read-only", function() rastrum.json.encode = nil end)
  raises("read-only", function() rastrum.op.sleep = nil end)
  raises("read-only", rawset, string, "lower", print)
  raises("read-only", rawset, rastrum, "fail", print)
  raises("read-only", rawset, require "rastrum.http", "SHORT", "private")
  raises("protected", setmetatable, string, {})
  equal(getmetatable(string), false)
  equal(getmetatable(rastrum.json), false)
  equal(getmetatable(_G), false)
end)

it("does not change a text's methods through the proxy", function()
  pcall(table.insert, string, 1, print)
  equal(("X"):lower(), "x")
  equal(string.lower("X"), "x")
end)

it("cannot set globals", function()
  raises("globals cannot be set", function() _G.leak = 1 end)
end)

it("hides the metatables of handles", function()
  local buf = rastrum.json.buffer { 1 }
  equal(getmetatable(buf), false)
  raises("", setmetatable, buf, {})
  raises("", function() buf.text = nil end)
  equal(buf.__gc, nil)
  buf:close()
  raises("was closed", buf.size, buf)
  buf:close()
end)

it("does not take other values for handles", function()
  local size = rastrum.json.buffer({ 1 }).size
  raises("ra.buf expected", size, {})
  raises("ra.buf expected", size, "x")
  raises("ra.buf expected", size, rastrum.json.null)
  raises("ra.buf expected", size, rastrum.op.sleep(1))
  raises("ra.buf expected", size, nil)
end)

it("does not hand out the task's own coroutine", function()
  equal(coroutine.running(), nil)
  raises("coroutine of your own", coroutine.yield)
  local inner = coroutine.create(function() return coroutine.running() end)
  local ok, thread = coroutine.resume(inner)
  equal(ok, true)
  equal(thread, inner)
end)

it("has no way to the real table through errors", function()
  local ok, err = pcall(function() local x = nil; return x.y end)
  equal(ok, false)
  equal(type(err), "string")
  local seen
  xpcall(error, function(...) seen = select("#", ...) end)
  equal(seen, 1)
end)

it("loads no bytecode and no code at all", function()
  equal(global("load"), nil)
  equal(rastrum.load, nil)
  equal(rastrum.host, nil)
  equal(rastrum.dispatch, nil)
end)

it("has a copy of the configuration", function()
  local old = rastrum.config.listen
  rastrum.config.listen = "changed"
  equal(rastrum.config.listen, "changed")
  rastrum.config.listen = old
  equal((require "rastrum.http").base_url(nil, false), "http://127.0.0.1:8080")
end)

it("caps string.rep", function()
  raises("would make 1000000000 bytes, more than the 16777216", string.rep, "x", 1e9)
  raises("lua_output, or limits.spec.output, raises this limit", ("x").rep, "x", 1e9)
  equal(#string.rep("x", 1000), 1000)
end)

return spec.plugin
