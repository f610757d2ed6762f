// dataset.h - one published dataset: the catalog row's body, parsed once into tables that planning, tiles, series and
// STAC items read. Immutable, refcounted, any thread. The JSON form is described in dataset_parse.c and written by
// ingest/.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/caltime.h"
#include "base/str.h"
#include "geo/crs.h"
#include "geo/uneven.h"
#include "raster/dtype.h"
#include "raster/grid.h"
#include "raster/packing.h"

typedef struct ra_dataset ra_dataset;

typedef enum ra_dataset_layout {
  RA_DATASET_EVEN,    // the Zarr's cells are the COG's, turned
  RA_DATASET_UNEVEN,  // the COG is regridded; the Zarr's cells lie along x_axis and y_axis
  RA_DATASET_CURVED   // the same; the Zarr's cells lie where an index tells (format/cell_index)
} ra_dataset_layout;

typedef struct ra_dataset_grid {
  const char *id;
  ra_dataset_layout layout;
  ra_uneven x_axis, y_axis;   // of RA_DATASET_UNEVEN, in the CRS's unit
  const char *places;         // of RA_DATASET_CURVED: equal for equal places of cells
  const char *x_dim, *y_dim;  // dimension names in the source
  ra_grid grid;  // of the map layout (COG): north-up, rotated to -180..180 where global
  ra_crs *crs;
  int64_t native_width, native_height;  // of the Zarr
  bool x_reversed, y_reversed;          // the Zarr's cells run against the COG's
  int64_t roll;  // Zarr column (after x_reversed) that stands in COG column 0
  double bbox[4];
  const char *geometry;  // GeoJSON text
} ra_dataset_grid;

// A time axis. A forecast's has runs: step s belongs to run s / (count / runs).
typedef struct ra_dataset_axis {
  const char *id, *name;
  ra_calendar calendar;
  size_t count;
  const int64_t *ms;  // instants in the axis's own calendar (base/caltime.h); RA_TIME_NONE: missing
  const uint32_t *ordinals;  // 1, 2, 3 … among the steps of one label; NULL: no time repeats
  bool rising;               // each time is later than the one before
  size_t runs;               // 0: no forecast
  const int64_t *run_ms;     // reference times of the runs; RA_TIME_NONE: missing
} ra_dataset_axis;

typedef struct ra_dataset_extra {  // an extra dimension: level, member, …
  const char *name;
  unsigned dim;  // its place in the variable's dims
  size_t size;
  const double *values;  // coordinate values, or NULL: addressed by index
  const char *units;     // ""
  bool vertical;
} ra_dataset_extra;

enum { RA_DATASET_DIMS = 8, RA_DATASET_LEVELS = 24 };

// A Zarr array of a dataset: its path below the store, and which metadata it has.
typedef struct ra_dataset_array {
  const char *path;
  unsigned format;                  // 2 or 3
  uint64_t chunk[RA_DATASET_DIMS];  // the innermost; 0: not said, as we write them then
} ra_dataset_array;

// A coarser copy of a variable, a level of its pyramid: the same dimensions, but that each cell stands for x_ratio by y_ratio
// of the variable's own, from its first row and column (of the source) on.
typedef struct ra_dataset_level {
  ra_dataset_array array;
  int64_t width, height;
  double x_ratio, y_ratio;
} ra_dataset_level;

typedef struct ra_dataset_variable {
  const char *name;                               // "t2m", "group/t2m"
  const char *long_name, *standard_name, *units;  // "" when absent
  const ra_dataset_grid *grid;                    // NULL: not on a map grid
  const ra_dataset_axis *axis;                    // NULL: no time
  int axis_index;                                 // -1
  unsigned ndim;
  uint64_t shape[RA_DATASET_DIMS];
  int time_dim, y_dim, x_dim;  // -1: none
  int run_dim;                 // of the runs, where they have a dimension of their own; -1: none
  unsigned extra_count;
  const ra_dataset_extra *extra;  // in dims order
  ra_dtype dtype;
  ra_packing packing;  // of the Zarr (source) cells
  bool has_nodata;
  double nodata;  // the COG's one nodata
  bool categorical, mappable;
  unsigned bands;                         // of a COG: product of the extra sizes
  double minimum, maximum, mean, stddev;  // of decoded values; NaN when unknown
  double p2, p98;
  uint64_t valid_count, total_count;
  const char *cell_methods;           // "" when absent
  const char *dims[RA_DATASET_DIMS];  // names, as in the source
  const char *const *band_names;      // of a COG's bands; NULL: none
  unsigned flag_count;
  const double *flag_values;  // stored numbers
  const char *const *flag_meanings;
  ra_dataset_array array;
  bool mapped_from_zarr;  // there are no COGs: maps are made from the array and its levels
  unsigned level_count;
  const ra_dataset_level *levels;  // from fine to coarse
} ra_dataset_variable;

// What the dataset says of itself, for people.
typedef struct ra_dataset_about {
  const char *created;  // RFC 3339
  const char *source_name, *source_format;
  const char *title, *summary, *institution, *license;  // global attributes; "" when absent
} ra_dataset_about;

int ra_dataset_parse(const char *json, size_t size, ra_dataset **out, ra_err *err);
ra_dataset *ra_dataset_ref(ra_dataset *dataset);
void ra_dataset_unref(ra_dataset *dataset);
size_t ra_dataset_memory(const ra_dataset *dataset);

