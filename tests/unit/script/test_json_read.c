// JSON to Lua, compared with jansson: the same texts are taken, and they mean the same.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>

#include "base/str.h"
#include "random.h"
#include "script/json_read.h"

enum { DEPTH = 64 };

static lua_State *L;

static int setup(void **state) {
  (void)state;
  L = luaL_newstate();
  luaL_newmetatable(L, "ra.array");
  lua_pop(L, 1);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  lua_close(L);
  return 0;
}

static void same(const json_t *want);

static void same_object(const json_t *want) {
  const char *key;
  json_t *value;
  size_t count = 0;
  json_object_foreach((json_t *)want, key, value) {
    lua_getfield(L, -1, key);
    same(value);
    lua_pop(L, 1);
  }
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) count++;
  assert_int_equal(count, json_object_size(want));
}

static void same_list(const json_t *want) {
  assert_int_equal(lua_objlen(L, -1), json_array_size(want));
  assert_true(lua_getmetatable(L, -1));
  luaL_getmetatable(L, "ra.array");
  assert_true(lua_rawequal(L, -1, -2));
  lua_pop(L, 2);
  for (size_t i = 0; i < json_array_size(want); i++) {
    lua_rawgeti(L, -1, (int)i + 1);
    same(json_array_get(want, i));
    lua_pop(L, 1);
  }
}

static void same_number(double want) {
  assert_int_equal(lua_type(L, -1), LUA_TNUMBER);
  double got = lua_tonumber(L, -1);
  assert_memory_equal(&got, &want, sizeof got);
}

// The value at the top of the Lua stack.
static void same(const json_t *want) {
  assert_true(lua_checkstack(L, 8));
  size_t n;
  switch (json_typeof(want)) {
    case JSON_OBJECT: same_object(want); break;
    case JSON_ARRAY: same_list(want); break;
    case JSON_STRING:
      assert_string_equal(lua_typename(L, lua_type(L, -1)), "string");
      assert_memory_equal(lua_tolstring(L, -1, &n), json_string_value(want),
                          json_string_length(want));
      assert_int_equal(n, json_string_length(want));
      break;
    case JSON_INTEGER: same_number((double)json_integer_value(want)); break;
    case JSON_REAL: same_number(json_real_value(want)); break;
    case JSON_TRUE:
    case JSON_FALSE:
      assert_int_equal(lua_type(L, -1), LUA_TBOOLEAN);
      assert_int_equal(lua_toboolean(L, -1), json_is_true(want));
      break;
    case JSON_NULL: assert_true(lua_islightuserdata(L, -1) && !lua_touserdata(L, -1)); break;
  }
}

static bool compare(const char *text, size_t size) {
  char *own = malloc(size ? size : 1);  // so that a sanitizer sees what is read behind the end
  memcpy(own, text, size);
  ra_err err;
  json_error_t fault;
  json_t *want =
      json_loadb(text, size, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &fault);
  int rc = ra__json_read(L, own, size, DEPTH, &err);
  if ((rc == RA_OK) != (want != NULL))
    fail_msg("%.*s\n%s; jansson: %s", (int)size, text, rc < 0 ? err.message : "taken",
             want ? "taken" : fault.text);
  if (want) {
    same(want);
    lua_pop(L, 1);
    json_decref(want);
  }
  assert_int_equal(lua_gettop(L), 0);
  free(own);
  return rc == RA_OK;
}

