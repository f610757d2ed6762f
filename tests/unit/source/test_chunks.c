// Chunks and windows of every layout, byte order, number type and filter against the cells that were written; chunks
// that are not stored; several threads; a file that changes while it is read.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <hdf5.h>

#include "nc_make.h"
#include "random.h"
#include "source/refer.h"
#include "source/storage.h"

enum { CELLS = 7 * 11 * 13 };
static const size_t SHAPE[3] = {7, 11, 13};

static ra_source *opened(const char *name) {
  ra_source *source;
  ra_err err = {0};
  if (ra_source_open(nc_path(name), &source, &err) < 0) fail_msg("%s: %s", err.where, err.message);
  return source;
}

static ra_source_var *variable(ra_source *source, const char *name) {
  ra_source_var *var = ra_source_find(source, "", name);
  if (!var) fail_msg("no variable %s", name);
  return var;
}

static ra__way way(ra_source *source, const ra_source_var *var) {
  const ra__storage *storage;
  ra_err err = {0};
  if (ra__storage_get(source, var, &storage, &err) < 0) fail_msg("%s", err.message);
  return storage->way;
}

static void write_text(const char *name, const ra_str *text) {
  FILE *f = fopen(nc_path(name), "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(text->ptr, 1, text->len, f), text->len);
  fclose(f);
}

// The same cells through references to the file (refer.h), read as anybody's.
static void check_referred(ra_source *source, const ra_source_var *var, const void *cells) {
  ra_err err = {0};
  ra_str refs;
  ra_str_init(&refs);
  if (ra_refer(source, ra_source_name(source), &refs, &err) < 0) {
    // Zarr has no word for it.
    assert_string_equal(ra_source_name(source), "sparse.nc");
    assert_non_null(
        strstr(err.message, "'a' cannot be read where it lies: it ends inside a chunk"));
    ra_str_deinit(&refs);
    return;
  }
  write_text("refs.json", &refs);
  ra_source *referred = opened("refs.json");
  const ra_source_var *same = variable(referred, var->name);
  size_t bytes = ra_source_var_bytes(var);
  static const uint64_t start[RA_SOURCE_DIMS] = {0};
  uint8_t *got = malloc(bytes + 1);
  assert_int_equal(same->dtype, var->dtype);
  if (ra_source_read(referred, same, start, var->shape, got, &err) < 0)
    fail_msg("%s: %s", var->name, err.message);
  if (memcmp(got, cells, bytes) != 0) fail_msg("%s: other cells by reference", var->name);
  free(got);
  ra_source_free(referred);
  ra_str_deinit(&refs);
}

// `cells`, C order, is what the variable holds: compared by reference, chunk by chunk, then in random windows.
static void check(ra_source *source, const ra_source_var *var, const void *cells, uint64_t *seed) {
  size_t size = ra_dtype_size(var->dtype), bytes = ra_source_chunk_bytes(var);
  uint64_t shape[RA_SOURCE_DIMS], start[RA_SOURCE_DIMS], count[RA_SOURCE_DIMS], seen = 0;
  ra_err err = {0};
  check_referred(source, var, cells);
  ra_source_chunk_shape(var, shape);
  uint8_t *chunk = malloc(bytes), *window = malloc(ra_source_var_bytes(var) + 1);
  for (uint64_t i = 0; i < ra_source_chunk_count(var); i++) {
    if (ra_source_chunk_decode(source, var, i, chunk, &err) < 0)
      fail_msg("%s: %s", var->name, err.message);
    ra_source_chunk_box(var, i, start, count);
    for (uint64_t k = 0; k < bytes / size; k++) {  // k: a cell of the chunk; at: of the variable
      uint64_t rest = k, at = 0, at_d[RA_SOURCE_DIMS];
      bool inside = true;
      for (unsigned d = var->ndim; d-- > 0; rest /= shape[d]) at_d[d] = rest % shape[d];
      for (unsigned d = 0; d < var->ndim; d++) {
        inside = inside && at_d[d] < count[d];
        at = at * var->shape[d] + start[d] + at_d[d];
      }
      if (!inside) continue;
      seen++;
      if (memcmp(chunk + k * size, (const uint8_t *)cells + at * size, size) != 0)
        fail_msg("%s: chunk %d, cell %d", var->name, (int)i, (int)k);
    }
  }
  assert_int_equal(seen, ra_source_var_cells(var));
  for (int round = 0; round < 20; round++) {
    for (unsigned d = 0; d < var->ndim; d++) {
      start[d] = test_random(seed) % var->shape[d];
      count[d] = 1 + test_random(seed) % (var->shape[d] - start[d]);
    }
    ra_source_set_threads(source, 1 + (unsigned)(test_random(seed) % 3));
    if (ra_source_read(source, var, start, count, window, &err) < 0) fail_msg("%s", err.message);
    uint64_t total = 1;
    for (unsigned d = 0; d < var->ndim; d++) total *= count[d];
    for (uint64_t k = 0; k < total; k++) {
      uint64_t rest = k, at = 0, at_d[RA_SOURCE_DIMS];
      for (unsigned d = var->ndim; d-- > 0; rest /= count[d]) at_d[d] = start[d] + rest % count[d];
      for (unsigned d = 0; d < var->ndim; d++) at = at * var->shape[d] + at_d[d];
      if (memcmp(window + k * size, (const uint8_t *)cells + at * size, size) != 0)
        fail_msg("%s: window, cell %d", var->name, (int)k);
    }
  }
  free(chunk);
  free(window);
}

static const struct {
  nc_type type;
  size_t size;
} TYPES[] = {{NC_BYTE, 1}, {NC_UBYTE, 1}, {NC_SHORT, 2},  {NC_USHORT, 2}, {NC_INT, 4},
             {NC_UINT, 4}, {NC_INT64, 8}, {NC_UINT64, 8}, {NC_FLOAT, 4},  {NC_DOUBLE, 8}};

static void random_cells(uint64_t *seed, uint8_t *cells, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) cells[i] = (uint8_t)(test_random(seed) >> 24);
}

