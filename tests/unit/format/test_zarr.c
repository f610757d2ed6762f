// Zarr: random arrays written and read back, the planner's shapes, what one read fetches, and bad input.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/codec.h"
#include "memstore.h"
#include "zarr_random.h"

static void put(void *ctx, const char *key, ra_buf *buf) {
  char full[256];
  snprintf(full, sizeof full, "p/a/%s", key);
  memstore_put(ctx, full, buf);
}

static ra_zarr_array *parse(const ra_zarr_spec *spec) {
  ra_str json;
  ra_err err = {0};
  ra_zarr_array *array = NULL;
  ra_str_init(&json);
  if (ra_zarr_array_json(spec, &json, &err) < 0) fail_msg("%s", err.message);
  if (ra_zarr_array_parse(json.ptr, json.len, &array, &err) < 0) {
    fail_msg("%s\n%s", err.message, json.ptr);
  }
  ra_str_deinit(&json);
  return array;
}

// Cell by cell, with no help from the code under test.
static void compare_region(const ra_zarr_spec *spec, const uint8_t *all, const uint8_t *got,
                           const uint64_t *start, const uint64_t *count) {
  size_t size = ra_dtype_size(spec->dtype), n = 1;
  for (unsigned i = 0; i < spec->ndim; i++) n *= count[i];
  for (size_t k = 0; k < n; k++) {
    size_t rest = k, at = 0, step = 1;
    for (unsigned i = spec->ndim; i-- > 0;) {
      at += (start[i] + rest % count[i]) * step;
      rest /= count[i];
      step *= spec->shape[i];
    }
    assert_memory_equal(got + k * size, all + at * size, size);
  }
}

static void random_region(uint64_t *seed, const ra_zarr_spec *spec, uint64_t *start, uint64_t *count) {
  for (unsigned i = 0; i < spec->ndim; i++) {
    start[i] = below(seed, spec->shape[i]);
    count[i] = 1 + below(seed, spec->shape[i] - start[i]);
  }
}

static void arrays_there_and_back(void **state) {
  (void)state;
  uint64_t seed = test_seed("arrays_there_and_back");
  memstore store = {.count = 0};
  ra_reader reader = memstore_reader(&store);
  for (int round = 0; round < 300; round++) {
    ra_zarr_spec spec = random_spec(&seed);
    uint8_t *cells = random_cells(&seed, &spec), *got = malloc(spec_cells(&spec) * 8);
    ra_err err = {0};
    if (encode_all(&spec, cells, put, &store, &err) < 0) fail_msg("%s", err.message);
    ra_zarr_array *array = parse(&spec);
    for (int k = 0; k < 5; k++) {
      uint64_t start[RA_ZARR_DIMS] = {0}, count[RA_ZARR_DIMS];
      memcpy(count, spec.shape, sizeof count);
      if (k) random_region(&seed, &spec, start, count);
      if (ra_zarr_read(array, &reader, "p/a", start, count, got, NULL, NULL, &err) < 0) {
        fail_msg("round %d: %s: %s", round, err.where, err.message);
      }
      compare_region(&spec, cells, got, start, count);
    }
    ra_zarr_array_unref(array);
    free(cells);
    free(got);
    memstore_clear(&store);
  }
  assert_int_equal(ra_buf_live_count(), 0);
}

static ra_zarr_spec planned(ra_dtype dtype, unsigned ndim, const uint64_t *shape, int t, int y,
                            int x) {
  ra_zarr_spec spec = {.name = "v", .dtype = dtype, .ndim = ndim};
  if (ndim) memcpy(spec.shape, shape, ndim * sizeof *shape);
  ra_zarr_plan(&spec, t, y, x);
  return spec;
}

static void assert_dims(const uint64_t *got, unsigned n, const uint64_t *want) {
  for (unsigned i = 0; i < n; i++) assert_int_equal(got[i], want[i]);
}

