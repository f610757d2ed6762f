// ramp_parse.c - colour ramps from JSON: files of colormaps/ and titiler's `colormap` parameter.
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "raster/ramp_private.h"

enum { LINEAR_MOST = 4096 };

int ra__ramp_wrong(ra_err *err, const char *fmt, ...) {
  char text[400];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  return ra_fail(err, RA_E_INVALID, "colormap", "%s", text);
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

static bool parse_hex(const char *text, size_t size, uint8_t rgba[4]) {
  if (size == 0 || text[0] != '#') return false;
  size_t digits = size - 1;
  if (digits != 3 && digits != 4 && digits != 6 && digits != 8) return false;
  size_t each = digits > 4 ? 2 : 1;
  rgba[3] = 255;
  for (size_t i = 0; i < digits / each; i++) {
    int high = hex_digit(text[1 + i * each]), low = hex_digit(text[each + i * each]);
    if (high < 0 || low < 0) return false;
    rgba[i] = (uint8_t)(high * 16 + low);
  }
  return true;
}

static bool parse_list(const json_t *list, uint8_t rgba[4]) {
  size_t size = json_array_size(list);
  if (size != 3 && size != 4) return false;
  rgba[3] = 255;
  for (size_t i = 0; i < size; i++) {
    const json_t *part = json_array_get(list, i);
    json_int_t value = json_integer_value(part);
    if (!json_is_integer(part) || value < 0 || value > 255) return false;
    rgba[i] = (uint8_t)value;
  }
  return true;
}

int ra__ramp_parse_colour(const json_t *colour, const char *where, uint8_t rgba[4], ra_err *err) {
  if (json_is_string(colour) &&
      parse_hex(json_string_value(colour), json_string_length(colour), rgba)) {
    return RA_OK;
  }
  if (json_is_array(colour) && parse_list(colour, rgba)) return RA_OK;
  return ra__ramp_wrong(
      err,
      "%s: not a colour; write \"#rrggbb\", \"#rrggbbaa\", \"#rgb\", [r, g, b] or "
      "[r, g, b, a] with whole numbers 0 to 255",
      where);
}

static int parse_entry_colour(const json_t *colour, size_t i, uint8_t rgba[4], ra_err *err) {
  char where[32];
  snprintf(where, sizeof where, "entry %zu", i + 1);
  return ra__ramp_parse_colour(colour, where, rgba, err);
}

typedef struct stop {
  double at;
  uint8_t rgba[4];
} stop;

// 256 colours at i / 255 between the stops; equal positions make a hard edge, outside them the end
// colours hold.
static void spread(const stop *stops, size_t n, uint8_t (*colours)[4]) {
  size_t k = 0;
  for (unsigned i = 0; i < RA__RAMP_LINEAR; i++) {
    double at = i / 255.0;
    while (k < n && stops[k].at <= at) k++;
    if (k == 0 || k == n) {
      memcpy(colours[i], stops[k == 0 ? 0 : n - 1].rgba, 4);
      continue;
    }
    const stop *a = &stops[k - 1], *b = &stops[k];
    double share = (at - a->at) / (b->at - a->at);
    for (int c = 0; c < 4; c++) {
      colours[i][c] = (uint8_t)floor(a->rgba[c] + share * (b->rgba[c] - a->rgba[c]) + 0.5);
    }
  }
}

static int parse_even(const json_t *list, stop *stops, ra_err *err) {
  size_t n = json_array_size(list);
  for (size_t i = 0; i < n; i++) {
    stops[i].at = (double)i / (double)(n - 1);
    int rc = parse_entry_colour(json_array_get(list, i), i, stops[i].rgba, err);
    if (rc < 0) return rc;
  }
  return RA_OK;
}

static int parse_stops(const json_t *list, stop *stops, ra_err *err) {
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *pair = json_array_get(list, i), *at = json_array_get(pair, 0);
    if (json_array_size(pair) != 2 || !json_is_number(at)) {
      return ra__ramp_wrong(err, "stop %zu: not [position, colour]", i + 1);
    }
    stops[i].at = json_number_value(at);
    double least = i > 0 ? stops[i - 1].at : 0;
    if (!(stops[i].at >= least && stops[i].at <= 1)) {
      return ra__ramp_wrong(err, "stop %zu: position %g; positions run from 0 to 1 and do not fall",
                            i + 1, stops[i].at);
    }
    int rc = parse_entry_colour(json_array_get(pair, 1), i, stops[i].rgba, err);
    if (rc < 0) return rc;
  }
  return RA_OK;
}

