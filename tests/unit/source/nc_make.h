// nc_make.h - small NetCDF files for tests, written with netcdf-c itself. Each program uses a part of it.
#pragma once
#include <netcdf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#pragma GCC diagnostic ignored "-Wunused-function"

static char nc_dir[] = "/tmp/rastrum-test-XXXXXX";

#define NC(call) assert_int_equal((call), NC_NOERR)

static int nc_setup(void **state) {
  (void)state;
  return mkdtemp(nc_dir) ? 0 : -1;
}

static int nc_teardown(void **state) {
  (void)state;
  char command[64];
  snprintf(command, sizeof command, "rm -rf %s", nc_dir);
  return system(command);
}

static const char *nc_path(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", nc_dir, name);
  return path;
}

static int nc_new(const char *name, int mode) {
  int nc;
  NC(nc_create(nc_path(name), mode | NC_CLOBBER, &nc));
  return nc;
}

static int nc_dim(int nc, const char *name, size_t size) {
  int dim;
  NC(nc_def_dim(nc, name, size, &dim));
  return dim;
}

static int nc_var(int nc, const char *name, nc_type type, int ndim, const int *dims) {
  int var;
  NC(nc_def_var(nc, name, type, ndim, dims, &var));
  return var;
}

static void nc_text(int nc, int var, const char *name, const char *text) {
  NC(nc_put_att_text(nc, var, name, strlen(text), text));
}

static void nc_number(int nc, int var, const char *name, nc_type type, double value) {
  NC(nc_put_att_double(nc, var, name, type, 1, &value));
}

// A 1-D coordinate of its own dimension; filled by nc_fill_axis after nc_enddef.
static int nc_axis(int nc, const char *name, nc_type type, int dim, const char *units) {
  int var = nc_var(nc, name, type, 1, &dim);
  if (units) nc_text(nc, var, "units", units);
  return var;
}

static void nc_fill_axis(int nc, int var, size_t n, double first, double step) {
  double values[4096];
  assert_true(n <= 4096);
  for (size_t i = 0; i < n; i++) values[i] = first + (double)i * step;
  NC(nc_put_var_double(nc, var, values));
}