static void plans_follow_the_design(void **state) {
  (void)state;
  // "(1464,4,4)" is the design's own example of 96 KiB.
  ra_zarr_spec year = planned(RA_DTYPE_F32, 3, (uint64_t[]){1464, 72, 144}, 0, 1, 2);
  assert_dims(year.chunk, 3, (uint64_t[]){1464, 4, 4});
  assert_true(year.sharded);
  ra_zarr_spec levels = planned(RA_DTYPE_F32, 4, (uint64_t[]){1464, 3, 72, 144}, 0, 2, 3);
  assert_dims(levels.chunk, 4, (uint64_t[]){1464, 1, 4, 4});
  ra_zarr_spec step = planned(RA_DTYPE_I16, 3, (uint64_t[]){1, 721, 1440}, 0, 1, 2);
  assert_dims(step.chunk, 3, (uint64_t[]){1, 221, 221});  // 221² × 2 bytes = 95.4 KiB
  ra_zarr_spec narrow = planned(RA_DTYPE_F32, 2, (uint64_t[]){3, 100000}, -1, 0, 1);
  assert_dims(narrow.chunk, 2, (uint64_t[]){3, 8192});
  ra_zarr_spec axis = planned(RA_DTYPE_F64, 1, (uint64_t[]){8760}, -1, -1, -1);
  assert_dims(axis.chunk, 1, (uint64_t[]){8760});
  assert_false(axis.sharded);
  ra_zarr_spec scalar = planned(RA_DTYPE_I32, 0, NULL, -1, -1, -1);
  assert_false(scalar.sharded);
}

static ra_zarr_spec planned_v2(ra_dtype dtype, const uint64_t shape[3]) {
  ra_zarr_spec spec = {.name = "v", .format = 2, .dtype = dtype, .ndim = 3};
  memcpy(spec.shape, shape, 3 * sizeof *shape);
  ra_zarr_plan(&spec, 0, 1, 2);
  return spec;
}

// Each chunk is an object: 16 x 16 cells, and more only where the steps are so few that 96 KiB take more.
static void plans_of_v2(void **state) {
  (void)state;
  ra_zarr_spec year = planned_v2(RA_DTYPE_F32, (uint64_t[]){1464, 72, 144});
  assert_dims(year.chunk, 3, (uint64_t[]){1464, 16, 16});
  assert_dims(year.shard, 3, (uint64_t[]){1464, 16, 16});
  assert_false(year.sharded);
  ra_zarr_spec hundred = planned_v2(RA_DTYPE_F32, (uint64_t[]){96, 721, 1440});
  assert_dims(hundred.chunk, 3, (uint64_t[]){96, 16, 16});
  ra_zarr_spec step = planned_v2(RA_DTYPE_I16, (uint64_t[]){1, 721, 1440});
  assert_dims(step.chunk, 3, (uint64_t[]){1, 221, 221});
  assert_false(step.sharded);
  ra_zarr_spec scalar = {.format = 2};
  ra_str key;
  ra_str_init(&key);
  ra_zarr_shard_key(&year, (uint64_t[]){0, 2, 11}, &key);
  ra_str_add_char(&key, ' ');
  ra_zarr_shard_key(&scalar, NULL, &key);
  assert_string_equal(key.ptr, "0.2.11 0");
  ra_str_deinit(&key);
}

static void plans_keep_their_limits(void **state) {
  (void)state;
  uint64_t seed = test_seed("plans_keep_their_limits");
  for (int round = 0; round < 2000; round++) {
    uint64_t shape[4] = {1 + below(&seed, 100000), 1 + below(&seed, 60), 1 + below(&seed, 3000),
                         1 + below(&seed, 3000)};
    ra_dtype dtype = (ra_dtype)below(&seed, RA_DTYPE_COUNT);
    ra_zarr_spec spec = planned(dtype, 4, shape, 0, 2, 3);
    uint64_t chunk = ra_dtype_size(dtype), shard = chunk;
    for (unsigned i = 0; i < 4; i++) {
      assert_true(spec.chunk[i] >= 1 && spec.chunk[i] <= shape[i]);
      assert_int_equal(spec.shard[i] % spec.chunk[i], 0);
      chunk *= spec.chunk[i];
      shard *= spec.shard[i];
    }
    assert_true(spec.chunk[0] <= 4096 && spec.chunk[1] == 1);
    assert_true(chunk <= 96 << 10);
    assert_true(shard <= 64 << 20);
    assert_true(shard / chunk * 16 + 4 < 128 << 10);
  }
}