static int no_memory(ra_err *err, size_t n) {
  return ra_fail(err, RA_E_NOMEM, "colormap", "out of memory for %zu colours", n);
}

static int make_linear(const stop *stops, size_t n, bool as_they_are, ra_ramp **out, ra_err *err) {
  int rc = ra__ramp_new(RA_RAMP_LINEAR, RA__RAMP_LINEAR, out, err);
  if (rc < 0) return rc;
  if (as_they_are && n == RA__RAMP_LINEAR) {
    for (size_t i = 0; i < n; i++) memcpy((*out)->colours[i], stops[i].rgba, 4);
  } else {
    spread(stops, n, (*out)->colours);
  }
  return RA_OK;
}

// Six hex digits a colour, no marks between: what the files that come along have.
static int parse_digits(const json_t *text, ra_ramp **out, ra_err *err) {
  const char *digits = json_string_value(text);
  size_t size = json_string_length(text), n = size / 6;
  if (size % 6 != 0 || n < 2 || n > LINEAR_MOST) {
    return ra__ramp_wrong(
        err, "\"colors\" is a text of %zu characters; six hex digits a colour, 2 to %d colours",
        size, LINEAR_MOST);
  }
  stop *stops = calloc(n, sizeof *stops);
  if (!stops) return no_memory(err, n);
  int rc = RA_OK;
  for (size_t i = 0; i < n && rc == RA_OK; i++) {
    char colour[7] = "#";
    memcpy(colour + 1, digits + i * 6, 6);
    stops[i].at = (double)i / (double)(n - 1);
    if (!parse_hex(colour, 7, stops[i].rgba)) {
      rc = ra__ramp_wrong(err, "colour %zu: not six hex digits", i + 1);
    }
  }
  if (rc == RA_OK) rc = make_linear(stops, n, true, out, err);
  free(stops);
  return rc;
}

static int parse_linear(const json_t *root, ra_ramp **out, ra_err *err) {
  const json_t *colors = json_object_get(root, "colors"), *list = json_object_get(root, "stops");
  if (!colors == !list) {
    return ra__ramp_wrong(
        err,
        "a linear ramp has \"colors\" (a list of colours) or \"stops\" (a list of "
        "[position, colour])");
  }
  if (json_is_string(colors)) return parse_digits(colors, out, err);
  const json_t *given = colors ? colors : list;
  size_t n = json_array_size(given);
  if (n < 2 || n > LINEAR_MOST) {
    return ra__ramp_wrong(err, "\"%s\" has %zu entries; a linear ramp has a list of 2 to %d",
                          colors ? "colors" : "stops", n, LINEAR_MOST);
  }
  stop *stops = calloc(n, sizeof *stops);
  if (!stops) return no_memory(err, n);
  int rc = colors ? parse_even(given, stops, err) : parse_stops(given, stops, err);
  if (rc == RA_OK) rc = make_linear(stops, n, colors != NULL, out, err);
  free(stops);
  return rc;
}

typedef struct category {
  double value;
  uint8_t rgba[4];
} category;

static int compare_categories(const void *a, const void *b) {
  double x = ((const category *)a)->value, y = ((const category *)b)->value;
  return (x > y) - (x < y);
}

