// ramp_csv.c - a ramp as a table that a spreadsheet writes. Each line is checked by itself, so that
// a mistake is named by its line; the whole becomes the JSON of a ramp's file, which ramp_parse.c
// reads.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "raster/ramp_private.h"

enum { LINE = 1024, FIELDS = 8 };

typedef enum shape { OPEN, POSITIONS, VALUES, CATEGORIES, INTERVALS } shape;

typedef struct table {
  shape shape;
  unsigned line;
  char text[LINE];  // that line; the fields point into it
  char *fields[FIELDS];
  unsigned count;
  json_t *root, *list, *labels;  // root holds all of them in the end
  unsigned rows;
  double first, last;
} table;

static bool is_blank(const char *line) { return line[0] == 0 || line[0] == '#'; }

char *ra__ramp_trim(char *text) {
  while (*text == ' ' || *text == '\t' || *text == '\r') text++;
  char *end = text + strlen(text);
  while (end > text && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r')) *--end = 0;
  return text;
}

bool ra__ramp_number(const char *text, double *out) {
  char *end;
  if (*text == 0) return false;
  *out = strtod(text, &end);
  return *end == 0 && isfinite(*out);
}

bool ra__ramp_line(ra__ramp_lines *lines, char *out, size_t size) {
  if (lines->at == lines->end) return false;
  const char *newline = memchr(lines->at, '\n', (size_t)(lines->end - lines->at));
  const char *stop = newline ? newline : lines->end;
  size_t n = (size_t)(stop - lines->at);
  lines->number++;
  if (n >= size) return false;
  memcpy(out, lines->at, n);
  out[n] = 0;
  lines->at = newline ? newline + 1 : lines->end;
  return true;
}

// Cuts a line at its separators; a field in double quotes may hold them.
static bool split(table *t, char *line) {
  const char sep = strchr(line, ';') ? ';' : strchr(line, ',') ? ',' : '\t';
  t->count = 0;
  for (char *at = line; at;) {
    if (t->count == FIELDS) return false;
    while (*at == ' ') at++;
    bool quoted = *at == '"';
    char *close = quoted ? strchr(at + 1, '"') : NULL;
    char *next = strchr(close ? close : at, sep);
    if (next) *next++ = 0;
    if (close) *close = 0;
    t->fields[t->count++] = close ? at + 1 : ra__ramp_trim(at);
    at = next;
  }
  return true;
}

static int read_header(table *t, ra_err *err) {
  static const struct {
    const char *first;
    shape shape;
  } HEADERS[] = {
      {"position", POSITIONS}, {"value", VALUES}, {"category", CATEGORIES}, {"min", INTERVALS}};
  for (size_t i = 0; i < sizeof HEADERS / sizeof *HEADERS; i++) {
    if (strcmp(t->fields[0], HEADERS[i].first) == 0) t->shape = HEADERS[i].shape;
  }
  if (t->shape != OPEN) return RA_OK;
  return ra__ramp_wrong(
      err,
      "line %u: \"%.40s\" is neither a number nor a header; the headers are "
      "position,colour or value,colour or category,colour,label or min,max,colour,label",
      t->line, t->fields[0]);
}

static unsigned fields_before_colour(const table *t) { return t->shape == INTERVALS ? 2 : 1; }

// The colour that begins at a field: "#…", or three or four whole numbers. *used: how many fields
// it took.
static int read_colour(const table *t, unsigned from, json_t **out, unsigned *used, ra_err *err) {
  char where[32];
  uint8_t rgba[4];
  double part;
  bool labels = t->shape == CATEGORIES || t->shape == INTERVALS;
  json_t *colour = NULL;
  *used = 1;
  if (from < t->count && t->fields[from][0] == '#') {
    colour = json_string(t->fields[from]);
  } else {
    colour = json_array();
    for (*used = 0; *used < 4 && from + *used < t->count; ++*used) {
      if (!ra__ramp_number(t->fields[from + *used], &part) || part != floor(part) || fabs(part) > 255)
        break;
      json_array_append_new(colour, json_integer((json_int_t)part));
    }
  }
  snprintf(where, sizeof where, "line %u", t->line);
  int rc = colour
               ? ra__ramp_parse_colour(colour, where, rgba, err)
               : ra_fail(err, RA_E_INVALID, "colormap", "line %u: the colour is not UTF-8", t->line);
  if (rc == RA_OK && from + *used + (labels ? 1 : 0) < t->count) {
    rc = ra__ramp_wrong(err, "line %u: \"%.40s\" is one field too many", t->line,
                        t->fields[t->count - 1]);
  }
  if (rc < 0) {
    json_decref(colour);
    return rc;
  }
  *out = colour;
  return RA_OK;
}

static int add_linear(table *t, double at, json_t *colour, ra_err *err) {
  bool falls = t->rows > 0 && at < t->last;
  bool outside = t->shape == POSITIONS && !(at >= 0 && at <= 1);
  json_array_append_new(t->list, json_pack("[fo]", at, colour));
  if (falls) {
    return ra__ramp_wrong(err, "line %u: %g comes after %g; the stops go upwards", t->line, at,
                          t->last);
  }
  if (outside) {
    return ra__ramp_wrong(err, "line %u: position %g; positions run from 0 to 1", t->line, at);
  }
  if (t->rows == 0) t->first = at;
  t->last = at;
  return RA_OK;
}

static int add_entry(table *t, double low, json_t *colour, const char *label, ra_err *err) {
  json_t *text = label ? json_string(label) : json_string("");
  double high = 0;
  int rc = text ? RA_OK : ra__ramp_wrong(err, "line %u: the label is not UTF-8", t->line);
  if (rc == RA_OK && t->shape == CATEGORIES) {
    if (json_object_get(t->list, t->fields[0])) {
      rc = ra__ramp_wrong(err, "line %u: %s has a colour already", t->line, t->fields[0]);
    }
    json_object_set_new(t->list, t->fields[0], colour);
    json_object_set_new(t->labels, t->fields[0], text);
    return rc;
  }
  if (rc == RA_OK && (!ra__ramp_number(t->fields[1], &high) || !(low < high))) {
    rc = ra__ramp_wrong(err, "line %u: max \"%.40s\" is no number above min %g", t->line,
                        t->fields[1], low);
  }
  json_array_append_new(t->list, json_pack("[[ff]o]", low, high, colour));
  json_array_append_new(t->labels, text);
  return rc;
}

static void start_lists(table *t) {
  bool objects = t->shape == CATEGORIES;
  t->list = objects ? json_object() : json_array();
  t->labels = objects ? json_object() : json_array();
  bool linear = t->shape == OPEN || t->shape == POSITIONS || t->shape == VALUES;
  json_object_set_new(t->root, linear ? "stops" : "colors", t->list);
  json_object_set_new(t->root, "labels", t->labels);
  json_object_set_new(t->root, "type",
                      json_string(linear    ? "linear"
                                  : objects ? "categories"
                                            : "intervals"));
}

static bool is_mark(const char *field) {
  return !strcmp(field, "below") || !strcmp(field, "above") || !strcmp(field, "missing");
}

static int read_row(table *t, ra_err *err) {
  double at;
  json_t *colour;
  unsigned before = fields_before_colour(t), used;
  if (is_mark(t->fields[0])) {
    int rc = read_colour(t, 1, &colour, &used, err);
    if (rc == RA_OK) json_object_set_new(t->root, t->fields[0], colour);
    return rc;
  }
  if (!ra__ramp_number(t->fields[0], &at)) {
    if (!t->list && t->shape == OPEN) return read_header(t, err);
    return ra__ramp_wrong(err, "line %u: \"%.40s\" is not a number", t->line, t->fields[0]);
  }
  if (!t->list) start_lists(t);
  if (t->count <= before) return ra__ramp_wrong(err, "line %u: the colour is missing", t->line);
  int rc = read_colour(t, before, &colour, &used, err);
  if (rc < 0) return rc;
  const char *label = before + used < t->count ? t->fields[before + used] : NULL;
  rc = t->shape == CATEGORIES || t->shape == INTERVALS ? add_entry(t, at, colour, label, err)
                                                       : add_linear(t, at, colour, err);
  t->rows++;
  return rc;
}

// Values become shares of their range, which the ramp then says; 0 to 1 without a header are shares
// already.
static int spread_values(table *t, ra_err *err) {
  if (!(t->first < t->last) || isinf(t->last - t->first)) {
    return ra__ramp_wrong(err, "the stops go from %g to %g; the last is to lie above the first",
                          t->first, t->last);
  }
  for (size_t i = 0; i < json_array_size(t->list); i++) {
    json_t *at = json_array_get(json_array_get(t->list, i), 0);
    json_real_set(at, (json_real_value(at) - t->first) / (t->last - t->first));
  }
  json_object_set_new(t->root, "range", json_pack("[ff]", t->first, t->last));
  return RA_OK;
}

static int finish(table *t, ra_err *err) {
  if (!t->list || t->rows == 0) return ra__ramp_wrong(err, "no line has a number and a colour");
  if (t->shape == CATEGORIES || t->shape == INTERVALS) return RA_OK;
  json_object_del(t->root, "labels");
  bool shares = t->shape == POSITIONS || (t->shape == OPEN && t->first == 0 && t->last == 1);
  return shares ? RA_OK : spread_values(t, err);
}

static int read_lines(table *t, const char *text, size_t size, ra_err *err) {
  ra__ramp_lines lines = {text, text + size, 0};
  if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
    lines.at += 3;  // a spreadsheet's byte order mark
  while (ra__ramp_line(&lines, t->text, sizeof t->text)) {
    char *start = ra__ramp_trim(t->text);
    t->line = lines.number;
    if (is_blank(start)) continue;
    if (!split(t, start)) return ra__ramp_wrong(err, "line %u: over %d fields", t->line, FIELDS);
    int rc = read_row(t, err);
    if (rc < 0) return rc;
  }
  if (lines.at != lines.end) {
    return ra__ramp_wrong(err, "line %u: over %d characters", lines.number, LINE - 1);
  }
  return finish(t, err);
}

int ra_ramp_parse_csv(const char *text, size_t size, ra_ramp **out, ra_err *err) {
  table t = {.root = json_object()};
  if (!t.root) return ra_fail(err, RA_E_NOMEM, "colormap", "out of memory for a table of colours");
  int rc = read_lines(&t, text, size, err);
  if (rc < 0) {
    json_decref(t.root);
    return rc;
  }
  return ra__ramp_from_json(t.root, out, err);
}
