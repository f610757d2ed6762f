// Series at points against what the source's cells hold: any order of cells and dimensions, segments, choices, cost,
// and the texts of the answers.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/caltime.h"
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

// A request over datasets[s] of variables[v], all steps, first levels; takes the references.
static ra_series_request ask(ra_dataset *const *datasets, unsigned segments,
                             const char *const *variables, unsigned count,
                             const ra_series_point *points, unsigned point_count) {
  ra_series_request request = {.collection = strdup("c"),
                               .variable_count = count,
                               .segment_count = segments,
                               .point_count = point_count,
                               .max_bytes = 64 << 20};
  request.parts = calloc((size_t)count * segments, sizeof *request.parts);
  request.points = calloc(point_count, sizeof *request.points);
  memcpy(request.points, points, point_count * sizeof *points);
  for (unsigned v = 0; v < count; v++) {
    for (unsigned s = 0; s < segments; s++) {
      ra_series_part *part = &request.parts[v * segments + s];
      part->variable = ra_dataset_find_variable(datasets[s], variables[v]);
      if (!part->variable) continue;
      part->dataset = ra_dataset_ref(datasets[s]);
      part->step_count = part->variable->axis ? part->variable->axis->count : 1;
    }
  }
  return request;
}

static ra_series_request ask_one(ra_dataset *dataset, const char *variable, double lon, double lat) {
  const ra_series_point point = {lon, lat};
  return ask(&dataset, 1, &variable, 1, &point, 1);
}

static char *render_text(const ra_series_request *request) {
  ra_buf *buf = NULL;
  ra_timing timing = {0};
  ra_err err = {0};
  if (ra_series_render(context, request, NULL, &timing, &buf, &err) < 0) {
    fail_msg("%s: %s", err.where, err.message);
  }
  char *text = strndup((const char *)ra_buf_data(buf), ra_buf_size(buf));
  ra_buf_unref(buf);
  return text;
}

static json_t *render(const ra_series_request *request) {
  char *text = render_text(request);
  json_error_t error;
  json_t *answer = json_loads(text, 0, &error);
  if (!answer) fail_msg("%s in %s", error.text, text);
  free(text);
  return answer;
}

static double number(json_t *object, const char *name) {
  json_t *value = json_object_get(object, name);
  assert_non_null(value);
  return json_is_null(value) ? NAN : json_number_value(value);
}

static double value_at(json_t *answer, size_t i) {
  json_t *value = json_array_get(json_object_get(answer, "values"), i);
  assert_non_null(value);
  return json_is_null(value) ? NAN : json_number_value(value);
}

static void check_value(double got, double want, double tolerance) {
  bool same = isnan(want) ? isnan(got) : fabs(got - want) <= tolerance * fmax(1, fabs(want));
  if (!same) fail_msg("%.9g, want %.9g", got, want);
}

static void check_cell(json_t *answer, const world *w, unsigned y, unsigned x, double lon,
                       double lat) {
  json_t *cell = json_object_get(answer, "cell");
  assert_true(fabs(remainder(number(cell, "lon") - world_lon(w, x), 360)) < 1e-6);
  assert_true(fabs(number(cell, "lat") - world_lat(w, y)) < 1e-6);
  double dy = (number(cell, "lat") - lat) * 111195,
         dx = remainder(number(cell, "lon") - lon, 360) * 111195;
  double most = hypot(dy, dx), least = fmax(fabs(dy) - 1, 0);
  assert_true(number(cell, "distance_m") >= least * 0.99 &&
              number(cell, "distance_m") <= most * 1.01 + 1);
}

static void shuffle(uint64_t *seed, char *text) {
  for (size_t i = strlen(text); i > 1; i--) {
    size_t k = below(seed, i);
    char c = text[i - 1];
    text[i - 1] = text[k];
    text[k] = c;
  }
}

