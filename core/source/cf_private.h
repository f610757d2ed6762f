// cf_private.h - what the files cf_*.c share.
#pragma once
#include "source/cf.h"

typedef enum ra__cf_class {
  RA__CF_NONE,
  RA__CF_LON,
  RA__CF_LAT,
  RA__CF_PROJ_X,
  RA__CF_PROJ_Y,
  RA__CF_ROTATED_X,
  RA__CF_ROTATED_Y,
  RA__CF_TIME,
  RA__CF_VERTICAL,
  RA__CF_X,  // an X axis of unknown kind
  RA__CF_Y
} ra__cf_class;

// What a coordinate variable measures, by standard_name, units, axis, positive and, as a last resort, its name.
ra__cf_class ra__cf_classify(const ra_source_var *var);
bool ra__cf_is_length(const char *units);
bool ra__cf_is_dated(const ra_source_var *var);  // times that are dates
bool ra__cf_is_radians(const ra_source_var *var);

// Decoded values of a small variable, in the arena: scale and offset applied, fill values NaN.
int ra__cf_values(ra_cf *cf, ra_source_var *var, const double **values, size_t *count, ra_err *err);

// Packing, fill and nodata of a variable.
void ra__cf_packing(ra_cf_variable *variable);
// Where the map has gaps although the source has none: a value for them, of a type that has no usual one.
void ra__cf_need_nodata(ra_cf_variable *variable);

typedef struct ra__cf_line {
  double first, step;  // centre of the first cell; signed
  bool even;
  bool wraps;
  bool finite;  // no missing value
} ra__cf_line;
// The affine that n centres lie on. longitude: degrees, unwrapped first (in place) and tested for a whole turn.
// noise: relative error of the stored numbers (2^-24 for float32).
void ra__cf_line_fit(double *centres, size_t n, bool longitude, double noise, ra__cf_line *out);

// The coordinate variable of each dimension of a data variable.
typedef struct ra__cf_dim {
  ra__cf_class class;
  ra_source_var *var;  // NULL: none
} ra__cf_dim;
void ra__cf_dims(const ra_cf *cf, const ra_cf_variable *variable, ra__cf_dim *dims);

// Sets grid, x_dim, y_dim, mappable, or reason. Only RA_E_NOMEM and read failures are returned.
int ra__cf_grid(ra_cf *cf, ra_cf_variable *variable, const ra__cf_dim *dims, ra_err *err);
// A grid at the end of the list, with a copy of `like` and an id.
int ra__cf_grid_append(ra_cf *cf, const ra_cf_grid *like, ra_cf_grid **out, ra_err *err);
// The same as ra__cf_grid for a variable with 2-D longitudes and latitudes. 1: it has them; 0: it has none, or `disputed`
// (its dimensions have longitudes and latitudes of their own) and they are the same; negative: a failure.
int ra__cf_curved(ra_cf *cf, ra_cf_variable *variable, const ra__cf_dim *dims, bool disputed,
                  ra_err *err);
// The CRS of a grid mapping whose axes are x and y; *scale: what their coordinates are multiplied by. figure: what
// ra__cf_figure found; 0: what the mapping says.
int ra__cf_mapping_crs(ra_cf *cf, const ra_source_var *mapping, const ra_source_var *x,
                       const ra_source_var *y, int figure, ra_crs **crs, double *scale, ra_err *err);
// Where a mapping does not tell the figure of the Earth but the file has 2-D longitudes and latitudes: the one with which
// the axes at dims `x` and `y` come to lie there. 0: nothing has to be found out; negative: a failure.
int ra__cf_figure(ra_cf *cf, const ra_cf_variable *variable, const ra__cf_dim *dims, int x, int y,
                  const ra_source_var *mapping, ra_err *err);
// Do the axes at dims `x` and `y`, by the mapping, lie where the file's 2-D longitudes and latitudes say? 1, or 0;
// 1 where it has none; negative: a failure.
int ra__cf_agrees(ra_cf *cf, const ra_cf_variable *variable, const ra__cf_dim *dims, int x, int y,
                  const ra_source_var *mapping, ra_err *err);
// 2-D longitudes and latitudes over the dims `x` and `y` of the variable, row by row. *found false: there are none.
int ra__cf_places(ra_cf *cf, const ra_cf_variable *variable, const ra__cf_dim *dims, int x, int y,
                  ra_lattice *out, bool *found, ra_err *err);
// Sets time and time_dim.
int ra__cf_time(ra_cf *cf, ra_cf_variable *variable, const ra__cf_dim *dims, ra_err *err);
// The same for a forecast, which has a reference time (CF's forecast_reference_time) and a valid time or a lead
// (forecast_period); also sets run_dim. 1: it is one; 0: it is none; negative: a failure.
int ra__cf_forecast(ra_cf *cf, ra_cf_variable *variable, ra_err *err);
bool ra__cf_is_reference(const ra_source_var *var);
// A new time axis at the end of the list; NULL: out of memory.
ra_cf_time *ra__cf_time_append(ra_cf *cf);

typedef struct ra__cf_instant {
  ra_source_var *var;
  ra_calendar calendar;
  size_t count;
  const int64_t *ms;  // in the arena; NULL: not understood, and the variable has the reason
} ra__cf_instant;
// Decoded times of a variable of any shape, C order.
int ra__cf_instants(ra_cf *cf, ra_cf_variable *variable, ra_source_var *var, ra__cf_instant *out,
                    ra_err *err);
void ra__cf_note_missing(ra_cf *cf, const char *name, const int64_t *ms, size_t count);
// A time given by the user, for variables without one.
int ra__cf_given_time(ra_cf *cf, const char *datetime, ra_err *err);
// Does the file say that it holds points, stations, trajectories?
bool ra__cf_is_discrete(const ra_cf *cf);
// The words for why a variable lies on no grid at all.
void ra__cf_explain(ra_cf *cf, ra_cf_variable *variable, const ra__cf_dim *dims);

// Does a blank-separated list hold the word? (`coordinates`)
bool ra__cf_list_has(const char *list, const char *word);
void ra__cf_reason(ra_cf *cf, ra_cf_variable *variable, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void ra__cf_find(ra_cf *cf, const char *code, const char *severity, const char *where,
                 const char *fmt, ...) __attribute__((format(printf, 5, 6)));
