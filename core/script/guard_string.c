// guard_string.c - the string library of plugins, as far as one call of it could make too much or run too long. See guard.h.
#include <limits.h>
#include <string.h>

#include "script/guard.h"

// ---- find, match, gmatch

static bool has_magic(const char *pattern, size_t size) {
  static const bool magic[256] = {
      ['^'] = true, ['$'] = true, ['*'] = true, ['+'] = true, ['?'] = true,
      ['.'] = true, ['('] = true, ['['] = true, ['%'] = true, ['-'] = true};
  for (size_t i = 0; i < size; i++) {
    if (magic[(unsigned char)pattern[i]]) return true;
  }
  return false;
}

static int find_plainly(lua_State *L, const char *s, size_t size, size_t from, const char *what,
                        size_t n) {
  const char *at = n ? memmem(s + from, size - from, what, n) : s + from;
  if (size - from > 1 << 16) ra__guard_spent(L);
  if (!at) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushinteger(L, at - s + 1);
  lua_pushinteger(L, at - s + (ptrdiff_t)n);
  return 2;
}

static size_t first_place(lua_State *L, int arg, size_t size) {
  int64_t start = ra__guard_opt_int(L, arg, 1);
  start = start < 0 ? start + (int64_t)size : start - 1;
  if (start < 0) return 0;
  return (size_t)start > size ? size : (size_t)start;
}

static int search(lua_State *L, bool find) {
  size_t size, n;
  const char *s = luaL_checklstring(L, 1, &size);
  const char *pattern = luaL_checklstring(L, 2, &n);
  int args = lua_gettop(L);
  size_t from = args > 2 ? first_place(L, 3, size) : 0;
  if (find && ((args > 3 && lua_toboolean(L, 4)) || !has_magic(pattern, n)))
    return find_plainly(L, s, size, from, pattern, n);
  ra__matcher m;
  ra__match_init(&m, L, find ? "string.find" : "string.match", s, size);
  const char *at = s + from;
  const char *end =
      *pattern == '^' ? ra__match(&m, at, pattern + 1) : ra__match_first(&m, &at, pattern);
  ra__match_done(&m);
  if (!end) {
    lua_pushnil(L);
    return 1;
  }
  if (!find) return ra__match_push(&m, at, end);
  lua_pushinteger(L, at - s + 1);
  lua_pushinteger(L, end - s);
  return ra__match_push(&m, NULL, NULL) + 2;
}

static int l_find(lua_State *L) { return search(L, true); }
static int l_match(lua_State *L) { return search(L, false); }

// Upvalues: subject, pattern, where to go on (from 0).
static int l_gmatch_next(lua_State *L) {
  size_t size, from = (size_t)lua_tonumber(L, lua_upvalueindex(3));
  const char *s = lua_tolstring(L, lua_upvalueindex(1), &size);
  if (from > size) return 0;
  ra__matcher m;
  ra__match_init(&m, L, "string.gmatch", s, size);
  const char *at = s + from;
  const char *end = ra__match_first(&m, &at, lua_tostring(L, lua_upvalueindex(2)));
  ra__match_done(&m);
  if (!end) return 0;
  lua_pushnumber(L, (lua_Number)(end - s + (end == at)));
  lua_replace(L, lua_upvalueindex(3));
  return ra__match_push(&m, at, end);
}

static int l_gmatch(lua_State *L) {
  luaL_checkstring(L, 1);
  luaL_checkstring(L, 2);
  lua_settop(L, 2);
  lua_pushnumber(L, 0);
  lua_pushcclosure(L, l_gmatch_next, 3);
  return 1;
}

// ---- gsub

#define GSUB "string.gsub"
enum { LONG = 1 << 16, ENOUGH = 100000 };  // LONG: as in rastrum/sandbox.lua

// The replacement's text (argument 3) with its %0 to %9.
static void add_replacement(ra__matcher *m, ra__text *out, const char *text, size_t size,
                            const char *at, const char *end) {
  lua_State *L = m->L;
  for (size_t i = 0; i < size; i++) {
    if (text[i] != '%') {
      const char *next = memchr(text + i, '%', size - i);
      size_t n = next ? (size_t)(next - text) - i : size - i;
      ra__text_add(out, text + i, n);
      i += n - 1;
    } else if (text[++i] < '0' || text[i] > '9') {  // past the end there is a zero byte
      ra__text_add(out, text + i, 1);
    } else if (text[i] == '0') {
      ra__text_add(out, at, (size_t)(end - at));
    } else {
      size_t n;
      ra__match_push_one(m, text[i] - '1', at, end);
      const char *capture = lua_tolstring(L, -1, &n);
      ra__text_add(out, capture, n);
      lua_pop(L, 1);
    }
  }
}