static const char *const TAKEN[] = {"0",
                                    "-0",
                                    "-0.0",
                                    "1",
                                    "-1.5e3",
                                    "1E+2",
                                    "1e-2",
                                    "0e999",
                                    "0.1",
                                    "123456789012345",
                                    "1234567890123456",
                                    "12345678901234567890",
                                    "9007199254740993",
                                    "1e22",
                                    "1e23",
                                    "1e-22",
                                    "1e-23",
                                    "1.7976931348623157e308",
                                    "5e-324",
                                    "1e-400",
                                    "0.30000000000000004",
                                    "123456789.12345678",
                                    "0.000000000000000000000012345",
                                    "100000000000000000000000000000",
                                    "179.1234",
                                    "2.2250738585072011e-308",
                                    "\"\"",
                                    "\"a\"",
                                    "\"\\u0000\"",
                                    "\"\\u00e9\"",
                                    "\"\\ud83d\\ude00\"",
                                    "\"\\ud800\\udc00x\"",
                                    "\"\\udbff\\udfff\"",
                                    "\"\\uFFFF\\u07ff\\u0800\"",
                                    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
                                    "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
                                    "\"\x7f\"",
                                    "true",
                                    "false",
                                    "null",
                                    " \t\r\n1\n",
                                    "[]",
                                    "[ ]",
                                    "{}",
                                    "{ }",
                                    "[1,[2,[3,[]]],{}]",
                                    "{\"a\":1,\"b\":{\"c\":[null,true]}}",
                                    "{\"a\":1,\"a\":2}",
                                    "{\"\":0}",
                                    "{\"1\":0}",
                                    "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]",
                                    "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]",
                                    "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,[17]]"};

static const char *const REFUSED[] = {"",
                                      " ",
                                      "-",
                                      "+1",
                                      "01",
                                      "1.",
                                      ".5",
                                      "1e",
                                      "1e+",
                                      "0x1",
                                      "1e309",
                                      "-1e309",
                                      "Infinity",
                                      "NaN",
                                      "tru",
                                      "nul",
                                      "TRUE",
                                      "truex",
                                      "\"",
                                      "\"a",
                                      "\"\\",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "\"\\u12g4\"",
                                      "\"\\ud800\"",
                                      "\"\\udc00\"",
                                      "\"\\ud800\\u0041\"",
                                      "\"\n\"",
                                      "\"\x1f\"",
                                      "\"\xff\"",
                                      "\"\xc0\x80\"",
                                      "\"\xed\xa0\x80\"",
                                      "\"\xf4\x90\x80\x80\"",
                                      "\"\xe2\x82\"",
                                      "[",
                                      "[1",
                                      "[1,",
                                      "[1,]",
                                      "[,1]",
                                      "[1 2]",
                                      "]",
                                      "{",
                                      "{\"a\"",
                                      "{\"a\":",
                                      "{\"a\":1",
                                      "{\"a\":1,",
                                      "{\"a\":1,}",
                                      "{a:1}",
                                      "{1:1}",
                                      "{\"a\" 1}",
                                      "}",
                                      "1 2",
                                      "[] []",
                                      "\xef\xbb\xbf[]",
                                      "/**/1",
                                      "'a'"};

static void texts_mean_what_they_mean_to_jansson(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof TAKEN / sizeof *TAKEN; i++)
    assert_true(compare(TAKEN[i], strlen(TAKEN[i])));
  for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++)
    assert_false(compare(REFUSED[i], strlen(REFUSED[i])));
  assert_int_equal(ra__json_read(L, "1\0", 2, DEPTH, NULL), RA_E_INVALID);  // an end to jansson
  assert_false(compare("\"\\\0\"", 4));
}

static void add_random(ra_str *out, uint64_t *seed, int depth);

static void add_random_number(ra_str *out, uint64_t *seed) {
  double value;
  uint64_t bits = test_random(seed);
  switch (test_random(seed) % 4) {
    case 0: ra_str_addf(out, "%.*f", (int)(bits % 18), (double)(int64_t)bits / 1e15); break;
    case 1: ra_str_addf(out, "%llu", (unsigned long long)(bits >> bits % 64)); break;
    case 2:
      ra_str_addf(out, "%d.%03de%d", (int)(bits % 10), (int)(bits % 999), (int)(bits % 60) - 30);
      break;
    default:
      memcpy(&value, &bits, sizeof value);
      ra_str_addf(out, "%.17g", isfinite(value) ? value : 0.5);
  }
}

static void add_random_list(ra_str *out, uint64_t *seed, int depth) {
  bool object = test_random(seed) % 2;
  size_t count = test_random(seed) % (test_random(seed) % 8 ? 4 : 40);
  ra_str_add_char(out, object ? '{' : '[');
  for (size_t i = 0; i < count; i++) {
    if (i) ra_str_add(out, test_random(seed) % 4 ? "," : " ,\n");
    if (object) ra_str_addf(out, "\"k%d\":", (int)(test_random(seed) % 50));
    add_random(out, seed, depth - 1);
  }
  ra_str_add_char(out, object ? '}' : ']');
}

