// series_world.h - datasets in memory for the tests of series: a source grid with latitudes and longitudes in any order,
// its Zarr as ingest would write it, its catalog body. What a cell holds is a function of its place in the source, so
// that a test can say what a point's series is without the code under test.
#pragma once
#include <math.h>
#include <stdio.h>

#include "../format/zarr_random.h"
#include "base/str.h"
#include "format/dataset.h"
#include "memstore.h"

typedef struct world {
  const char *dataset, *variable;
  unsigned steps, levels, rows, cols;  // steps 0: no time
  double lat0, dlat, lon0, dlon;       // centres of the source's cells
  bool wraps;
  char order[5];  // of the dimensions: "tzyx"
  ra_dtype dtype;
  double scale, offset;
  int64_t first_ms, step_ms;
  const char *calendar;
} world;

static inline world world_of(const char *dataset, const char *variable) {
  return (world){.dataset = dataset,
                 .variable = variable,
                 .steps = 10,
                 .levels = 2,
                 .rows = 18,
                 .cols = 36,
                 .lat0 = 85,
                 .dlat = -10,
                 .lon0 = 0,
                 .dlon = 10,
                 .wraps = true,
                 .order = "tzyx",
                 .dtype = RA_DTYPE_I16,
                 .scale = 0.01,
                 .offset = 273.15,
                 .first_ms = 1577836800000,  // 2020-01-01
                 .step_ms = 21600000,
                 .calendar = "standard"};
}

// The stored number of a cell, by its indexes in the source; some are missing.
static inline int world_stored(const world *w, unsigned t, unsigned z, unsigned y, unsigned x) {
  (void)w;
  if ((y * 7 + x * 3) % 29 == 5) return -32767;
  return (int)((t * 37 + z * 5000 + y * 113 + x * 11) % 20000);
}

static inline double world_value(const world *w, unsigned t, unsigned z, unsigned y, unsigned x) {
  int stored = world_stored(w, t, z, y, x);
  return stored == -32767 ? NAN : (double)(float)(stored * w->scale + w->offset);
}

static inline double world_lat(const world *w, unsigned y) { return w->lat0 + y * w->dlat; }
static inline double world_lon(const world *w, unsigned x) { return w->lon0 + x * w->dlon; }

// The source's cell nearest to a place, one axis at a time.
static inline void world_nearest(const world *w, double lon, double lat, unsigned *y, unsigned *x) {
  *y = *x = 0;
  for (unsigned i = 1; i < w->rows; i++) {
    if (fabs(world_lat(w, i) - lat) < fabs(world_lat(w, *y) - lat)) *y = i;
  }
  for (unsigned i = 1; i < w->cols; i++) {
    if (fabs(remainder(world_lon(w, i) - lon, 360)) < fabs(remainder(world_lon(w, *x) - lon, 360))) {
      *x = i;
    }
  }
}

static inline uint64_t world_size(const world *w, char dim) {
  return dim == 't' ? w->steps : dim == 'z' ? w->levels : dim == 'y' ? w->rows : w->cols;
}

static inline const char *world_dim_name(char dim) {
  return dim == 't' ? "time" : dim == 'z' ? "level" : dim == 'y' ? "lat" : "lon";
}

static inline void world_spec(const world *w, ra_zarr_spec *spec) {
  int dims[3] = {-1, -1, -1};
  *spec = (ra_zarr_spec){.name = w->variable,
                         .dtype = w->dtype,
                         .attributes = "",
                         .has_fill = true,
                         .fill_int = -32767,
                         .fill = NAN};
  for (const char *d = w->order; *d; d++) {
    if (world_size(w, *d) == 0) continue;
    if (*d != 'z') dims[*d == 't' ? 0 : *d == 'y' ? 1 : 2] = (int)spec->ndim;
    spec->dimension_names[spec->ndim] = world_dim_name(*d);
    spec->shape[spec->ndim++] = world_size(w, *d);
  }
  ra_zarr_plan(spec, dims[0], dims[1], dims[2]);
}

typedef struct world_target {
  memstore *store;
  const char *prefix;
} world_target;

static inline void world_put(void *ctx, const char *key, ra_buf *buf) {
  const world_target *target = ctx;
  char full[256];
  snprintf(full, sizeof full, "%s/%s", target->prefix, key);
  memstore_put(target->store, full, buf);
}

static inline void world_write(const world *w, memstore *store) {
  ra_zarr_spec spec;
  char prefix[200];
  world_spec(w, &spec);
  snprintf(prefix, sizeof prefix, "c/%s/0123456789abcdef/data.zarr/%s", w->dataset, w->variable);
  size_t n = spec_cells(&spec);
  uint8_t *cells = calloc(n, ra_dtype_size(w->dtype));
  for (size_t k = 0; k < n; k++) {
    unsigned at[4] = {0};  // t z y x
    size_t rest = k;
    for (int i = (int)spec.ndim - 1; i >= 0; i--) {
      const char *name = spec.dimension_names[i];
      unsigned dim = !strcmp(name, "time")    ? 0
                     : !strcmp(name, "level") ? 1
                     : !strcmp(name, "lat")   ? 2
                                              : 3;
      at[dim] = (unsigned)(rest % spec.shape[i]);
      rest /= spec.shape[i];
    }
    ra_dtype_store(w->dtype, cells, k, world_stored(w, at[0], at[1], at[2], at[3]));
  }
  world_target target = {store, prefix};
  ra_err err = {0};
  if (encode_all(&spec, cells, world_put, &target, &err) < 0) abort();
  free(cells);
  ra_str json;
  ra_buf *buf;
  ra_str_init(&json);
  if (ra_zarr_array_json(&spec, &json, &err) < 0 || ra_str_take(&json, &buf, &err) < 0) abort();
  world_put(&target, "zarr.json", buf);
}