static world random_world(uint64_t *seed, int number) {
  static const double STARTS[] = {0, -180, -175, 5, -355, 100, 360};
  static char name[32];
  snprintf(name, sizeof name, "w%d", number);
  world w = world_of(name, "t2m");
  w.lon0 = STARTS[below(seed, 7)];
  if (below(seed, 2)) {
    w.lat0 = -w.lat0;
    w.dlat = -w.dlat;
  }
  if (below(seed, 3) == 0) {
    w.lon0 += 350;
    w.dlon = -w.dlon;
  }
  w.steps = 1 + (unsigned)below(seed, 40);
  w.levels = 1 + (unsigned)below(seed, 3);
  shuffle(seed, w.order);
  if (below(seed, 3) == 0) {  // regional
    w.wraps = false;
    w.cols = 12;
  }
  return w;
}

// A place in some cell, near its edges too.
static void random_place(uint64_t *seed, const world *w, double *lon, double *lat) {
  double fx = (double)below(seed, 1000) / 1000 * 0.98 - 0.49,
         fy = (double)below(seed, 1000) / 1000 * 0.98 - 0.49;
  *lon = world_lon(w, (unsigned)below(seed, w->cols)) + fx * w->dlon;
  *lat = world_lat(w, (unsigned)below(seed, w->rows)) + fy * w->dlat;
  *lon = remainder(*lon, 360) + (below(seed, 4) ? 0 : 360);
}

static void nearest_is_the_source(void **state) {
  (void)state;
  uint64_t seed = test_seed("nearest_is_the_source");
  for (int round = 0; round < 60; round++) {
    world w = random_world(&seed, round);
    world_write(&w, &store);
    ra_dataset *dataset = world_dataset(&w, 1);
    for (int k = 0; k < 6; k++) {
      double lon, lat;
      unsigned y, x, z = (unsigned)below(&seed, w.levels);
      random_place(&seed, &w, &lon, &lat);
      world_nearest(&w, lon, lat, &y, &x);
      ra_series_request request = ask_one(dataset, "t2m", lon, lat);
      request.parts[0].extra[0] = z;
      json_t *answer = render(&request);
      assert_int_equal(json_array_size(json_object_get(answer, "values")), w.steps);
      assert_int_equal(json_array_size(json_object_get(answer, "timestamps")), w.steps);
      for (unsigned t = 0; t < w.steps; t++)
        check_value(value_at(answer, t), world_value(&w, t, z, y, x), 1e-7);
      check_cell(answer, &w, y, x, lon, lat);
      assert_true(number(answer, "level") == 1000 - 150 * z);
      assert_true(number(json_object_get(answer, "sel"), "level") == 1000 - 150 * z);
      json_decref(answer);
      ra_series_request_deinit(&request);
    }
    ra_dataset_unref(dataset);
    memstore_clear(&store);
  }
}

// From the four centres round the place in the source, weights of missing ones left out.
static double bilinear(const world *w, double lon, double lat, unsigned t) {
  double x = (lon - w->lon0) / w->dlon, y = (lat - w->lat0) / w->dlat, sum = 0, weights = 0;
  double turn = 360 / fabs(w->dlon);
  x -= turn * floor((x + 0.5) / turn);
  for (int i = 0; i < 4; i++) {
    double cx = floor(x) + i % 2, cy = floor(y) + i / 2;
    double weight = (1 - fabs(x - cx)) * (1 - fabs(y - cy));
    if (w->wraps) cx = fmod(cx + w->cols, w->cols);
    cx = fmax(0, fmin(cx, w->cols - 1));
    cy = fmax(0, fmin(cy, w->rows - 1));
    double value = world_value(w, t, 0, (unsigned)cy, (unsigned)cx);
    if (isnan(value) || weight <= 0) continue;
    sum += weight * value;
    weights += weight;
  }
  return weights > 1e-9 ? sum / weights : NAN;
}

static void bilinear_is_of_four_cells(void **state) {
  (void)state;
  uint64_t seed = test_seed("bilinear_is_of_four_cells");
  for (int round = 0; round < 40; round++) {
    world w = random_world(&seed, round);
    world_write(&w, &store);
    ra_dataset *dataset = world_dataset(&w, 1);
    for (int k = 0; k < 6; k++) {
      double lon, lat;
      random_place(&seed, &w, &lon, &lat);
      ra_series_request request = ask_one(dataset, "t2m", lon, lat);
      request.bilinear = true;
      json_t *answer = render(&request);
      for (unsigned t = 0; t < w.steps; t++)
        check_value(value_at(answer, t), bilinear(&w, lon, lat, t), 1e-6);
      json_decref(answer);
      ra_series_request_deinit(&request);
    }
    ra_dataset_unref(dataset);
    memstore_clear(&store);
  }
}

