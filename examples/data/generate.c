// generate.c - rastrum_demo_data ETOPO60 FOLDER: writes a year of made-up weather (see README.md) as two
// CF NetCDF-4 files, weather.nc (global) and europe.nc (EPSG:3035). The first fault ends the program.
#include <math.h>
#include <netcdf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weather.h"

enum { STEPS = 1464, CHUNK_STEPS = 61, MAX_DIMS = 4, NAME_SIZE = 1024 };

static const double PI = 3.14159265358979323846;

static void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

static void die(const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  fputs("rastrum_demo_data: ", stderr);
  vfprintf(stderr, fmt, ap);
  fputc('\n', stderr);
  va_end(ap);
  exit(1);
}

static void must(int status, const char *what) {
  if (status != NC_NOERR) die("%s: %s", what, nc_strerror(status));
}

static void *need(void *memory) {
  if (!memory) die("out of memory");
  return memory;
}

// ---- the relief

static relief read_relief(const char *path) {
  relief map = {0};
  int nc, x_id, y_id, height_id, dims[2];
  must(nc_open(path, NC_NOWRITE, &nc), path);
  must(nc_inq_varid(nc, "ETOPO60X", &x_id), "ETOPO60X");
  must(nc_inq_varid(nc, "ETOPO60Y", &y_id), "ETOPO60Y");
  must(nc_inq_varid(nc, "ROSE", &height_id), "ROSE");
  must(nc_inq_vardimid(nc, height_id, dims), "ROSE");
  must(nc_inq_dimlen(nc, dims[0], &map.ny), "rows of ROSE");
  must(nc_inq_dimlen(nc, dims[1], &map.nx), "columns of ROSE");
  if (map.nx != 360 || map.ny != 180) die("%s: ROSE is not 180 by 360 cells of one degree", path);
  map.height = need(calloc(map.nx * map.ny, sizeof(float)));
  map.step = 1;
  size_t first = 0;
  must(nc_get_var1_double(nc, x_id, &first, &map.west), "ETOPO60X");
  must(nc_get_var1_double(nc, y_id, &first, &map.south), "ETOPO60Y");
  must(nc_get_var_float(nc, height_id, map.height), "ROSE");
  must(nc_close(nc), path);
  return map;
}

// ---- writing NetCDF

typedef struct output {
  int nc;
  int time, y, x;  // dimensions
  size_t ny, nx;
} output;

static void put_text(int nc, int var, const char *name, const char *text) {
  must(nc_put_att_text(nc, var, name, strlen(text), text), name);
}

static void put_number(int nc, int var, const char *name, double value) {
  must(nc_put_att_double(nc, var, name, NC_DOUBLE, 1, &value), name);
}

static int add_axis(int nc, const char *name, size_t size, const char *standard_name,
                    const char *units, const char *axis, int *dim) {
  int var;
  must(nc_def_dim(nc, name, size, dim), name);
  must(nc_def_var(nc, name, NC_DOUBLE, 1, dim, &var), name);
  put_text(nc, var, "standard_name", standard_name);
  put_text(nc, var, "units", units);
  put_text(nc, var, "axis", axis);
  return var;
}

static int create(const char *path, const char *title) {
  int nc, old_fill;
  must(nc_create(path, NC_NETCDF4 | NC_CLOBBER, &nc), path);
  must(nc_set_fill(nc, NC_NOFILL, &old_fill), path);
  put_text(nc, NC_GLOBAL, "Conventions", "CF-1.8");
  put_text(nc, NC_GLOBAL, "title", title);
  put_text(nc, NC_GLOBAL, "comment", "generated example, not observed and not forecast");
  put_text(nc, NC_GLOBAL, "license", "CC0-1.0");
  return nc;
}

static void add_time(output *out) {
  int var =
      add_axis(out->nc, "time", STEPS, "time", "hours since 2020-01-01 00:00:00", "T", &out->time);
  put_text(out->nc, var, "calendar", "proleptic_gregorian");
  double hours[STEPS];
  for (int i = 0; i < STEPS; i++) hours[i] = 6.0 * i;
  must(nc_put_var_double(out->nc, var, hours), "time");
}

