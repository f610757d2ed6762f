local M = { name = "broken", api = 1 }
M.routes = { { "GET", "/broken" 
return M
