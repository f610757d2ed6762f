// Whole conversions of made-up files: random grids, types, chunks, fills and packings come back equal from the Zarr and
// from the COGs (turned and rotated by this test's own arithmetic); each chunk is decoded once; what fails leaves nothing.
// The same files with room for a block or two give the same objects and statistics by way of the scratch file.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "format/dataset.h"
#include "format/zarr.h"
#include "ingest/ingest_private.h"
#include "nc_make.h"
#include "random.h"
#include "raster/packing.h"

enum { CELLS_MAX = 40000 };

typedef struct made {
  int order[4];  // of time, level, lat, lon among the dimensions
  size_t size[4];
  nc_type type;
  double lat0, dlat, lon0, dlon;
  bool global;
  double fill;
  bool has_fill;
  size_t chunks;
  double cells[CELLS_MAX];  // as stored, in the file's order
} made;

static const struct {
  nc_type type;
  double least, most;
} TYPES[] = {{NC_BYTE, -128, 127},  {NC_UBYTE, 0, 255},    {NC_SHORT, -30000, 30000},
             {NC_USHORT, 0, 60000}, {NC_INT, -1e9, 1e9},   {NC_UINT, 0, 4e9},
             {NC_FLOAT, -1e5, 1e5}, {NC_DOUBLE, -1e9, 1e9}};

static size_t below(uint64_t *r, size_t n) { return (size_t)(test_random(r) % n); }

static void choose_shape(uint64_t *r, made *m) {
  for (int i = 0; i < 4; i++) m->order[i] = i;
  if (below(r, 2)) {
    for (int i = 3; i > 0; i--) {
      int k = (int)below(r, (size_t)i + 1), swap = m->order[i];
      m->order[i] = m->order[k];
      m->order[k] = swap;
    }
  }
  m->size[0] = 1 + below(r, 5);
  m->size[1] = 1 + below(r, 3);
  m->size[2] = 2 + below(r, 20);
  m->global = below(r, 2);
  m->size[3] = m->global ? (size_t)(4 << below(r, 5)) : 2 + below(r, 40);
}

static void choose(uint64_t *r, made *m) {
  memset(m, 0, sizeof *m);
  choose_shape(r, m);
  m->type = TYPES[below(r, 8)].type;
  m->dlat = (below(r, 2) ? 1 : -1) * 0.5 * (double)(1 + below(r, 4));
  m->lat0 = m->dlat > 0 ? -40 : 40;
  m->dlon = m->global ? 360.0 / (double)m->size[3] : 0.25 * (double)(1 + below(r, 8));
  if (below(r, 3) == 0) m->dlon = -m->dlon;
  m->lon0 = -180 + 22.5 * (double)below(r, 24);
  m->has_fill = below(r, 2);
  size_t cells = m->size[0] * m->size[1] * m->size[2] * m->size[3];
  for (size_t i = 0; i < 8; i++) {
    if (TYPES[i].type != m->type) continue;
    m->fill = m->type == NC_FLOAT || m->type == NC_DOUBLE ? -9999 : TYPES[i].least;
    for (size_t c = 0; c < cells; c++) {
      double u = (double)(test_random(r) >> 11) * 0x1p-53;
      double v = floor(TYPES[i].least + u * (TYPES[i].most - TYPES[i].least));
      m->cells[c] = m->has_fill && below(r, 5) == 0 ? m->fill : v;
    }
  }
}