static void steps_are_those_asked_for(void **state) {
  (void)state;
  uint64_t seed = test_seed("steps_are_those_asked_for");
  world w = world_of("long", "t2m");
  w.steps = 5000;
  w.rows = 3;
  w.lat0 = 10;
  w.levels = 1;
  world_write(&w, &store);
  ra_dataset *dataset = world_dataset(&w, 1);
  for (int round = 0; round < 30; round++) {
    ra_series_request request = ask_one(dataset, "t2m", 21, 1);
    size_t n = below(&seed, 50);
    request.parts[0].steps = calloc(n + 1, sizeof(size_t));
    request.parts[0].step_count = n;
    for (size_t i = 0; i < n; i++) {
      size_t *steps = request.parts[0].steps;
      steps[i] = i && below(&seed, 4) ? (steps[i - 1] + 1) % 5000 : below(&seed, 5000);
    }
    json_t *answer = render(&request);
    assert_int_equal(json_array_size(json_object_get(answer, "values")), n);
    for (size_t i = 0; i < n; i++) {
      unsigned t = (unsigned)request.parts[0].steps[i];
      char want[40];
      ra_time_format(RA_CALENDAR_STANDARD, w.first_ms + t * w.step_ms, want);
      check_value(value_at(answer, i), world_value(&w, t, 0, 1, 2), 1e-7);
      assert_string_equal(
          json_string_value(json_array_get(json_object_get(answer, "timestamps"), i)), want);
    }
    json_decref(answer);
    ra_series_request_deinit(&request);
  }
  ra_dataset_unref(dataset);
}

// Dates of every calendar, before year 0 and with milliseconds, are those of base/caltime.
static void timestamps_are_in_the_calendar(void **state) {
  (void)state;
  static const struct {
    const char *calendar;
    int64_t first, step;
  } AXES[] = {{"360_day", 1560297600000, 86400000},
              {"noleap", 1577000000000, 3600000},
              {"standard", -12219724800000, 43200000},
              {"julian", -62200000000000, 86400000},
              {"proleptic_gregorian", -90000000000123, 7200000},
              {"standard", 253402290000000, 3600000},
              {"standard", 1577836800250, 333}};
  for (size_t k = 0; k < sizeof AXES / sizeof *AXES; k++) {
    world w = world_of("dates", "t2m");
    w.steps = 30;
    w.calendar = AXES[k].calendar;
    w.first_ms = AXES[k].first;
    w.step_ms = AXES[k].step;
    world_write(&w, &store);
    ra_dataset *dataset = world_dataset(&w, 1);
    ra_series_request request = ask_one(dataset, "t2m", 0, 0);
    json_t *answer = render(&request);
    ra_calendar calendar;
    assert_true(ra_calendar_parse(w.calendar, &calendar));
    assert_string_equal(json_string_value(json_object_get(answer, "calendar")),
                        ra_calendar_name(calendar));
    for (unsigned t = 0; t < w.steps; t++) {
      char want[40];
      ra_time_format(calendar, w.first_ms + t * w.step_ms, want);
      assert_string_equal(
          json_string_value(json_array_get(json_object_get(answer, "timestamps"), t)), want);
    }
    json_decref(answer);
    ra_series_request_deinit(&request);
    ra_dataset_unref(dataset);
    memstore_clear(&store);
    ra_render_context_free(context);
    setup(state);
  }
}