static void a_point_costs_one_chunk(void **state) {
  (void)state;
  memstore store = {.count = 0};
  ra_reader reader = memstore_reader(&store);
  ra_zarr_spec spec = planned(RA_DTYPE_F32, 3, (uint64_t[]){400, 30, 40}, 0, 1, 2);
  spec.name = "a";
  float *cells = malloc(400 * 30 * 40 * 4), series[400];
  for (int i = 0; i < 400 * 30 * 40; i++) cells[i] = (float)i * 0.5f;
  assert_int_equal(encode_all(&spec, (uint8_t *)cells, put, &store, NULL), RA_OK);
  ra_zarr_array *array = parse(&spec);
  uint64_t start[] = {0, 17, 23}, count[] = {400, 1, 1}, chunks, bytes;
  assert_int_equal(ra_zarr_cost(array, start, count, &chunks, &bytes, NULL), RA_OK);
  assert_int_equal(chunks, 1);
  assert_int_equal(bytes, spec.chunk[0] * spec.chunk[1] * spec.chunk[2] * 4);
  for (int k = 0; k < 3; k++) {
    store.reads = 0;
    assert_int_equal(ra_zarr_read(array, &reader, "p/a", start, count, series, NULL, NULL, NULL),
                     RA_OK);
    assert_int_equal(store.reads, k ? 1 : 2);  // the index once, then the chunk alone
    for (int t = 0; t < 400; t++) {
      assert_true(series[t] == (float)(t * 1200 + 17 * 40 + 23) * 0.5f);
    }
  }
  start[1] = start[2] = 0;  // all of it: neighbours come in one read
  count[1] = 30;
  count[2] = 40;
  store.reads = 0;
  assert_int_equal(ra_zarr_read(array, &reader, "p/a", start, count, cells, NULL, NULL, NULL), RA_OK);
  assert_int_equal(store.reads, 1);
  ra_zarr_array_unref(array);
  memstore_clear(&store);
  free(cells);
}

static void chunks_of_fill_are_left_out(void **state) {
  (void)state;
  ra_zarr_spec spec = {.name = "a",
                       .dtype = RA_DTYPE_F32,
                       .ndim = 1,
                       .shape = {8},
                       .chunk = {4},
                       .shard = {8},
                       .sharded = true,
                       .has_fill = true,
                       .fill = -9999};
  float cells[8] = {-9999, -9999, -9999, -9999, -9999, -9999, -9999, -9999};
  ra_buf *buf;
  const uint64_t zero[1] = {0};
  const int64_t one[1] = {1};
  assert_int_equal(ra_zarr_shard_encode(&spec, zero, cells, one, &buf, NULL), RA_OK);
  assert_null(buf);
  cells[6] = 1;
  assert_int_equal(ra_zarr_shard_encode(&spec, zero, cells, one, &buf, NULL), RA_OK);
  uint64_t index[4];
  memcpy(index, ra_buf_data(buf) + ra_buf_size(buf) - 36, 32);
  assert_true(index[0] == UINT64_MAX && index[1] == UINT64_MAX);
  assert_int_equal(index[2], 0);
  assert_int_equal(index[3], ra_buf_size(buf) - 36);
  ra_buf_unref(buf);
}

static void fill_values_as_xarray_writes_them(void **state) {
  (void)state;
  ra_str out;
  ra_str_init(&out);
  ra_zarr_spec spec = {.dtype = RA_DTYPE_F32, .has_fill = true, .fill = NAN};
  ra_zarr_fill_attribute(&spec, &out);  // xarray's own store of NaN
  assert_string_equal(out.ptr, "\"_FillValue\":\"AAAAAAAA+H8=\"");
  ra_str_deinit(&out);
  ra_str_init(&out);
  spec = (ra_zarr_spec){.dtype = RA_DTYPE_I16, .has_fill = true, .fill_int = -32767};
  ra_zarr_fill_attribute(&spec, &out);
  assert_string_equal(out.ptr, "\"_FillValue\":-32767");
  ra_str_deinit(&out);
}

// ---- bad input

