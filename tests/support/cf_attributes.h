// cf_attributes.h - a grid mapping from a text of lines "name=value", for tests.
#pragma once
#include <stdlib.h>
#include <string.h>

#include "geo/crs.h"

typedef struct cf_attributes {
  const char *text;
  char value[4096];
} cf_attributes;

static const char *cf_attributes_get(void *ctx, const char *name) {
  cf_attributes *self = ctx;
  size_t n = strlen(name);
  for (const char *p = self->text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
    if (strncmp(p, name, n) != 0 || p[n] != '=') continue;
    size_t length = strcspn(p + n + 1, "\n");
    if (length >= sizeof self->value) return NULL;
    memcpy(self->value, p + n + 1, length);
    self->value[length] = 0;
    return self->value;
  }
  return NULL;
}

static inline int cf_attributes_read(const char *text, const char *units, ra_crs **out,
                                     double *scale, ra_err *err) {
  cf_attributes attributes = {.text = text};
  ra_cf_mapping mapping = {cf_attributes_get, &attributes, "crs", units, units};
  return ra_crs_from_cf(&mapping, out, scale, err);
}
