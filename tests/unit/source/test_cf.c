// CF rules on small files: grids and how the map layout is turned, time axes, packing, and why files are refused.
// Expected numbers follow from CF 1.11 and from the axes written here.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "nc_make.h"
#include "source/cf.h"

static void near(double got, double want, double room) {
  if (!(fabs(got - want) <= room)) fail_msg("%.17g is not %.17g", got, want);
}

typedef struct file {
  ra_source *source;
  ra_cf *cf;
} file;

static file read_file(const char *name, const char *datetime) {
  file f;
  ra_err err = {0};
  if (ra_source_open(nc_path(name), &f.source, &err) < 0)
    fail_msg("%s: %s", err.where, err.message);
  if (ra_cf_read(f.source, datetime, &f.cf, &err) < 0) fail_msg("%s: %s", err.where, err.message);
  return f;
}

static void close_file(file *f) {
  ra_cf_free(f->cf);
  ra_source_free(f->source);
}

static const ra_cf_variable *mapped(const file *f, const char *name) {
  const ra_cf_variable *v = ra_cf_find(f->cf, name);
  assert_non_null(v);
  if (!v->mappable) fail_msg("%s: %s", name, v->reason ? v->reason : "not data");
  return v;
}

static void refused(const char *name, const char *words) {
  file f = read_file(name, NULL);
  ra_err err = {0};
  assert_true(ra_cf_refusal(f.cf, &err) < 0);
  if (!strstr(err.message, words)) fail_msg("'%s' lacks '%s'", err.message, words);
  close_file(&f);
}

typedef struct axis {
  const char *name, *units;
  size_t count;
  double first, step;
  nc_type type;
} axis;

// v(y, x) on two axes; returns the file open in define mode is over.
static void write_plane(const char *name, axis y, axis x) {
  int nc = nc_new(name, NC_NETCDF4);
  int dims[] = {nc_dim(nc, y.name, y.count), nc_dim(nc, x.name, x.count)};
  int vy = nc_axis(nc, y.name, y.type, dims[0], y.units),
      vx = nc_axis(nc, x.name, x.type, dims[1], x.units);
  nc_var(nc, "v", NC_FLOAT, 2, dims);
  NC(nc_enddef(nc));
  nc_fill_axis(nc, vy, y.count, y.first, y.step);
  nc_fill_axis(nc, vx, x.count, x.first, x.step);
  NC(nc_close(nc));
}

static const axis LAT = {"lat", "degrees_north", 4, -60, 40, NC_DOUBLE};

static const ra_cf_grid *plane_grid(file *f, axis y, axis x) {
  write_plane("plane.nc", y, x);
  *f = read_file("plane.nc", NULL);
  return mapped(f, "v")->grid;
}

static void check_gt(const ra_cf_grid *grid, double x, double dx, double y, double dy) {
  near(grid->grid.gt[0], x, 1e-9);
  near(grid->grid.gt[1], dx, 1e-12);
  near(grid->grid.gt[3], y, 1e-9);
  near(grid->grid.gt[5], dy, 1e-12);
}

static void longitudes_come_into_place(void **state) {
  (void)state;
  static const struct {
    double first, step;
    size_t count;
    double west;
    int64_t roll;
    bool reversed, wraps;
  } CASES[] = {
      {0, 30, 12, -195, 6, false, true},     // column 6 has its centre at 180
      {15, 30, 12, -180, 6, false, true},    // 0-360, edges on the seam
      {-165, 30, 12, -180, 0, false, true},  // in place
      {345, -30, 12, -180, 6, true, true},   // descending: turned first
      {405, 30, 12, -180, 5, false, true},   // over 360
      {200, 10, 5, -165, 0, false, false},   // regional: shifted by a turn
      {170, 10, 4, 165, 0, false, false},    // crosses the antimeridian: continuous
      {-190, 10, 4, 165, 0, false, false},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
    file f;
    axis lon = {"lon", "degrees_east", CASES[i].count, CASES[i].first, CASES[i].step, NC_DOUBLE};
    const ra_cf_grid *grid = plane_grid(&f, LAT, lon);
    check_gt(grid, CASES[i].west, fabs(CASES[i].step), 80, -40);
    assert_int_equal(grid->roll, CASES[i].roll);
    assert_int_equal(grid->x_reversed, CASES[i].reversed);
    assert_int_equal(grid->grid.wraps, CASES[i].wraps);
    assert_true(grid->y_reversed);
    // The store keeps the file's own order.
    near(grid->native.gt[0], CASES[i].first - CASES[i].step / 2, 1e-9);
    near(grid->native.gt[5], 40, 1e-12);
    close_file(&f);
  }
}

