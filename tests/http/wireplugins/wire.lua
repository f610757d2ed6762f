-- wire: routes for the tests of the HTTP server itself: what came, a late answer, a large one.
local M = { name = "wire", api = 1 }

local function text(body)
  return { status = 200, type = "text/plain", body = body }
end

local function echo(req)
  return text(req.body and req.body:text() or "nothing")
end

local function slow(req)
  rastrum.sleep(req.params.ms)
  return text("late")
end

local function big(req)
  return text(("0123456789abcdef"):rep(req.params.kib * 64))
end

local function say(req)
  rastrum.log.info(req.params.n, { said = req.params.n })
  if req.params.fail then error(req.params.n) end
  return text("said")
end

M.routes = {
  { "GET", "/echo", echo, summary = "Answers the body", params = {
    { name = "n", type = "string", max_length = 10000, description = "anything" } } },
  { "POST", "/echo", echo, summary = "Answers the body" },
  { "GET", "/say", say, summary = "Logs what it is told", params = {
    { name = "n", type = "string", max_length = 10000, required = true, description = "anything" },
    { name = "fail", type = "boolean", description = "whether it fails with it" } } },
  { "GET", "/slow/{ms:int}", slow, summary = "Answers late", params = {
    { name = "ms", type = "integer", min = 0, max = 30000, description = "how late" } } },
  { "GET", "/big/{kib:int}", big, summary = "Answers much", params = {
    { name = "kib", type = "integer", min = 1, max = 15360, description = "how much" } } },
}

return M