// A float variable over time, an optional level dimension (-1: none), y and x.
static int add_variable(const output *out, const char *name, int level, const char *standard_name,
                        const char *long_name, const char *units) {
  int var, dims[MAX_DIMS], count = 0;
  size_t chunk[MAX_DIMS];
  dims[count] = out->time, chunk[count++] = CHUNK_STEPS;
  if (level >= 0) dims[count] = level, chunk[count++] = 1;
  dims[count] = out->y, chunk[count++] = out->ny;
  dims[count] = out->x, chunk[count++] = out->nx;
  must(nc_def_var(out->nc, name, NC_FLOAT, count, dims, &var), name);
  must(nc_def_var_chunking(out->nc, var, NC_CHUNKED, chunk), name);
  must(nc_def_var_deflate(out->nc, var, 1, 1, 1), name);
  put_text(out->nc, var, "standard_name", standard_name);
  put_text(out->nc, var, "long_name", long_name);
  put_text(out->nc, var, "units", units);
  put_text(out->nc, var, "cell_methods", "time: point");
  return var;
}

static void add_fill(int nc, int var) {
  float fill = NC_FILL_FLOAT;
  must(nc_put_att_float(nc, var, "_FillValue", NC_FLOAT, 1, &fill), "_FillValue");
}

// Drops digits that mean nothing, so that the file is small: 12 bits of the mantissa stay.
static void shave(float *values, size_t count) {
  for (size_t i = 0; i < count; i++) {
    unsigned bits;
    memcpy(&bits, &values[i], sizeof bits);
    bits = (bits + 0x400U) & ~0x7ffU;
    if (values[i] != NC_FILL_FLOAT) memcpy(&values[i], &bits, sizeof bits);
  }
}

typedef struct field {
  int var;
  int level;  // index along the level dimension, or -1
  double hpa;
  void (*fill)(const points *at, const struct field *self, float *out);
} field;

static void fill_air(const points *at, const field *self, float *out) {
  (void)self;
  weather_air_temperature(at, out);
}

static void fill_sea(const points *at, const field *self, float *out) {
  (void)self;
  weather_sea_temperature(at, NC_FILL_FLOAT, out);
}

static void fill_wind(const points *at, const field *self, float *out) {
  weather_wind(at, self->hpa, out);
}

static void fill_rain(const points *at, const field *self, float *out) {
  (void)self;
  weather_precipitation(at, out);
}

static void put_steps(const output *out, const field *f, size_t step, size_t count,
                      const float *values) {
  size_t with_level[] = {step, (size_t)(f->level < 0 ? 0 : f->level), 0, 0}, plain[] = {step, 0, 0};
  size_t level_count[] = {count, 1, out->ny, out->nx}, plain_count[] = {count, out->ny, out->nx};
  int status = f->level < 0 ? nc_put_vara_float(out->nc, f->var, plain, plain_count, values)
                            : nc_put_vara_float(out->nc, f->var, with_level, level_count, values);
  must(status, "writing values");
}

// All fields, a chunk of steps at a time: each chunk is compressed once.
static void write_fields(const output *out, points *at, const field *fields, size_t count) {
  size_t cells = out->ny * out->nx, block = CHUNK_STEPS * cells;
  float *values = need(calloc(count * block, sizeof(float)));
  for (size_t step = 0; step < STEPS; step += CHUNK_STEPS) {
    for (size_t s = 0; s < CHUNK_STEPS; s++) {
      points_set_time(at, 0.25 * (double)(step + s));
      for (size_t f = 0; f < count; f++)
        fields[f].fill(at, &fields[f], values + f * block + s * cells);
    }
    for (size_t f = 0; f < count; f++) {
      shave(values + f * block, block);
      put_steps(out, &fields[f], step, CHUNK_STEPS, values + f * block);
    }
  }
  free(values);
}

// ---- the global file