static void wrap_in_the_middle_is_one_grid(void **state) {
  (void)state;
  int nc = nc_new("middle.nc", NC_CLASSIC_MODEL);
  int dims[] = {nc_dim(nc, "lat", 2), nc_dim(nc, "lon", 4)};
  int vy = nc_axis(nc, "lat", NC_DOUBLE, dims[0], "degrees_north");
  int vx = nc_axis(nc, "lon", NC_DOUBLE, dims[1], "degrees_east");
  nc_var(nc, "v", NC_FLOAT, 2, dims);
  NC(nc_enddef(nc));
  const double lat[] = {50, 40}, lon[] = {350, 355, 0, 5};
  NC(nc_put_var_double(nc, vy, lat));
  NC(nc_put_var_double(nc, vx, lon));
  NC(nc_close(nc));
  file f = read_file("middle.nc", NULL);
  check_gt(mapped(&f, "v")->grid, -12.5, 5, 55, -10);
  assert_false(mapped(&f, "v")->grid->y_reversed);
  close_file(&f);
}

static void float_noise_gives_the_clean_step(void **state) {
  (void)state;
  file f;
  axis lat = {"lat", "degrees_north", 181, -30, 1.0 / 12, NC_FLOAT};
  axis lon = {"lon", "degrees_east", 241, -51, 1.0 / 12, NC_FLOAT};
  const ra_cf_grid *grid = plane_grid(&f, lat, lon);
  check_gt(grid, -51 - 1.0 / 24, 1.0 / 12, -15 + 1.0 / 24, -1.0 / 12);
  close_file(&f);
}

static void put_latitudes(const char *name, const double *values) {
  int nc, var;
  NC(nc_open(nc_path(name), NC_WRITE, &nc));
  NC(nc_inq_varid(nc, "lat", &var));
  NC(nc_put_var_double(nc, var, values));
  NC(nc_close(nc));
}

static void axes_that_are_none_are_refused(void **state) {
  (void)state;
  const axis lon = {"lon", "degrees_east", 8, 0, 45, NC_DOUBLE};
  write_plane("axis.nc", LAT, lon);
  put_latitudes("axis.nc", (double[]){87.8, NAN, 70, 65});
  refused("axis.nc", "'lat' has missing values");
  write_plane("axis.nc", LAT, lon);
  put_latitudes("axis.nc", (double[]){10, 30, 20, 65});
  refused("axis.nc", "'lat' neither rises nor falls");
}

// Centres 80, 60, 50, 46 have edges 90, 70, 55, 48, 44; the least distance is 4, so the map's cells are 2 degrees high.
// Longitudes are even: only turned.
static void uneven_axes_get_an_even_map(void **state) {
  (void)state;
  write_plane("uneven.nc", LAT, (axis){"lon", "degrees_east", 8, 0, 45, NC_DOUBLE});
  put_latitudes("uneven.nc", (double[]){80, 60, 50, 46});
  file f = read_file("uneven.nc", NULL);
  const ra_cf_grid *grid = mapped(&f, "v")->grid;
  assert_int_equal(grid->layout, RA_CF_UNEVEN);
  check_gt(grid, -202.5, 45, 90, -2);
  assert_int_equal(grid->grid.height, 23);
  assert_int_equal(grid->grid.width, 8);
  assert_true(grid->grid.wraps && !grid->x_reversed && !grid->y_reversed && grid->roll == 0);
  assert_int_equal(grid->native_height, 4);
  near(grid->y_axis.centres[2], 50, 0);
  assert_string_equal(f.cf->findings->code, "uneven-axis");
  close_file(&f);
}

