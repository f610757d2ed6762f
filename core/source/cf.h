// cf.h - what a NetCDF file means by the CF conventions: which variables are data, on which grid and time axis they
// lie, how they are packed. One rule lives in one cf_*.c. The result is a plain model in one arena; it refers to the
// source, which must outlive it. One thread at a time.
#pragma once
#include "base/arena.h"
#include "base/caltime.h"
#include "geo/crs.h"
#include "geo/lattice.h"
#include "geo/uneven.h"
#include "raster/grid.h"
#include "raster/packing.h"
#include "source/source.h"

typedef enum ra_cf_role {
  RA_CF_DATA,
  RA_CF_COORDINATE,  // 1-D axis, scalar, or 2-D latitude and longitude
  RA_CF_BOUNDS,
  RA_CF_MAPPING,  // grid mapping, mesh topology
  RA_CF_TEXT      // no numbers: left out of the stores
} ra_cf_role;

typedef enum ra_cf_layout {
  RA_CF_EVEN,    // an affine fits
  RA_CF_UNEVEN,  // at least one axis that no affine fits
  RA_CF_CURVED   // 2-D longitudes and latitudes
} ra_cf_layout;

typedef struct ra_cf_grid {
  char id[16];
  ra_cf_layout layout;
  unsigned x_dim, y_dim;                 // of the source
  const ra_source_var *x, *y, *mapping;  // axes; 2-D longitude and latitude
  ra_uneven x_axis, y_axis;              // of uneven ones, in the CRS's unit
  ra_lattice lattice;                    // of curvilinear ones
  int64_t native_width, native_height;
  bool x_reversed, y_reversed;  // the source's cells run against the map layout's
  int64_t roll;    // source column (after x_reversed) that stands in column 0 of the map layout
  ra_grid grid;    // map layout: north-up, rotated to -180..180 where global
  ra_grid native;  // the source's own cells, in its own order; of even ones
  ra_grid extent;  // what is known to be covered: an axis of one cell without bounds is a point
  ra_crs *crs;
  struct ra_cf_grid *next;
} ra_cf_grid;

// The steps of one or two dimensions: with a run dimension (a forecast's reference times) step s is run s / (count / runs).
typedef struct ra_cf_time {
  char id[16];
  const ra_source_var *var;  // NULL: given by the user
  const char *name;
  ra_calendar calendar;
  size_t count;
  const int64_t *ms;               // valid times; RA_TIME_NONE: missing
  size_t runs;                     // 0: no forecast; else it divides count
  const int64_t *run_ms;           // reference times; RA_TIME_NONE: missing
  const ra_source_var *reference;  // NULL without runs
  const ra_source_var *lead;       // NULL where the file has the valid times
  struct ra_cf_time *next;
} ra_cf_time;

typedef struct ra_cf_extra {
  const char *name;
  unsigned dim;  // its place in the variable's dims
  uint64_t size;
  const double *values;  // NULL: addressed by index
  const char *units;
  bool vertical;
} ra_cf_extra;

typedef struct ra_cf_variable {
  ra_source_var *source;
  ra_cf_role role;
  bool mappable;
  const char *reason;  // why a data variable is not
  int reason_code;     // RA_E_*
  const ra_cf_grid *grid;
  const ra_cf_time *time;
  int time_dim, y_dim, x_dim;  // places in its dims; -1: none
  int run_dim;                 // of a forecast's reference times, beside time_dim; -1: none
  unsigned extra_count;
  ra_cf_extra *extra;
  uint64_t bands;  // product of the extra sizes
  ra_packing packing;
  bool has_fill;  // _FillValue or missing_value, of the stored type
  double fill;
  bool has_nodata;
  double nodata;  // the map layout's one nodata
  bool categorical;
} ra_cf_variable;

typedef struct ra_cf_finding {
  const char *code;      // "uneven-axis": stable
  const char *severity;  // "info", "warning", "error"
  const char *where;     // variable, or ""
  const char *message;
  struct ra_cf_finding *next;
} ra_cf_finding;

typedef struct ra_cf {
  ra_arena arena;
  ra_source *source;
  size_t count;
  ra_cf_variable *variables;  // in the file's order
  ra_cf_grid *grids;
  ra_cf_time *times;
  const ra_source_var *figure_of;  // the grid mapping whose figure of the Earth was found out last
  int figure;
  ra_cf_finding *findings, **findings_end;
  size_t mappable_count;
} ra_cf;

// datetime (may be NULL): the time of variables that have none. Reads the coordinate variables. A file without any
// variable that can be put on a map is no failure here: see ra_cf_refusal.
int ra_cf_read(ra_source *source, const char *datetime, ra_cf **out, ra_err *err);
void ra_cf_free(ra_cf *cf);
// RA_OK when something can be put on a map; else a negative code with the best reason in *err.
int ra_cf_refusal(const ra_cf *cf, ra_err *err);
const ra_cf_variable *ra_cf_find(const ra_cf *cf, const char *name);
