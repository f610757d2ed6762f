// dataset_crs.c - one CRS object for all datasets that name the same one, since making one asks PROJ's database.
// A process-wide table under a mutex; it keeps the references of the last used definitions.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "format/dataset_tables.h"

enum { KEPT = 32 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
  char *definition;
  ra_crs *crs;
} kept[KEPT];
static unsigned next;

static ra_crs *find(const char *definition) {
  for (int i = 0; i < KEPT; i++)
    if (kept[i].definition && !strcmp(kept[i].definition, definition))
      return ra_crs_ref(kept[i].crs);
  return NULL;
}

static void keep(const char *definition, ra_crs *crs) {
  char *copy = strdup(definition);
  if (!copy) return;
  free(kept[next].definition);
  ra_crs_unref(kept[next].crs);
  kept[next].definition = copy;
  kept[next].crs = ra_crs_ref(crs);
  next = (next + 1) % KEPT;
}

int ra__dataset_crs(const char *definition, ra_crs **out, ra_err *err) {
  pthread_mutex_lock(&lock);
  int rc = RA_OK;
  *out = find(definition);
  if (!*out) {
    rc = ra_crs_new(definition, out, err);
    if (rc == RA_OK) keep(definition, *out);
  }
  pthread_mutex_unlock(&lock);
  return rc;
}