// Until `most` matches, or so many steps that somebody else should have a turn; returns the matches and, in *stop, how far
// it came.
static int substitute(ra__matcher *m, ra__text *out, const char *pattern, int most,
                      const char **stop) {
  lua_State *L = m->L;
  bool anchored = *pattern == '^';
  size_t size;
  const char *text = lua_tolstring(L, 3, &size), *s = *stop;
  int n = 0;
  if (anchored) pattern++;
  while (n < most) {
    const char *at = s;
    const char *end = anchored ? ra__match(m, at, pattern) : ra__match_first(m, &at, pattern);
    if (!end) break;
    ra__text_add(out, s, (size_t)(at - s));
    add_replacement(m, out, text, size, at, end);
    ra__match_count(m, 2 + size / 16);
    n++;
    s = end;
    if (end == at && at < m->to) ra__text_add(out, s++, 1);
    if (anchored || (end == at && at == m->to)) break;
    if (m->taken > ENOUGH && m->to - m->from > LONG) {
      *stop = s;
      return n;
    }
  }
  ra__text_add(out, s, (size_t)(m->to - s));
  *stop = NULL;
  return n;
}

// host.gsub(s, pattern, text, most, at) -> text, matches, and for a long s perhaps where to go on
static int l_gsub(lua_State *L) {
  size_t size;
  const char *s = luaL_checklstring(L, 1, &size), *pattern = luaL_checkstring(L, 2);
  int type = lua_type(L, 3), most = (int)luaL_optinteger(L, 4, (lua_Integer)size + 1);
  if (type != LUA_TNUMBER && type != LUA_TSTRING)
    luaL_argerror(L, 3, "string/function/table expected");
  ra__matcher m;
  ra__match_init(&m, L, GSUB, s, size);
  ra__text out;
  ra__text_init(&out, L, GSUB);
  const char *stop = s + first_place(L, 5, size);
  int n = substitute(&m, &out, pattern, most, &stop);
  ra__match_done(&m);
  ra__text_push(&out);
  lua_pushinteger(L, n);
  if (!stop) return 2;
  lua_pushinteger(L, stop - s + 1);
  return 3;
}

// host.gsub_next(s, pattern, at, only_first): the next match at or after `at` -> its first character, the one after it,
// captures; nil when there is none. For replacements that are functions and tables, which Lua code calls and reads.
static int l_gsub_next(lua_State *L) {
  size_t size;
  const char *s = luaL_checklstring(L, 1, &size), *pattern = luaL_checkstring(L, 2);
  size_t from = (size_t)luaL_checkinteger(L, 3) - 1;
  bool anchored = *pattern == '^';
  if (from > size || (anchored && from > 0)) return 0;
  ra__matcher m;
  ra__match_init(&m, L, GSUB, s, size);
  const char *at = s + from;
  const char *end = anchored ? ra__match(&m, at, pattern + 1) : ra__match_first(&m, &at, pattern);
  ra__match_done(&m);
  if (!end) return 0;
  lua_pushinteger(L, at - s + 1);
  lua_pushinteger(L, end - s + 1);
  if (!lua_toboolean(L, 4)) return ra__match_push(&m, at, end) + 2;
  ra__match_push_one(&m, 0, at, end);
  return 3;
}

// ---- rep, lower, upper, reverse

static void repeat(char *out, size_t total, size_t have) {
  while (have < total) {
    size_t n = have < total - have ? have : total - have;
    memcpy(out + have, out, n);
    have += n;
  }
}

static int l_rep(lua_State *L) {
  size_t size, gap = 0;
  const char *s = luaL_checklstring(L, 1, &size);
  double asked = luaL_checknumber(L, 2);  // past 31 bits LuaJIT's own makes nothing
  int times = ra__guard_int(L, 2);
  const char *separator = lua_isnoneornil(L, 3) ? "" : luaL_checklstring(L, 3, &gap);
  ra__text t;
  ra__text_init(&t, L, "string.rep");
  if (asked > INT_MAX && size + gap > 0)
    ra__guard_too_big(L, "string.rep", asked * (double)(size + gap));
  if (times > 0 && size + gap > 0) {
    double total = (double)(size + gap) * times - (double)gap;
    char *out = ra__text_room(&t, total);
    memcpy(out, s, size);
    if (times > 1) {
      memcpy(out + size, separator, gap);
      repeat(out, (size_t)total, size + gap);
    }
  }
  ra__text_push(&t);
  return 1;
}