static void write_made(uint64_t *r, made *m, const char *name) {
  static const char *const NAMES[] = {"time", "level", "lat", "lon"};
  static const char *const UNITS[] = {"hours since 2001-02-03", "hPa", "degrees_north",
                                      "degrees_east"};
  int nc = nc_new(name, NC_NETCDF4), own[4], dims[4], axes[4];
  for (int i = 0; i < 4; i++) own[i] = nc_dim(nc, NAMES[i], m->size[i]);
  for (int i = 0; i < 4; i++) axes[i] = nc_axis(nc, NAMES[i], NC_DOUBLE, own[i], UNITS[i]);
  for (int i = 0; i < 4; i++) dims[i] = own[m->order[i]];
  int v = nc_var(nc, "v", m->type, 4, dims);
  if (m->has_fill) nc_number(nc, v, "_FillValue", m->type, m->fill);
  m->chunks = 1;
  if (below(r, 3)) {
    size_t chunk[4];
    for (int i = 0; i < 4; i++) {
      size_t size = m->size[m->order[i]];
      chunk[i] = 1 + below(r, size);
      m->chunks *= (size + chunk[i] - 1) / chunk[i];
    }
    NC(nc_def_var_chunking(nc, v, NC_CHUNKED, chunk));
    if (below(r, 2)) NC(nc_def_var_deflate(nc, v, 1, 1, 1));
  }
  NC(nc_enddef(nc));
  nc_fill_axis(nc, axes[0], m->size[0], 6, 6);
  nc_fill_axis(nc, axes[1], m->size[1], 1000, -100);
  nc_fill_axis(nc, axes[2], m->size[2], m->lat0, m->dlat);
  nc_fill_axis(nc, axes[3], m->size[3], m->lon0, m->dlon);
  NC(nc_put_var_double(nc, v, m->cells));
  NC(nc_close(nc));
}

// The cell of (time, level, lat, lon) in the file's order.
static double cell_of(const made *m, const size_t at[4]) {
  size_t index = 0;
  for (int i = 0; i < 4; i++) index = index * m->size[m->order[i]] + at[m->order[i]];
  return m->cells[index];
}

typedef struct run {
  ra_ingest *ingest;
  ra_store *store;
  ra_dataset *dataset;
} run;

static ra_ingest *open_file(const char *name, size_t memory, const char *variables) {
  ra_ingest *ingest;
  ra_err err = {0};
  ra_ingest_options options = {
      .collection = "c", .dataset = "d", .variables = variables, .memory = memory, .jobs = 2};
  if (ra_ingest_open(nc_path(name), &options, &ingest, &err) < 0)
    fail_msg("%s: %s", err.where, err.message);
  assert_int_equal(ra_ingest_fingerprint(ingest, NULL, &err), RA_OK);
  return ingest;
}

static ra_store *open_store(void) {
  ra_store *store;
  ra_err err = {0};
  if (ra_store_open(nc_path("store"), true, &store, &err) < 0) fail_msg("%s", err.message);
  return store;
}

// sizes NULL: those of the memory there is.
static void convert_with(run *r, const char *name, const ra__sizes *sizes) {
  ra_err err = {0};
  ra_str body;
  ra_str_init(&body);
  r->ingest = open_file(name, 0, NULL);
  r->store = open_store();
  if (sizes) {
    r->ingest->sizes = *sizes;
    assert_int_equal(ra__ingest_fit(r->ingest, &err), RA_OK);
  }
  if (ra_ingest_convert(r->ingest, r->store, NULL, &err) < 0)
    fail_msg("%s: %s", err.where, err.message);
  assert_int_equal(ra_ingest_describe(r->ingest, &body, &err), RA_OK);
  if (ra_dataset_parse(body.ptr, body.len, &r->dataset, &err) < 0) fail_msg("%s", err.message);
  ra_str_deinit(&body);
}

static void convert(run *r, const char *name) { convert_with(r, name, NULL); }

static void finish(run *r) {
  ra_err err = {0};
  assert_int_equal(ra_ingest_discard(r->ingest, r->store, &err), RA_OK);
  ra_dataset_unref(r->dataset);
  ra_ingest_free(r->ingest);
  ra_store_free(r->store);
}

static ra_buf *object(const run *r, const char *key) {
  ra_reader reader = ra_store_reader(r->store);
  uint64_t size;
  ra_err err = {0};
  ra_buf *buf;
  if (reader.size(reader.ctx, key, &size, &err) < 0) fail_msg("%s: %s", key, err.message);
  assert_int_equal(ra_buf_new(size, &buf, &err), RA_OK);
  assert_int_equal(reader.read(reader.ctx, key, 0, size, ra_buf_bytes(buf), &err), RA_OK);
  return buf;
}

