// fuzz_geometry.c - a client's GeoJSON: a geometry that can be compared with a box, or a refusal.
#include <stdint.h>

#include "format/geometry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ra_geometry *geometry, *box;
  if (ra_geometry_parse((const char *)data, size, &geometry, NULL) < 0) return 0;
  if (ra_geometry_from_box((double[4]){170, -10, -170, 10}, &box, NULL) == 0) {
    (void)ra_geometry_intersects(geometry, box);
    ra_geometry_free(box);
  }
  ra_geometry_free(geometry);
  return 0;
}