#define HEAD "\"zarr_format\":3,\"node_type\":\"array\",\"shape\":[4],"
#define GRID "\"chunk_grid\":{\"name\":\"regular\",\"configuration\":{\"chunk_shape\":[2]}},"
#define KEYS \
  "\"chunk_key_encoding\":{\"name\":\"default\",\"configuration\":{\"separator\":\"/\"}},"
#define BYTES "{\"name\":\"bytes\",\"configuration\":{\"endian\":\"little\"}}"
#define INT16 HEAD GRID KEYS "\"data_type\":\"int16\",\"fill_value\":0,"
#define SHARD(chunk, inner, index)                                                       \
  "\"codecs\":[{\"name\":\"sharding_indexed\",\"configuration\":{\"chunk_shape\":" chunk \
  ",\"codecs\":[" inner "],\"index_codecs\":[" index "]}}]"

static const struct refusal {
  const char *json, *message;
  int code;
} refusals[] = {
    {"[]", "object", RA_E_CORRUPT},
    {"{", "not JSON", RA_E_CORRUPT},
    {"{\"zarr_format\":2}", "zarr_format", RA_E_CORRUPT},
    {"{" INT16 "\"codecs\":[" BYTES ",{\"name\":\"lzma2\"}]}", "lzma2", RA_E_UNSUPPORTED},
    {"{" INT16 "\"codecs\":[{\"name\":\"transpose\"}," BYTES "]}", "order", RA_E_CORRUPT},
    {"{" INT16 "\"codecs\":[{\"name\":\"vlen-utf8\"}]}", "vlen-utf8", RA_E_UNSUPPORTED},
    {"{" INT16 "\"codecs\":[]}", "codecs", RA_E_CORRUPT},
    {"{" INT16 "\"codecs\":[{\"name\":\"bytes\"}]}", "endian", RA_E_CORRUPT},
    {"{" INT16 "\"codecs\":[" BYTES "],\"future\":{\"x\":1}}", "future", RA_E_UNSUPPORTED},
    {"{" INT16 "\"codecs\":[" BYTES "],\"storage_transformers\":[{\"name\":\"x\"}]}",
     "transformers", RA_E_UNSUPPORTED},
    {"{" INT16 SHARD("[2]", BYTES, BYTES ",{\"name\":\"zstd\"}") "}", "zstd", RA_E_UNSUPPORTED},
    {"{" INT16 SHARD("[3]", BYTES, BYTES) "}", "divisor", RA_E_CORRUPT},
    {"{" INT16 SHARD("[0]", BYTES, BYTES) "}", "chunk_shape", RA_E_CORRUPT},
    {"{" INT16 SHARD("[2,2]", BYTES, BYTES) "}", "chunk_shape", RA_E_CORRUPT},
    {"{" HEAD GRID KEYS "\"data_type\":\"int16\",\"fill_value\":40000,\"codecs\":[" BYTES "]}",
     "fill_value", RA_E_CORRUPT},
    {"{" HEAD GRID KEYS "\"data_type\":\"float32\",\"fill_value\":\"0x12\",\"codecs\":[" BYTES "]}",
     "fill_value", RA_E_CORRUPT},
    {"{" HEAD GRID KEYS "\"data_type\":\"complex64\",\"fill_value\":0,\"codecs\":[" BYTES "]}",
     "complex64", RA_E_UNSUPPORTED},
    {"{\"zarr_format\":3,\"node_type\":\"array\",\"shape\":[-1]}", "shape", RA_E_CORRUPT},
    {"{\"zarr_format\":3,\"node_type\":\"array\",\"shape\":[1e3]}", "shape", RA_E_CORRUPT},
    {"{\"zarr_format\":3,\"node_type\":\"array\",\"shape\":[99999999999999999999]}", "shape",
     RA_E_CORRUPT},
    {"{\"zarr_format\":3,\"node_type\":\"group\"}", "node_type", RA_E_CORRUPT},
    {"{\"zarr_format\":3,\"node_type\":\"array\",\"data_type\":\"int8\",\"fill_value\":0," KEYS
     "\"shape\":[1099511627776,1099511627776],\"chunk_grid\":{\"name\":\"regular\","
     "\"configuration\":{"
     "\"chunk_shape\":[1099511627776,1099511627776]}},\"codecs\":[{\"name\":\"bytes\"}]}",
     "1 GiB", RA_E_UNSUPPORTED},
};

