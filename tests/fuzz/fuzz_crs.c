// fuzz_crs.c - a CRS by its text (WKT 1 and 2, PROJJSON, a PROJ string, a code), as files and requests bring it: a refusal
// with its reason, or a CRS that has texts, keys or the reason why not, and that a place can be taken to and back.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "geo/crs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const ra_crs *crs) {
  ra_crs *globe = NULL, *back = NULL;
  ra_transform *there = NULL;
  ra_geokeys keys;
  double x[] = {0, 10, -170}, y[] = {0, 50, 85};
  if (!ra_crs_wkt2(crs) || !ra_crs_projjson(crs) || !ra_crs_key(crs)[0]) abort();
  if (ra_crs_geokeys(crs, &keys, NULL) == RA_OK) ra_crs_from_geokeys(&keys, &back, NULL);
  if (ra_crs_new("EPSG:4326", &globe, NULL) == RA_OK &&
      ra_transform_new(globe, crs, &there, NULL) == RA_OK)
    ra_transform_points(there, 3, x, y);
  ra_transform_free(there);
  ra_crs_unref(globe);
  ra_crs_unref(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = malloc(size + 1);
  ra_crs *crs = NULL;
  ra_err err = {0};
  if (!text) return 0;
  memcpy(text, data, size);
  text[size] = 0;
  if (ra_crs_new(text, &crs, &err) == RA_OK) {
    use(crs);
  } else if (!err.message[0]) {
    abort();
  }
  ra_crs_unref(crs);
  free(text);
  return 0;
}