static void segments_follow_each_other(void **state) {
  (void)state;
  world first[2] = {world_of("d1", "t2m"), world_of("d1", "sst")}, second = world_of("d2", "t2m");
  second.first_ms += 10 * second.step_ms;
  second.dtype = RA_DTYPE_F32;  // another packing
  second.scale = 1;
  second.offset = 0;
  world_write(&first[0], &store);
  world_write(&first[1], &store);
  world_write(&second, &store);
  ra_dataset *datasets[2] = {world_dataset(first, 2), world_dataset(&second, 1)};
  const char *variables[2] = {"t2m", "sst"};
  const ra_series_point points[3] = {{2, 3}, {-100, 42}, {170, -62}};
  ra_series_request request = ask(datasets, 2, variables, 2, points, 3);
  json_t *answer = render(&request);
  assert_int_equal(json_array_size(json_object_get(answer, "timestamps")), 20);
  json_t *series = json_object_get(answer, "series");
  assert_int_equal(json_array_size(series), 6);
  for (size_t i = 0; i < 6; i++) {
    json_t *one = json_array_get(series, i);
    const ra_series_point *point = &points[i % 3];
    unsigned y, x;
    world_nearest(&second, point->lon, point->lat, &y, &x);
    assert_string_equal(json_string_value(json_object_get(one, "variable")), variables[i / 3]);
    assert_true(number(one, "lon") == point->lon && number(one, "lat") == point->lat);
    for (unsigned t = 0; t < 10; t++) {
      check_value(value_at(one, t), world_value(&first[0], t, 0, y, x), 1e-7);
      check_value(value_at(one, 10 + t), i < 3 ? world_value(&second, t, 0, y, x) : NAN, 1e-7);
    }
  }
  json_decref(answer);
  ra_series_request_deinit(&request);
  ra_dataset_unref(datasets[0]);
  ra_dataset_unref(datasets[1]);
}

static void times_that_differ_stand_with_their_series(void **state) {
  (void)state;
  world worlds[2] = {world_of("d", "t2m"), world_of("d", "height")};
  worlds[1].steps = 0;
  worlds[1].levels = 0;
  world_write(&worlds[0], &store);
  world_write(&worlds[1], &store);
  ra_dataset *dataset = world_dataset(worlds, 2);
  const char *variables[2] = {"t2m", "height"};
  const ra_series_point point = {2, 3};
  ra_series_request request = ask(&dataset, 1, variables, 2, &point, 1);
  json_t *answer = render(&request), *series = json_object_get(answer, "series");
  assert_int_equal(json_array_size(json_object_get(json_array_get(series, 0), "timestamps")), 10);
  json_t *times = json_object_get(json_array_get(series, 1), "timestamps");
  assert_int_equal(json_array_size(times), 1);
  assert_true(json_is_null(json_array_get(times, 0)));
  assert_int_equal(json_array_size(json_object_get(json_array_get(series, 1), "values")), 1);
  json_decref(answer);
  ra_series_request_deinit(&request);
  ra_dataset_unref(dataset);
}

static void bodies_are_as_the_contract_says(void **state) {
  (void)state;
  world worlds[2] = {world_of("d", "t2m"), world_of("d", "height")};
  worlds[0].steps = 2;
  worlds[1].steps = worlds[1].levels = 0;
  world_write(&worlds[0], &store);
  world_write(&worlds[1], &store);
  ra_dataset *dataset = world_dataset(worlds, 2);
  // Row 8, column 4: 8 * 113 + 4 * 11 = 948, a step 37 more.
  ra_series_request request = ask_one(dataset, "t2m", 41.5, 5);
  char *text = render_text(&request);
  assert_string_equal(text,
                      "{\"collection\":\"c\",\"variable\":\"t2m\",\"units\":\"K\",\"calendar\":"
                      "\"standard\",\"lon\":41.5,\"lat\":5.0,"
                      "\"level\":1000.0,\"sel\":{\"level\":1000.0},\"cell\":{\"lon\":40.0,\"lat\":"
                      "5.0,\"distance_m\":166157.888},"
                      "\"timestamps\":[\"2020-01-01T00:00:00Z\",\"2020-01-01T06:00:00Z\"],"
                      "\"values\":[282.63,283.0]}\n");
  free(text);
  request.format = RA_SERIES_CSV;
  text = render_text(&request);
  assert_string_equal(text,
                      "time,lon,lat,level,variable,value\r\n"
                      "2020-01-01T00:00:00Z,41.5,5.0,1000.0,t2m,282.63\r\n"
                      "2020-01-01T06:00:00Z,41.5,5.0,1000.0,t2m,283.0\r\n");
  free(text);
  ra_series_request_deinit(&request);
  // Without time; row 8, column 8 is missing: 8 * 7 + 8 * 3 = 80 = 2 * 29 + 22, so column 12: 92 = 3 * 29 + 5.
  request = ask_one(dataset, "height", 120, 5);
  text = render_text(&request);
  assert_string_equal(
      text,
      "{\"collection\":\"c\",\"variable\":\"height\",\"units\":\"K\",\"calendar\":null,\"lon\":120."
      "0,"
      "\"lat\":5.0,\"level\":null,\"cell\":{\"lon\":120.0,\"lat\":5.0,\"distance_m\":0.0},"
      "\"timestamps\":[null],\"values\":[null]}\n");
  free(text);
  request.format = RA_SERIES_CSV;
  text = render_text(&request);
  assert_string_equal(text, "time,lon,lat,level,variable,value\r\n,120.0,5.0,,height,\r\n");
  free(text);
  ra_series_request_deinit(&request);
  ra_dataset_unref(dataset);
}