// Four latitudes and longitudes a step of a degree and a half degree apart, turned by 45 degrees on a map.
static void write_curve(const char *name, const char *coordinates, double off) {
  int nc = nc_new(name, NC_NETCDF4);
  int yx[] = {nc_dim(nc, "lat", 4), nc_dim(nc, "lon", 5)};
  int lat = nc_axis(nc, "lat", NC_DOUBLE, yx[0], "degrees_north");
  int lon = nc_axis(nc, "lon", NC_DOUBLE, yx[1], "degrees_east");
  int tlat = nc_var(nc, "tlat", NC_FLOAT, 2, yx), tlon = nc_var(nc, "tlon", NC_FLOAT, 2, yx);
  nc_text(nc, tlat, "units", "degrees_north");
  nc_text(nc, tlon, "units", "degrees_east");
  int v = nc_var(nc, "v", NC_UBYTE, 2, yx);
  if (coordinates) nc_text(nc, v, "coordinates", coordinates);
  NC(nc_enddef(nc));
  nc_fill_axis(nc, lat, 4, 10, 1);
  nc_fill_axis(nc, lon, 5, 178, 1);
  float lats[20], lons[20];
  for (int i = 0; i < 20; i++) {
    int row = i / 5, column = i % 5;
    lats[i] = (float)(10 + row + off * column);
    lons[i] = (float)(178 + column - off * row);
  }
  NC(nc_put_var_float(nc, tlat, lats));
  NC(nc_put_var_float(nc, tlon, lons));
  NC(nc_close(nc));
}

// Nominal axes are believed unless the variable names other places that differ.
static void named_places_win_over_nominal_axes(void **state) {
  (void)state;
  static const struct {
    const char *coordinates;
    double off;
    ra_cf_layout layout;
  } CASES[] = {
      {"tlon tlat", 0.5, RA_CF_CURVED}, {"tlon tlat", 0.01, RA_CF_EVEN}, {NULL, 0.5, RA_CF_EVEN}};
  for (size_t i = 0; i < 3; i++) {
    write_curve("curve.nc", CASES[i].coordinates, CASES[i].off);
    file f = read_file("curve.nc", NULL);
    const ra_cf_variable *v = mapped(&f, "v");
    assert_int_equal(v->grid->layout, CASES[i].layout);
    if (v->grid->layout == RA_CF_CURVED) {
      assert_false(v->grid->grid.wraps);
      near(v->grid->lattice.lon[5] * RA_PLACE_UNIT, 177.5, 1e-6);
      near(v->grid->lattice.lon[4] * RA_PLACE_UNIT, -178, 1e-6);  // 182
      assert_int_equal(v->grid->native_width, 5);
      assert_true(v->has_nodata && v->nodata == 255);  // bytes without a fill value
    }
    close_file(&f);
  }
}

static void names_alone_do_for_degrees_only(void **state) {
  (void)state;
  write_plane("bare.nc", (axis){"latitude", NULL, 4, 0, 1, NC_DOUBLE},
              (axis){"Longitude", NULL, 4, 0, 1, NC_DOUBLE});
  file f = read_file("bare.nc", NULL);
  mapped(&f, "v");
  close_file(&f);
  write_plane("xy.nc", (axis){"y", NULL, 4, 0, 1, NC_DOUBLE}, (axis){"x", NULL, 4, 0, 1, NC_DOUBLE});
  refused("xy.nc", "no georeference");
  write_plane("metres.nc", (axis){"y", "m", 4, 0, 1000, NC_DOUBLE},
              (axis){"x", "m", 4, 0, 1000, NC_DOUBLE});
  refused("metres.nc", "no grid mapping says which");
}

