// tile_world.h - maps in memory for the tests of tiles: a grid, the cells of its bands, the COG that our own writer makes of
// them and the catalog's body.
#pragma once
#include <math.h>
#include <stdio.h>

#include "base/str.h"
#include "format/cog.h"
#include "format/dataset.h"
#include "memstore.h"
#include "render/tile.h"

typedef struct map {
  const char *dataset;
  uint32_t columns, rows;
  unsigned bands;
  double west, north, cell;
  bool wraps;
  const char *crs;  // "EPSG:4326"
  ra_dtype dtype;
  double scale, offset, nodata;
  double (*stored)(const struct map *map, unsigned band, uint32_t row, uint32_t column);
  int64_t roll;  // what `stored` may use
} map;

static inline void map_put_cog(const map *m, memstore *store) {
  size_t size = ra_dtype_size(m->dtype), plane = (size_t)m->columns * m->rows;
  uint8_t *cells = calloc(plane * m->bands, size);
  for (unsigned band = 0; band < m->bands; band++) {
    for (size_t i = 0; i < plane; i++) {
      double v = m->stored(m, band, (uint32_t)(i / m->columns), (uint32_t)(i % m->columns));
      ra_dtype_store(m->dtype, cells, band * plane + i, v);
    }
  }
  ra_crs *crs = NULL;
  ra_err err = {0};
  ra_buf *buf = NULL;
  char key[200];
  ra_cog_spec spec = {
      .grid = {m->columns, m->rows, {m->west, m->cell, 0, m->north, 0, -m->cell}, m->wraps},
      .dtype = m->dtype,
      .bands = m->bands,
      .scale = m->scale,
      .offset = m->offset,
      .has_nodata = true,
      .nodata = m->nodata,
      .block = 256};
  if (ra_crs_new(m->crs, &crs, &err) < 0) abort();
  spec.crs = crs;
  if (ra_cog_write(&spec, cells, &buf, &err) < 0) {
    fprintf(stderr, "%s\n", err.message);
    abort();
  }
  snprintf(key, sizeof key, "c/%s/0123456789abcdef/v/static.tif", m->dataset);
  memstore_put(store, key, buf);
  ra_crs_unref(crs);
  free(cells);
}

static inline ra_dataset *map_dataset(const map *m) {
  ra_str s;
  ra_str_init(&s);
  ra_str_addf(
      &s,
      "{\"format\":1,\"collection\":\"c\",\"dataset\":\"%s\",\"version\":\"0123456789abcdef\","
      "\"fingerprint\":\"\",\"created\":\"2026-01-01T00:00:00Z\",\"source\":{\"name\":\"x\","
      "\"format\":\"netcdf4\",\"bytes\":1,\"sha256\":\"\"},\"attributes\":{},\"axes\":[],",
      m->dataset);
  ra_str_addf(
      &s,
      "\"grids\":[{\"id\":\"g0\",\"x\":\"x\",\"y\":\"y\",\"native\":[%u,%u],\"shape\":[%u,%u],"
      "\"transform\":[%.17g,%.17g,0,%.17g,0,%.17g],\"x_reversed\":false,\"y_reversed\":false,"
      "\"roll\":0,\"wraps\":%s,\"crs\":{\"epsg\":%s,\"wkt2\":\"\"},\"bbox\":[-180,-90,180,90],"
      "\"geometry\":{\"type\":\"Point\",\"coordinates\":[0,0]}}],",
      m->rows, m->columns, m->rows, m->columns, m->west, m->cell, m->north, -m->cell,
      m->wraps ? "true" : "false", m->crs + 5);
  ra_str_addf(
      &s,
      "\"variables\":[{\"name\":\"v\",\"long_name\":\"\",\"standard_name\":\"\",\"units\":\"\","
      "\"cell_methods\":\"\",\"dims\":[\"z\",\"y\",\"x\"],\"shape\":[%u,%u,%u],\"dtype\":\"%s\","
      "\"grid\":\"g0\",\"time\":null,\"time_dim\":-1,\"y_dim\":1,\"x_dim\":2,"
      "\"extra\":[{\"name\":\"z\",\"dim\":0,\"size\":%u,\"values\":null,\"units\":\"\","
      "\"vertical\":false}],\"packing\":{\"scale\":%.17g,\"offset\":%.17g,\"missing\":[],"
      "\"valid_min\":null,\"valid_max\":null},",
      m->bands, m->rows, m->columns, ra_dtype_name(m->dtype), m->bands, m->scale, m->offset);
  if (isnan(m->nodata)) {
    ra_str_add(&s, "\"nodata\":\"NaN\",");
  } else {
    ra_str_addf(&s, "\"nodata\":%.17g,", m->nodata);
  }
  ra_str_addf(
      &s,
      "\"categorical\":false,\"flags\":null,\"mappable\":true,\"bands\":%u,\"band_names\":[],"
      "\"statistics\":{\"min\":0,\"max\":1,\"mean\":0,\"stddev\":0,\"valid\":1,\"total\":1},"
      "\"histogram\":null,\"p2\":0,\"p98\":1,\"zarr\":{\"chunk\":[1,1,1],\"shard\":[1,1,1]}}]}",
      m->bands);
  ra_dataset *dataset = NULL;
  ra_err err = {0};
  if (ra_dataset_parse(s.ptr, s.len, &dataset, &err) < 0) {
    fprintf(stderr, "%s: %s\n", err.where, err.message);
    abort();
  }
  ra_str_deinit(&s);
  return dataset;
}

// An npy tile of band 0 at `size` pixels; sources are added by map_add.
static inline ra_tile_request map_request(unsigned z, uint32_t x, uint32_t y, uint32_t size,
                                          ra_resampling resampling) {
  return (ra_tile_request){.z = z,
                           .x = x,
                           .y = y,
                           .size = size,
                           .resampling = resampling,
                           .band_count = 1,
                           .unscale = true,
                           .return_mask = true,
                           .rescale = {0, 255},
                           .format = RA_TILE_NPY};
}

// Takes the reference.
static inline void map_add(ra_tile_request *request, ra_dataset *dataset) {
  request->sources[request->source_count++] =
      (ra_tile_source){dataset, ra_dataset_get_variable(dataset, 0), 0};
}
