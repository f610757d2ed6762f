// Files that lie: chunk indexes damaged in every way that matters, at random too, and chunks that are not what their
// variable says. Each is refused in words, without a loop, a read past the end or a big allocation.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#include <cmocka.h>
#include <hdf5.h>
#include <zlib.h>

#include "nc_make.h"
#include "random.h"
#include "source/storage.h"

enum { ROWS = 30, COLUMNS = 40, NODE_HEAD = 24, KEY = 32, ENTRY = KEY + 8, MOST = 1 << 20 };

// A file of 300 chunks, so that its B-tree has two levels.
static struct {
  uint8_t bytes[MOST];
  size_t size, root, leaf, leaf_count;
  uint64_t header;
} file;

static uint64_t load(size_t at, unsigned bytes) {
  uint64_t value = 0;
  for (unsigned i = 0; i < bytes; i++) value |= (uint64_t)file.bytes[at + i] << 8 * i;
  return value;
}

static void store(size_t at, uint64_t value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; i++) file.bytes[at + i] = (uint8_t)(value >> 8 * i);
}

static void write_file(void) {
  int nc = nc_new("index.nc", NC_NETCDF4);
  int dims[] = {nc_dim(nc, "y", ROWS), nc_dim(nc, "x", COLUMNS)};
  int v = nc_var(nc, "v", NC_INT, 2, dims);
  const size_t chunk[] = {2, 2};
  NC(nc_def_var_chunking(nc, v, NC_CHUNKED, chunk));
  NC(nc_def_var_deflate(nc, v, 1, 1, 1));
  int cells[ROWS * COLUMNS];
  for (int i = 0; i < ROWS * COLUMNS; i++) cells[i] = i;
  NC(nc_put_var_int(nc, v, cells));
  NC(nc_close(nc));
}

static void load_file(void) {
  FILE *f = fopen(nc_path("index.nc"), "rb");
  file.size = fread(file.bytes, 1, MOST, f);
  fclose(f);
  file.root = file.leaf = 0;
  for (size_t at = 0; at + NODE_HEAD <= file.size; at++) {
    if (memcmp(file.bytes + at, "TREE\1", 5) != 0) continue;
    if (file.bytes[at + 5] == 1) file.root = at;
    if (file.bytes[at + 5] == 0 && !file.leaf) file.leaf = at;
  }
  assert_true(file.root && file.leaf);
  file.leaf_count = load(file.leaf + 6, 2);
}

static void find_header(void) {
  hid_t h5 = H5Fopen(nc_path("index.nc"), H5F_ACC_RDONLY, H5P_DEFAULT);
  H5G_stat_t stat;
  assert_true(H5Gget_objinfo(h5, "v", 1, &stat) >= 0);
  file.header = stat.objno[0];
  H5Fclose(h5);
}

// Reads the index of the bytes as they are now.
static int read_index(size_t *count, ra_err *err) {
  int fd = memfd_create("index", MFD_CLOEXEC);
  assert_int_equal(write(fd, file.bytes, file.size), file.size);
  ra_source source = {.name = "index.nc", .fd = fd, .bytes = file.size};
  ra_source_var var = {.name = "v",
                       .ndim = 2,
                       .dtype = RA_DTYPE_I32,
                       .chunked = true,
                       .shape = {ROWS, COLUMNS},
                       .chunk = {2, 2},
                       .block = {2, 2}};
  ra__storage storage = {.format = {.chain = {{.id = RA_CODEC_DEFLATE}}, .filters = 1, .bytes = 16}};
  int rc = ra__btree_slots(&source, &var, 0, file.header, &storage.slots, &storage.slot_count, err);
  *count = storage.slot_count;
  if (rc >= 0) rc = ra__slots_check(&source, &var, &storage, err);
  free(storage.slots);
  close(fd);
  return rc;
}

static void refused(const char *words) {
  size_t count;
  ra_err err = {0};
  assert_int_equal(read_index(&count, &err), RA_E_CORRUPT);
  if (!strstr(err.message, words)) fail_msg("'%s' lacks '%s'", err.message, words);
  load_file();
}

static size_t entry(size_t node, size_t i) { return node + NODE_HEAD + i * ENTRY; }

static void a_lying_index_is_refused(void **state) {
  (void)state;
  size_t count, leaf = file.leaf, root = file.root;
  ra_err err = {0};
  assert_int_equal(read_index(&count, &err), RA_OK);
  assert_int_equal(count, 300);
  uint64_t first = load(entry(leaf, 0) + KEY, 8);
  store(entry(leaf, 3) + KEY, file.size + 1, 8), refused("lies outside the file");
  store(entry(leaf, 3) + KEY, UINT64_MAX - 1, 8), refused("lies outside the file");
  store(entry(leaf, 3) + KEY, file.size - 4, 8), refused("lies outside the file");
  store(entry(leaf, 3), UINT32_MAX, 4), refused("lies outside the file");
  store(entry(leaf, 3) + KEY, first, 8), refused("lies over another");
  store(entry(leaf, 3) + KEY, first + 1, 8), refused("lies over another");
  store(entry(leaf, 1) + 16, 3, 8), refused("beside the grid");
  store(entry(leaf, 1) + 16, 0, 8), refused("do not ascend");
  store(entry(leaf, 5) + 16, 2, 8), refused("do not ascend");
  store(entry(root, 0) + KEY, root, 8), refused("wrong level");
  store(root + 5, 200, 1), refused("wrong level");
  store(leaf + 6, 0, 2), refused("empty");
  store(root + 6, 65535, 2), refused("outside the file");
  store(leaf, 0, 4), refused("a node is none");
  store(entry(root, 1) + KEY, file.size - 8, 8), refused("outside the file");
  store(entry(root, 1) + KEY, load(entry(root, 0) + KEY, 8), 8), refused("do not ascend");
  // Chunks outside the variable are left out, but their tree may not be walked without end either.
  for (size_t i = 0; i < file.leaf_count; i++) store(entry(leaf, i) + 8, 1u << 20, 8);
  for (size_t i = 0; i < load(root + 6, 2); i++) store(entry(root, i) + KEY, leaf, 8);
  refused("do not ascend");
}

