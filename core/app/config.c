// config.c - see config.h
#include "app/config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/limits.h"

enum { LIST_MAX = 64 };

typedef struct setting {
  char *text[LIST_MAX + 1];  // one, or a list; NULL-terminated
  unsigned count;
  char origin[128];
} setting;

struct ra_config {
  unsigned command;
  setting *settings;  // one an option
  char *plugin_settings;
  json_t *limits;  // as the file has them; NULL: none
  ra_script_plugin_limits *plugin_limits;
  char limits_origin[128];
  char *file_json;
};

static void clear(setting *s) {
  for (unsigned i = 0; i < s->count; i++) free(s->text[i]);
  s->count = 0;
  s->text[0] = NULL;
}

int ra_config_new(unsigned command, ra_config **out, ra_err *err) {
  ra_config *config = calloc(1, sizeof *config);
  if (config) config->settings = calloc(RA_OPTION_COUNT, sizeof *config->settings);
  if (!config || !config->settings) {
    free(config);
    return ra_fail(err, RA_E_NOMEM, "", "no memory for the configuration");
  }
  config->command = command;
  for (size_t i = 0; i < RA_OPTION_COUNT; i++) {
    const ra_option *option = &RA_OPTIONS[i];
    int rc =
        option->fallback ? ra_config_set(config, option->name, option->fallback, "default", err) : 0;
    if (rc < 0) {
      ra_config_free(config);
      return rc;
    }
  }
  *out = config;
  return RA_OK;
}

void ra_config_free(ra_config *config) {
  if (!config) return;
  for (size_t i = 0; i < RA_OPTION_COUNT; i++) clear(&config->settings[i]);
  free(config->settings);
  free(config->plugin_settings);
  json_decref(config->limits);
  ra_limits_free(config->plugin_limits);
  free(config->file_json);
  free(config);
}

// A number followed by one of the units (the first is implied when none is written). -1 when it is not one.
static int64_t scaled(const char *text, const char *const *units, const int64_t *factors) {
  char *end;
  errno = 0;
  double number = strtod(text, &end);
  if (end == text || errno || !(number >= 0)) return -1;
  while (*end == ' ') end++;
  for (size_t i = 0; units[i]; i++) {
    if (strcasecmp(end, units[i]) == 0) {
      double value = number * (double)factors[i];
      return value < 9e18 ? (int64_t)(value + 0.5) : -1;
    }
  }
  return -1;
}

static int64_t parse_bytes(const char *text) {
  static const char *const units[] = {"",    "B", "K",  "KB",  "KiB", "M", "MB",
                                      "MiB", "G", "GB", "GiB", "T",   NULL};
  static const int64_t factors[] = {1,       1,       1 << 10, 1 << 10, 1 << 10, 1 << 20,
                                    1 << 20, 1 << 20, 1 << 30, 1 << 30, 1 << 30, (int64_t)1 << 40};
  return scaled(text, units, factors);
}

static int64_t parse_ms(const char *text) {
  static const char *const units[] = {"s", "", "ms", "m", "min", "h", NULL};
  static const int64_t factors[] = {1000, 1000, 1, 60000, 60000, 3600000};
  return scaled(text, units, factors);
}

static int parse_bool(const char *text) {
  if (!strcasecmp(text, "true") || !strcmp(text, "1") || !strcasecmp(text, "yes") ||
      !strcasecmp(text, "on"))
    return 1;
  if (!strcasecmp(text, "false") || !strcmp(text, "0") || !strcasecmp(text, "no") ||
      !strcasecmp(text, "off"))
    return 0;
  return -1;
}

static int parse_int(const char *text, int64_t *out) {
  char *end;
  errno = 0;
  long long value = strtoll(text, &end, 10);
  if (end == text || *end || errno || value < 0) return -1;
  *out = value;
  return 0;
}

int64_t ra_config_parse(ra_option_type type, const char *text) {
  int64_t n = -1;
  switch (type) {
    case RA_OPTION_BYTES: return parse_bytes(text);
    case RA_OPTION_DURATION: return parse_ms(text);
    case RA_OPTION_INT: return parse_int(text, &n) < 0 ? -1 : n;
    default: return -1;
  }
}

static const char *complaint(const ra_option *option, const char *text) {
  int64_t n;
  switch (option->type) {
    case RA_OPTION_BYTES: return parse_bytes(text) < 0 ? "a size such as 512M" : NULL;
    case RA_OPTION_DURATION: return parse_ms(text) < 0 ? "a time such as 5s or 100ms" : NULL;
    case RA_OPTION_BOOL: return parse_bool(text) < 0 ? "true or false" : NULL;
    case RA_OPTION_INT: return parse_int(text, &n) < 0 ? "a whole number of 0 or more" : NULL;
    default: return NULL;
  }
}

