// Values of one place from COGs against what the source's cells hold.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "format/cog.h"
#include "render/series.h"
#include "series_world.h"

static memstore store;
static ra_render_context *context;

static int setup(void **state) {
  (void)state;
  ra_reader reader = memstore_reader(&store);
  return ra_render_context_new(&reader, 16 << 20, 16 << 20, &context, NULL);
}

static int teardown(void **state) {
  (void)state;
  ra_render_context_free(context);
  memstore_clear(&store);
  return 0;
}

// The COG of one step, north-up; cells found by their places on Earth.
static void write_cog(const world *w, ra_dataset *dataset, unsigned t) {
  const ra_dataset_variable *variable = ra_dataset_find_variable(dataset, w->variable);
  const ra_grid *grid = &variable->grid->grid;
  unsigned bands = w->levels ? w->levels : 1;
  size_t plane = (size_t)grid->width * (size_t)grid->height;
  int16_t *pixels = calloc(bands * plane, sizeof *pixels);
  for (size_t k = 0; k < bands * plane; k++) {
    double col = (double)(k % plane % (size_t)grid->width),
           row = (double)(k % plane / (size_t)grid->width);
    unsigned y, x;
    world_nearest(w, grid->gt[0] + (col + 0.5) * grid->gt[1],
                  grid->gt[3] + (row + 0.5) * grid->gt[5], &y, &x);
    pixels[k] = (int16_t)world_stored(w, t, (unsigned)(k / plane), y, x);
  }
  ra_cog_spec spec = {.grid = *grid,
                      .crs = variable->grid->crs,
                      .dtype = RA_DTYPE_I16,
                      .bands = bands,
                      .scale = w->scale,
                      .offset = w->offset,
                      .has_nodata = true,
                      .nodata = -32767};
  ra_buf *buf;
  ra_str key;
  ra_err err = {0};
  ra_str_init(&key);
  ra_dataset_cog_key(dataset, variable, t, &key);
  if (ra_cog_write(&spec, pixels, &buf, &err) < 0) fail_msg("%s", err.message);
  memstore_put(&store, key.ptr, buf);
  ra_str_deinit(&key);
  free(pixels);
}

static int point(ra_dataset *dataset, const char *const *names, unsigned count, double lon,
                 double lat, const unsigned *bands, unsigned band_count, json_t **out, ra_err *err) {
  ra_point_request request = {
      .source_count = count, .band_count = band_count, .lon = lon, .lat = lat, .unscale = true};
  for (unsigned i = 0; i < count; i++) {
    const ra_dataset_variable *variable = ra_dataset_find_variable(dataset, names[i]);
    request.sources[i] = (ra_tile_source){ra_dataset_ref(dataset), variable, variable->axis ? 1 : 0};
  }
  for (unsigned i = 0; i < band_count; i++) request.bands[i] = bands[i];
  ra_buf *buf = NULL;
  ra_timing timing = {0};
  int rc = ra_point_render(context, &request, NULL, &timing, &buf, err);
  if (rc == RA_OK) {
    *out = json_loadb((const char *)ra_buf_data(buf), ra_buf_size(buf), 0, NULL);
    assert_non_null(*out);
  }
  ra_buf_unref(buf);
  ra_point_request_deinit(&request);
  return rc;
}

static void check_value(json_t *answer, size_t i, double want) {
  json_t *value = json_array_get(json_object_get(answer, "values"), i);
  assert_non_null(value);
  if (isnan(want)) {
    assert_true(json_is_null(value));
  } else {
    assert_true(fabs(json_number_value(value) - want) < 1e-4);
  }
}

static void points_are_the_source(void **state) {
  (void)state;
  uint64_t seed = test_seed("points_are_the_source");
  world worlds[2] = {world_of("d", "t2m"), world_of("d", "height")};
  worlds[1].steps = worlds[1].levels = 0;
  ra_dataset *dataset = world_dataset(worlds, 2);
  write_cog(&worlds[0], dataset, 1);
  write_cog(&worlds[1], dataset, 0);
  const char *names[2] = {"t2m", "height"};
  for (int round = 0; round < 300; round++) {
    unsigned y = (unsigned)below(&seed, 18), x = (unsigned)below(&seed, 36);
    double lon = remainder(world_lon(&worlds[0], x) + (double)below(&seed, 900) / 100 - 4.5, 360);
    double lat = world_lat(&worlds[0], y) + (double)below(&seed, 900) / 100 - 4.5;
    json_t *answer = NULL;
    ra_err err = {0};
    if (point(dataset, names, 2, lon, lat, NULL, 0, &answer, &err) < 0) fail_msg("%s", err.message);
    assert_int_equal(json_array_size(json_object_get(answer, "values")), 3);
    assert_int_equal(json_array_size(json_object_get(answer, "band_names")), 3);
    for (unsigned z = 0; z < 2; z++) check_value(answer, z, world_value(&worlds[0], 1, z, y, x));
    check_value(answer, 2, world_value(&worlds[1], 0, 0, y, x));
    json_decref(answer);
  }
  ra_dataset_unref(dataset);
}

static void bands_are_chosen(void **state) {
  (void)state;
  world w = world_of("d", "t2m");
  ra_dataset *dataset = world_dataset(&w, 1);
  write_cog(&w, dataset, 1);
  const char *name = "t2m";
  const unsigned bands[3] = {1, 0, 1}, wrong = 2;
  json_t *answer = NULL;
  ra_err err = {0};
  assert_int_equal(point(dataset, &name, 1, 30, 45.5, bands, 3, &answer, &err), RA_OK);
  assert_int_equal(json_array_size(json_object_get(answer, "values")), 3);
  check_value(answer, 0, world_value(&w, 1, 1, 4, 3));
  check_value(answer, 1, world_value(&w, 1, 0, 4, 3));
  assert_string_equal(json_string_value(json_array_get(json_object_get(answer, "band_names"), 0)),
                      "t2m@2");
  json_decref(answer);
  assert_int_equal(point(dataset, &name, 1, 20, 45, &wrong, 1, &answer, &err), RA_E_INVALID);
  assert_non_null(strstr(err.message, "bidx"));
  ra_dataset_unref(dataset);
}

static void outside_is_refused(void **state) {
  (void)state;
  world w = world_of("d", "t2m");
  w.wraps = false;
  w.cols = 5;
  ra_dataset *dataset = world_dataset(&w, 1);
  write_cog(&w, dataset, 1);
  const char *name = "t2m";
  json_t *answer = NULL;
  ra_err err = {0};
  assert_int_equal(point(dataset, &name, 1, 100, 45, NULL, 0, &answer, &err), RA_E_INVALID);
  assert_non_null(strstr(err.message, "bbox"));
  ra_dataset_unref(dataset);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(points_are_the_source, setup, teardown),
      cmocka_unit_test_setup_teardown(bands_are_chosen, setup, teardown),
      cmocka_unit_test_setup_teardown(outside_is_refused, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