static void only_the_chunks_needed_are_read(void **state) {
  (void)state;
  world w = world_of("big", "t2m");
  w.steps = 1464;
  w.levels = 1;
  world_write(&w, &store);
  ra_dataset *dataset = world_dataset(&w, 1);
  ra_series_request request = ask_one(dataset, "t2m", 0, 5);
  json_decref(render(&request));  // header and index
  store.reads = 0;
  json_decref(render(&request));
  assert_int_equal(store.reads, 1);
  ra_series_request_deinit(&request);
  // A square of points in one chunk costs no more than one of them.
  ra_zarr_spec spec;
  world_spec(&w, &spec);
  ra_series_point points[9];
  unsigned rows = (unsigned)spec.chunk[2], cols = (unsigned)spec.chunk[3];
  for (unsigned i = 0; i < 9; i++) {
    points[i] = (ra_series_point){world_lon(&w, (i % 3) * (cols - 1) / 2),
                                  world_lat(&w, (i / 3) * (rows - 1) / 2)};
  }
  const char *variable = "t2m";
  request = ask(&dataset, 1, &variable, 1, points, 9);
  request.max_bytes = spec.chunk[0] * rows * cols * 2;
  if (request.max_bytes < 1464 * 9 * 16) request.max_bytes = 1464 * 9 * 16;
  store.reads = 0;
  json_t *answer = render(&request);
  assert_int_equal(store.reads, 1);
  for (unsigned i = 0; i < 9; i++) {
    json_t *one = json_array_get(json_object_get(answer, "series"), i);
    check_value(value_at(one, 1463),
                world_value(&w, 1463, 0, (i / 3) * (rows - 1) / 2, (i % 3) * (cols - 1) / 2), 1e-7);
  }
  json_decref(answer);
  uint64_t chunks, bytes;
  assert_int_equal(ra_series_cost(&request, &chunks, &bytes, NULL), RA_OK);
  assert_true(chunks >= 1 && bytes >= 1464 * 2);
  ra_series_request_deinit(&request);
  ra_dataset_unref(dataset);
}

static void expect_error(const ra_series_request *request, ra_cancel *cancel, int code,
                         const char *word) {
  ra_buf *buf;
  ra_timing timing = {0};
  ra_err err = {0};
  int rc = ra_series_render(context, request, cancel, &timing, &buf, &err);
  if (rc != code) fail_msg("%d (%s), want %d", rc, err.message, code);
  assert_null(buf);
  if (!strstr(err.message, word)) fail_msg("no \"%s\" in: %s", word, err.message);
}