static void check_zarr(const run *r, const made *m) {
  ra_str key;
  ra_str_init(&key);
  ra_dataset_zarr_key(r->dataset, "v", &key);
  char path[512], json_key[600];
  snprintf(path, sizeof path, "%s", key.ptr);
  snprintf(json_key, sizeof json_key, "%s/zarr.json", path);
  ra_str_deinit(&key);
  ra_buf *json = object(r, json_key);
  ra_zarr_array *array;
  ra_err err = {0};
  if (ra_zarr_array_parse((const char *)ra_buf_data(json), ra_buf_size(json), &array, &err) < 0) {
    fail_msg("%s", err.message);
  }
  ra_reader reader = ra_store_reader(r->store);
  static uint64_t got[CELLS_MAX];
  uint64_t start[RA_ZARR_DIMS] = {0}, count[RA_ZARR_DIMS];
  const ra_zarr_info *info = ra_zarr_array_info(array);
  memcpy(count, info->shape, sizeof count);
  ra_timing timing = {0};
  if (ra_zarr_read(array, &reader, path, start, count, got, NULL, &timing, &err) < 0)
    fail_msg("%s", err.message);
  size_t cells = m->size[0] * m->size[1] * m->size[2] * m->size[3];
  for (size_t i = 0; i < cells; i++) {
    if (ra_dtype_load(info->dtype, got, i) != m->cells[i]) fail_msg("zarr cell %zu", i);
  }
  ra_zarr_array_unref(array);
  ra_buf_unref(json);
}

typedef struct image {
  ra_buf *file;
  ra_cog *cog;
  const ra_cog_info *info;
} image;

static image open_cog(const run *r, size_t step) {
  image im;
  ra_str key;
  ra_err err = {0};
  size_t need;
  ra_str_init(&key);
  ra_dataset_cog_key(r->dataset, ra_dataset_find_variable(r->dataset, "v"), step, &key);
  im.file = object(r, key.ptr);
  ra_str_deinit(&key);
  size_t size = ra_buf_size(im.file);
  if (ra_cog_parse(ra_buf_data(im.file), size, size, &im.cog, &need, &err) < 0)
    fail_msg("%s", err.message);
  im.info = ra_cog_get_info(im.cog);
  return im;
}

// The grids here are small: one block a band at full resolution holds at most 256 by 256 cells.
static double *cog_block(const image *im, unsigned band) {
  const ra_cog_level *level = ra_cog_get_level(im->cog, 0);
  uint64_t offset, size;
  ra_err err = {0};
  assert_int_equal(ra_cog_block_range(im->cog, 0, band, 0, 0, &offset, &size, &err), RA_OK);
  size_t cells = (size_t)level->block_width * level->block_height;
  void *raw = malloc(cells * 8);
  double *values = malloc(cells * sizeof *values);
  assert_int_equal(
      ra_cog_block_decode(im->cog, 0, size ? ra_buf_data(im->file) + offset : NULL, size, raw, &err),
      RA_OK);
  for (size_t i = 0; i < cells; i++) values[i] = ra_dtype_load(im->info->dtype, raw, i);
  free(raw);
  return values;
}

static double turned(double angle) { return angle - 360 * floor((angle + 180) / 360); }

// Where a cell of the source has to stand in the COG, by its own coordinates.
static void check_band(const image *im, const made *m, size_t time, size_t level) {
  double *block = cog_block(im, (unsigned)level);
  const double *gt = im->info->grid.gt;
  uint32_t width = ra_cog_get_level(im->cog, 0)->block_width;
  for (size_t y = 0; y < m->size[2]; y++) {
    for (size_t x = 0; x < m->size[3]; x++) {
      double lat = m->lat0 + (double)y * m->dlat, lon = turned(m->lon0 + (double)x * m->dlon);
      double column = (lon - gt[0]) / gt[1], row = (lat - gt[3]) / gt[5];
      if (column < 0) column += 360 / gt[1];
      size_t at[4] = {time, level, y, x};
      double want = cell_of(m, at), got = block[(size_t)row * width + (size_t)column];
      if (got != want) fail_msg("cog cell %zu,%zu: %.17g, want %.17g", y, x, got, want);
    }
  }
  free(block);
}

