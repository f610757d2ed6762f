// fuzz_cf_mapping.c - a grid mapping's attributes, lines "name=value" behind a line with the units of the coordinates:
// they give a CRS whose texts and GeoTIFF keys can be asked for, or a refusal.
#include <stdint.h>

#include "cf_attributes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = malloc(size + 1);
  if (!text) return 0;
  memcpy(text, data, size);
  text[size] = 0;
  char *rest = strchr(text, '\n');
  if (rest) *rest++ = 0;
  ra_crs *crs = NULL, *back = NULL;
  ra_geokeys keys;
  ra_err err;
  double scale;
  if (cf_attributes_read(rest ? rest : "", text, &crs, &scale, &err) == RA_OK &&
      ra_crs_geokeys(crs, &keys, &err) == RA_OK) {
    ra_crs_from_geokeys(&keys, &back, &err);
  }
  ra_crs_unref(back);
  ra_crs_unref(crs);
  free(text);
  return 0;
}