static int add(setting *s, const char *text, size_t length, ra_err *err) {
  if (s->count == LIST_MAX)
    return ra_fail(err, RA_E_INVALID, "", "a list holds at most %d values", LIST_MAX);
  s->text[s->count] = strndup(text, length);
  if (!s->text[s->count]) return ra_fail(err, RA_E_NOMEM, "", "no memory for a setting");
  s->text[++s->count] = NULL;
  return RA_OK;
}

static int add_all(setting *s, const ra_option *option, const char *text, ra_err *err) {
  if (option->type != RA_OPTION_LIST) return add(s, text, strlen(text), err);
  for (const char *p = text;;) {
    size_t n = strcspn(p, ",");
    int rc = n ? add(s, p, n, err) : RA_OK;
    if (rc < 0 || !p[n]) return rc;
    p += n + 1;
  }
}

int ra_config_set(ra_config *config, const char *name, const char *text, const char *origin,
                  ra_err *err) {
  const ra_option *option = ra_option_find(name);
  if (!option) {
    const char *near = ra_option_nearest(name, ~0u);
    return ra_fail(err, RA_E_INVALID, origin, "unknown setting '%s'%s%s%s", name,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
  }
  const char *wanted = complaint(option, text);
  if (wanted) {
    return ra_fail(err, RA_E_INVALID, origin, "%s is '%s'; it takes %s", option->name, text, wanted);
  }
  setting *s = &config->settings[option - RA_OPTIONS];
  if (option->type != RA_OPTION_LIST || strcmp(s->origin, origin) != 0) clear(s);
  snprintf(s->origin, sizeof s->origin, "%s", origin);
  return add_all(s, option, text, err);
}

// Names that begin like settings and are for the build, the tests or between our own processes.
static bool reserved(const char *name) {
  static const char *const names[] = {"SHARED", "FAULT", "BIN",       "WORKER",
                                      "PYTHON", "TEST",  "SANITIZED", NULL};
  for (size_t i = 0; names[i]; i++) {
    size_t n = strlen(names[i]);
    if (!strncmp(name, names[i], n) && (name[n] == 0 || name[n] == '_')) return true;
  }
  return false;
}

int ra_config_environment(ra_config *config, char **environment, ra_err *err) {
  for (char **entry = environment; *entry; entry++) {
    const char *equals = strchr(*entry, '=');
    if (strncmp(*entry, "RASTRUM_", 8) != 0 || !equals) continue;
    char name[64], origin[80];
    size_t n = (size_t)(equals - *entry) - 8;
    if (n == 0 || n >= sizeof name) continue;
    for (size_t i = 0; i < n; i++) name[i] = (char)tolower((unsigned char)(*entry)[8 + i]);
    name[n] = 0;
    snprintf(origin, sizeof origin, "environment RASTRUM_%.*s", (int)n, *entry + 8);
    if (reserved(origin + strlen("environment RASTRUM_"))) continue;
    const ra_option *option = ra_option_find(name);
    if (option && option->flag_only && strcmp(name, "config") != 0) continue;
    int rc = ra_config_set(config, name, equals + 1, origin, err);
    if (rc < 0) return rc;
  }
  return RA_OK;
}

static int set_value(ra_config *config, const char *name, json_t *value, const char *origin,
                     ra_err *err) {
  char number[40];
  switch (json_typeof(value)) {
    case JSON_STRING: return ra_config_set(config, name, json_string_value(value), origin, err);
    case JSON_TRUE: return ra_config_set(config, name, "true", origin, err);
    case JSON_FALSE: return ra_config_set(config, name, "false", origin, err);
    case JSON_INTEGER:
      snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
      return ra_config_set(config, name, number, origin, err);
    case JSON_REAL:
      snprintf(number, sizeof number, "%.17g", json_real_value(value));
      return ra_config_set(config, name, number, origin, err);
    default: return ra_fail(err, RA_E_INVALID, origin, "%s is a table; it takes one value", name);
  }
}

static int set_list(ra_config *config, const ra_option *option, json_t *list, const char *origin,
                    ra_err *err) {
  if (option->type != RA_OPTION_LIST) {
    return ra_fail(err, RA_E_INVALID, origin, "%s is a list; it takes one value", option->name);
  }
  clear(&config->settings[option - RA_OPTIONS]);
  size_t i;
  json_t *value;
  json_array_foreach(list, i, value) {
    int rc = set_value(config, option->name, value, origin, err);
    if (rc < 0) return rc;
  }
  return RA_OK;
}

static int set_limits(ra_config *config, json_t *value, const char *path, ra_err *err) {
  ra_script_plugin_limits *list;
  if (!json_is_object(value)) {
    return ra_fail(err, RA_E_INVALID, path,
                   "limits is no table; { PLUGIN = { lua_time = \"200ms\" } } is wanted");
  }
  int rc = ra_limits_parse(value, path, &list, err);
  if (rc < 0) return rc;
  ra_limits_free(config->plugin_limits);
  json_decref(config->limits);
  config->plugin_limits = list;
  config->limits = json_incref(value);
  snprintf(config->limits_origin, sizeof config->limits_origin, "%s", path);
  return RA_OK;
}

static int set_key(ra_config *config, const char *key, json_t *value, const char *path, ra_err *err) {
  if (strcmp(key, "plugin_settings") == 0 && json_is_object(value)) {
    free(config->plugin_settings);
    config->plugin_settings = json_dumps(value, JSON_COMPACT);
    return RA_OK;
  }
  if (strcmp(key, "limits") == 0) return set_limits(config, value, path, err);
  const ra_option *option = ra_option_find(key);
  if (option && option->flag_only) {
    return ra_fail(err, RA_E_INVALID, path, "%s is an option of the command line only", key);
  }
  if (option && json_is_array(value)) return set_list(config, option, value, path, err);
  bool empty = json_is_object(value) && json_object_size(value) == 0;  // Lua's {} is an empty list
  if (option && option->type == RA_OPTION_LIST && empty) return RA_OK;
  return set_value(config, key, value, path, err);
}

int ra_config_file(ra_config *config, const char *path, const char *json, size_t size, ra_err *err) {
  json_error_t where;
  json_t *root = json_loadb(json, size, 0, &where);
  if (!json_is_object(root)) {
    json_decref(root);
    return ra_fail(err, RA_E_INVALID, path, "the file returns no table of settings");
  }
  const char *key;
  json_t *value;
  int rc = RA_OK;
  json_object_foreach(root, key, value) {
    rc = set_key(config, key, value, path, err);
    if (rc < 0) break;
  }
  json_decref(root);
  free(config->file_json);
  config->file_json = strndup(json, size);
  return rc;
}

const char *ra_config_file_json(const ra_config *config) { return config->file_json; }

static bool same(const setting *a, const setting *b) {
  if (a->count != b->count) return false;
  for (unsigned i = 0; i < a->count; i++) {
    if (strcmp(a->text[i], b->text[i]) != 0) return false;
  }
  return true;
}

bool ra_config_keep(ra_config *config, const ra_config *from, const char *name) {
  const ra_option *option = ra_option_find(name);
  if (!option) return false;
  setting *own = &config->settings[option - RA_OPTIONS];
  const setting *other = &from->settings[option - RA_OPTIONS];
  if (same(own, other)) return false;
  clear(own);
  memcpy(own->origin, other->origin, sizeof own->origin);
  for (unsigned i = 0; i < other->count; i++)
    add(own, other->text[i], strlen(other->text[i]), NULL);
  return true;
}

static const setting *find(const ra_config *config, const char *name) {
  const ra_option *option = ra_option_find(name);
  return option ? &config->settings[option - RA_OPTIONS] : NULL;
}

const char *ra_config_text(const ra_config *config, const char *name) {
  const setting *s = find(config, name);
  return s && s->count ? s->text[0] : NULL;
}

bool ra_config_bool(const ra_config *config, const char *name) {
  const char *text = ra_config_text(config, name);
  return text && parse_bool(text) == 1;
}

int64_t ra_config_int(const ra_config *config, const char *name) {
  int64_t value = 0;
  const char *text = ra_config_text(config, name);
  if (text) parse_int(text, &value);
  return value;
}

uint64_t ra_config_bytes(const ra_config *config, const char *name) {
  const char *text = ra_config_text(config, name);
  return text ? (uint64_t)parse_bytes(text) : 0;
}

uint64_t ra_config_ms(const ra_config *config, const char *name) {
  const char *text = ra_config_text(config, name);
  return text ? (uint64_t)parse_ms(text) : 0;
}

const char *const *ra_config_list(const ra_config *config, const char *name) {
  static const char *const none[] = {NULL};
  const setting *s = find(config, name);
  return s ? (const char *const *)s->text : none;
}

const ra_script_plugin_limits *ra_config_limits(const ra_config *config) {
  return config->plugin_limits;
}

bool ra_config_is_flag(const ra_config *config, const char *name) {
  const setting *s = find(config, name);
  return s && s->count && strcmp(s->origin, "flag") == 0;
}

bool ra_config_is_set(const ra_config *config, const char *name) {
  const setting *s = find(config, name);
  return s && s->count && strcmp(s->origin, "default") != 0;
}

// Passwords in URLs stay here.
static void add_shown(ra_str *out, const char *text) {
  ra_str shown;
  ra_str_init(&shown);
  ra_str_add_url(&shown, text);
  ra_str_add_json(out, shown.ptr ? shown.ptr : "");
  ra_str_deinit(&shown);
}

static void add_value(ra_str *out, const ra_option *option, const setting *s, bool plain) {
  if (option->type == RA_OPTION_LIST) {
    ra_str_add_char(out, plain ? '[' : '{');
    for (unsigned i = 0; i < s->count; i++) {
      if (i) ra_str_add(out, plain ? "," : ", ");
      ra_str_add_json(out, s->text[i]);
    }
    ra_str_add_char(out, plain ? ']' : '}');
  } else if (!s->count) {
    ra_str_add(out, plain ? "null" : "nil");
  } else if (option->secret) {
    ra_str_add(out, "\"(secret)\"");
  } else if (option->type == RA_OPTION_BOOL) {
    ra_str_add(out, parse_bool(s->text[0]) ? "true" : "false");
  } else if (option->type == RA_OPTION_INT) {
    ra_str_add(out, s->text[0]);
  } else {
    add_shown(out, s->text[0]);
  }
}

static void add_number(ra_str *out, const ra_option *option, const setting *s) {
  if (s->count && option->type == RA_OPTION_BYTES) {
    ra_str_add_int(out, parse_bytes(s->text[0]));
  } else if (s->count && option->type == RA_OPTION_DURATION) {
    ra_str_add_int(out, parse_ms(s->text[0]));
  } else if (s->count && option->type == RA_OPTION_TEXT) {
    ra_str_add_json(out, s->text[0]);
  } else {
    add_value(out, option, s, true);
  }
}

void ra_config_json(const ra_config *config, ra_str *out) {
  ra_str_add_char(out, '{');
  for (size_t i = 0; i < RA_OPTION_COUNT; i++) {
    if (RA_OPTIONS[i].secret) continue;
    ra_str_add_json(out, RA_OPTIONS[i].name);
    ra_str_add_char(out, ':');
    add_number(out, &RA_OPTIONS[i], &config->settings[i]);
    ra_str_add_char(out, ',');
  }
  ra_str_addf(out, "\"plugin_settings\":%s}",
              config->plugin_settings ? config->plugin_settings : "{}");
}

static void print_limits(const ra_config *config, bool json, ra_str *out) {
  if (!config->limits) return;
  ra_str_add(out, json ? ",\n  \"limits\": {\"value\": " : "  limits = ");
  ra_limits_print(config->limits, json, out);
  ra_str_add(out, json ? ", \"origin\": " : ",  -- ");
  if (json) {
    ra_str_add_json(out, config->limits_origin);
  } else {
    ra_str_add(out, config->limits_origin);
  }
  ra_str_add(out, json ? "}" : "\n");
}

void ra_config_print(const ra_config *config, bool json, ra_str *out) {
  ra_str_add(out, json ? "{" : "return {\n");
  bool first = true;
  for (size_t i = 0; i < RA_OPTION_COUNT; i++) {
    const ra_option *option = &RA_OPTIONS[i];
    const setting *s = &config->settings[i];
    if (option->flag_only) continue;
    if (json) {
      ra_str_addf(out, "%s\n  \"%s\": {\"value\": ", first ? "" : ",", option->name);
      add_value(out, option, s, true);
      ra_str_add(out, ", \"origin\": ");
      ra_str_add_json(out, s->count ? s->origin : "default");
      ra_str_add_char(out, '}');
    } else {
      ra_str_addf(out, "  %s = ", option->name);
      add_value(out, option, s, false);
      ra_str_addf(out, ",  -- %s\n", s->count ? s->origin : "default");
    }
    first = false;
  }
  print_limits(config, json, out);
  ra_str_add(out, json ? "\n}\n" : "}\n");
}