// Each number type in both byte orders; contiguous, or chunked with some of the filters that netcdf-c writes.
static void netcdf4_comes_back(void **state) {
  (void)state;
  uint64_t seed = test_seed("netcdf4_comes_back");
  static uint8_t cells[20][CELLS * 8];
  int nc = nc_new("types.nc", NC_NETCDF4);
  int dims[] = {nc_dim(nc, "t", SHAPE[0]), nc_dim(nc, "y", SHAPE[1]), nc_dim(nc, "x", SHAPE[2])};
  for (int i = 0; i < 20; i++) {
    char name[16];
    snprintf(name, sizeof name, "v%d", i);
    int v = nc_var(nc, name, TYPES[i / 2].type, 3, dims);
    NC(nc_def_var_endian(nc, v, i % 2 ? NC_ENDIAN_BIG : NC_ENDIAN_LITTLE));
    uint64_t layout = test_random(&seed) % 5;
    size_t chunk[3];
    for (int d = 0; d < 3; d++) chunk[d] = 1 + test_random(&seed) % SHAPE[d];
    NC(nc_def_var_chunking(nc, v, layout ? NC_CHUNKED : NC_CONTIGUOUS, layout ? chunk : NULL));
    if (layout > 1) NC(nc_def_var_deflate(nc, v, layout % 2, 1, (int)(test_random(&seed) % 10)));
    if (layout == 4) NC(nc_def_var_fletcher32(nc, v, NC_FLETCHER32));
    random_cells(&seed, cells[i], CELLS * TYPES[i / 2].size);
    NC(nc_put_var(nc, v, cells[i]));
  }
  NC(nc_close(nc));
  ra_source *source = opened("types.nc");
  for (int i = 0; i < 20; i++) {
    char name[16];
    snprintf(name, sizeof name, "v%d", i);
    const ra_source_var *var = variable(source, name);
    assert_true(way(source, var) == (var->chunked ? RA__WAY_CHUNKS : RA__WAY_PLAIN));
    check(source, var, cells[i], &seed);
  }
  ra_source_free(source);
}

