// ramp_cpt.c - colour palette tables of the Generic Mapping Tools: slices of two values with their
// colours.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "raster/ramp_private.h"

enum { LINE = 1024, WORDS = 10 };  // one more than a line may have

typedef struct palette {
  json_t *root, *stops;
  double first, last;
  unsigned line, rows;
} palette;

static unsigned split(char *line, char **words) {
  unsigned n = 0;
  char *rest = NULL, *label = strchr(line, ';');
  if (label) *label = 0;
  for (char *word = strtok_r(line, " \t\r", &rest); word && n < WORDS;
       word = strtok_r(NULL, " \t\r", &rest)) {
    words[n++] = word;
  }
  return n;
}

static json_t *numbers(char *const *parts, unsigned n) {
  json_t *list = json_array();
  for (unsigned i = 0; i < n; i++) {
    double part;
    if (!ra__ramp_number(parts[i], &part) || part < 0 || part > 255) break;
    json_array_append_new(list, json_integer((json_int_t)(part + 0.5)));
  }
  return list;
}

// The names that palettes are usually written with.
static const char *named(const char *word) {
  static const char *const NAMES[][2] = {
      {"black", "#000000"}, {"white", "#ffffff"},  {"red", "#ff0000"},  {"green", "#00ff00"},
      {"blue", "#0000ff"},  {"yellow", "#ffff00"}, {"cyan", "#00ffff"}, {"magenta", "#ff00ff"},
      {"gray", "#bebebe"},  {"grey", "#bebebe"}};
  for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
    if (strcmp(word, NAMES[i][0]) == 0) return NAMES[i][1];
  }
  return word;
}

// One word (#rrggbb, r/g/b, a grey or a name) or three. NULL: out of memory, or not UTF-8.
static json_t *colour_of(char *const *words, unsigned n) {
  const char *hex = named(words[0]);
  if (n == 1 && hex[0] == '#') return json_string(hex);
  if (n == 3) return numbers(words, 3);
  char *parts[3] = {words[0], words[0], words[0]}, *rest = NULL;
  if (strchr(words[0], '/')) {
    parts[0] = strtok_r(words[0], "/", &rest);
    for (int i = 1; i < 3; i++) parts[i] = parts[i - 1] ? strtok_r(NULL, "/", &rest) : NULL;
    if (!parts[0] || !parts[1] || !parts[2]) return json_array();
  }
  return numbers(parts, 3);
}

static int read_colour(const palette *p, char *const *words, unsigned n, json_t **out, ra_err *err) {
  char where[32];
  uint8_t rgba[4];
  snprintf(where, sizeof where, "line %u", p->line);
  *out = colour_of(words, n);
  int rc = ra__ramp_parse_colour(*out, where, rgba, err);
  if (rc < 0) {
    json_decref(*out);
    *out = NULL;
  }
  return rc;
}

static int read_mark(palette *p, char *const *words, unsigned n, ra_err *err) {
  const char *name = words[0][0] == 'B' ? "below" : words[0][0] == 'F' ? "above" : "missing";
  json_t *colour;
  if (n != 2 && n != 4)
    return ra__ramp_wrong(err, "line %u: %s takes one colour", p->line, words[0]);
  int rc = read_colour(p, words + 1, n - 1, &colour, err);
  if (rc == RA_OK) json_object_set_new(p->root, name, colour);
  return rc;
}

static int read_slice(palette *p, char *const *words, unsigned n, ra_err *err) {
  double low, high;
  // A last letter says which end is annotated.
  if ((n == 5 || n == 9) && strlen(words[n - 1]) == 1 && strchr("LUB", words[n - 1][0])) n--;
  unsigned each = n / 2;
  json_t *from, *to;
  if ((n != 4 && n != 8) || !ra__ramp_number(words[0], &low) || !ra__ramp_number(words[each], &high)) {
    return ra__ramp_wrong(err, "line %u: not \"value colour value colour\" with colours as r/g/b",
                          p->line);
  }
  if (!(low < high) || (p->rows > 0 && low < p->last)) {
    return ra__ramp_wrong(err, "line %u: %g to %g; the values go upwards", p->line, low, high);
  }
  int rc = read_colour(p, words + 1, each - 1, &from, err);
  if (rc < 0) return rc;
  json_array_append_new(p->stops, json_pack("[fo]", low, from));
  rc = read_colour(p, words + each + 1, each - 1, &to, err);
  if (rc < 0) return rc;
  json_array_append_new(p->stops, json_pack("[fo]", high, to));
  if (p->rows++ == 0) p->first = low;
  p->last = high;
  return RA_OK;
}

static int read_line(palette *p, char *line, ra_err *err) {
  char *words[WORDS];
  char *start = ra__ramp_trim(line);
  if (*start == '#') {
    bool hsv = strstr(start, "COLOR_MODEL") && (strstr(start, "HSV") || strstr(start, "hsv"));
    if (hsv) return ra__ramp_wrong(err, "line %u: the colours are HSV; RGB is wanted", p->line);
    return RA_OK;
  }
  unsigned n = split(start, words);
  if (n == 0) return RA_OK;
  bool mark = strlen(words[0]) == 1 && strchr("BFN", words[0][0]);
  return mark ? read_mark(p, words, n, err) : read_slice(p, words, n, err);
}

static int read_lines(palette *p, const char *text, size_t size, ra_err *err) {
  char line[LINE];
  ra__ramp_lines lines = {text, text + size, 0};
  while (ra__ramp_line(&lines, line, sizeof line)) {
    p->line = lines.number;
    int rc = read_line(p, line, err);
    if (rc < 0) return rc;
  }
  if (lines.at != lines.end) {
    return ra__ramp_wrong(err, "line %u: over %d characters", lines.number, LINE - 1);
  }
  if (p->rows == 0) return ra__ramp_wrong(err, "no line has two values and their colours");
  for (size_t i = 0; i < json_array_size(p->stops); i++) {
    json_t *at = json_array_get(json_array_get(p->stops, i), 0);
    json_real_set(at, (json_real_value(at) - p->first) / (p->last - p->first));
  }
  json_object_set_new(p->root, "range", json_pack("[ff]", p->first, p->last));
  return RA_OK;
}

int ra_ramp_parse_cpt(const char *text, size_t size, ra_ramp **out, ra_err *err) {
  json_t *stops = json_array();
  palette p = {.stops = stops, .root = json_pack("{ss so}", "type", "linear", "stops", stops)};
  if (!p.root) return ra_fail(err, RA_E_NOMEM, "colormap", "out of memory for a palette");
  int rc = read_lines(&p, text, size, err);
  if (rc < 0) {
    json_decref(p.root);
    return rc;
  }
  return ra__ramp_from_json(p.root, out, err);
}