static void a_chunk_too_large_is_refused(void **state) {
  (void)state;
  ra_source source = {.name = "x.nc", .bytes = 1 << 30};
  ra_source_var var = {.name = "v"};
  ra__slot slot = {.offset = 8, .size = 1 << 20};
  ra__storage storage = {.format = {.bytes = 16}, .slots = &slot, .slot_count = 1};
  ra_err err = {0};
  assert_int_equal(ra__slots_check(&source, &var, &storage, &err), RA_E_CORRUPT);
  assert_non_null(strstr(err.message, "larger than its cells can make it"));
}

static void random_damage_is_answered(void **state) {
  (void)state;
  uint64_t seed = test_seed("random_damage_is_answered");
  const size_t places[] = {file.root, file.leaf, (size_t)file.header};
  for (int round = 0; round < 3000; round++) {
    for (int k = 0; k < 1 + round % 4; k++) {
      size_t at = places[test_random(&seed) % 3] + test_random(&seed) % 600;
      if (at < file.size) file.bytes[at] = (uint8_t)test_random(&seed);
    }
    size_t count;
    ra_err err = {0};
    int rc = read_index(&count, &err);
    assert_true(rc == RA_OK || rc == RA_E_CORRUPT || rc == RA_E_UNSUPPORTED);
    if (rc == RA_E_CORRUPT) assert_true(err.message[0] != 0);
    load_file();
  }
}

// The same through everything: HDF5 itself does not look where the chunks of an index lie.
static void the_file_is_refused_when_it_is_read(void **state) {
  (void)state;
  store(entry(file.leaf, 3) + KEY, file.size + 1, 8);
  FILE *f = fopen(nc_path("lie.nc"), "wb");
  assert_int_equal(fwrite(file.bytes, 1, file.size, f), file.size);
  fclose(f);
  load_file();
  ra_source *source;
  ra_err err = {0};
  assert_int_equal(ra_source_open(nc_path("lie.nc"), &source, &err), RA_OK);
  const uint64_t start[] = {0, 0}, count[] = {2, 2};
  int cells[4];
  for (int i = 0; i < 2; i++) {  // the second time, too
    assert_int_equal(
        ra_source_read(source, ra_source_find(source, "", "v"), start, count, cells, &err),
        RA_E_CORRUPT);
    assert_non_null(strstr(err.message, "of variable 'v'"));
    assert_non_null(strstr(err.message, "lies outside the file"));
    assert_string_equal(err.where, "lie.nc");
  }
  ra_source_free(source);
}

// One chunk of 16 int32 whose stored bytes are `data`.
static void one_chunk(const void *data, size_t size, bool checked) {
  hid_t h5 = H5Fcreate(nc_path("chunk.nc"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t shape = 16, origin = 0;
  H5Pset_chunk(dcpl, 1, &shape), H5Pset_deflate(dcpl, 1);
  if (checked) H5Pset_fletcher32(dcpl);
  hid_t space = H5Screate_simple(1, &shape, NULL);
  hid_t v = H5Dcreate2(h5, "v", H5T_STD_I32LE, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
  assert_true(H5Dwrite_chunk(v, H5P_DEFAULT, 0, &origin, size, data) >= 0);
  H5Dclose(v), H5Sclose(space), H5Pclose(dcpl), H5Fclose(h5);
}

static void chunk_refused(const char *words) {
  ra_source *source;
  ra_err err = {0};
  int cells[16];
  assert_int_equal(ra_source_open(nc_path("chunk.nc"), &source, &err), RA_OK);
  int rc = ra_source_chunk_decode(source, ra_source_get_var(source, 0), 0, cells, &err);
  assert_int_equal(rc, RA_E_CORRUPT);
  if (!strstr(err.message, words)) fail_msg("'%s' lacks '%s'", err.message, words);
  assert_string_equal(err.where, "chunk.nc");
  ra_source_free(source);
}

static void lying_chunks_are_refused(void **state) {
  (void)state;
  static uint8_t zeros[1 << 20];
  uint8_t packed[4096];
  uLongf size = sizeof packed;  // a bomb: a megabyte where 64 bytes belong
  assert_int_equal(compress(packed, &size, zeros, sizeof zeros), Z_OK);
  one_chunk(packed, size, false), chunk_refused("gives more than the 64 bytes expected");
  size = sizeof packed;
  assert_int_equal(compress(packed, &size, zeros, 60), Z_OK);
  one_chunk(packed, size, false), chunk_refused("60 bytes where 64 were expected");
  one_chunk("not deflate at all", 18, false), chunk_refused("damaged zlib stream");
  size = sizeof packed;
  assert_int_equal(compress(packed, &size, zeros, 64), Z_OK);
  memset(packed + size, 's', 4);
  one_chunk(packed, size + 4, true), chunk_refused("checksum does not match");
}

static int setup(void **state) {
  if (nc_setup(state) != 0) return -1;
  write_file();
  load_file();
  find_header();
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_lying_index_is_refused),
      cmocka_unit_test(a_chunk_too_large_is_refused),
      cmocka_unit_test(random_damage_is_answered),
      cmocka_unit_test(the_file_is_refused_when_it_is_read),
      cmocka_unit_test(lying_chunks_are_refused),
  };
  return cmocka_run_group_tests(tests, setup, nc_teardown);
}