static void check_cogs(const run *r, const made *m) {
  // Bands are the extra dimensions in C order; here there is one.
  for (size_t time = 0; time < m->size[0]; time++) {
    image im = open_cog(r, time);
    assert_int_equal(im.info->bands, m->size[1]);
    assert_true(im.info->grid.gt[1] > 0 && im.info->grid.gt[5] < 0);
    assert_true(im.info->grid.gt[0] >= -360 && im.info->grid.gt[0] < 180);
    for (size_t level = 0; level < m->size[1]; level++) check_band(&im, m, time, level);
    ra_cog_unref(im.cog);
    ra_buf_unref(im.file);
  }
}

static void check_statistics(const run *r, const made *m) {
  const ra_dataset_variable *v = ra_dataset_find_variable(r->dataset, "v");
  size_t cells = m->size[0] * m->size[1] * m->size[2] * m->size[3], valid = 0;
  double least = INFINITY, most = -INFINITY, sum = 0;
  for (size_t i = 0; i < cells; i++) {
    if (m->has_fill && m->cells[i] == m->fill) continue;
    valid++;
    least = fmin(least, m->cells[i]);
    most = fmax(most, m->cells[i]);
    sum += m->cells[i];
  }
  assert_int_equal(v->valid_count, valid);
  if (!valid) return;
  assert_true(v->minimum == least && v->maximum == most);
  assert_true(fabs(v->mean - sum / (double)valid) <= 1e-9 * fmax(fabs(least), fabs(most)));
}

// Keys, sizes and checksums of all objects.
static ra_buf *manifest(const run *r) {
  char key[64];
  snprintf(key, sizeof key, "c/d/%s/manifest.json", ra_ingest_version(r->ingest));
  return object(r, key);
}

static ra__sizes little_room(uint64_t *r, const made *m) {
  size_t raw = m->size[0] * m->size[1] * m->size[2] * m->size[3] * 8;
  return (ra__sizes){.block = 1 + below(r, raw / 4),
                     .part = 1 + below(r, raw),
                     .maps = below(r, raw),
                     .buffers = 1 + below(r, 4),
                     .strips = below(r, 2)};
}

static void same_objects(const run *a, const run *b) {
  ra_buf *one = manifest(a), *two = manifest(b);
  assert_int_equal(ra_buf_size(one), ra_buf_size(two));
  assert_memory_equal(ra_buf_data(one), ra_buf_data(two), ra_buf_size(one));
  ra_buf_unref(one);
  ra_buf_unref(two);
}

static void check_again(uint64_t *random, const made *m, const run *before, uint64_t *spilled) {
  run r;
  ra__sizes sizes = little_room(random, m);
  convert_with(&r, "random.nc", &sizes);
  same_objects(before, &r);
  const ra_dataset_variable *a = ra_dataset_find_variable(before->dataset, "v");
  const ra_dataset_variable *b = ra_dataset_find_variable(r.dataset, "v");
  assert_int_equal(a->valid_count, b->valid_count);
  assert_memory_equal(&a->mean, &b->mean, sizeof a->mean);
  assert_memory_equal(&a->p2, &b->p2, sizeof a->p2);
  assert_memory_equal(&a->p98, &b->p98, sizeof a->p98);
  assert_int_equal(ra_ingest_get_progress(r.ingest).chunks_read, m->chunks + 4);
  *spilled += ra_ingest_get_progress(r.ingest).scratch_peak > 0;
  ra_dataset_unref(r.dataset);
  ra_ingest_free(r.ingest);
  ra_store_free(r.store);
}