static void kilometres_and_a_shared_mapping(void **state) {
  (void)state;
  int nc = nc_new("lcc.nc", NC_NETCDF4);
  int dims[] = {nc_dim(nc, "x", 3), nc_dim(nc, "y", 2)};  // transposed
  int vx = nc_axis(nc, "x", NC_FLOAT, dims[0], "km"), vy = nc_axis(nc, "y", NC_FLOAT, dims[1], "km");
  nc_text(nc, vx, "standard_name", "projection_x_coordinate");
  nc_text(nc, vy, "standard_name", "projection_y_coordinate");
  int crs = nc_var(nc, "crs", NC_INT, 0, NULL);
  nc_text(nc, crs, "grid_mapping_name", "lambert_conformal_conic");
  nc_number(nc, crs, "standard_parallel", NC_DOUBLE, 25);
  nc_number(nc, crs, "latitude_of_projection_origin", NC_DOUBLE, 25);
  nc_number(nc, crs, "longitude_of_central_meridian", NC_DOUBLE, -95);
  nc_number(nc, crs, "earth_radius", NC_DOUBLE, 6371229);
  nc_text(nc, nc_var(nc, "a", NC_FLOAT, 2, dims), "grid_mapping", "crs");
  nc_var(nc, "b", NC_FLOAT, 2, dims);  // says nothing, lies on the same axes
  NC(nc_enddef(nc));
  nc_fill_axis(nc, vx, 3, -12, 12);
  nc_fill_axis(nc, vy, 2, 100, -12);
  NC(nc_close(nc));
  file f = read_file("lcc.nc", NULL);
  check_gt(mapped(&f, "a")->grid, -18000, 12000, 106000, -12000);
  assert_ptr_equal(mapped(&f, "a")->grid, mapped(&f, "b")->grid);
  assert_int_equal(mapped(&f, "a")->x_dim, 0);
  assert_int_equal(mapped(&f, "a")->y_dim, 1);
  assert_int_equal(ra_cf_find(f.cf, "crs")->role, RA_CF_MAPPING);
  close_file(&f);
}

static void what_is_not_a_raster_is_named(void **state) {
  (void)state;
  int nc = nc_new("list.nc", NC_NETCDF4);
  int dims[] = {nc_dim(nc, "time", 2), nc_dim(nc, "station", 5)};
  nc_axis(nc, "lat", NC_FLOAT, dims[1], "degrees_north");
  nc_axis(nc, "lon", NC_FLOAT, dims[1], "degrees_east");
  int v = nc_var(nc, "v", NC_FLOAT, 2, dims);
  nc_text(nc, v, "coordinates", "lat lon");
  NC(nc_close(nc));
  refused("list.nc", "both lie along 'station' (5 points)");

  nc = nc_new("curve.nc", NC_NETCDF4);
  int yx[] = {nc_dim(nc, "y", 2), nc_dim(nc, "x", 5)};
  nc_text(nc, nc_var(nc, "lat", NC_FLOAT, 2, yx), "units", "degrees_north");
  nc_text(nc, nc_var(nc, "lon", NC_FLOAT, 2, yx), "units", "degrees_east");
  nc_var(nc, "v", NC_FLOAT, 2, yx);
  NC(nc_close(nc));
  refused("curve.nc", "no two neighbouring cells have a place");  // all are fill values

  nc = nc_new("rotated.nc", NC_NETCDF4);
  int rot[] = {nc_dim(nc, "rlat", 2), nc_dim(nc, "rlon", 5)};
  nc_text(nc, nc_axis(nc, "rlat", NC_FLOAT, rot[0], "degrees"), "standard_name", "grid_latitude");
  nc_text(nc, nc_axis(nc, "rlon", NC_FLOAT, rot[1], "degrees"), "standard_name", "grid_longitude");
  nc_var(nc, "v", NC_FLOAT, 2, rot);
  NC(nc_close(nc));
  refused("rotated.nc", "rotated pole");  // no grid mapping says where the pole is

  nc = nc_new("none.nc", NC_NETCDF4);
  nc_text(nc, NC_GLOBAL, "title", "nothing");
  NC(nc_close(nc));
  refused("none.nc", "no gridded variable");
}

// v(time, level, lat, lon) beside a static field; the time axis is what the test writes.
static int start_cube(const char *name, nc_type type, int *time_var) {
  int nc = nc_new(name, NC_NETCDF4);
  int dims[] = {nc_dim(nc, "time", 3), nc_dim(nc, "level", 2), nc_dim(nc, "lat", 2),
                nc_dim(nc, "lon", 2)};
  *time_var = nc_var(nc, "time", type, 1, dims);
  int level = nc_axis(nc, "level", NC_INT, dims[1], "hPa");
  int lat = nc_axis(nc, "lat", NC_FLOAT, dims[2], "degrees_north");
  int lon = nc_axis(nc, "lon", NC_FLOAT, dims[3], "degrees_east");
  nc_var(nc, "v", NC_FLOAT, 4, dims);
  nc_var(nc, "land", NC_BYTE, 2, dims + 2);
  NC(nc_enddef(nc));
  nc_fill_axis(nc, level, 2, 850, -350);
  nc_fill_axis(nc, lat, 2, 10, -10);
  nc_fill_axis(nc, lon, 2, 0, 10);
  NC(nc_redef(nc));
  return nc;
}

