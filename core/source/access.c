// access.c - see access.h
#include "source/access.h"

static const ra_source_access *access_now;

void ra_source_set_access(const ra_source_access *access) { access_now = access; }

const ra_source_access *ra_source_get_access(void) {
  static const ra_source_access none = {0};
  return access_now ? access_now : &none;
}