static int read_categories(const json_t *object, category *out, ra_err *err) {
  const char *key;
  json_t *colour;
  size_t i = 0;
  json_object_foreach((json_t *)object, key, colour) {
    char *end, where[64];
    out[i].value = strtod(key, &end);
    if (end == key || *end != 0 || !isfinite(out[i].value)) {
      return ra__ramp_wrong(err, "\"%.40s\" is not a number; an object maps values to colours", key);
    }
    out[i].value += 0.0;  // -0 is 0
    snprintf(where, sizeof where, "value %.40s", key);
    int rc = ra__ramp_parse_colour(colour, where, out[i++].rgba, err);
    if (rc < 0) return rc;
  }
  return RA_OK;
}

// titiler's rule: 256 entries with the keys 0..255 are a table over the rescaled range. In a file
// the type says it.
static bool is_table(const category *entries, size_t n) {
  if (n != RA__RAMP_LINEAR) return false;
  for (size_t i = 0; i < n; i++) {
    if (entries[i].value != (double)i) return false;
  }
  return true;
}

static int make_categories(category *entries, size_t n, bool may_be_table, ra_ramp **out,
                           ra_err *err) {
  qsort(entries, n, sizeof *entries, compare_categories);
  for (size_t i = 1; i < n; i++) {
    if (entries[i].value == entries[i - 1].value) {
      return ra__ramp_wrong(err, "value %.17g has two colours; give it one", entries[i].value);
    }
  }
  bool table = may_be_table && is_table(entries, n);
  int rc = ra__ramp_new(table ? RA_RAMP_LINEAR : RA_RAMP_CATEGORIES, (unsigned)n, out, err);
  if (rc < 0) return rc;
  for (size_t i = 0; i < n; i++) {
    memcpy((*out)->colours[i], entries[i].rgba, 4);
    (*out)->low[i] = table ? 0 : entries[i].value;
  }
  return RA_OK;
}

static int parse_categories(const json_t *object, bool may_be_table, ra_ramp **out, ra_err *err) {
  size_t n = json_object_size(object);
  if (n < 1 || n > RA__RAMP_CATEGORIES) {
    return ra__ramp_wrong(err,
                          "%zu values; an object of 1 to %d values with their colours is wanted", n,
                          RA__RAMP_CATEGORIES);
  }
  category *entries = calloc(n, sizeof *entries);
  if (!entries) return ra_fail(err, RA_E_NOMEM, "colormap", "out of memory for %zu values", n);
  int rc = read_categories(object, entries, err);
  if (rc == RA_OK) rc = make_categories(entries, n, may_be_table, out, err);
  free(entries);
  return rc;
}

static int parse_interval(const json_t *pair, size_t i, ra_ramp *ramp, ra_err *err) {
  const json_t *bounds = json_array_get(pair, 0);
  const json_t *low = json_array_get(bounds, 0), *high = json_array_get(bounds, 1);
  if (json_array_size(pair) != 2 || json_array_size(bounds) != 2 || !json_is_number(low) ||
      !json_is_number(high)) {
    return ra__ramp_wrong(err, "entry %zu: not [[min, max], colour]", i + 1);
  }
  ramp->low[i] = json_number_value(low);
  ramp->high[i] = json_number_value(high);
  if (!(ramp->low[i] < ramp->high[i])) {
    return ra__ramp_wrong(err, "entry %zu: min %g is not below max %g", i + 1, ramp->low[i],
                          ramp->high[i]);
  }
  return parse_entry_colour(json_array_get(pair, 1), i, ramp->colours[i], err);
}

static int parse_intervals(const json_t *list, ra_ramp **out, ra_err *err) {
  size_t n = json_array_size(list);
  if (n < 1 || n > RA__RAMP_INTERVALS) {
    return ra__ramp_wrong(err, "%zu intervals; a list of 1 to %d [[min, max], colour] is wanted", n,
                          RA__RAMP_INTERVALS);
  }
  ra_ramp *ramp;
  int rc = ra__ramp_new(RA_RAMP_INTERVALS, (unsigned)n, &ramp, err);
  if (rc < 0) return rc;
  for (size_t i = 0; i < n && rc == RA_OK; i++) {
    rc = parse_interval(json_array_get(list, i), i, ramp, err);
  }
  if (rc < 0) {
    ra_ramp_unref(ramp);
  } else {
    *out = ramp;
  }
  return rc;
}

