-- Compares a string library with another: results and errors of thousands of pairs of pattern and subject, listed and made.
-- Called with both, and with the seed; returns the number of comparisons, and raises at the first difference.
local real, ours, seed = ...

math.randomseed(seed)
local random = math.random
local count = 0

local function shown(value)
  if type(value) ~= "string" then return tostring(value) end
  local text = real.format("%q", #value > 300 and real.sub(value, 1, 300) .. "…" or value)
  return (real.gsub(text, "\n", "n"))
end

local function pack(...) return { n = select("#", ...), ... } end

-- The text of an error without the place, which differs. (What is written in Lua cannot tell nil from nothing.)
local function plain(err)
  local text = real.gsub(tostring(err), "^[^:]*:%d+: ", "")
  return (real.gsub(text, "got no value", "got nil"))
end

local function all_of(iterator)
  local out = { n = 0 }
  while out.n < 60 do
    local got = pack(iterator())
    if got[1] == nil then break end
    for i = 1, got.n do out[out.n + i] = got[i] end
    out.n = out.n + got.n
  end
  return out
end

local function outcome(name, library, ...)
  local got = pack(pcall(library[name], ...))
  if got[1] and name == "gmatch" then
    local ok, all = pcall(all_of, got[2])
    got = ok and all or { n = 2, false, all }
  end
  if got[1] == false then return { n = 1, plain(got[2]) } end
  return got
end

local function same(a, b)
  if a.n ~= b.n then return false end
  for i = 1, a.n do
    if a[i] ~= b[i] and (a[i] == a[i] or b[i] == b[i]) then return false end
  end
  return true
end

local function list(values)
  local out = {}
  for i = 1, values.n do out[i] = shown(values[i]) end
  return table.concat(out, ", ")
end

local function compare(name, ...)
  count = count + 1
  local want, got = outcome(name, real, ...), outcome(name, ours, ...)
  if same(want, got) then return end
  error(real.format("string.%s(%s): want %s; got %s", name, list(pack(...)), list(want), list(got)), 0)
end

-- ---- replacements: the same for both

local replacements = {
  "x", "", "%0", "<%0>", "%1", "%2%1", "%%", "%", "a%", "%x", "%9", "\0%0\0", 7, true,
  { a = "A", b = 1, ab = false, ["1"] = "one", ["\0"] = "zero", [1] = "at one", [""] = "none" },
  { a = {} }, setmetatable({}, { __index = function(_, key) return key .. key end }),
  function() end, function(a) return a end, function(a, b) return tostring(b) .. tostring(a) end,
  function() return false end, function() return 12 end, function() return {} end,
  function() error("from the callback", 0) end,
}

local function compare_all(subject, pattern)
  compare("find", subject, pattern)
  compare("match", subject, pattern)
  compare("gmatch", subject, pattern)
  local init = random(-#subject - 2, #subject + 2)
  compare("find", subject, pattern, init)
  compare("match", subject, pattern, init)
  compare("find", subject, pattern, init, true)
  compare("gsub", subject, pattern, replacements[random(#replacements)])
  compare("gsub", subject, pattern, replacements[random(#replacements)], random(-1, 4))
end

-- ---- what is listed

local subjects = {
  "", "a", "b", "ab", "aab", "hello world", "THE (quick) fox", "f(a(b)c)d)", "  padded  ", "a\0b\0c", "\0", "\0\0",
  "key = value", "2020-02-30T06:00:00Z", "/tiles/sst/3/1/2.png", "%41%zz", "x,y,,z", "a]b[c^d-e", "ÄÖ\255\128é", "1e-5 0x1F",
  "\n\t\r\v\f", "aaaaaaaaaa", "abcabcabc", "(()(()))", "[[nested]]", "$^*+-?.%",
}
local patterns = {
  "", "a", "^a", "a$", "^a$", "^", "$", "^$", ".", ".*", ".-", ".+", ".?", "a*", "a+", "a-", "a?", "a*a", "a-b", "(a*)(a*)", "(a-)$",
  "%a", "%A+", "%d+", "%D", "%l+", "%L", "%s+", "%S+", "%u", "%U", "%w+", "%W", "%x+", "%X", "%p", "%P", "%c", "%C", "%g+", "%G",
  "%z", "%Z+", "%%", "%.", "%(", "%)", "%q", "%@", "%\0", "%1", "%0", "%9", "(%1)", "(a)%1", "(.)%1", "(a*)%1b", "()", "()a()",
  "(()a)", "((a)(b))", "(", ")", "(a", "a)", "(()", "())", "[", "[]", "[^]", "[a", "[^a", "[%", "[%]", "[%a", "[]]", "[^]]", "[]a]",
  "[a-z]", "[^a-z]", "[a-]", "[-a]", "[z-a]", "[%a-z]", "[a-%z]", "[%w_%-]+", "[^%s]+", "[\0]", "[^\0]+", "[a%]b]", "[[]", "[^^]",
  "[%d%.]+", "[\128-\255]+", "%b()", "%b[]", "%bxx", "%b", "%b(", "%ba", "%b\0\0", "(%b())", "%b()%b()", "%f[%a]", "%f[%A]", "%f[%w]%w+",
  "%f", "%fa", "%f[", "%f[a", "%f[^\0]", "%f[%z]", "%", "a%", "a\0b", "a\0", "\0", "\0+", ".\0", "[^,]*", "([^,]*),?", "^%s*(.-)%s*$",
  "^(%w+)%s*=%s*(%w+)$", "(%d+)-(%d+)-(%d+)", "/([^/]+)", "%%(%x%x)", "^/tiles/([^/]+)/(%d+)", "a-?", "a**", "a*?", "a+-", "^^a", "a^",
  "a$b", "$a", "%$$", "(a)(b)(c)(d)", "(.)(.)(.)", "(.-)%s", "(.+)b", "(.*)a(.*)", ".-a.-", "[.]", "[%.]", "%-", "-", "*", "+", "?", "*a",
}

for _, subject in ipairs(subjects) do
  for _, pattern in ipairs(patterns) do compare_all(subject, pattern) end
end

for _, n in ipairs { 31, 32, 33, 40 } do
  compare_all("abc", real.rep("()", n))
  compare_all("abc", real.rep("(", n))
end
for _, n in ipairs { 50, 190, 197, 198, 199, 200, 201, 250 } do
  local long = real.rep("a", 300)
  compare_all(long, real.rep("a?", n))
  compare_all(long, real.rep("a*", n < 4 and n or 3) .. real.rep("a?", n))
  compare_all(long, real.rep("a", n) .. "?")
  compare_all(real.rep("a", n), real.rep("a-", 2) .. "$")
  compare_all(long, real.rep("(a", n < 30 and n or 30) .. real.rep(")", 30))
end
compare_all(real.rep("x", 100000) .. "yz", "x*(y)z")
compare_all(real.rep("x", 100000), "x-$")
compare_all(real.rep("word ", 20000), "%w+ ")
compare("gsub", real.rep("ab", 60000), "b", "%0%0")
compare("gsub", real.rep("ab", 60000), "", "-")
compare("gsub", real.rep("ab", 60000), "^a", "-")
compare("gsub", real.rep("ab", 200000), "[^b]", "xyz")
compare("gsub", real.rep("ab", 200000), "[^b]", "xyz", 150001)
compare("gsub", real.rep("ab", 200000), "(a)(b)", "%2%1")

-- ---- wrong and odd arguments

local odd = { {}, true, 12, 1.5, "1", "x", -1, 0, 2 ^ 31, 2 ^ 32 + 1, -2 ^ 40, 1e300, 0 / 0, function() end }
for _, name in ipairs { "find", "match", "gmatch", "gsub", "rep", "lower", "upper", "reverse", "format" } do
  compare(name)
  for _, a in ipairs(odd) do
    if name ~= "rep" and name ~= "format" then compare(name, a) end
    if name ~= "rep" or type(a) ~= "number" or a ~= a or a < 2 ^ 31 then compare(name, "a1b", a) end
    if type(a) ~= "number" or a < 100 or name ~= "rep" then compare(name, "a1b", a, ",") end
    compare(name, "a1b", "1", a)
    compare(name, "a1b", "1", "x", a)
    compare(name, 121, 1, a)
    compare(name, "a1b", nil, a)
  end
end

-- ---- rep, lower, upper, reverse, format

local meta = setmetatable({}, { __tostring = function() return "told" end })
local forms = { "%d", "%5d", "%-5d|", "%+d", "%05.1f", "%.3f", "%g", "%e", "%x", "%X", "%o", "%c", "%i", "%u", "%q", "%s", "%10s", "%-10s|",
  "%.2s", "%5.1s", "%%", "%", "%y", "%100d", "%.100f", "%99.99f", "a%db%sc", "%s %s %s", "%p", "%a", "" }
for _, form in ipairs(forms) do
  for _, value in ipairs { 1, -7, 3.25, 1e300, 0 / 0, 65, "text", "12", "q\"\n\0\r\\", real.rep("long", 100), true } do
    if not (real.find(form, "p") and type(value) == "string") then compare("format", form, value, "b", 3) end
  end
  if not real.find(form, "p") then compare("format", form, meta, meta, 3) end
  compare("format", form)
end
for _, text in ipairs(subjects) do
  compare("lower", text)
  compare("upper", text)
  compare("reverse", text)
  for _, n in ipairs { -1, 0, 1, 2, 3, 7, 100, 1.9, "3" } do
    compare("rep", text, n)
    compare("rep", text, n, ", ")
    compare("rep", text, n, "")
    compare("rep", text, n, 5)
  end
end

-- ---- what is made

local letters = { "a", "b", "c", "1", " ", "(", ")", "-", ".", "%", "\0", "\n", "Z", "]", "\200", "a", "b", "a" }
local items = { "a", "b", "a", ".", "%a", "%d", "%s", "%w", "%W", "%p", "%z", "[ab]", "[^a]", "[a-c1]", "[%a%]]", "%(", "%%", "b", "1", "\0", "-" }
local ends = { "", "", "", "*", "+", "-", "?" }
local pieces = { "(", ")", "()", "%1", "%2", "%b()", "%bab", "%f[a]", "%f[%w]", "$", "^", "[", "]", "%", "%f", "(a)", "(.-)", "(%w+)" }

local function made(from, most)
  local out = {}
  for i = 1, random(0, most) do out[i] = from[random(#from)] end
  return table.concat(out)
end

local function made_pattern()
  local out = { random(8) == 1 and "^" or "" }
  for _ = 1, random(1, 6) do
    if random(4) == 1 then
      out[#out + 1] = pieces[random(#pieces)]
    else
      out[#out + 1] = items[random(#items)] .. ends[random(#ends)]
    end
  end
  if random(8) == 1 then out[#out + 1] = "$" end
  return table.concat(out)
end

-- Captures that close mostly.
local function made_captures()
  local open, out = 0, {}
  for _ = 1, random(1, 7) do
    local dice = random(5)
    if dice == 1 then
      out[#out + 1], open = "(", open + 1
    elseif dice == 2 and open > 0 then
      out[#out + 1], open = ")", open - 1
    else
      out[#out + 1] = items[random(#items)] .. ends[random(#ends)]
    end
  end
  return table.concat(out) .. real.rep(")", open)
end

for i = 1, 6000 do
  compare_all(made(letters, 14), i % 3 == 0 and made_captures() or made_pattern())
end
for _ = 1, 1500 do compare_all(made(letters, 10), made(letters, 6)) end

return count