const char *ra_dataset_collection(const ra_dataset *dataset);
const char *ra_dataset_id(const ra_dataset *dataset);
const char *ra_dataset_version(const ra_dataset *dataset);
const char *ra_dataset_body(const ra_dataset *dataset, size_t *size);  // the JSON it was made from
// A COG that was ingested in place: its key below the version, "source/x.tif"; there is no Zarr then. NULL: no such one.
const char *ra_dataset_in_place(const ra_dataset *dataset);
// The key of its Zarr store below the version: "data.zarr", or "source" where it was ingested in place; NULL: it has none.
const char *ra_dataset_store(const ra_dataset *dataset);
// Whether its data are read from another server.
bool ra_dataset_is_far(const ra_dataset *dataset);
unsigned ra_dataset_store_format(const ra_dataset *dataset);  // 2 or 3, of the store's root
const ra_dataset_about *ra_dataset_get_about(const ra_dataset *dataset);
// Of all grids: west, south, east, north; west > east across 180. false: no grid.
bool ra_dataset_bbox(const ra_dataset *dataset, double bbox[4]);
void ra_bbox_join(double bbox[4], const double other[4]);  // widens bbox to hold both
size_t ra_dataset_grid_count(const ra_dataset *dataset);
const ra_dataset_grid *ra_dataset_get_grid(const ra_dataset *dataset, size_t i);
size_t ra_dataset_axis_count(const ra_dataset *dataset);
const ra_dataset_axis *ra_dataset_get_axis(const ra_dataset *dataset, size_t i);
size_t ra_dataset_variable_count(const ra_dataset *dataset);
const ra_dataset_variable *ra_dataset_get_variable(const ra_dataset *dataset, size_t i);
const ra_dataset_variable *ra_dataset_find_variable(const ra_dataset *dataset,
                                                    const char *name);  // NULL

// What has to be equal for the steps of two datasets to stand behind each other in one store, as text. false: it has no
// time, so there is nothing to join, or it is a forecast, whose runs overlap, or its data stay where others keep them.
bool ra_dataset_kind(const ra_dataset *dataset, ra_str *out);

// Items: the distinct times of all axes, in ISO time order (steps that share a time in one axis are items of their
// own); one item when there is no time at all.
typedef struct ra_dataset_item {
  int64_t iso_ms;               // the nearest valid ISO instant; RA_TIME_NONE: no time
  int64_t true_ms;              // in the axis's own calendar
  const ra_dataset_axis *axis;  // the first axis that has it; NULL: no time
  int axis_index;               // -1 without time
  size_t step;                  // its index there
  unsigned ordinal;             // 1; 2, 3 … for repeated times
} ra_dataset_item;
size_t ra_dataset_item_count(const ra_dataset *dataset);
const ra_dataset_item *ra_dataset_get_item(const ra_dataset *dataset, size_t i);
// The step of axis number `axis` that stands at the item's time; false: that axis lacks it.
bool ra_dataset_item_step(const ra_dataset *dataset, size_t i, int axis, size_t *step);
// The first item with iso_ms >= ms.
size_t ra_dataset_item_lower(const ra_dataset *dataset, int64_t ms);
// "<dataset>_<yyyymmddThhmmssZ>" in the data's own calendar, "_2" for the second of a repeated time; the dataset's id
// alone when it has no time.
void ra_dataset_item_id(const ra_dataset *dataset, size_t i, ra_str *out);
bool ra_dataset_find_item(const ra_dataset *dataset, const char *item_id, size_t *i);

// Steps by time. EXACT is within half a second; FLOOR (ffill) the latest step up to ms, CEIL (bfill) the earliest from
// ms on; of equal times the step of the latest run, else the first. run: only steps of this run, or RA_TIME_NONE. false:
// there is none.
typedef enum ra_time_match {
  RA_TIME_EXACT,
  RA_TIME_NEAREST,
  RA_TIME_FLOOR,
  RA_TIME_CEIL
} ra_time_match;
bool ra_dataset_axis_find(const ra_dataset_axis *axis, int64_t ms, ra_time_match match, int64_t run,
                          size_t *step);

// The reference time of a step; RA_TIME_NONE: it belongs to no run.
int64_t ra_dataset_axis_run(const ra_dataset_axis *axis, size_t step);
// The reference time that is within half a second of ms; false: the axis (NULL: no time) has no such run.
bool ra_dataset_axis_find_run(const ra_dataset_axis *axis, int64_t ms, int64_t *run);

// Which step of which dataset answers each time of a series: of equal times the one with the highest priority, then of
// the latest run, then of the latest published dataset.
typedef struct ra_dataset_source {
  const ra_dataset_variable *variable;
  double priority, published;
} ra_dataset_source;
typedef struct ra_dataset_pick {
  uint32_t source;
  size_t first, count;  // steps that follow each other
} ra_dataset_pick;
// In time order; variables without time are left out. run: a reference time, only whose steps are looked at; "": all.
// *picks is malloc'd, also on failure.
int ra_dataset_choose(const ra_dataset_source *sources, size_t count, const char *run,
                      ra_dataset_pick **picks, size_t *pick_count, ra_err *err);

// The step's label in paths: "20200101T060000Z", "…_2" when repeated, "notime" where the time is missing, "static"
// when axis is NULL.
void ra_dataset_step_label(const ra_dataset_axis *axis, size_t step, ra_str *out);
// Store keys. "<collection>/<dataset>/<version>/<variable>/<label>.tif"
void ra_dataset_cog_key(const ra_dataset *dataset, const ra_dataset_variable *variable, size_t step,
                        ra_str *out);
// "<collection>/<dataset>/<version>/cells/<grid>.bin": the index of a curvilinear grid
void ra_dataset_cells_key(const ra_dataset *dataset, const ra_dataset_grid *grid, ra_str *out);
// "<collection>/<dataset>/<version>/data.zarr/<array>" (array "" for the root), or of the store in place
void ra_dataset_zarr_key(const ra_dataset *dataset, const char *array, ra_str *out);