static char *start_same_size(ra__text *t, lua_State *L, const char *what, const char **s) {
  size_t size;
  *s = luaL_checklstring(L, 1, &size);
  ra__text_init(t, L, what);
  return ra__text_room(t, (double)size);
}

static int l_lower(lua_State *L) {
  ra__text t;
  const char *s;
  char *out = start_same_size(&t, L, "string.lower", &s);
  for (size_t i = 0; i < t.size; i++)
    out[i] = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] + 32 : s[i]);
  ra__text_push(&t);
  return 1;
}

static int l_upper(lua_State *L) {
  ra__text t;
  const char *s;
  char *out = start_same_size(&t, L, "string.upper", &s);
  for (size_t i = 0; i < t.size; i++)
    out[i] = (char)(s[i] >= 'a' && s[i] <= 'z' ? s[i] - 32 : s[i]);
  ra__text_push(&t);
  return 1;
}

static int l_reverse(lua_State *L) {
  ra__text t;
  const char *s;
  char *out = start_same_size(&t, L, "string.reverse", &s);
  for (size_t i = 0; i < t.size; i++) out[i] = s[t.size - 1 - i];
  ra__text_push(&t);
  return 1;
}

// ---- format

// An upper bound of what one directive makes; *p is moved past it. The original checks what is wrong with it.
static double directive_size(lua_State *L, const char **p, const char *end, int arg) {
  const char *at = *p;
  size_t width = 0, precision = 0, size = 0;
  bool precise = false;
  while (at < end && strchr("-+ #0", *at) && *at) at++;
  for (; at < end && *at >= '0' && *at <= '9' && width < 1000; at++)
    width = width * 10 + (size_t)(*at - '0');
  if (at < end && *at == '.') {
    precise = true;
    for (at++; at < end && *at >= '0' && *at <= '9' && precision < 1000; at++)
      precision = precision * 10 + (size_t)(*at - '0');
  }
  char kind = at < end ? *at : 0;
  *p = at < end ? at + 1 : end;
  if (lua_type(L, arg) == LUA_TSTRING) size = lua_objlen(L, arg);
  if (kind == 'q') return 4.0 * (double)size + 2;
  if (kind != 's') return 512;
  if (precise && precision < size) size = precision;
  return (double)(size > width ? size : width) + 64;
}

static bool tells_itself(lua_State *L, int arg) {
  int type = lua_type(L, arg);
  if (type != LUA_TTABLE && type != LUA_TUSERDATA) return false;
  if (!luaL_getmetafield(L, arg, "__tostring")) return false;
  lua_pop(L, 1);
  return true;
}

// host.check_format(form, …): raises when its result would be too big; -> true when a value has a __tostring, which Lua code
// calls first
static int l_check_format(lua_State *L) {
  size_t size;
  const char *p = lua_tolstring(L, 1, &size), *end = p + size;
  double total = (double)size;
  bool tells = false;
  int args = lua_gettop(L);
  for (int arg = 2; p && (p = memchr(p, '%', (size_t)(end - p))) != NULL;) {
    p++;
    if (p < end && *p == '%') {
      p++;
    } else {
      total += directive_size(L, &p, end, arg++);
    }
  }
  for (int i = 2; i <= args && !tells; i++) tells = tells_itself(L, i);
  if (total > (double)ra__guard_output(L)) ra__guard_too_big(L, "string.format", total);
  if (total > 1 << 16) ra__guard_spent(L);
  lua_pushboolean(L, tells);
  return 1;
}

const luaL_Reg RA__HOST_STRING[] = {{"find", l_find},
                                    {"match", l_match},
                                    {"gmatch", l_gmatch},
                                    {"gsub", l_gsub},
                                    {"gsub_next", l_gsub_next},
                                    {"rep", l_rep},
                                    {"lower", l_lower},
                                    {"upper", l_upper},
                                    {"reverse", l_reverse},
                                    {"check_format", l_check_format},
                                    {NULL, NULL}};