static void random_files_come_back_equal(void **state) {
  (void)state;
  uint64_t random = test_seed("ingest");
  static made m;
  uint64_t spilled = 0;
  for (int round = 0; round < 60; round++) {
    run r;
    choose(&random, &m);
    write_made(&random, &m, "random.nc");
    convert(&r, "random.nc");
    // Four axes of one chunk each, and the variable's own.
    assert_int_equal(ra_ingest_get_progress(r.ingest).chunks_read, m.chunks + 4);
    check_zarr(&r, &m);
    check_cogs(&r, &m);
    check_statistics(&r, &m);
    check_again(&random, &m, &r, &spilled);
    finish(&r);
  }
  assert_true(spilled > 10);
}

// Time, two extra dimensions and the map in any order of dimensions; the same objects with room and without.
static void write_five(uint64_t *r, const char *name) {
  static const char *const NAMES[] = {"time", "member", "level", "lat", "lon"};
  static const char *const UNITS[] = {"hours since 2001-02-03", "1", "hPa", "degrees_north",
                                      "degrees_east"};
  static const size_t SIZES[] = {4, 2, 3, 9, 11};
  int nc = nc_new(name, NC_NETCDF4), own[5], axes[5], dims[5], order[] = {0, 1, 2, 3, 4};
  size_t chunk[5];
  for (int i = 0; i < 5; i++) own[i] = nc_dim(nc, NAMES[i], SIZES[i]);
  for (int i = 0; i < 5; i++) axes[i] = nc_axis(nc, NAMES[i], NC_DOUBLE, own[i], UNITS[i]);
  for (int i = 4; i > 0; i--) {
    int k = (int)below(r, (size_t)i + 1), swap = order[i];
    order[i] = order[k];
    order[k] = swap;
  }
  for (int i = 0; i < 5; i++) {
    dims[i] = own[order[i]];
    chunk[i] = 1 + below(r, SIZES[order[i]]);
  }
  int v = nc_var(nc, "v", NC_FLOAT, 5, dims);
  NC(nc_def_var_chunking(nc, v, NC_CHUNKED, chunk));
  NC(nc_enddef(nc));
  for (int i = 0; i < 5; i++) nc_fill_axis(nc, axes[i], SIZES[i], i == 3 ? -20 : 5, 3);
  static float cells[4 * 2 * 3 * 9 * 11];
  for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) cells[i] = (float)i;
  NC(nc_put_var_float(nc, v, cells));
  NC(nc_close(nc));
}

static void five_dimensions(void **state) {
  (void)state;
  uint64_t random = test_seed("five");
  for (int round = 0; round < 20; round++) {
    run plenty, little;
    ra__sizes sizes = {.block = 1 + below(&random, 4000),
                       .part = 1 + below(&random, 4000),
                       .buffers = 1 + below(&random, 4),
                       .strips = true};
    write_five(&random, "five.nc");
    convert(&plenty, "five.nc");
    convert_with(&little, "five.nc", &sizes);
    same_objects(&plenty, &little);
    image im = open_cog(&plenty, 3);
    assert_int_equal(im.info->bands, 6);
    ra_cog_unref(im.cog);
    ra_buf_unref(im.file);
    ra_dataset_unref(little.dataset);
    ra_ingest_free(little.ingest);
    ra_store_free(little.store);
    finish(&plenty);
  }
}

static int count_object(void *ctx, const char *key, uint64_t size, int64_t mtime_ms) {
  (void)key, (void)size, (void)mtime_ms;
  ++*(size_t *)ctx;
  return 0;
}

static size_t objects(ra_store *store) {
  size_t n = 0;
  ra_err err = {0};
  ra_store_list(store, "", count_object, &n, &err);
  return n;
}