// A plan that goes to a store and back, out of its order, reads each store's chunk once, and says how many stores there
// were.
static void a_plan_may_go_to_and_fro(void **state) {
  (void)state;
  uint64_t seed = test_seed("a_plan_may_go_to_and_fro");
  enum { PARTS = 40 };
  world worlds[2] = {world_of("one", "t2m"), world_of("two", "t2m")};
  ra_dataset *both[2], *datasets[PARTS];
  for (int i = 0; i < 2; i++) {
    worlds[i].first_ms += i * 86400000;
    worlds[i].offset += i * 100;  // tells them apart
    world_write(&worlds[i], &store);
    both[i] = world_dataset(&worlds[i], 1);
  }
  unsigned steps[PARTS], which[PARTS];
  for (int s = 0; s < PARTS; s++) {
    which[s] = s < 2 ? (unsigned)s : (unsigned)below(&seed, 2);
    datasets[s] = both[which[s]];
  }
  const char *variable = "t2m";
  const ra_series_point point = {50, 45};
  ra_series_request request = ask(datasets, PARTS, &variable, 1, &point, 1);
  for (int s = 0; s < PARTS; s++) {
    request.parts[s].step_count = 1;
    request.parts[s].steps = malloc(sizeof(size_t));
    request.parts[s].steps[0] = steps[s] = (unsigned)below(&seed, 10);
  }
  json_decref(render(&request));  // headers
  store.reads = 0;
  ra_buf *buf = NULL;
  ra_timing timing = {0};
  assert_int_equal(ra_series_render(context, &request, NULL, &timing, &buf, NULL), RA_OK);
  ra_buf_unref(buf);
  assert_int_equal(store.reads, 2);
  assert_int_equal(timing.stores, 2);
  json_t *answer = render(&request);
  for (int s = 0; s < PARTS; s++) {
    check_value(value_at(answer, (size_t)s), world_value(&worlds[which[s]], steps[s], 0, 4, 5), 1e-7);
    char want[40];
    const world *w = &worlds[which[s]];
    ra_time_format(RA_CALENDAR_STANDARD, w->first_ms + steps[s] * w->step_ms, want);
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(answer, "timestamps"), (size_t)s)), want);
  }
  json_decref(answer);
  ra_series_request_deinit(&request);
  for (int i = 0; i < 2; i++) ra_dataset_unref(both[i]);
}

static void mistakes_are_said(void **state) {
  (void)state;
  world w = world_of("d", "t2m");
  w.wraps = false;
  w.cols = 5;
  w.lon0 = 10;
  world_write(&w, &store);
  ra_dataset *dataset = world_dataset(&w, 1);
  ra_series_request request = ask_one(dataset, "t2m", 100, 5);
  expect_error(&request, NULL, RA_E_INVALID, "bbox");
  request.points[0] = (ra_series_point){20, 5};
  request.max_bytes = 100;
  expect_error(&request, NULL, RA_E_TOOBIG, "fewer points");
  request.max_bytes = 1 << 20;
  ra_cancel *cancel = ra_cancel_new();
  ra_cancel_set(cancel);
  expect_error(&request, cancel, RA_E_CANCELLED, "");
  ra_cancel_unref(cancel);
  ra_series_request_deinit(&request);
  // The edges of the grid are part of it.
  const ra_series_point edges[4] = {{5, 0}, {54.999, 0}, {20, 90}, {20, -90}};
  for (int i = 0; i < 4; i++) {
    request = ask_one(dataset, "t2m", edges[i].lon, edges[i].lat);
    json_decref(render(&request));
    ra_series_request_deinit(&request);
  }
  ra_dataset_unref(dataset);
  // An array that is not the one of the catalog.
  world other = world_of("e", "t2m"), claimed = other;
  world_write(&other, &store);
  claimed.steps = 11;
  dataset = world_dataset(&claimed, 1);
  request = ask_one(dataset, "t2m", 0, 0);
  expect_error(&request, NULL, RA_E_CORRUPT, "catalog");
  ra_series_request_deinit(&request);
  ra_dataset_unref(dataset);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(nearest_is_the_source, setup, teardown),
      cmocka_unit_test_setup_teardown(bilinear_is_of_four_cells, setup, teardown),
      cmocka_unit_test_setup_teardown(steps_are_those_asked_for, setup, teardown),
      cmocka_unit_test_setup_teardown(timestamps_are_in_the_calendar, setup, teardown),
      cmocka_unit_test_setup_teardown(segments_follow_each_other, setup, teardown),
      cmocka_unit_test_setup_teardown(times_that_differ_stand_with_their_series, setup, teardown),
      cmocka_unit_test_setup_teardown(bodies_are_as_the_contract_says, setup, teardown),
      cmocka_unit_test_setup_teardown(only_the_chunks_needed_are_read, setup, teardown),
      cmocka_unit_test_setup_teardown(a_plan_may_go_to_and_fro, setup, teardown),
      cmocka_unit_test_setup_teardown(mistakes_are_said, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
