local M = { name = "hello", api = 1 }

local function hello(req)
  return { status = 200, type = "text/plain", body = "Hello, " .. req.params.name .. "\n" }
end

M.routes = {
  { "GET", "/hello/{name}", hello, summary = "Greets",
    params = { { name = "name", type = "string", description = "whom" } } },
}

return M
