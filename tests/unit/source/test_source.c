// Opening: what is refused and in which words, files that lead out of themselves, the model, the chunk counter.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <hdf5.h>

#include "nc_make.h"
#include "source/source.h"

static void write_bytes(const char *name, const char *bytes, size_t size) {
  FILE *f = fopen(nc_path(name), "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(bytes, 1, size, f), size);
  fclose(f);
}

static void refused(const char *path, const char *words) {
  ra_source *source;
  ra_err err = {0};
  assert_true(ra_source_open(path, &source, &err) < 0);
  assert_null(source);
  if (!strstr(err.message, words)) fail_msg("'%s' lacks '%s'", err.message, words);
  assert_true(err.where[0] != 0);
}

static void foreign_files_are_named(void **state) {
  (void)state;
  write_bytes("empty.nc", "", 0);
  write_bytes("text.nc", "hello, world, this is text", 26);
  write_bytes("grib.nc", "GRIB\0\0\0\2aaaaaaaa", 16);
  write_bytes("short.nc", "CDF\1", 4);
  write_bytes("tiff.nc", "II*\0\0\0\0\0\0\0\0\0", 12);
  write_bytes("cut.nc", "\211HDF\r\n\032\n\0\0\0\0\0\0\0\0", 16);
  refused(nc_path("empty.nc"), "empty");
  refused(nc_path("text.nc"), "not NetCDF");
  refused(nc_path("grib.nc"), "GRIB");
  refused(nc_path("short.nc"), "incomplete NetCDF header");
  refused(nc_path("tiff.nc"), "TIFF");
  refused(nc_path("cut.nc"), "truncated or damaged");
  refused(nc_path("none.nc"), "cannot be found");
  refused(nc_dir, "no Zarr array");
  refused("http://127.0.0.1/x.nc", "servers");
  refused("x.nc#mode=bytes", "address");
}

static hid_t hdf5_file(const char *name) {
  hid_t file = H5Fcreate(nc_path(name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  assert_true(file >= 0);
  return file;
}

static void external_storage_is_refused(void **state) {
  (void)state;
  write_bytes("secret", "0123456789abcdef", 16);
  hid_t file = hdf5_file("storage.nc"), dcpl = H5Pcreate(H5P_DATASET_CREATE);
  hsize_t size = 16;
  H5Pset_external(dcpl, nc_path("secret"), 0, 16);
  hid_t space = H5Screate_simple(1, &size, NULL);
  hid_t data = H5Dcreate2(file, "inside", H5T_STD_U8LE, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
  assert_true(data >= 0);
  H5Dclose(data), H5Sclose(space), H5Pclose(dcpl), H5Fclose(file);
  refused(nc_path("storage.nc"), "external storage");
}

static void external_links_are_refused(void **state) {
  (void)state;
  hid_t other = hdf5_file("other.h5");
  H5Fclose(other);
  hid_t file = hdf5_file("link.nc");
  hid_t group = H5Gcreate2(file, "deep", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  assert_true(H5Lcreate_external("other.h5", "/x", group, "out", H5P_DEFAULT, H5P_DEFAULT) >= 0);
  H5Gclose(group), H5Fclose(file);
  refused(nc_path("link.nc"), "external link");
}

static void virtual_datasets_are_refused(void **state) {
  (void)state;
  hid_t file = H5Fcreate(nc_path("virtual.nc"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
  hsize_t size = 4;
  hid_t space = H5Screate_simple(1, &size, NULL);
  assert_true(H5Pset_virtual(dcpl, space, "other.h5", "/x", space) >= 0);
  hid_t data = H5Dcreate2(file, "view", H5T_STD_I32LE, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
  assert_true(data >= 0);
  H5Dclose(data), H5Sclose(space), H5Pclose(dcpl), H5Fclose(file);
  refused(nc_path("virtual.nc"), "virtual");
}

// Classic files of each kind, with fixed and record variables, cut after every byte: only the whole file opens.
static void cut_classic_files_are_refused(void **state) {
  (void)state;
  static const int MODES[] = {NC_CLASSIC_MODEL, NC_64BIT_OFFSET, NC_64BIT_DATA};
  for (int i = 0; i < 6; i++) {
    int nc = nc_new("whole.nc", MODES[i % 3]);
    int dims[] = {nc_dim(nc, "t", NC_UNLIMITED), nc_dim(nc, "x", 3)};
    int a = nc_var(nc, "a", NC_SHORT, 2, dims), b = i < 3 ? nc_var(nc, "b", NC_BYTE, 2, dims) : a;
    int c = nc_var(nc, "c", NC_DOUBLE, 1, &dims[1]);
    nc_text(nc, NC_GLOBAL, "title", "odd");
    nc_number(nc, a, "n", NC_SHORT, 1);
    NC(nc_enddef(nc));
    const size_t start[] = {0, 0}, count[] = {3, 3};
    const short cells[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    const double fixed[] = {1, 2, 3};
    NC(nc_put_vara_short(nc, a, start, count, cells));
    NC(nc_put_vara_short(nc, b, start, count, cells));
    NC(nc_put_var_double(nc, c, fixed));
    NC(nc_close(nc));
    FILE *f = fopen(nc_path("whole.nc"), "rb");
    char bytes[4096];
    size_t size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    ra_source *source;
    ra_err err = {0};
    assert_int_equal(ra_source_open(nc_path("whole.nc"), &source, &err), RA_OK);
    ra_source_free(source);
    for (size_t n = 4; n + 4 <= size; n++) {  // the last bytes may be padding
      write_bytes("part.nc", bytes, n);
      if (ra_source_open(nc_path("part.nc"), &source, &err) >= 0)
        fail_msg("%zu of %zu bytes open", n, size);
    }
  }
}

static ra_source *opened(const char *name) {
  ra_source *source;
  ra_err err = {0};
  if (ra_source_open(nc_path(name), &source, &err) < 0) fail_msg("%s: %s", err.where, err.message);
  return source;
}

static void the_model_is_the_files(void **state) {
  (void)state;
  int nc = nc_new("model.nc", NC_NETCDF4), group, deep;
  int x = nc_dim(nc, "x", 3), t = nc_dim(nc, "t", NC_UNLIMITED);
  NC(nc_def_grp(nc, "a", &group));
  NC(nc_def_grp(group, "b", &deep));
  int dims[] = {t, x};
  int v = nc_var(deep, "v", NC_SHORT, 2, dims), b = nc_var(nc, "b", NC_BYTE, 1, &x);
  nc_text(nc, b, "_Unsigned", "true");
  const char *texts[] = {"one", "two"};
  NC(nc_put_att_string(nc, b, "list", 2, texts));
  long long big = 9007199254740993;
  NC(nc_put_att_longlong(nc, NC_GLOBAL, "big", NC_INT64, 1, &big));
  nc_var(nc, "words", NC_STRING, 1, &x);
  size_t start[] = {0, 0}, count[] = {2, 3};
  short cells[] = {1, -2, 3, 4, 5, -6};
  signed char bytes[] = {0, 127, -1};
  NC(nc_put_vara_short(deep, v, start, count, cells));
  NC(nc_put_var_schar(nc, b, bytes));
  NC(nc_close(nc));

  ra_source *source = opened("model.nc");
  assert_string_equal(ra_source_format(source), "netcdf4");
  ra_source_var *var = ra_source_find(source, "a/b", "v");
  assert_non_null(var);
  assert_string_equal(var->name, "a/b/v");
  assert_int_equal(var->shape[0], 2);
  assert_true(ra_source_get_dim(source, var->dims[0])->unlimited);
  assert_ptr_equal(ra_source_find(source, "a/b", "b"), ra_source_find(source, "", "b"));
  assert_null(ra_source_find(source, "", "v"));
  var = ra_source_find(source, "", "b");
  assert_int_equal(var->dtype, RA_DTYPE_U8);
  const ra_source_attr *list = ra_source_var_attr(var, "list");
  assert_int_equal(list->count, 2);
  assert_string_equal(list->texts[1], "two");
  const ra_source_attr *exact =
      ra_source_attr_find(ra_source_attrs(source), ra_source_attr_count(source), "big");
  assert_true(exact->integers[0] == 9007199254740993);
  assert_int_equal(ra_source_find(source, "", "words")->kind, RA_SOURCE_STRINGS);
  const void *got;
  ra_err err = {0};
  assert_int_equal(ra_source_cells(source, var, &got, &err), RA_OK);
  assert_int_equal(((const uint8_t *)got)[2], 255);
  ra_source_free(source);
}

static void each_chunk_counts_once(void **state) {
  (void)state;
  int nc = nc_new("chunks.nc", NC_NETCDF4);
  int dims[] = {nc_dim(nc, "y", 10), nc_dim(nc, "x", 9)};
  int v = nc_var(nc, "v", NC_INT, 2, dims);
  size_t chunk[] = {4, 5};
  NC(nc_def_var_chunking(nc, v, NC_CHUNKED, chunk));
  NC(nc_def_var_deflate(nc, v, 1, 1, 1));
  int cells[90];
  for (int i = 0; i < 90; i++) cells[i] = i;
  NC(nc_put_var_int(nc, v, cells));
  NC(nc_close(nc));
  ra_source *source = opened("chunks.nc");
  ra_source_var *var = ra_source_find(source, "", "v");
  assert_int_equal(var->chunk[0], 4);
  int got[90];
  ra_err err = {0};
  for (uint64_t y = 0; y < 10; y += 4) {
    uint64_t start[] = {y, 0}, count[] = {y + 4 > 10 ? 10 - y : 4, 9};
    assert_int_equal(ra_source_read(source, var, start, count, got + y * 9, &err), RA_OK);
  }
  assert_memory_equal(got, cells, sizeof cells);
  assert_int_equal(ra_source_chunks_read(source), 6);
  uint64_t start[] = {0, 0}, count[] = {11, 1};
  assert_true(ra_source_read(source, var, start, count, got, &err) < 0);
  ra_source_free(source);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(foreign_files_are_named),
      cmocka_unit_test(cut_classic_files_are_refused),
      cmocka_unit_test(external_storage_is_refused),
      cmocka_unit_test(external_links_are_refused),
      cmocka_unit_test(virtual_datasets_are_refused),
      cmocka_unit_test(the_model_is_the_files),
      cmocka_unit_test(each_chunk_counts_once),
  };
  return cmocka_run_group_tests(tests, nc_setup, nc_teardown);
}
