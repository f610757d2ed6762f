// TIFFs against GDAL and rio-cogeo (check_cog.py): we read what GDAL writes, and they accept what we write. Needs
// PEERS_PYTHON; skipped (77) without it.
#include <stdio.h>

#include "cog_random.h"
#include "folder.h"

static int failures;

static void complain(const char *what, const char *message) {
  printf("%s: %s\n", what, message);
  failures++;
}

// All bands of a level, planar, through the reader; NULL after a complaint.
static uint8_t *read_level(const ra_cog *cog, const uint8_t *file, size_t level, const char *name) {
  const ra_cog_info *info = ra_cog_get_info(cog);
  const ra_cog_level *l = ra_cog_get_level(cog, level);
  size_t size = ra_dtype_size(info->dtype), samples = info->planar ? 1 : info->bands;
  size_t plane = (size_t)l->width * l->height * size;
  uint8_t *out = calloc(plane * info->bands, 1);
  uint8_t *block = malloc((size_t)l->block_width * l->block_height * size * samples);
  for (unsigned band = 0; band < info->bands; band++) {
    for (uint32_t n = 0; n < l->across * l->down; n++) {
      uint32_t column = n % l->across, row = n / l->across;
      uint64_t offset, bytes;
      ra_err err;
      if (ra_cog_block_range(cog, level, band, column, row, &offset, &bytes, &err) < 0 ||
          ra_cog_block_decode(cog, level, bytes ? file + offset : NULL, bytes, block, &err) < 0) {
        complain(name, err.message);
        free(block);
        free(out);
        return NULL;
      }
      for (size_t r = 0; r < l->block_height && row * l->block_height + r < l->height; r++) {
        for (size_t c = 0; c < l->block_width && column * l->block_width + c < l->width; c++) {
          size_t at = (row * l->block_height + r) * l->width + column * l->block_width + c;
          size_t from = (r * l->block_width + c) * samples + (info->planar ? 0 : band);
          memcpy(out + band * plane + at * size, block + from * size, size);
        }
      }
    }
  }
  free(block);
  return out;
}

static int read_theirs(const char *folder) {
  int count = 0;
  for (;; count++) {
    char path[1024], name[32];
    snprintf(name, sizeof name, "t%d", count);
    snprintf(path, sizeof path, "%s/in/%s.tif", folder, name);
    ra_buf *file = folder_load(path);
    if (!file) return count;
    ra_cog *cog = NULL;
    ra_err err = {0};
    if (parse_cog(ra_buf_data(file), ra_buf_size(file), &cog, &err) < 0)
      complain(name, err.message);
    for (size_t level = 0; cog && level < ra_cog_level_count(cog); level++) {
      snprintf(path, sizeof path, "%s/in/%s.%zu.raw", folder, name, level);
      ra_buf *want = folder_load(path);
      uint8_t *got = read_level(cog, ra_buf_data(file), level, name);
      if (got && memcmp(got, ra_buf_data(want), ra_buf_size(want)) != 0)
        complain(name, "cells differ");
      free(got);
      ra_buf_unref(want);
    }
    if (cog && (ra_cog_get_info(cog)->epsg != 4326 || ra_cog_get_info(cog)->nodata != 3 ||
                ra_cog_get_info(cog)->grid.gt[5] != -0.25)) {
      complain(name, "place or nodata differ");
    }
    ra_cog_unref(cog);
    ra_buf_unref(file);
  }
}

static void write_expected(const char *path, const ra_cog_spec *spec) {
  ra_str json;
  ra_str_init(&json);
  bool is_float = ra_dtype_is_float(spec->dtype);
  ra_str_addf(&json, "{\"dtype\":\"%s\",\"epsg\":%d,\"has_nodata\":%s,\"nodata\":",
              ra_dtype_name(spec->dtype), ra_crs_epsg(spec->crs),
              spec->has_nodata || is_float ? "true" : "false");
  ra_str_add_double(&json, spec->has_nodata ? spec->nodata : (double)NAN);
  ra_str_add(&json, ",\"scale\":");
  ra_str_add_double(&json, spec->scale);
  ra_str_add(&json, ",\"offset\":");
  ra_str_add_double(&json, spec->offset);
  ra_str_add(&json, ",\"unit\":");
  if (spec->unit) {
    ra_str_add_json(&json, spec->unit);
  } else {
    ra_str_add(&json, "null");
  }
  ra_str_add(&json, ",\"gt\":[");
  for (int i = 0; i < 6; i++) {
    if (i) ra_str_add_char(&json, ',');
    ra_str_add_double(&json, spec->grid.gt[i]);
  }
  ra_str_add(&json, "]}");
  folder_save(path, json.ptr, json.len);
  ra_str_deinit(&json);
}

static void write_ours(const char *folder, int count) {
  uint64_t seed = test_seed("write_ours");
  const char *const names[] = {"band <0>", "band <1>", "band <2>", "band <3>"};
  for (int i = 0; i < count; i++) {
    char path[1024];
    ra_cog_spec spec = random_cog(&seed);
    ra_crs *crs;
    ra_buf *buf;
    ra_err err;
    if (ra_crs_new(i % 2 ? "EPSG:4326" : "EPSG:3035", &crs, &err) < 0) complain("crs", err.message);
    spec.crs = crs;
    spec.band_names = names;
    void *cells = random_pixels(&seed, &spec);
    if (ra_cog_write(&spec, cells, &buf, &err) < 0) {
      complain("write", err.message);
    } else {
      snprintf(path, sizeof path, "%s/out/c%02d.tif", folder, i);
      folder_save(path, ra_buf_data(buf), ra_buf_size(buf));
      memcpy(path + strlen(path) - 3, "raw", 3);
      folder_save(path, cells, cog_cells(&spec) * ra_dtype_size(spec.dtype));
      strcpy(path + strlen(path) - 3, "json");
      write_expected(path, &spec);
      ra_buf_unref(buf);
    }
    ra_crs_unref(crs);
    free(cells);
  }
}

int main(void) {
  char pattern[] = "/tmp/cog-peers-XXXXXX", *folder = folder_new(pattern, "rasterio and rio-cogeo");
  if (!folder) return 77;
  if (folder_judge(CHECK_SCRIPT, "make", folder) != 0) return 1;
  int read = read_theirs(folder);
  printf("%d TIFFs of GDAL read\n", read);
  write_ours(folder, 30);
  int rc = folder_judge(CHECK_SCRIPT, "judge", folder);
  folder_remove(folder);
  return rc != 0 || failures || read < 50;
}