static void times_are_in_their_own_calendar(void **state) {
  (void)state;
  int time, nc = start_cube("time.nc", NC_DOUBLE, &time);
  nc_text(nc, time, "units", "days since 2000-02-29");
  nc_text(nc, time, "calendar", "360_day");
  NC(nc_enddef(nc));
  nc_fill_axis(nc, time, 3, 0, 0.5);
  NC(nc_close(nc));
  file f = read_file("time.nc", "2001-01-01");
  const ra_cf_variable *v = mapped(&f, "v"), *land = mapped(&f, "land");
  assert_int_equal(v->time_dim, 0);
  assert_int_equal(v->time->count, 3);
  char text[64];
  ra_time_format(v->time->calendar, v->time->ms[2], text);
  assert_string_equal(text, "2000-02-30T00:00:00Z");
  assert_int_equal(v->extra_count, 1);
  near(v->extra[0].values[1], 500, 0);
  assert_true(v->extra[0].vertical);
  assert_int_equal(v->bands, 2);
  ra_time_format(land->time->calendar, land->time->ms[0], text);  // the user's, where the file has none
  assert_string_equal(text, "2001-01-01T00:00:00Z");
  assert_int_equal(land->time_dim, -1);
  close_file(&f);
}

static void a_time_without_a_reference_is_a_dimension(void **state) {
  (void)state;
  int time, nc = start_cube("month.nc", NC_INT, &time);
  nc_text(nc, time, "units", "month");
  NC(nc_enddef(nc));
  nc_fill_axis(nc, time, 3, 1, 3);
  NC(nc_close(nc));
  file f = read_file("month.nc", NULL);
  const ra_cf_variable *v = mapped(&f, "v");
  assert_null(v->time);
  assert_int_equal(v->bands, 6);
  assert_string_equal(v->extra[0].name, "time");
  near(v->extra[0].values[2], 7, 0);
  close_file(&f);
}

static void a_bad_calendar_is_refused(void **state) {
  (void)state;
  int nc = nc_new("calendar.nc", NC_NETCDF4);
  int dims[] = {nc_dim(nc, "time", 1), nc_dim(nc, "lat", 2), nc_dim(nc, "lon", 2)};
  int time = nc_axis(nc, "time", NC_INT, dims[0], "days since 1970-01-01");
  nc_text(nc, time, "calendar", "mayan");
  int lat = nc_axis(nc, "lat", NC_FLOAT, dims[1], "degrees_north");
  int lon = nc_axis(nc, "lon", NC_FLOAT, dims[2], "degrees_east");
  nc_var(nc, "v", NC_FLOAT, 3, dims);
  NC(nc_enddef(nc));
  nc_fill_axis(nc, time, 1, 0, 1);
  nc_fill_axis(nc, lat, 2, 0, 1);
  nc_fill_axis(nc, lon, 2, 0, 1);
  NC(nc_close(nc));
  refused("calendar.nc", "calendar 'mayan'");
}