static void add_random(ra_str *out, uint64_t *seed, int depth) {
  static const char *const words[] = {
      "true",           "false",     "null",         "\"\"",
      "\"\\u20ac\\n\"", "\"plain\"", "\"\xc3\xa9\"", "\"\\ud83d\\ude00\""};
  uint64_t kind = test_random(seed) % 4;
  if (kind < 2 && depth > 0) {
    add_random_list(out, seed, depth);
  } else if (kind == 2) {
    ra_str_add(out, words[test_random(seed) % 8]);
  } else {
    add_random_number(out, seed);
  }
}

static void random_texts_and_damaged_ones(void **state) {
  (void)state;
  static const char bytes[] = "{}[]\",:\\u0 -.eE19tfn\n\x01\x80\xc3";
  uint64_t seed = test_seed("random_texts_and_damaged_ones");
  for (int round = 0; round < 4000; round++) {
    ra_str text;
    ra_str_init(&text);
    add_random(&text, &seed, 5);
    assert_true(compare(text.ptr, text.len));
    for (int damage = 0; damage < 4; damage++) {
      text.ptr[test_random(&seed) % text.len] = bytes[test_random(&seed) % (sizeof bytes - 1)];
      compare(text.ptr, text.len - (damage == 3 ? test_random(&seed) % text.len : 0));
    }
    ra_str_deinit(&text);
  }
}

static void depth_is_bounded(void **state) {
  (void)state;
  ra_err err;
  assert_int_equal(ra__json_read(L, "[[[]]]", 6, 3, &err), RA_OK);
  lua_pop(L, 1);
  assert_int_equal(ra__json_read(L, "[[[1]]]", 7, 3, &err), RA_E_INVALID);
  assert_non_null(strstr(err.message, "deeper than allowed (at most 3 levels)"));
  char deep[100000];
  memset(deep, '[', sizeof deep);
  assert_int_equal(ra__json_read(L, deep, sizeof deep, DEPTH, &err), RA_E_INVALID);
  assert_int_equal(lua_gettop(L), 0);
}

static void errors_name_the_place(void **state) {
  (void)state;
  ra_err err;
  assert_int_equal(ra__json_read(L, "{\n \"a\": 1,\n \"b\": x}", 19, DEPTH, &err), RA_E_INVALID);
  assert_non_null(strstr(err.message, "a value is wanted (line 3, column 7)"));
}

static void *too_little(void *used, void *block, size_t old, size_t size) {
  size_t *left = used;
  if (size > old && size - old > *left) return NULL;
  *left -= size;
  *left += old;
  if (size) return realloc(block, size);
  free(block);
  return NULL;
}

static void want_of_memory_is_an_error(void **state) {
  (void)state;
  lua_State *own = L;
  size_t left = 1 << 20;
  L = lua_newstate(too_little, &left);
  if (!L) {  // LuaJIT of some builds takes its own allocator only
    L = own;
    skip();
  }
  luaL_newmetatable(L, "ra.array");
  lua_settop(L, 0);
  size_t size = 2000001;
  char *text = malloc(size);
  for (size_t i = 0; i < size; i++)
    text[i] = i == 0 ? '[' : i == size - 1 ? ']' : i % 2 ? '1' : ',';
  ra_err err;
  int rc = ra__json_read(L, text, size, DEPTH, &err);
  int top = lua_gettop(L);
  lua_close(L);
  L = own;
  free(text);
  assert_int_equal(rc, RA_E_NOMEM);
  assert_int_equal(top, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(texts_mean_what_they_mean_to_jansson, setup, teardown),
      cmocka_unit_test_setup_teardown(random_texts_and_damaged_ones, setup, teardown),
      cmocka_unit_test_setup_teardown(depth_is_bounded, setup, teardown),
      cmocka_unit_test_setup_teardown(errors_name_the_place, setup, teardown),
      cmocka_unit_test_setup_teardown(want_of_memory_is_an_error, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