// The map layout of the source's grid: north-up, from -180 where it goes round.
static inline void world_grid_json(const world *w, ra_str *out) {
  bool x_reversed = w->dlon < 0;
  double dx = fabs(w->dlon), dy = fabs(w->dlat);
  double west = (x_reversed ? world_lon(w, w->cols - 1) : w->lon0) - dx / 2;
  double north = (w->dlat < 0 ? w->lat0 : world_lat(w, w->rows - 1)) + dy / 2;
  double south = north - w->rows * dy;
  unsigned roll = 0;
  if (w->wraps) {
    // The first column whose left edge is at or right of -180, on whichever turn.
    while (fmod(west + roll * dx + 900, 360) > dx - 1e-9) roll++;
    west = fmod(west + roll * dx + 900, 360) - 180;
  }
  ra_str_addf(
      out,
      "{\"id\":\"g0\",\"x\":\"lon\",\"y\":\"lat\",\"native\":[%u,%u],\"shape\":[%u,%u],"
      "\"transform\":[%.17g,%.17g,0,%.17g,0,%.17g],\"x_reversed\":%s,\"y_reversed\":%s,\"roll\":%u,"
      "\"wraps\":%s,\"crs\":{\"epsg\":4326,\"wkt2\":\"\"},\"bbox\":[%.6g,%.6g,%.6g,%.6g],"
      "\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[]}}",
      w->rows, w->cols, w->rows, w->cols, west, dx, north, -dy, x_reversed ? "true" : "false",
      w->dlat > 0 ? "true" : "false", roll, w->wraps ? "true" : "false",
      w->wraps ? -180 : remainder(west, 360), fmax(south, -90),
      w->wraps ? 180 : remainder(west + w->cols * dx, 360), fmin(north, 90));
}

static inline void world_variable_json(const world *w, ra_str *out) {
  ra_zarr_spec spec;
  world_spec(w, &spec);
  int t = -1, z = -1, y = -1, x = -1;
  ra_str_addf(out, "{\"name\":\"%s\",\"units\":\"K\",\"dtype\":\"%s\",\"grid\":\"g0\",\"dims\":[",
              w->variable, ra_dtype_name(w->dtype));
  for (unsigned i = 0; i < spec.ndim; i++) {
    const char *name = spec.dimension_names[i];
    ra_str_addf(out, "%s\"%s\"", i ? "," : "", name);
    *(!strcmp(name, "time")    ? &t
      : !strcmp(name, "level") ? &z
      : !strcmp(name, "lat")   ? &y
                               : &x) = (int)i;
  }
  ra_str_add(out, "],\"shape\":[");
  for (unsigned i = 0; i < spec.ndim; i++)
    ra_str_addf(out, "%s%llu", i ? "," : "", (unsigned long long)spec.shape[i]);
  ra_str_addf(
      out, "],\"time\":%s,\"time_dim\":%d,\"y_dim\":%d,\"x_dim\":%d,\"mappable\":true,\"bands\":%u",
      t < 0 ? "null" : "\"t0\"", t, y, x, w->levels ? w->levels : 1);
  ra_str_addf(
      out, ",\"packing\":{\"scale\":%.17g,\"offset\":%.17g,\"missing\":[-32767]},\"nodata\":-32767",
      w->scale, w->offset);
  if (z >= 0) {
    ra_str_addf(out,
                ",\"extra\":[{\"name\":\"level\",\"dim\":%d,\"size\":%u,\"units\":\"hPa\","
                "\"vertical\":true,\"values\":[",
                z, w->levels);
    for (unsigned i = 0; i < w->levels; i++) ra_str_addf(out, "%s%u", i ? "," : "", 1000 - 150 * i);
    ra_str_add(out, "]}]");
  }
  ra_str_add(out, "}");
}

// One dataset of several variables on the first one's grid and axis.
static inline ra_dataset *world_dataset(const world *worlds, unsigned count) {
  const world *w = &worlds[0];
  ra_str body;
  ra_str_init(&body);
  ra_str_addf(
      &body,
      "{\"format\":1,\"collection\":\"c\",\"dataset\":\"%s\",\"version\":\"0123456789abcdef\","
      "\"created\":\"2026-11-25T10:00:00Z\",\"source\":{\"name\":\"a.nc\",\"format\":\"netcdf4\"},"
      "\"attributes\":{},\"grids\":[",
      w->dataset);
  world_grid_json(w, &body);
  ra_str_add(&body, "],\"axes\":[");
  if (w->steps) {
    ra_str_addf(&body,
                "{\"id\":\"t0\",\"name\":\"time\",\"calendar\":\"%s\",\"count\":%u,\"start\":%lld,"
                "\"step\":%lld}",
                w->calendar, w->steps, (long long)w->first_ms, (long long)w->step_ms);
  }
  ra_str_add(&body, "],\"variables\":[");
  for (unsigned i = 0; i < count; i++) {
    if (i) ra_str_add(&body, ",");
    world_variable_json(&worlds[i], &body);
  }
  ra_str_add(&body, "]}");
  ra_dataset *dataset = NULL;
  ra_err err = {0};
  if (ra_dataset_parse(body.ptr, body.len, &dataset, &err) < 0) {
    printf("%s: %s\n%s\n", err.where, err.message, body.ptr);
    abort();
  }
  ra_str_deinit(&body);
  return dataset;
}
