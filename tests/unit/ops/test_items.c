// Pages of STAC items: complete, in order and without repeats over any order and page size; JSON that parses; bad tokens.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <jansson.h>
#include <uv.h>

#include "ops/op_items.h"

enum { HOUR_MS = 3600000 };

static ra_dataset *make_dataset(const char *id, int64_t start, int64_t step, size_t count,
                                double west) {
  char body[3000];
  snprintf(
      body, sizeof body,
      "{\"format\":1,\"collection\":\"sea\",\"dataset\":\"%s\",\"version\":\"0123456789abcdef\","
      "\"created\":\"2026-01-01T00:00:00Z\",\"grids\":[{\"id\":\"g\",\"x\":\"lon\",\"y\":\"lat\","
      "\"native\":[2,4],\"shape\":[2,4],\"transform\":[%g,10,0,20,0,-10],\"crs\":{\"epsg\":4326},"
      "\"bbox\":[%g,0,%g,20],\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[[%g,0],[%g,0],[%"
      "g,20],"
      "[%g,20],[%g,0]]]}}],\"axes\":[{\"id\":\"t\",\"name\":\"time\",\"calendar\":\"standard\","
      "\"count\":%zu,\"start\":%lld,\"step\":%lld}],\"variables\":[{\"name\":\"sst\",\"units\":"
      "\"K\","
      "\"dims\":[\"time\",\"lat\",\"lon\"],\"shape\":[%zu,2,4],\"dtype\":\"float32\",\"grid\":"
      "\"g\","
      "\"time\":\"t\",\"time_dim\":0,\"y_dim\":1,\"x_dim\":2,\"nodata\":\"NaN\",\"mappable\":true,"
      "\"bands\":1}]}",
      id, west, west, west + 40, west, west + 40, west + 40, west, west, count, (long long)start,
      (long long)step, count);
  ra_dataset *dataset = NULL;
  ra_err err;
  if (ra_dataset_parse(body, strlen(body), &dataset, &err) < 0) fail_msg("%s", err.message);
  return dataset;
}

typedef struct world {
  uv_loop_t loop;
  ra_ops ops;
  ra_dataset *datasets[4];
} world;

// One long dataset, two that interleave with it, and one elsewhere: 10,000 items in all.
static int make_world(void **state) {
  world *w = calloc(1, sizeof *w);
  uv_loop_init(&w->loop);
  ra_lane_pool_size(2);
  ra_lane_mark_loop_thread();
  const ra_lane_config cpu = {.name = "cpu", .width = 2, .depth = 16};
  w->ops.loop = &w->loop;
  if (ra_lane_new(&w->loop, &cpu, &w->ops.cpu, NULL) < 0) return -1;
  w->datasets[0] = make_dataset("long", 0, HOUR_MS, 7000, 0);
  w->datasets[1] = make_dataset("a", 0, 2 * HOUR_MS, 1500, 0);
  w->datasets[2] = make_dataset("b", HOUR_MS / 2, 3 * HOUR_MS, 1000, 10);
  w->datasets[3] = make_dataset("west", 0, HOUR_MS, 500, -120);
  *state = w;
  return 0;
}

static int end_world(void **state) {
  world *w = *state;
  for (int i = 0; i < 4; i++) ra_dataset_unref(w->datasets[i]);
  ra_lane_free(w->ops.cpu);
  uv_run(&w->loop, UV_RUN_DEFAULT);
  int rc = uv_loop_close(&w->loop);
  free(w);
  return rc;
}

typedef struct answer {
  int rc;
  ra_err err;
  json_t *items;
  size_t matched;
  char next[2000];
} answer;

static void on_done(void *ctx, ra_op *op, int rc, const ra_err *err) {
  answer *a = ctx;
  ra_op_items *items = ra_op_state(op);
  a->rc = rc;
  if (rc < 0) {
    a->err = *err;
    return;
  }
  a->items = json_loadb((const char *)ra_buf_data(items->out), ra_buf_size(items->out), 0, NULL);
  a->matched = items->matched;
  snprintf(a->next, sizeof a->next, "%s", items->next.len ? items->next.ptr : "");
}

typedef struct question {
  ra_items_sort sort;
  size_t limit, max_bytes;
  const char *token, *intersects, *fields;
  int64_t first, last;
} question;

static answer ask(world *w, const question *q) {
  ra_op *op;
  answer a = {.rc = 1};
  assert_int_equal(ra_op_new(&w->ops, &RA_OP_ITEMS, &op, NULL), RA_OK);
  ra_op_items *items = ra_op_state(op);
  items->datasets = calloc(4, sizeof *items->datasets);
  for (int i = 0; i < 4; i++)
    items->datasets[items->dataset_count++] = ra_dataset_ref(w->datasets[i]);
  items->base_url = "http://h";
  items->first = q->first ? q->first : INT64_MIN;
  items->last = q->last ? q->last : INT64_MAX;
  items->run = RA_TIME_NONE;
  items->sorts[0] = q->sort;
  items->sort_count = 1;
  items->token = q->token ? q->token : "";
  items->fields = q->fields ? q->fields : "";
  items->limit = q->limit;
  items->max_bytes = q->max_bytes ? q->max_bytes : 4 << 20;
  if (q->intersects)
    assert_int_equal(
        ra_geometry_parse(q->intersects, strlen(q->intersects), &items->geometry, NULL), RA_OK);
  assert_int_equal(ra_op_submit(op, on_done, &a, NULL), RA_OK);
  ra_op_unref(op);
  uv_run(&w->loop, UV_RUN_DEFAULT);
  return a;
}