// Fixed variables between record variables of odd sizes; and one record variable alone, whose records are not padded.
static void classic_comes_back(void **state) {
  (void)state;
  static const int MODES[] = {NC_CLASSIC_MODEL, NC_64BIT_OFFSET, NC_64BIT_DATA};
  uint64_t seed = test_seed("classic_comes_back");
  static uint8_t cells[8][CELLS * 8];
  for (int round = 0; round < 12; round++) {
    int nc = nc_new("classic.nc", MODES[round % 3]), count = round < 3 ? 1 : 8;
    int dims[] = {nc_dim(nc, "t", NC_UNLIMITED), nc_dim(nc, "y", SHAPE[1]),
                  nc_dim(nc, "x", SHAPE[2]), nc_dim(nc, "f", SHAPE[0])};
    const int fixed[] = {dims[3], dims[1], dims[2]};
    nc_type types[8];
    for (int i = 0; i < count; i++) {
      char name[16];
      snprintf(name, sizeof name, "v%d", i);
      static const nc_type OLD[] = {NC_BYTE, NC_SHORT, NC_INT, NC_FLOAT, NC_DOUBLE};
      types[i] = round % 3 == 2 ? TYPES[test_random(&seed) % 10].type : OLD[test_random(&seed) % 5];
      (void)nc_var(nc, name, types[i], 3, i % 3 == 1 ? fixed : dims);
    }
    NC(nc_enddef(nc));
    const size_t start[3] = {0};
    for (int i = 0; i < count; i++) {
      random_cells(&seed, cells[i], sizeof cells[i]);
      NC(nc_put_vara(nc, i, start, SHAPE, cells[i]));
    }
    NC(nc_close(nc));
    ra_source *source = opened("classic.nc");
    for (int i = 0; i < count; i++) {
      const ra_source_var *var = ra_source_get_var(source, (size_t)i);
      assert_true(way(source, var) == RA__WAY_PLAIN);
      check(source, var, cells[i], &seed);
    }
    ra_source_free(source);
  }
}

// Variables that another one has outgrown (one without fill values in its chunks), chunks that nobody wrote, and a contiguous variable without a byte.
static void what_is_not_stored_is_fill(void **state) {
  (void)state;
  uint64_t seed = test_seed("what_is_not_stored_is_fill");
  int nc = nc_new("sparse.nc", NC_NETCDF4);
  int dims[] = {nc_dim(nc, "t", NC_UNLIMITED), nc_dim(nc, "x", 10)};
  int a = nc_var(nc, "a", NC_SHORT, 2, dims), b = nc_var(nc, "b", NC_SHORT, 2, dims);
  int bare = nc_var(nc, "bare", NC_SHORT, 2, dims);
  (void)nc_var(nc, "c", NC_INT, 1, &dims[1]);
  const size_t chunk[] = {4, 3};
  const short fill = 77;
  NC(nc_def_var_chunking(nc, a, NC_CHUNKED, chunk));
  NC(nc_def_var_chunking(nc, b, NC_CHUNKED, chunk));
  NC(nc_def_var_chunking(nc, bare, NC_CHUNKED, chunk));
  NC(nc_def_var_fill(nc, a, NC_FILL, &fill));
  NC(nc_def_var_fill(nc, bare, NC_NOFILL, NULL));
  NC(nc_def_var_deflate(nc, a, 1, 1, 1));
  NC(nc_enddef(nc));
  short want[90], value = 5, ones[90];
  for (int i = 0; i < 90; i++) want[i] = 77, ones[i] = 1;
  const size_t at[][2] = {{1, 2}, {5, 9}};
  for (int i = 0; i < 2; i++) {
    NC(nc_put_var1_short(nc, a, at[i], &value));
    want[at[i][0] * 10 + at[i][1]] = value;
  }
  const size_t start[] = {0, 0}, all[] = {9, 10};
  NC(nc_put_vara_short(nc, b, start, all, ones));
  const size_t part[] = {6, 10};
  short grown[90];
  for (int i = 0; i < 90; i++) grown[i] = i < 60 ? 1 : NC_FILL_SHORT;
  NC(nc_put_vara_short(nc, bare, start, part, ones));
  NC(nc_close(nc));
  ra_source *source = opened("sparse.nc");
  int empty[10];
  for (int i = 0; i < 10; i++) empty[i] = NC_FILL_INT;
  assert_int_equal(variable(source, "a")->shape[0], 9);
  assert_true(way(source, variable(source, "a")) == RA__WAY_CHUNKS);
  check(source, variable(source, "a"), want, &seed);
  check(source, variable(source, "b"), ones, &seed);
  check(source, variable(source, "bare"), grown, &seed);
  check(source, variable(source, "c"), empty, &seed);
  ra_source_free(source);
}

