-- Lua is LuaJIT's 5.1 dialect; the host adds one global, `rastrum`, which nobody may write to.
std = "luajit"
max_line_length = 100
max_comment_line_length = 130 -- annotations cannot be broken
read_globals = { "rastrum" }
unused_args = false
files["lua/meta"] = { ignore = { "1..", "2.." } } -- stubs: declared, never run
files["tests/lua/sandbox_spec.lua"] = { ignore = { "122" } } -- tries what is forbidden