static void bad_metadata_is_refused_by_name(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
    ra_zarr_array *array;
    ra_err err = {0};
    int rc = ra_zarr_array_parse(refusals[i].json, strlen(refusals[i].json), &array, &err);
    if (rc != refusals[i].code || !strstr(err.message, refusals[i].message)) {
      fail_msg("%s\ngave %d %s", refusals[i].json, rc, err.message);
    }
  }
}

static void what_others_write_is_read(void **state) {
  (void)state;
  // int16 big-endian without compression, index at the start without a checksum, "." as separator.
  static const char json[] =
      "{" HEAD GRID
      "\"chunk_key_encoding\":{\"name\":\"default\",\"configuration\":{\"separator\":\".\"}},"
      "\"data_type\":\"int16\",\"fill_value\":-7,\"extra\":{\"must_understand\":false},"
      "\"codecs\":[{\"name\":\"sharding_indexed\",\"configuration\":{\"chunk_shape\":[1],\"index_"
      "location\":"
      "\"start\",\"codecs\":[{\"name\":\"bytes\",\"configuration\":{\"endian\":\"big\"}}],"
      "\"index_codecs\":[" BYTES "]}}]}";
  memstore store = {.count = 0};
  ra_reader reader = memstore_reader(&store);
  uint64_t index[4] = {UINT64_MAX, UINT64_MAX, 32, 2};
  uint8_t shard[34];
  memcpy(shard, index, 32);
  memcpy(shard + 32, "\x01\x02", 2);
  ra_buf *buf;
  assert_int_equal(ra_buf_copy(shard, sizeof shard, &buf, NULL), RA_OK);
  memstore_put(&store, "c.1", buf);
  ra_zarr_array *array;
  assert_int_equal(ra_zarr_array_parse(json, strlen(json), &array, NULL), RA_OK);
  int16_t got[4];
  const uint64_t start[1] = {0}, count[1] = {4};
  assert_int_equal(ra_zarr_read(array, &reader, "", start, count, got, NULL, NULL, NULL), RA_OK);
  const int16_t want[4] = {-7, -7, -7, 0x0102};
  assert_memory_equal(got, want, sizeof want);
  ra_zarr_array_unref(array);
  memstore_clear(&store);
}

static void regions_outside_are_refused(void **state) {
  (void)state;
  ra_zarr_spec spec = {.name = "a",
                       .dtype = RA_DTYPE_U8,
                       .ndim = 1,
                       .shape = {8},
                       .chunk = {4},
                       .shard = {8},
                       .sharded = true};
  ra_zarr_array *array = parse(&spec);
  memstore store = {.count = 0};
  ra_reader reader = memstore_reader(&store);
  uint8_t got[8];
  const uint64_t starts[] = {9, 8, 0, UINT64_MAX}, counts[] = {0, 1, 9, 2};
  for (int i = 0; i < 4; i++) {
    assert_int_equal(ra_zarr_read(array, &reader, "x", &starts[i], &counts[i], got, NULL, NULL, NULL),
                     RA_E_INVALID);
  }
  ra_cancel *cancel = ra_cancel_new();
  ra_cancel_set(cancel);
  const uint64_t start = 0, count = 8;
  memset(got, 1, 8);
  assert_int_equal(ra_zarr_read(array, &reader, "x", &start, &count, got, NULL, NULL, NULL), RA_OK);
  for (int i = 0; i < 8; i++) assert_int_equal(got[i], 0);  // no object: fill
  ra_cancel_unref(cancel);
  ra_zarr_array_unref(array);
}

