// json_read.c - see json_read.h. Recursive descent; each function starts at the first byte of what it reads and ends
// behind it. The first values of a list wait on the Lua stack, so that a short one is made in its size.
#include "script/json_read.h"

#include <lauxlib.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

enum {
  TEXT_MOST = 64 << 20,
  BATCH = 16,         // values of a list on the stack
  ARRAY_TYPE = 2,     // where the lists' metatable is
  EXACT_DIGITS = 15,  // of a whole number that a double holds
  EXACT_POWER = 22,   // of ten that a double holds
};

typedef struct reading {
  const char *begin, *at, *end;
  int depth, most_depth, rc;
  ra_str text;  // strings with escapes, long numbers
  ra_err *err;
} reading;

static int read_value(lua_State *L, reading *r);

static int wrong(const reading *r, const char *what) {
  int line = 1;
  const char *start = r->begin;
  for (const char *p = r->begin; p < r->at; p++) {
    if (*p != '\n') continue;
    line++;
    start = p + 1;
  }
  return ra_fail(r->err, RA_E_INVALID, "", "not JSON: %s (line %d, column %d)", what, line,
                 (int)(r->at - start) + 1);
}

static void skip_space(reading *r) {
  while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
    r->at++;
}

static bool take(reading *r, char c) {
  if (r->at == r->end || *r->at != c) return false;
  r->at++;
  return true;
}

// ---- numbers

typedef struct decimal {
  uint64_t digits;
  int count, power;  // significant digits; of ten
} decimal;

// Digits of a number; the first EXACT_DIGITS of those that count are kept.
static bool read_digits(reading *r, decimal *d, bool fraction) {
  const char *first = r->at;
  for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
    if (d->count || *r->at != '0') d->count++;
    if (d->count <= EXACT_DIGITS) d->digits = d->digits * 10 + (uint64_t)(*r->at - '0');
    if (fraction) d->power--;
  }
  return r->at > first;
}

static bool read_exponent(reading *r, decimal *d) {
  bool negative = take(r, '-');
  if (!negative) take(r, '+');
  const char *first = r->at;
  int power = 0;
  for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++)
    if (power < 100000) power = power * 10 + (*r->at - '0');
  d->power += negative ? -power : power;
  return r->at > first;
}

// Both factors are exact, so the product is rounded once, as it has to be.
static double exact(const decimal *d) {
  static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  double digits = (double)d->digits;
  return d->power < 0 ? digits / powers[-d->power] : digits * powers[d->power];
}

static int read_number(lua_State *L, reading *r) {
  const char *first = r->at;
  decimal d = {0};
  bool negative = take(r, '-');
  bool zero = take(r, '0');
  if (!zero && !read_digits(r, &d, false)) return wrong(r, "a digit is wanted");
  if (take(r, '.') && !read_digits(r, &d, true)) return wrong(r, "a digit is wanted");
  if ((take(r, 'e') || take(r, 'E')) && !read_exponent(r, &d)) return wrong(r, "a digit is wanted");
  double value;
  if (d.count <= EXACT_DIGITS && abs(d.power) <= EXACT_POWER) {
    value = negative ? -exact(&d) : exact(&d);
  } else {
    r->text.len = 0;
    ra_str_add_bytes(&r->text, first, (size_t)(r->at - first));
    value = r->text.failed ? 0 : strtod(r->text.ptr, NULL);
  }
  if (isinf(value)) return wrong(r, "the number is larger than any that can be kept");
  lua_pushnumber(L, value);
  return RA_OK;
}

// ---- strings

static bool read_hex(reading *r, unsigned *out) {
  if (r->end - r->at < 4) return false;
  *out = 0;
  for (int i = 0; i < 4; i++) {
    char c = *r->at++;
    unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                            : 16;
    if (digit == 16) return false;
    *out = *out * 16 + digit;
  }
  return true;
}

static void add_utf8(ra_str *out, unsigned code) {
  if (code < 0x80) {
    ra_str_add_char(out, (char)code);
    return;
  }
  int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static const unsigned char first[] = {0, 0xc0, 0xe0, 0xf0};
  ra_str_add_char(out, (char)(first[more] | code >> (6 * more)));
  while (more--) ra_str_add_char(out, (char)(0x80 | (code >> (6 * more) & 0x3f)));
}

static int read_code(reading *r) {
  unsigned code, low;
  if (!read_hex(r, &code)) return wrong(r, "four hexadecimal digits are wanted after \\u");
  if (code >= 0xd800 && code < 0xdc00) {
    bool pair = take(r, '\\') && take(r, 'u') && read_hex(r, &low) && low >= 0xdc00 && low < 0xe000;
    if (!pair) return wrong(r, "half a character");
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  } else if (code >= 0xdc00 && code < 0xe000) {
    return wrong(r, "half a character");
  }
  add_utf8(&r->text, code);
  return RA_OK;
}

static int read_escape(reading *r) {
  static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
  char c = r->at < r->end ? *r->at : 0;
  const char *name = c ? strchr(names, c) : NULL;
  if (!name && c != 'u') return wrong(r, "no such escape");
  r->at++;
  if (!name) return read_code(r);
  ra_str_add_char(&r->text, values[name - names]);
  return RA_OK;
}

