-- Handlers that are wrong in ways that must stay their own.
local M = { name = "wrong", api = 1 }

local kept

local function raise() error("secret-detail in " .. tostring(M)) end
local function raise_table() error({ code = 1 }) end
local function no_answer() end
local function bad_answer() return { status = "ok", body = 7 } end
local function bad_status() return { status = 99, body = "" } end
local function bad_header() return { status = 200, headers = { ["X-A"] = "a\r\nX-B: b" }, body = "" } end
local function big_rep() return { status = 200, body = string.rep("x", 2 ^ 40) } end

local function keep(req)
  kept = req.body
  return { status = 200, type = "text/plain", body = "kept" }
end

local function use() return { status = 200, type = "text/plain", body = tostring(kept:size()) } end

local function twice()
  local op = rastrum.op.store.open("nosuch")
  rastrum.all { op }
  rastrum.all { op }
  return { status = 200, type = "text/plain", body = "twice" }
end

local function elsewhere()
  local co = coroutine.create(function() return rastrum.store.open("nosuch") end)
  local ok, why = coroutine.resume(co)
  return { status = 200, type = "text/plain", body = tostring(ok) .. " " .. tostring(why) }
end

-- What a plugin must not reach, by name.
local function reach()
  local found = {}
  for _, name in ipairs { "ffi", "debug", "jit", "package", "module", "getfenv", "setfenv", "load", "loadstring", "newproxy",
    "collectgarbage", "io", "dofile", "loadfile" } do
    if pcall(function() return assert(_G[name]) end) then found[#found + 1] = name end
  end
  for _, pair in ipairs { { "os", "execute" }, { "os", "exit" }, { "os", "getenv" }, { "string", "dump" } } do
    if _G[pair[1]][pair[2]] then found[#found + 1] = pair[1] .. "." .. pair[2] end
  end
  if getmetatable("") then found[#found + 1] = "getmetatable" end
  if pcall(function() string.lower = nil end) then found[#found + 1] = "string is writable" end
  if pcall(require, "ffi") then found[#found + 1] = "require ffi" end
  return { status = 200, type = "text/plain", body = table.concat(found, ", ") }
end

M.routes = {
  { "GET", "/wrong/raise", raise, summary = "error" },
  { "GET", "/wrong/raise-table", raise_table, summary = "error of a table" },
  { "GET", "/wrong/none", no_answer, summary = "nothing returned" },
  { "GET", "/wrong/answer", bad_answer, summary = "not a response" },
  { "GET", "/wrong/status", bad_status, summary = "no status" },
  { "GET", "/wrong/header", bad_header, summary = "a header that splits" },
  { "GET", "/wrong/rep", big_rep, summary = "a huge text" },
  { "POST", "/wrong/keep", keep, summary = "keeps a buffer over its scope" },
  { "GET", "/wrong/use", use, summary = "uses it" },
  { "GET", "/wrong/twice", twice, summary = "one operation twice" },
  { "GET", "/wrong/elsewhere", elsewhere, summary = "waits in a coroutine of its own" },
  { "GET", "/wrong/reach", reach, summary = "what must not be there" },
}

return M