static void packing_is_read_in_stored_units(void **state) {
  (void)state;
  int nc = nc_new("pack.nc", NC_NETCDF4);
  int dims[] = {nc_dim(nc, "lat", 2), nc_dim(nc, "lon", 2)};
  int lat = nc_axis(nc, "lat", NC_FLOAT, dims[0], "degrees_north");
  int lon = nc_axis(nc, "lon", NC_FLOAT, dims[1], "degrees_east");
  int a = nc_var(nc, "a", NC_SHORT, 2, dims);
  nc_number(nc, a, "scale_factor", NC_DOUBLE, 0.5);
  nc_number(nc, a, "add_offset", NC_DOUBLE, 100);
  double two[] = {-1, -2}, range[] = {100, 150};
  NC(nc_put_att_double(nc, a, "missing_value", NC_SHORT, 2, two));
  NC(nc_put_att_double(nc, a, "valid_range", NC_DOUBLE, 2, range));  // wider type: unpacked
  int b = nc_var(nc, "b", NC_BYTE, 2, dims);
  nc_text(nc, b, "_Unsigned", "true");
  nc_number(nc, b, "_FillValue", NC_BYTE, -1);
  int c = nc_var(nc, "c", NC_FLOAT, 2, dims);
  nc_number(nc, c, "missing_value", NC_DOUBLE, 1e20);  // of another type than the cells
  nc_var(nc, "d", NC_SHORT, 2, dims);
  int e = nc_var(nc, "e", NC_UBYTE, 2, dims);
  nc_text(nc, e, "flag_meanings", "sea land");
  NC(nc_enddef(nc));
  nc_fill_axis(nc, lat, 2, 0, 1);
  nc_fill_axis(nc, lon, 2, 0, 1);
  NC(nc_close(nc));
  file f = read_file("pack.nc", NULL);
  const ra_cf_variable *v = mapped(&f, "a");
  assert_int_equal(v->packing.missing_count, 3);  // both, and the default fill
  near(v->packing.valid_min, 0, 0);
  near(v->packing.valid_max, 100, 0);
  near(v->nodata, -1, 0);
  v = mapped(&f, "b");
  assert_int_equal(v->source->dtype, RA_DTYPE_U8);
  near(v->nodata, 255, 0);
  v = mapped(&f, "c");
  assert_true(v->packing.missing[0] == (double)1e20f);
  v = mapped(&f, "d");
  near(v->packing.missing[0], -32767, 0);  // NC_FILL_SHORT
  assert_false(v->categorical);
  v = mapped(&f, "e");
  assert_true(v->categorical);
  assert_false(v->has_nodata);
  close_file(&f);
}

static void a_mixed_file_keeps_its_good_part(void **state) {
  (void)state;
  int nc = nc_new("mixed.nc", NC_NETCDF4);
  int lat_dim = nc_dim(nc, "lat", 3), lon_dim = nc_dim(nc, "lon", 2), odd_dim = nc_dim(nc, "odd", 4);
  int good[] = {lat_dim, lon_dim}, bad[] = {lat_dim, odd_dim};
  int lat = nc_axis(nc, "lat", NC_FLOAT, lat_dim, "degrees_north");
  int lon = nc_axis(nc, "lon", NC_FLOAT, lon_dim, "degrees_east");
  nc_text(nc, lat, "bounds", "lat_bnds");
  int bounds[] = {lat_dim, nc_dim(nc, "nv", 2)};
  nc_var(nc, "lat_bnds", NC_FLOAT, 2, bounds);
  nc_var(nc, "good", NC_FLOAT, 2, good);
  nc_var(nc, "bad", NC_FLOAT, 2, bad);
  nc_var(nc, "label", NC_CHAR, 1, &odd_dim);
  NC(nc_enddef(nc));
  nc_fill_axis(nc, lat, 3, 0, 1);
  nc_fill_axis(nc, lon, 2, 0, 1);
  NC(nc_close(nc));
  file f = read_file("mixed.nc", NULL);
  ra_err err = {0};
  assert_int_equal(ra_cf_refusal(f.cf, &err), RA_OK);
  mapped(&f, "good");
  assert_false(ra_cf_find(f.cf, "bad")->mappable);
  assert_non_null(ra_cf_find(f.cf, "bad")->reason);
  assert_int_equal(ra_cf_find(f.cf, "lat_bnds")->role, RA_CF_BOUNDS);
  assert_int_equal(ra_cf_find(f.cf, "label")->role, RA_CF_TEXT);
  assert_string_equal(f.cf->findings->code, "not-mappable");
  close_file(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(longitudes_come_into_place),
      cmocka_unit_test(wrap_in_the_middle_is_one_grid),
      cmocka_unit_test(float_noise_gives_the_clean_step),
      cmocka_unit_test(axes_that_are_none_are_refused),
      cmocka_unit_test(uneven_axes_get_an_even_map),
      cmocka_unit_test(named_places_win_over_nominal_axes),
      cmocka_unit_test(names_alone_do_for_degrees_only),
      cmocka_unit_test(kilometres_and_a_shared_mapping),
      cmocka_unit_test(what_is_not_a_raster_is_named),
      cmocka_unit_test(times_are_in_their_own_calendar),
      cmocka_unit_test(a_time_without_a_reference_is_a_dimension),
      cmocka_unit_test(a_bad_calendar_is_refused),
      cmocka_unit_test(packing_is_read_in_stored_units),
      cmocka_unit_test(a_mixed_file_keeps_its_good_part),
  };
  return cmocka_run_group_tests(tests, nc_setup, nc_teardown);
}