static void write_weather(const char *path, const relief *map) {
  static const double LEVELS[] = {850, 500, 250};
  output out = {.nc = create(path, "A year of made-up weather, global"), .ny = 72, .nx = 144};
  add_time(&out);
  int level, level_var = add_axis(out.nc, "level", 3, "air_pressure", "hPa", "Z", &level);
  put_text(out.nc, level_var, "positive", "down");
  int lat_var = add_axis(out.nc, "lat", out.ny, "latitude", "degrees_north", "Y", &out.y);
  int lon_var = add_axis(out.nc, "lon", out.nx, "longitude", "degrees_east", "X", &out.x);
  int air =
      add_variable(&out, "air_temperature", -1, "air_temperature", "Air temperature at 2 m", "K");
  int sea = add_variable(&out, "sea_surface_temperature", -1, "sea_surface_temperature",
                         "Sea surface temperature", "degree_Celsius");
  int wind = add_variable(&out, "wind_speed", level, "wind_speed", "Wind speed", "m s-1");
  add_fill(out.nc, sea);

  size_t cells = out.ny * out.nx;
  double *lon = need(calloc(cells, sizeof *lon)), *lat = need(calloc(cells, sizeof *lat));
  for (size_t i = 0; i < cells; i++) {
    lon[i] = 1.25 + 2.5 * (double)(i % out.nx);
    lat[i] = -88.75 + 2.5 * (double)(i / out.nx);
  }
  for (size_t y = 0; y < out.ny; y++)
    must(nc_put_var1_double(out.nc, lat_var, &y, &lat[y * out.nx]), "lat");
  must(nc_put_var_double(out.nc, lon_var, lon), "lon");
  must(nc_put_var_double(out.nc, level_var, LEVELS), "level");

  points *at = need(points_new(map, lon, lat, cells, 2.5));
  field fields[] = {{air, -1, 0, fill_air},
                    {sea, -1, 0, fill_sea},
                    {wind, 0, LEVELS[0], fill_wind},
                    {wind, 1, LEVELS[1], fill_wind},
                    {wind, 2, LEVELS[2], fill_wind}};
  write_fields(&out, at, fields, sizeof fields / sizeof *fields);
  points_free(at);
  free(lon);
  free(lat);
  must(nc_close(out.nc), path);
}

// ---- the European file

static const double EAST_0 = 4321000, NORTH_0 = 3210000, LON_0 = 10, LAT_0 = 52;

static const char *const LAEA_EUROPE_WKT =
    "PROJCRS[\"ETRS89-extended / LAEA Europe\",BASEGEOGCRS[\"ETRS89\",DATUM[\"European Terrestrial "
    "Reference "
    "System 1989\",ELLIPSOID[\"GRS "
    "1980\",6378137,298.257222101,LENGTHUNIT[\"metre\",1]]],PRIMEM[\"Greenwich\","
    "0,ANGLEUNIT[\"degree\",0.0174532925199433]],ID[\"EPSG\",4258]],CONVERSION[\"Europe Equal Area "
    "2001\","
    "METHOD[\"Lambert Azimuthal Equal Area\",ID[\"EPSG\",9820]],PARAMETER[\"Latitude of natural "
    "origin\",52,"
    "ANGLEUNIT[\"degree\",0.0174532925199433],ID[\"EPSG\",8801]],PARAMETER[\"Longitude of natural "
    "origin\",10,"
    "ANGLEUNIT[\"degree\",0.0174532925199433],ID[\"EPSG\",8802]],PARAMETER[\"False "
    "easting\",4321000,"
    "LENGTHUNIT[\"metre\",1],ID[\"EPSG\",8806]],PARAMETER[\"False "
    "northing\",3210000,LENGTHUNIT[\"metre\",1],"
    "ID[\"EPSG\",8807]]],CS[Cartesian,2],AXIS[\"northing "
    "(Y)\",north,ORDER[1],LENGTHUNIT[\"metre\",1]],"
    "AXIS[\"easting (X)\",east,ORDER[2],LENGTHUNIT[\"metre\",1]],ID[\"EPSG\",3035]]";

