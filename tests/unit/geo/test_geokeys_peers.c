// GeoTIFF keys as GDAL reads them: a TIFF of one pixel for each CRS, which check_geokeys.py opens with rasterio. Needs
// PEERS_PYTHON, a Python that has rasterio and pyproj; skipped (77) without it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "definitions.h"
#include "geo/crs.h"

typedef struct tag {
  uint16_t id, type;
  uint32_t count, value;
} tag;

// Classic little-endian TIFF: header, pixel, the long values, the directory.
static int write_tiff(const char *path, const ra_geokeys *keys) {
  const double scale[3] = {1, 1, 0}, tie[6] = {0};
  uint32_t at = 16, start[5];
  const struct {
    const void *data;
    size_t size;
  } PARTS[5] = {{scale, sizeof scale},
                {tie, sizeof tie},
                {keys->directory, 2 * keys->directory_count},
                {keys->doubles, 8 * keys->double_count},
                {keys->ascii, keys->ascii_count}};
  FILE *file = fopen(path, "wb");
  if (!file) return 1;
  for (int i = 0; i < 5; i++) {
    start[i] = at;
    fseek(file, (long)at, SEEK_SET);
    fwrite(PARTS[i].data, 1, PARTS[i].size, file);
    at += (uint32_t)((PARTS[i].size + 15) / 16 * 16);
  }
  const tag TAGS[] = {{256, 3, 1, 1},
                      {257, 3, 1, 1},
                      {258, 3, 1, 8},
                      {259, 3, 1, 1},
                      {262, 3, 1, 1},
                      {273, 4, 1, 8},
                      {277, 3, 1, 1},
                      {278, 3, 1, 1},
                      {279, 4, 1, 1},
                      {33550, 12, 3, start[0]},
                      {33922, 12, 6, start[1]},
                      {34735, 3, (uint32_t)keys->directory_count, start[2]},
                      {34736, 12, (uint32_t)keys->double_count, start[3]},
                      {34737, 2, (uint32_t)keys->ascii_count, start[4]}};
  const uint16_t count = keys->double_count ? 14 : 13;
  const uint32_t none = 0;
  fseek(file, (long)at, SEEK_SET);
  fwrite(&count, 2, 1, file);
  for (size_t i = 0; i < sizeof TAGS / sizeof *TAGS; i++) {
    if (TAGS[i].count) fwrite(&TAGS[i], sizeof *TAGS, 1, file);
  }
  fwrite(&none, 4, 1, file);
  const uint8_t header[8] = {'I', 'I', 42, 0};
  fseek(file, 0, SEEK_SET);
  fwrite(header, 8, 1, file);
  fseek(file, 4, SEEK_SET);
  fwrite(&at, 4, 1, file);
  return fclose(file);
}

int main(void) {
  const char *python = getenv("PEERS_PYTHON");
  if (!python || !*python) {
    printf("skipped: PEERS_PYTHON names no Python with rasterio\n");
    return 77;
  }
  char command[4096], folder[] = "/tmp/geokeys-XXXXXX", path[64];
  if (!mkdtemp(folder)) return 1;
  snprintf(command, sizeof command, "'%s' '%s'", python, CHECK_SCRIPT);
  fflush(stdout);
  FILE *judge = popen(command, "w");
  if (!judge) return 1;
  int failed = 0;
  for (size_t i = 0; i < DEFINITION_COUNT; i++) {
    ra_crs *crs;
    ra_geokeys keys;
    ra_err err = {0};
    snprintf(path, sizeof path, "%s/%zu.tif", folder, i);
    if (ra_crs_new(DEFINITIONS[i].text, &crs, &err) < 0 || ra_crs_geokeys(crs, &keys, &err) < 0 ||
        write_tiff(path, &keys)) {
      printf("%s: %s\n", DEFINITIONS[i].text, err.message);
      failed = 1;
      continue;
    }
    fprintf(judge, "%s\t%.17g\t%.17g\t%s\n", path, DEFINITIONS[i].lon, DEFINITIONS[i].lat,
            DEFINITIONS[i].text);
    ra_crs_unref(crs);
  }
  if (pclose(judge) != 0) failed = 1;
  for (size_t i = 0; i < DEFINITION_COUNT; i++) {
    snprintf(path, sizeof path, "%s/%zu.tif", folder, i);
    remove(path);
  }
  remove(folder);
  return failed;
}