// A dataset of int32 0, 1, 2, … with chunks of 4 × 5, written by HDF5 itself.
static void hdf5_dataset(hid_t file, const char *name, hid_t dcpl, const hsize_t *most,
                         const hsize_t *shape) {
  const hsize_t chunk[] = {4, 5};
  int cells[70 * 70];
  for (int i = 0; i < 70 * 70; i++) cells[i] = i;
  H5Pset_chunk(dcpl, 2, chunk);
  hid_t space = H5Screate_simple(2, shape, most);
  hid_t data = H5Dcreate2(file, name, H5T_STD_I32LE, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
  assert_true(data >= 0);
  assert_true(H5Dwrite(data, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, cells) >= 0);
  H5Dclose(data), H5Sclose(space), H5Pclose(dcpl);
}

static hid_t create_file(const char *name, bool latest, hsize_t block) {
  hid_t fcpl = H5Pcreate(H5P_FILE_CREATE), fapl = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_userblock(fcpl, block);
  if (latest) H5Pset_libver_bounds(fapl, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
  hid_t file = H5Fcreate(nc_path(name), H5F_ACC_TRUNC, fcpl, fapl);
  assert_true(file >= 0);
  H5Pclose(fcpl), H5Pclose(fapl);
  return file;
}

// All chunk indexes of HDF5 1.10 (single, implicit, fixed and extensible array, both B-trees), behind a user block too.
static void every_index_is_read(void **state) {
  (void)state;
  uint64_t seed = test_seed("every_index_is_read");
  const hsize_t shape[] = {9, 11}, one[] = {4, 5}, many[] = {70, 70}, grows[] = {H5S_UNLIMITED, 11},
                both[] = {H5S_UNLIMITED, H5S_UNLIMITED};
  for (int round = 0; round < 4; round++) {
    hid_t file = create_file("index.nc", round % 2, round / 2 ? 1024 : 0);
    for (int filtered = 0; filtered < 2; filtered++) {
      static const char *const NAMES[2][5] = {{"a", "b", "c", "d", "e"}, {"f", "g", "h", "i", "j"}};
      const hsize_t *shapes[] = {one, shape, shape, shape, many};
      const hsize_t *mosts[] = {NULL, NULL, grows, both, NULL};
      for (int i = 0; i < 5; i++) {
        hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
        if (filtered) H5Pset_shuffle(dcpl), H5Pset_deflate(dcpl, 1), H5Pset_fletcher32(dcpl);
        if (i == 1) H5Pset_alloc_time(dcpl, H5D_ALLOC_TIME_EARLY);
        hdf5_dataset(file, NAMES[filtered][i], dcpl, mosts[i], shapes[i]);
      }
    }
    H5Fclose(file);
    ra_source *source = opened("index.nc");
    assert_int_equal(ra_source_var_count(source), 10);
    for (size_t i = 0; i < 10; i++) {
      const ra_source_var *var = ra_source_get_var(source, i);
      int cells[70 * 70];
      for (int k = 0; k < 70 * 70; k++) cells[k] = k;
      if (way(source, var) != RA__WAY_CHUNKS) fail_msg("round %d: %s", round, var->name);
      check(source, var, cells, &seed);
    }
    ra_source_free(source);
  }
}

// More chunks than HDF5 is asked to list: fetched by it, decoded here.
static void an_index_that_is_not_listed(void **state) {
  (void)state;
  enum { N = 5000 };
  hid_t file = create_file("many.nc", true, 0), dcpl = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t shape = N + 1, chunk = 1, some = N;
  static short cells[N + 1];
  for (int i = 0; i < N; i++) cells[i] = (short)(3 * i);
  const short fill = -9;
  cells[N] = fill;  // is not written
  H5Pset_chunk(dcpl, 1, &chunk), H5Pset_deflate(dcpl, 1);
  H5Pset_fill_value(dcpl, H5T_NATIVE_SHORT, &fill);
  H5Pset_alloc_time(dcpl, H5D_ALLOC_TIME_INCR);
  hid_t space = H5Screate_simple(1, &shape, NULL), part = H5Screate_simple(1, &some, NULL);
  hid_t data = H5Dcreate2(file, "v", H5T_STD_I16BE, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
  const hsize_t origin = 0;
  H5Sselect_hyperslab(space, H5S_SELECT_SET, &origin, NULL, &some, NULL);
  assert_true(H5Dwrite(data, H5T_NATIVE_SHORT, part, space, H5P_DEFAULT, cells) >= 0);
  H5Dclose(data), H5Sclose(space), H5Sclose(part), H5Pclose(dcpl), H5Fclose(file);
  ra_source *source = opened("many.nc");
  const ra_source_var *var = variable(source, "v");
  uint64_t seed = test_seed("an_index_that_is_not_listed");
  assert_true(way(source, var) == RA__WAY_HDF5);
  check(source, var, cells, &seed);
  ra_source_free(source);
}

// One chunk of 400 int32 by h5py 3.16 with hdf5plugin 7.1: Bitshuffle(cname="zstd"); (np.arange(400) // 7 * 3).
static const char bitshuffle[] =
    "0000000000000640000020000000007928b52ffd6040057d03002403803fe00ff803fe80ff1f00f8ff0100c0"
    "1ff0ff03fe0000e0ffff0300ffff1f0000fcff00fcff0000ff03ffe0ff03ff1ffcff190094a47c000ccef837"
    "305b0405aa82001e34a52f67c245f0850035c901c26c1281239823e2079c8291e1cc55d50db70a63920a601a"
    "806990598c";

static void raw_chunk(const char *name, H5Z_filter_t filter, const unsigned *values, size_t count,
                      uint32_t mask, const void *data, size_t size) {
  hid_t file = create_file(name, false, 0), dcpl = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t shape = 400, origin = 0;
  H5Pset_chunk(dcpl, 1, &shape);
  assert_true(H5Pset_filter(dcpl, filter, H5Z_FLAG_OPTIONAL, count, values) >= 0);
  hid_t space = H5Screate_simple(1, &shape, NULL);
  hid_t dataset = H5Dcreate2(file, "v", H5T_STD_I32LE, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
  assert_true(dataset >= 0);
  assert_true(H5Dwrite_chunk(dataset, H5P_DEFAULT, mask, &origin, size, data) >= 0);
  H5Dclose(dataset), H5Sclose(space), H5Pclose(dcpl), H5Fclose(file);
}

static size_t unhex(const char *text, uint8_t *out) {
  size_t n = strlen(text) / 2;
  for (size_t i = 0; i < n; i++) {
    unsigned byte;
    sscanf(text + 2 * i, "%2x", &byte);
    out[i] = (uint8_t)byte;
  }
  return n;
}

// Filters that HDF5 has no plugin for: undone by our codecs; left out by the chunk's mask; or named.
static void filters_without_plugin(void **state) {
  (void)state;
  const unsigned values[] = {0, 4, 4, 0, 3, 3};
  uint8_t packed[1024];
  int cells[400];
  uint64_t seed = test_seed("filters_without_plugin");
  for (int i = 0; i < 400; i++) cells[i] = i / 7 * 3;
  raw_chunk("filter.nc", 32008, values, 6, 0, packed, unhex(bitshuffle, packed));
  ra_source *source = opened("filter.nc");
  check(source, variable(source, "v"), cells, &seed);
  ra_source_free(source);
  raw_chunk("mask.nc", 32008, values, 6, 1, cells, sizeof cells);
  source = opened("mask.nc");
  check(source, variable(source, "v"), cells, &seed);
  ra_source_free(source);
  raw_chunk("zfp.nc", 32013, values, 6, 0, packed, 100);
  source = opened("zfp.nc");
  ra_err err = {0};
  ra_str refs;
  ra_str_init(&refs);
  assert_int_equal(ra_refer(source, "zfp.nc", &refs, &err), RA_E_UNSUPPORTED);
  assert_non_null(strstr(err.message, "variable 'v'"));
  assert_non_null(strstr(err.message, "zfp (HDF5 filter 32013)"));
  ra_str_deinit(&refs);
  const uint64_t start = 0, count = 400;
  assert_int_equal(ra_source_read(source, variable(source, "v"), &start, &count, cells, &err),
                   RA_E_UNSUPPORTED);
  assert_non_null(strstr(err.message, "zfp (HDF5 filter 32013)"));
  ra_source_free(source);
}

static void write_big(const char *name, int layout) {
  int nc = nc_new(name, layout == 2 ? NC_64BIT_OFFSET : NC_NETCDF4);
  int dims[] = {nc_dim(nc, "t", 64), nc_dim(nc, "y", 100), nc_dim(nc, "x", 100)};
  int v = nc_var(nc, "v", NC_INT, 3, dims);
  const size_t chunk[] = {8, 30, 100};
  if (layout == 0) {
    NC(nc_def_var_chunking(nc, v, NC_CHUNKED, chunk));
    NC(nc_def_var_deflate(nc, v, 1, 1, 1));
  }
  NC(nc_enddef(nc));
  static int cells[640000];
  for (int i = 0; i < 640000; i++) cells[i] = i * 7;
  NC(nc_put_var_int(nc, v, cells));
  NC(nc_close(nc));
}

typedef struct reader {
  ra_source *source;
  const ra_source_var *var;
  int rc;
} reader;

static void *read_all(void *ctx) {
  reader *r = ctx;
  uint64_t start[] = {0, 0, 0};
  int *cells = malloc(640000 * sizeof *cells);
  r->rc = ra_source_read(r->source, r->var, start, r->var->shape, cells, NULL);
  for (int i = 0; i < 640000 && r->rc >= 0; i++) r->rc = cells[i] == i * 7 ? RA_OK : RA_E_CORRUPT;
  free(cells);
  return NULL;
}

static void many_threads_read_at_once(void **state) {
  (void)state;
  for (int layout = 0; layout < 3; layout++) {
    write_big("big.nc", layout);
    ra_source *source = opened("big.nc");
    const ra_source_var *var = variable(source, "v");
    pthread_t threads[4];
    reader readers[4];
    ra_source_set_threads(source, 3);
    for (int i = 0; i < 4; i++) {
      readers[i] = (reader){source, var, RA_OK};
      assert_int_equal(pthread_create(&threads[i], NULL, read_all, &readers[i]), 0);
    }
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++) assert_int_equal(readers[i].rc, RA_OK);
    assert_int_equal(ra_source_chunks_read(source), 4 * ra_source_chunk_count(var));
    ra_source_free(source);
  }
}

// What this process has asked the system to read.
static uint64_t bytes_asked(void) {
  FILE *f = fopen("/proc/self/io", "r");
  unsigned long long bytes = 0;
  if (!f || fscanf(f, "rchar: %llu", &bytes) != 1) bytes = 0;
  if (f) fclose(f);
  return bytes;
}

static void bytes_are_read_once(void **state) {
  (void)state;
  if (bytes_asked() == 0) {
    print_message("skipped: no /proc/self/io\n");
    skip();
  }
  for (int layout = 0; layout < 3; layout++) {
    write_big("once.nc", layout);
    ra_source *source = opened("once.nc");
    reader r = {source, variable(source, "v"), RA_OK};
    uint64_t before = bytes_asked();
    read_all(&r);
    assert_int_equal(r.rc, RA_OK);
    uint64_t asked = bytes_asked() - before, stored = ra_source_bytes(source);
    if (asked > stored + 16384) fail_msg("%d bytes of %d", (int)asked, (int)stored);
    ra_source_free(source);
  }
}

static void a_change_underfoot_is_seen(void **state) {
  (void)state;
  for (int layout = 0; layout < 3; layout++) {
    write_big("change.nc", layout);
    ra_source *source = opened("change.nc");
    const ra_source_var *var = variable(source, "v");
    uint64_t start[] = {0, 0, 0}, count[] = {1, 1, 1};
    int cell;
    ra_err err = {0};
    assert_int_equal(ra_source_read(source, var, start, count, &cell, &err), RA_OK);
    FILE *f = fopen(nc_path("change.nc"), "ab");
    fputc(0, f);
    fclose(f);
    assert_int_equal(ra_source_read(source, var, start, count, &cell, &err), RA_E_CONFLICT);
    assert_non_null(strstr(err.message, "changed while it was being read"));
    size_t got;
    assert_int_equal(ra_source_raw(source, 0, &cell, 4, &got, &err), RA_E_CONFLICT);
    ra_source_free(source);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(netcdf4_comes_back),          cmocka_unit_test(classic_comes_back),
      cmocka_unit_test(what_is_not_stored_is_fill),  cmocka_unit_test(every_index_is_read),
      cmocka_unit_test(an_index_that_is_not_listed), cmocka_unit_test(filters_without_plugin),
      cmocka_unit_test(many_threads_read_at_once),   cmocka_unit_test(bytes_are_read_once),
      cmocka_unit_test(a_change_underfoot_is_seen),
  };
  return cmocka_run_group_tests(tests, nc_setup, nc_teardown);
}
