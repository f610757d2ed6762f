// items_fields.c - see items_fields.h. Names are paths like "properties.datetime"; the longest name is tried first as a
// member, since members have dots in them too.
#include "ops/items_fields.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *const ALWAYS[] = {"type", "id", "collection", "stac_version"};

// Puts from's member at path into to, with the objects that lead there.
static void include(const json_t *from, json_t *to, const char *path) {
  json_t *value = json_object_get(from, path);
  if (value) {
    json_object_set(to, path, value);
    return;
  }
  for (const char *dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.')) {
    char *head = strndup(path, (size_t)(dot - path));
    json_t *inner = json_object_get(from, head);
    if (json_is_object(inner)) {
      if (!json_object_get(to, head)) json_object_set_new(to, head, json_object());
      include(inner, json_object_get(to, head), dot + 1);
      free(head);
      return;
    }
    free(head);
  }
}

static void exclude(json_t *from, const char *path) {
  if (json_object_del(from, path) == 0) return;
  for (const char *dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.')) {
    char *head = strndup(path, (size_t)(dot - path));
    json_t *inner = json_object_get(from, head);
    free(head);
    if (!json_is_object(inner)) continue;
    exclude(inner, dot + 1);
    return;
  }
}

static json_t *filter(json_t *item, const json_t *fields) {
  const json_t *includes = json_object_get(fields, "include"),
               *excludes = json_object_get(fields, "exclude");
  json_t *out = json_array_size(includes) ? json_object() : json_deep_copy(item);
  for (size_t i = 0; i < json_array_size(includes); i++) {
    const char *path = json_string_value(json_array_get(includes, i));
    if (!path) continue;
    json_t *copy = json_deep_copy(item);  // an object may be narrowed by a later exclude
    include(copy, out, path);
    json_decref(copy);
  }
  for (size_t i = 0; i < json_array_size(excludes); i++) {
    const char *path = json_string_value(json_array_get(excludes, i));
    if (path) exclude(out, path);
  }
  for (size_t i = 0; i < sizeof ALWAYS / sizeof *ALWAYS; i++)
    json_object_set(out, ALWAYS[i], json_object_get(item, ALWAYS[i]));
  return out;
}

int ra__items_add_fields(const char *fields, const char *item, size_t size, ra_str *out, ra_err *err) {
  json_t *wanted = json_loads(fields, 0, NULL), *whole = json_loadb(item, size, 0, NULL);
  json_t *part = wanted && whole ? filter(whole, wanted) : NULL;
  char *text = part ? json_dumps(part, JSON_COMPACT) : NULL;
  if (text) ra_str_add(out, text);
  free(text);
  json_decref(part);
  json_decref(whole);
  json_decref(wanted);
  return text ? RA_OK
              : ra_fail(err, RA_E_INVALID, "fields",
                        "fields takes {\"include\":[…],\"exclude\":[…]}");
}