static const char *id_of(const json_t *items, size_t i) {
  return json_string_value(json_object_get(json_array_get(items, i), "id"));
}

static const char *time_of(const json_t *items, size_t i) {
  return json_string_value(
      json_object_get(json_object_get(json_array_get(items, i), "properties"), "datetime"));
}

// All pages; checks the order by the texts and that no id comes twice. Returns how many items came.
static size_t walk(world *w, question q, const char *(*key)(const json_t *, size_t)) {
  json_t *seen = json_object();
  char last[100] = "", token[2000] = "";
  size_t count = 0;
  do {
    q.token = token;
    answer a = ask(w, &q);
    assert_int_equal(a.rc, RA_OK);
    assert_non_null(a.items);
    assert_true(json_array_size(a.items) <= q.limit);
    for (size_t i = 0; i < json_array_size(a.items); i++, count++) {
      const char *id = id_of(a.items, i), *text = key(a.items, i);
      assert_null(json_object_get(seen, id));
      json_object_set_new(seen, id, json_true());
      if (*last) assert_true(q.sort.descending ? strcmp(last, text) >= 0 : strcmp(last, text) <= 0);
      snprintf(last, sizeof last, "%s", text);
    }
    strcpy(token, a.next);
    json_decref(a.items);
  } while (*token);
  json_decref(seen);
  return count;
}

static void every_item_comes_once_and_in_order(void **state) {
  world *w = *state;
  unsigned seed = (unsigned)time(NULL);
  print_message("seed %u\n", seed);
  for (int descending = 0; descending < 2; descending++) {
    question q = {.limit = 300 + rand_r(&seed) % 3000, .sort = {RA_ITEMS_DATETIME, descending}};
    assert_int_equal(walk(w, q, time_of), 10000);
    q.sort.field = RA_ITEMS_ID;
    assert_int_equal(walk(w, q, id_of), 10000);
  }
}

static void a_page_ends_at_its_bytes(void **state) {
  world *w = *state;
  question q = {.limit = 10000, .max_bytes = 100000, .sort = {RA_ITEMS_DATETIME, true}};
  answer a = ask(w, &q);
  size_t count = json_array_size(a.items);
  assert_true(count > 20 && count < 200 && *a.next);
  assert_int_equal(a.matched, 10000);
  json_decref(a.items);
  q = (question){.limit = 1000, .max_bytes = 1, .sort = {RA_ITEMS_DATETIME, true}};
  a = ask(w, &q);
  assert_int_equal(json_array_size(a.items), 1);
  json_decref(a.items);
}

static void time_and_place_are_inclusive(void **state) {
  world *w = *state;
  question q = {.limit = 10000, .first = HOUR_MS, .last = 3 * HOUR_MS, .sort = {RA_ITEMS_ID, false}};
  answer a = ask(w, &q);
  // long and west: 1, 2, 3 h; a: 2 h; b: every 3 h from 0.5 h: none
  assert_int_equal(json_array_size(a.items), 7);
  json_decref(a.items);
  q.intersects = "{\"type\":\"Point\",\"coordinates\":[-80,20]}";  // a corner of the western one
  a = ask(w, &q);
  assert_int_equal(json_array_size(a.items), 3);
  assert_string_equal(id_of(a.items, 0), "west_19700101T010000Z");
  json_decref(a.items);
}

static void fields_are_kept_or_left_out(void **state) {
  world *w = *state;
  question q = {
      .limit = 1,
      .sort = {RA_ITEMS_ID, false},
      .fields = "{\"include\":[\"properties.datetime\",\"assets\"],\"exclude\":[\"assets.zarr\"]}"};
  answer a = ask(w, &q);
  const json_t *item = json_array_get(a.items, 0), *assets = json_object_get(item, "assets");
  assert_int_equal(json_object_size(json_object_get(item, "properties")), 1);
  assert_null(json_object_get(item, "links"));
  assert_non_null(json_object_get(assets, "sst"));
  assert_null(json_object_get(assets, "zarr"));
  json_decref(a.items);
}

static void tokens_of_others_are_refused(void **state) {
  world *w = *state;
  question q = {.limit = 5, .sort = {RA_ITEMS_DATETIME, true}};
  answer first = ask(w, &q);
  json_decref(first.items);
  const char *bad[] = {"x", "not-a-token", "AAAA", "====", "YR9x", first.next + 1};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    q.token = bad[i];
    answer a = ask(w, &q);
    assert_int_equal(a.rc, RA_E_INVALID);
    assert_string_equal(a.err.where, "token");
  }
  q.token = first.next;
  q.sort.descending = false;  // of another order
  assert_int_equal(ask(w, &q).rc, RA_E_INVALID);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_item_comes_once_and_in_order),
      cmocka_unit_test(a_page_ends_at_its_bytes), cmocka_unit_test(time_and_place_are_inclusive),
      cmocka_unit_test(fields_are_kept_or_left_out), cmocka_unit_test(tokens_of_others_are_refused)};
  return cmocka_run_group_tests(tests, make_world, end_world);
}