static int check_keys(const json_t *root, ra_err *err) {
  static const char *const known[] = {"type",    "colors",  "stops", "below",       "above",
                                      "missing", "labels",  "range", "name",        "title",
                                      "source",  "licence", "kind",  "description", "license"};
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)root, key, value) {
    bool found = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
      if (strcmp(key, known[i]) == 0) found = true;
    }
    if (!found) {
      return ra__ramp_wrong(
          err,
          "unknown key \"%.40s\"; known are type, colors, stops, below, above, "
          "missing, labels, range, name, title, kind, description, source, licence",
          key);
    }
  }
  return RA_OK;
}

static int parse_type(const json_t *root, ra_ramp **out, ra_err *err) {
  const char *type = json_string_value(json_object_get(root, "type"));
  const json_t *colors = json_object_get(root, "colors");
  if (type && strcmp(type, "linear") == 0) return parse_linear(root, out, err);
  if (type && json_object_get(root, "stops")) {
    return ra__ramp_wrong(err, "\"stops\" belong to a linear ramp; write \"colors\"");
  }
  if (type && strcmp(type, "categories") == 0) return parse_categories(colors, false, out, err);
  if (type && strcmp(type, "intervals") == 0) return parse_intervals(colors, out, err);
  return ra__ramp_wrong(err, "\"type\" is \"linear\", \"categories\" or \"intervals\"");
}

static int parse_file(const json_t *root, ra_ramp **out, ra_err *err) {
  ra_ramp *ramp = NULL;
  int rc = check_keys(root, err);
  if (rc == RA_OK) rc = parse_type(root, &ramp, err);
  if (rc == RA_OK) rc = ra__ramp_parse_extras(root, ramp, err);
  if (rc == RA_OK) {
    *out = ramp;
  } else {
    ra_ramp_unref(ramp);
  }
  return rc;
}

static bool looks_like_file(const json_t *root) {
  return json_object_get(root, "type") || json_object_get(root, "colors") ||
         json_object_get(root, "stops");
}

int ra__ramp_parse_root(const json_t *root, ra_ramp **out, ra_err *err) {
  if (json_is_array(root)) return parse_intervals(root, out, err);
  if (!json_is_object(root)) {
    return ra__ramp_wrong(err,
                          "neither an object (value to colour, or a ramp file) nor a list of "
                          "[[min, max], colour]");
  }
  if (looks_like_file(root)) return parse_file(root, out, err);
  return parse_categories(root, true, out, err);
}

int ra__ramp_from_json(json_t *root, ra_ramp **out, ra_err *err) {
  ra_ramp *ramp = NULL;
  int rc = ra__ramp_parse_root(root, &ramp, err);
  json_decref(root);
  if (rc == RA_OK) rc = ra__ramp_finish(ramp, err);
  if (rc < 0) {
    ra_ramp_unref(ramp);
    return rc;
  }
  *out = ramp;
  return RA_OK;
}

int ra_ramp_parse(const char *json, size_t size, ra_ramp **out, ra_err *err) {
  json_error_t fault;
  json_t *root = json_loadb(json, size, JSON_DECODE_ANY, &fault);
  if (!root) return ra__ramp_wrong(err, "not JSON: %s at line %d", fault.text, fault.line);
  return ra__ramp_from_json(root, out, err);
}

int ra_ramp_parse_file(const char *name, const char *text, size_t size, ra_ramp **out, ra_err *err) {
  const char *end = strrchr(name, '.');
  if (end && strcmp(end, ".csv") == 0) return ra_ramp_parse_csv(text, size, out, err);
  if (end && strcmp(end, ".cpt") == 0) return ra_ramp_parse_cpt(text, size, out, err);
  return ra_ramp_parse(text, size, out, err);
}