// The bytes up to the next escape or the end of the string.
static int skip_plain(reading *r) {
  while (r->at < r->end && *r->at != '"' && *r->at != '\\') {
    if ((unsigned char)*r->at < 0x20) return wrong(r, "a control character in a string");
    size_t n = ra_utf8_length((const unsigned char *)r->at, (size_t)(r->end - r->at));
    if (!n) return wrong(r, "a string is no UTF-8");
    r->at += n;
  }
  return r->at < r->end ? RA_OK : wrong(r, "a string does not end");
}

static int read_string(lua_State *L, reading *r) {
  r->at++;
  const char *first = r->at;
  int rc = skip_plain(r);
  if (rc == RA_OK && *r->at == '"') {
    lua_pushlstring(L, first, (size_t)(r->at++ - first));
    return RA_OK;
  }
  r->text.len = 0;
  while (rc == RA_OK) {
    ra_str_add_bytes(&r->text, first, (size_t)(r->at - first));
    if (*r->at++ == '"') break;
    rc = read_escape(r);
    first = r->at;
    if (rc == RA_OK) rc = skip_plain(r);
  }
  if (rc == RA_OK)
    lua_pushlstring(L, r->text.failed ? "" : r->text.ptr, r->text.failed ? 0 : r->text.len);
  return rc;
}

// ---- lists and objects

// The n values at the top become a list, which stays there.
static void make_list(lua_State *L, int n, int room) {
  lua_createtable(L, room, 0);
  lua_insert(L, -n - 1);
  for (int i = n; i > 0; i--) lua_rawseti(L, -i - 1, i);
  lua_pushvalue(L, ARRAY_TYPE);
  lua_setmetatable(L, -2);
}

static int read_list(lua_State *L, reading *r) {
  r->at++;
  skip_space(r);
  int n = 0;
  bool ended = take(r, ']');
  while (!ended) {
    int rc = read_value(L, r);
    if (rc < 0) return rc;
    n++;
    if (n == BATCH) make_list(L, n, 4 * BATCH);
    if (n > BATCH) lua_rawseti(L, -2, n);
    skip_space(r);
    ended = take(r, ']');
    if (!ended && !take(r, ',')) return wrong(r, "',' or ']' is wanted");
    skip_space(r);
  }
  if (n < BATCH) make_list(L, n, n);
  return RA_OK;
}

static int read_object(lua_State *L, reading *r) {
  r->at++;
  lua_newtable(L);
  skip_space(r);
  bool ended = take(r, '}');
  while (!ended) {
    if (r->at == r->end || *r->at != '"') return wrong(r, "a key in quotes is wanted");
    int rc = read_string(L, r);
    if (rc < 0) return rc;
    skip_space(r);
    if (!take(r, ':')) return wrong(r, "':' is wanted");
    skip_space(r);
    rc = read_value(L, r);
    if (rc < 0) return rc;
    lua_rawset(L, -3);
    skip_space(r);
    ended = take(r, '}');
    if (!ended && !take(r, ',')) return wrong(r, "',' or '}' is wanted");
    skip_space(r);
  }
  return RA_OK;
}

// ---- values

static bool read_word(reading *r, const char *word) {
  size_t n = strlen(word);
  if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0) return false;
  r->at += n;
  return true;
}

static int read_other(lua_State *L, reading *r) {
  if (read_word(r, "true")) {
    lua_pushboolean(L, 1);
  } else if (read_word(r, "false")) {
    lua_pushboolean(L, 0);
  } else if (read_word(r, "null")) {
    lua_pushlightuserdata(L, NULL);
  } else {
    return wrong(r, r->at == r->end ? "the text ends too soon" : "a value is wanted");
  }
  return RA_OK;
}

static int read_value(lua_State *L, reading *r) {
  if (r->depth == r->most_depth || !lua_checkstack(L, BATCH + 8)) {
    return ra_fail(r->err, RA_E_INVALID, "", "JSON nested deeper than allowed (at most %d levels)",
                   r->most_depth);
  }
  int rc;
  r->depth++;
  switch (r->at < r->end ? *r->at : 0) {
    case '{': rc = read_object(L, r); break;
    case '[': rc = read_list(L, r); break;
    case '"': rc = read_string(L, r); break;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': rc = read_number(L, r); break;
    default: rc = read_other(L, r);
  }
  r->depth--;
  return rc;
}

static int l_read(lua_State *L) {
  reading *r = lua_touserdata(L, 1);
  luaL_getmetatable(L, "ra.array");
  skip_space(r);
  r->rc = read_value(L, r);
  if (r->rc < 0) return 0;
  skip_space(r);
  if (r->at < r->end) r->rc = wrong(r, "more follows the value");
  if (r->text.failed) r->rc = ra_fail(r->err, RA_E_NOMEM, "", "no memory for a JSON text");
  return r->rc < 0 ? 0 : 1;
}

int ra__json_read(lua_State *L, const char *text, size_t size, int depth, ra_err *err) {
  if (size > TEXT_MOST) return ra_fail(err, RA_E_TOOBIG, "", "a JSON text of more than 64 MiB");
  reading r = {.begin = text, .at = text, .end = text + size, .most_depth = depth, .err = err};
  lua_pushcfunction(L, l_read);
  lua_pushlightuserdata(L, &r);
  bool failed = lua_pcall(L, 1, LUA_MULTRET, 0) != 0;
  ra_str_deinit(&r.text);
  if (!failed) return r.rc;
  lua_pop(L, 1);
  return ra_fail(err, RA_E_NOMEM, "", "no memory for a JSON text of %zu bytes", size);
}
