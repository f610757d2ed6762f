// object.h - what the header cache holds: parsed headers of several kinds, each behind a count of its own.
#pragma once
#include <stdatomic.h>

#include "base/err.h"

typedef struct ra__object {
  atomic_uint refs;
  void *value;  // a ra_cog, a ra_zarr_array, …
  void (*unref)(void *value);
} ra__object;

// Takes the caller's reference to value; on failure it is given up as well.
int ra__object_new(void *value, void (*unref)(void *value), ra__object **out, ra_err *err);
void *ra__object_ref(void *object);
void ra__object_unref(void *object);