// Any damage to a shard is answered with cells or with an error, never with a crash or a huge allocation.
static void damaged_shards_are_answered(void **state) {
  (void)state;
  uint64_t seed = test_seed("damaged_shards_are_answered");
  for (int round = 0; round < 150; round++) {
    memstore store = {.count = 0};
    ra_reader reader = memstore_reader(&store);
    ra_zarr_spec spec = random_spec(&seed);
    uint8_t *cells = random_cells(&seed, &spec);
    assert_int_equal(encode_all(&spec, cells, put, &store, NULL), RA_OK);
    for (size_t i = 0; i < store.count; i++) {
      ra_buf *buf = store.objects[i].buf;
      uint8_t *bytes = ra_buf_bytes(buf);
      size_t size = ra_buf_size(buf), at = size - 1 - below(&seed, size < 60 ? size : 60);
      bytes[at] ^= (uint8_t)(1 + below(&seed, 255));
      if (below(&seed, 2) && size > 36) {  // a checksum that agrees with the damage
        size_t slots = 1;
        for (unsigned d = 0; d < spec.ndim; d++) slots *= spec.shard[d] / spec.chunk[d];
        if (size >= 16 * slots + 4 && spec.sharded) {
          uint8_t *index = bytes + size - 16 * slots - 4;
          uint32_t sum = ra_crc32c(0, index, 16 * slots);
          memcpy(index + 16 * slots, &sum, 4);
        }
      }
      if (below(&seed, 4) == 0) ra_buf_truncate(buf, below(&seed, size));
    }
    ra_zarr_array *array = parse(&spec);
    uint64_t start[RA_ZARR_DIMS] = {0};
    int rc = ra_zarr_read(array, &reader, "p/a", start, spec.shape, cells, NULL, NULL, NULL);
    assert_true(rc == RA_OK || rc == RA_E_CORRUPT);
    ra_zarr_array_unref(array);
    memstore_clear(&store);
    free(cells);
  }
}

// ---- threads

typedef struct reading {
  ra_zarr_array *array;
  ra_reader reader;
  int wrong;
} reading;

static void *read_often(void *ctx) {
  reading *r = ctx;
  uint64_t seed = (uint64_t)(uintptr_t)&seed;
  for (int k = 0; k < 3000; k++) {
    uint64_t start[2] = {below(&seed, 200), below(&seed, 200)}, count[2] = {1, 1};
    int32_t got = -1;
    int rc = ra_zarr_read(r->array, &r->reader, "p/a", start, count, &got, NULL, NULL, NULL);
    if (rc < 0 || got != (int32_t)(start[0] * 200 + start[1])) r->wrong++;
  }
  return NULL;
}

static void threads_share_an_array(void **state) {
  (void)state;
  memstore store = {.count = 0};
  ra_zarr_spec spec = {.name = "a",
                       .dtype = RA_DTYPE_I32,
                       .ndim = 2,
                       .shape = {200, 200},
                       .chunk = {5, 5},
                       .shard = {20, 20},
                       .sharded = true,
                       .has_fill = true,
                       .fill_int = -5};
  int32_t *cells = malloc(200 * 200 * 4);
  for (int i = 0; i < 200 * 200; i++) cells[i] = i;
  assert_int_equal(encode_all(&spec, (uint8_t *)cells, put, &store, NULL), RA_OK);
  free(cells);
  reading r[3];
  pthread_t threads[3];
  ra_zarr_array *array = parse(&spec);
  for (int i = 0; i < 3; i++) {
    r[i] = (reading){array, memstore_reader(&store), 0};
    assert_int_equal(pthread_create(&threads[i], NULL, read_often, &r[i]), 0);
  }
  for (int i = 0; i < 3; i++) {
    pthread_join(threads[i], NULL);
    assert_int_equal(r[i].wrong, 0);
  }
  // 100 shards with indexes of 16 slots: at most 64 are kept.
  assert_true(ra_zarr_array_memory(array) < 64 * 400 + 8192);
  ra_zarr_array_unref(array);
  memstore_clear(&store);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(arrays_there_and_back),
      cmocka_unit_test(plans_follow_the_design),
      cmocka_unit_test(plans_of_v2),
      cmocka_unit_test(plans_keep_their_limits),
      cmocka_unit_test(a_point_costs_one_chunk),
      cmocka_unit_test(chunks_of_fill_are_left_out),
      cmocka_unit_test(fill_values_as_xarray_writes_them),
      cmocka_unit_test(bad_metadata_is_refused_by_name),
      cmocka_unit_test(what_others_write_is_read),
      cmocka_unit_test(regions_outside_are_refused),
      cmocka_unit_test(damaged_shards_are_answered),
      cmocka_unit_test(threads_share_an_array),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
