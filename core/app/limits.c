// limits.c - see limits.h
#include "app/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/config.h"
#include "base/path.h"

typedef enum key {
  LUA_TIME,
  WALL,
  MEMORY,
  EXTERNAL,
  REQUESTS,
  OPERATIONS,
  OUTPUT,
  STEPS,
  KEYS
} key;

static const struct {
  const char *name;
  ra_option_type type;
  const char *wanted;
} TABLE[KEYS] = {
    [LUA_TIME] = {"lua_time", RA_OPTION_DURATION, "a time such as 200ms"},
    [WALL] = {"wall", RA_OPTION_DURATION, "a time such as 10s"},
    [MEMORY] = {"memory", RA_OPTION_BYTES, "a size such as 64M"},
    [EXTERNAL] = {"external", RA_OPTION_BYTES, "a size such as 256M"},
    [REQUESTS] = {"requests", RA_OPTION_INT, "a number of requests"},
    [OPERATIONS] = {"operations", RA_OPTION_INT, "a number of operations"},
    [OUTPUT] = {"output", RA_OPTION_BYTES, "a size such as 16M"},
    [STEPS] = {"steps", RA_OPTION_INT, "a number of steps"},
};

enum { MOST = 1000000 };

static void set(ra_script_plugin_limits *limits, key k, uint64_t value) {
  switch (k) {
    case LUA_TIME: limits->lua_ms = value; break;
    case WALL: limits->wall_ms = value; break;
    case MEMORY: limits->memory = value; break;
    case EXTERNAL: limits->external = value; break;
    case REQUESTS: limits->requests = (unsigned)(value < MOST ? value : MOST); break;
    case OPERATIONS: limits->operations = (unsigned)(value < MOST ? value : MOST); break;
    case OUTPUT: limits->output = value; break;
    case STEPS: limits->steps = value; break;
    case KEYS: break;
  }
}

static int find_key(const char *name) {
  for (int k = 0; k < KEYS; k++) {
    if (strcmp(TABLE[k].name, name) == 0) return k;
  }
  return -1;
}

static int parse_one(ra_script_plugin_limits *limits, const char *name, const json_t *value,
                     const char *where, ra_err *err) {
  int k = find_key(name);
  if (k < 0) {
    return ra_fail(err, RA_E_INVALID, where,
                   "limits.%s.%s is no limit; there are lua_time, wall, memory, external, "
                   "requests, operations, "
                   "output and steps",
                   limits->plugin, name);
  }
  char number[40] = "";
  if (json_is_number(value)) snprintf(number, sizeof number, "%.17g", json_number_value(value));
  const char *text = json_is_string(value) ? json_string_value(value) : number;
  int64_t parsed = ra_config_parse(TABLE[k].type, text);
  if (parsed <= 0) {
    return ra_fail(err, RA_E_INVALID, where, "limits.%s.%s is '%s'; it takes %s, more than 0",
                   limits->plugin, name, text, TABLE[k].wanted);
  }
  set(limits, (key)k, (uint64_t)parsed);
  return RA_OK;
}

static int parse_plugin(ra_script_plugin_limits *limits, const char *plugin, const json_t *object,
                        const char *where, ra_err *err) {
  if (!json_is_object(object) || !ra_name_valid(plugin)) {
    return ra_fail(
        err, RA_E_INVALID, where,
        "limits.%s: a plugin's name and a table such as { lua_time = \"200ms\" } are wanted", plugin);
  }
  limits->plugin = strdup(plugin);
  if (!limits->plugin) return ra_fail(err, RA_E_NOMEM, where, "no memory for limits");
  const char *name;
  json_t *value;
  json_object_foreach((json_t *)object, name, value) {
    int rc = parse_one(limits, name, value, where, err);
    if (rc < 0) return rc;
  }
  return RA_OK;
}

int ra_limits_parse(const json_t *object, const char *where, ra_script_plugin_limits **out,
                    ra_err *err) {
  ra_script_plugin_limits *list = calloc(json_object_size(object) + 1, sizeof *list);
  if (!list) return ra_fail(err, RA_E_NOMEM, where, "no memory for limits");
  const char *plugin;
  json_t *value;
  size_t n = 0;
  json_object_foreach((json_t *)object, plugin, value) {
    int rc = parse_plugin(&list[n++], plugin, value, where, err);
    if (rc == RA_OK) continue;
    ra_limits_free(list);
    return rc;
  }
  *out = list;
  return RA_OK;
}

void ra_limits_free(ra_script_plugin_limits *list) {
  for (size_t i = 0; list && list[i].plugin; i++) free((char *)list[i].plugin);
  free(list);
}

static void print_value(const json_t *value, ra_str *out) {
  if (json_is_string(value)) {
    ra_str_add_json(out, json_string_value(value));
  } else {
    ra_str_addf(out, "%.17g", json_number_value(value));
  }
}

static void print_key(const char *name, bool json, ra_str *out) {
  ra_str_add(out, json ? "" : "[");
  ra_str_add_json(out, name);
  ra_str_add(out, json ? ": " : "] = ");
}

void ra_limits_print(const json_t *object, bool json, ra_str *out) {
  const char *plugin, *name;
  json_t *limits, *value;
  size_t n = 0;
  ra_str_add(out, "{");
  json_object_foreach((json_t *)object, plugin, limits) {
    size_t m = 0;
    ra_str_add(out, n++ ? ", " : " ");
    print_key(plugin, json, out);
    ra_str_add(out, "{");
    json_object_foreach(limits, name, value) {
      ra_str_add(out, m++ ? ", " : " ");
      print_key(name, json, out);
      print_value(value, out);
    }
    ra_str_add(out, " }");
  }
  ra_str_add(out, n ? " }" : "}");
}