static void two_fills_are_one_in_the_map(void **state) {
  (void)state;
  int nc = nc_new("fills.nc", NC_NETCDF4);
  int dims[] = {nc_dim(nc, "lat", 2), nc_dim(nc, "lon", 2)};
  int lat = nc_axis(nc, "lat", NC_FLOAT, dims[0], "degrees_north");
  int lon = nc_axis(nc, "lon", NC_FLOAT, dims[1], "degrees_east");
  int v = nc_var(nc, "v", NC_FLOAT, 2, dims);
  nc_number(nc, v, "_FillValue", NC_FLOAT, -1);
  nc_number(nc, v, "missing_value", NC_FLOAT, -2);
  NC(nc_enddef(nc));
  const float cells[] = {-1, -2, NAN, 5};
  nc_fill_axis(nc, lat, 2, 10, -1);
  nc_fill_axis(nc, lon, 2, 0, 1);
  NC(nc_put_var_float(nc, v, cells));
  NC(nc_close(nc));
  run r;
  convert(&r, "fills.nc");
  image im = open_cog(&r, 0);
  double *block = cog_block(&im, 0);
  uint32_t width = ra_cog_get_level(im.cog, 0)->block_width;
  assert_true(im.info->has_nodata && im.info->nodata == -1);
  assert_true(block[0] == -1 && block[1] == -1 && block[width] == -1 && block[width + 1] == 5);
  assert_int_equal(ra_dataset_find_variable(r.dataset, "v")->valid_count, 1);
  free(block);
  ra_cog_unref(im.cog);
  ra_buf_unref(im.file);
  finish(&r);
}

static void what_fails_leaves_nothing(void **state) {
  (void)state;
  uint64_t random = 5;
  static made m;
  choose(&random, &m);
  write_made(&random, &m, "cancel.nc");
  ra_ingest *ingest = open_file("cancel.nc", 0, NULL);
  ra_store *store = open_store();
  ra_cancel *cancel = ra_cancel_new();
  ra_err err = {0};
  ra_cancel_set(cancel);
  assert_int_equal(ra_ingest_convert(ingest, store, cancel, &err), RA_E_CANCELLED);
  assert_int_equal(objects(store), 0);
  ra_cancel_unref(cancel);
  ra_ingest_free(ingest);
  ra_store_free(store);
}

static void what_does_not_fit_is_refused(void **state) {
  (void)state;
  ra_ingest *ingest;
  ra_err err = {0};
  ra_ingest_options options = {.collection = "c", .dataset = "d", .memory = 1 << 20};
  assert_int_equal(ra_ingest_open(nc_path("cancel.nc"), &options, &ingest, &err), RA_E_TOOBIG);
  assert_non_null(strstr(err.message, "--memory"));
  options = (ra_ingest_options){.collection = "c", .dataset = "d", .variables = "v,w"};
  assert_int_equal(ra_ingest_open(nc_path("cancel.nc"), &options, &ingest, &err), RA_E_INVALID);
  assert_non_null(strstr(err.message, "'w'"));
  options = (ra_ingest_options){.collection = "c", .dataset = "segments"};
  assert_int_equal(ra_ingest_open(nc_path("cancel.nc"), &options, &ingest, &err), RA_E_INVALID);
}

static void the_version_follows_content_and_options(void **state) {
  (void)state;
  ra_ingest *a = open_file("cancel.nc", 0, NULL), *b = open_file("cancel.nc", 400u << 20, NULL);
  ra_ingest *c = open_file("cancel.nc", 0, "v");
  assert_string_equal(ra_ingest_version(a), ra_ingest_version(b));  // memory changes no byte
  assert_string_not_equal(ra_ingest_version(a), ra_ingest_version(c));
  assert_int_equal(strlen(ra_ingest_version(a)), 16);
  assert_memory_equal(ra_ingest_version(a), ra_ingest_get_fingerprint(a), 16);
  ra_ingest_free(a);
  ra_ingest_free(b);
  ra_ingest_free(c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_files_come_back_equal),
      cmocka_unit_test(five_dimensions),
      cmocka_unit_test(two_fills_are_one_in_the_map),
      cmocka_unit_test(what_fails_leaves_nothing),
      cmocka_unit_test(what_does_not_fit_is_refused),
      cmocka_unit_test(the_version_follows_content_and_options),
  };
  return cmocka_run_group_tests(tests, nc_setup, nc_teardown);
}
