// ramp_extras.c - what a ramp's file may say beside its colours: below, above and missing, labels,
// the range.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "raster/ramp_private.h"

static int parse_marks(const json_t *root, ra_ramp *ramp, ra_err *err) {
  static const char *const NAMES[RA_RAMP_MARKS] = {"below", "above", "missing"};
  for (unsigned i = 0; i < RA_RAMP_MARKS; i++) {
    const json_t *colour = json_object_get(root, NAMES[i]);
    if (!colour) continue;
    int rc = ra__ramp_parse_colour(colour, NAMES[i], ramp->colours[ramp->count + i], err);
    if (rc < 0) return rc;
    ramp->marked[i] = true;
  }
  return RA_OK;
}

static int set_label(ra_ramp *ramp, unsigned entry, const json_t *text, ra_err *err) {
  if (!json_is_string(text))
    return ra__ramp_wrong(err, "\"labels\": label %u is not a text", entry + 1);
  if (json_string_length(text) == 0) return RA_OK;
  char *label = strdup(json_string_value(text));
  if (!label) return ra_fail(err, RA_E_NOMEM, "colormap", "out of memory for a label");
  free(ramp->labels[entry]);
  ramp->labels[entry] = label;
  return RA_OK;
}

static int label_category(ra_ramp *ramp, const char *key, const json_t *text, ra_err *err) {
  double value;
  int entry = ra__ramp_number(key, &value) ? ra_ramp_find(ramp, value) : -1;
  if (entry < 0 || (unsigned)entry >= ramp->count) {
    return ra__ramp_wrong(err, "\"labels\": %.40s is none of the values", key);
  }
  return set_label(ramp, (unsigned)entry, text, err);
}

static int parse_labels(const json_t *labels, ra_ramp *ramp, ra_err *err) {
  bool categories = ramp->kind == RA_RAMP_CATEGORIES;
  if (ramp->kind == RA_RAMP_LINEAR) {
    return ra__ramp_wrong(err,
                          "\"labels\" belong to categories and intervals; a linear ramp has none");
  }
  if (categories ? !json_is_object(labels) : json_array_size(labels) != ramp->count) {
    return ra__ramp_wrong(err, categories ? "\"labels\" is an object value to text"
                                          : "\"labels\" is a list of one text an interval");
  }
  ramp->labels = calloc(ramp->count, sizeof *ramp->labels);
  if (!ramp->labels) return ra_fail(err, RA_E_NOMEM, "colormap", "out of memory for labels");
  int rc = RA_OK;
  const char *key;
  json_t *text;
  json_object_foreach((json_t *)labels, key, text) {
    if (rc == RA_OK) rc = label_category(ramp, key, text, err);
  }
  for (unsigned i = 0; i < json_array_size(labels) && rc == RA_OK; i++) {
    rc = set_label(ramp, i, json_array_get(labels, i), err);
  }
  return rc;
}

static int parse_range(const json_t *range, ra_ramp *ramp, ra_err *err) {
  const json_t *low = json_array_get(range, 0), *high = json_array_get(range, 1);
  if (ramp->kind != RA_RAMP_LINEAR) {
    return ra__ramp_wrong(err, "\"range\" belongs to a linear ramp");
  }
  if (json_array_size(range) != 2 || !json_is_number(low) || !json_is_number(high) ||
      !(json_number_value(low) < json_number_value(high)) ||
      isinf(json_number_value(high) - json_number_value(low))) {
    return ra__ramp_wrong(err, "\"range\" is [low, high] with low < high");
  }
  ramp->range[0] = json_number_value(low);
  ramp->range[1] = json_number_value(high);
  return RA_OK;
}

int ra__ramp_parse_extras(const json_t *root, ra_ramp *ramp, ra_err *err) {
  const json_t *labels = json_object_get(root, "labels"), *range = json_object_get(root, "range");
  int rc = RA_OK;
  if (labels) rc = parse_labels(labels, ramp, err);
  if (rc == RA_OK && range) rc = parse_range(range, ramp, err);
  return rc < 0 ? rc : parse_marks(root, ramp, err);
}