static void add_grid_mapping(int nc) {
  int var;
  must(nc_def_var(nc, "crs", NC_INT, 0, NULL, &var), "crs");
  put_text(nc, var, "grid_mapping_name", "lambert_azimuthal_equal_area");
  put_number(nc, var, "longitude_of_projection_origin", LON_0);
  put_number(nc, var, "latitude_of_projection_origin", LAT_0);
  put_number(nc, var, "false_easting", EAST_0);
  put_number(nc, var, "false_northing", NORTH_0);
  put_number(nc, var, "semi_major_axis", 6378137);
  put_number(nc, var, "inverse_flattening", 298.257222101);
  put_number(nc, var, "longitude_of_prime_meridian", 0);
  put_text(nc, var, "crs_wkt", LAEA_EUROPE_WKT);
  int none = 0;
  must(nc_put_var_int(nc, var, &none), "crs");
}

// On a sphere, which is within a cell of the truth: it only says which weather a cell gets.
static void laea_to_degrees(double east, double north, double *lon, double *lat) {
  double x = (east - EAST_0) / 6371007, y = (north - NORTH_0) / 6371007, phi = LAT_0 * PI / 180;
  double rho = hypot(x, y), c = 2 * asin(fmin(rho / 2, 1));
  double sine = rho > 0 ? cos(c) * sin(phi) + y * sin(c) * cos(phi) / rho : sin(phi);
  *lat = asin(sine) * 180 / PI;
  *lon = LON_0 + atan2(x * sin(c), rho * cos(phi) * cos(c) - y * sin(phi) * sin(c)) * 180 / PI;
}

static void write_europe(const char *path, const relief *map) {
  const double cell = 40000, west = 2600000, north = 5120000;
  output out = {.nc = create(path, "A year of made-up weather, Europe"), .ny = 92, .nx = 100};
  add_time(&out);
  int y_var = add_axis(out.nc, "y", out.ny, "projection_y_coordinate", "m", "Y", &out.y);
  int x_var = add_axis(out.nc, "x", out.nx, "projection_x_coordinate", "m", "X", &out.x);
  add_grid_mapping(out.nc);
  int air =
      add_variable(&out, "air_temperature", -1, "air_temperature", "Air temperature at 2 m", "K");
  int rain =
      add_variable(&out, "precipitation", -1, "lwe_precipitation_rate", "Precipitation", "mm h-1");
  put_text(out.nc, air, "grid_mapping", "crs");
  put_text(out.nc, rain, "grid_mapping", "crs");

  size_t cells = out.ny * out.nx;
  double *lon = need(calloc(cells, sizeof *lon)), *lat = need(calloc(cells, sizeof *lat));
  for (size_t i = 0; i < cells; i++) {
    size_t row = i / out.nx, column = i % out.nx;
    double x = west + cell * ((double)column + 0.5), y = north - cell * ((double)row + 0.5);
    laea_to_degrees(x, y, &lon[i], &lat[i]);
    if (row == 0) must(nc_put_var1_double(out.nc, x_var, &column, &x), "x");
    if (column == 0) must(nc_put_var1_double(out.nc, y_var, &row, &y), "y");
  }
  points *at = need(points_new(map, lon, lat, cells, 0.5));
  field fields[] = {{air, -1, 0, fill_air}, {rain, -1, 0, fill_rain}};
  write_fields(&out, at, fields, sizeof fields / sizeof *fields);
  points_free(at);
  free(lon);
  free(lat);
  must(nc_close(out.nc), path);
}

int main(int argc, char **argv) {
  if (argc != 3) die("wants two arguments: the path of etopo60.cdf and a folder");
  relief map = read_relief(argv[1]);
  char path[NAME_SIZE];
  static const struct {
    const char *name;
    void (*write)(const char *path, const relief *map);
  } FILES[] = {{"weather.nc", write_weather}, {"europe.nc", write_europe}};
  for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
    int length = snprintf(path, sizeof path, "%s/%s", argv[2], FILES[i].name);
    if (length < 0 || (size_t)length >= sizeof path) die("%s: the path is too long", argv[2]);
    FILES[i].write(path, &map);
  }
  free(map.height);
  return 0;
}
