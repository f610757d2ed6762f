// dataset_tables.h - the inside of ra_dataset, for the files of this folder only.
#pragma once
#include <stdatomic.h>

#include "base/arena.h"
#include "format/dataset.h"

struct ra_dataset {
  atomic_int refs;
  ra_arena arena;  // owns every table and text below
  const char *body;
  size_t body_size;
  const char *collection, *id, *version;
  ra_dataset_about about;
  const char *in_place;  // the key of its one COG, below the version; NULL: it has keys of its own
  const char *store;     // the key of its Zarr, below the version; NULL: there is none
  unsigned store_format;
  bool far;                // what the store says lies on another server
  ra_dataset_grid *grids;  // each holds a reference to its CRS
  size_t grid_count;
  ra_dataset_axis *axes;
  size_t axis_count;
  ra_dataset_variable *variables;
  size_t variable_count;
  ra_dataset_item *items;
  size_t item_count;
  int32_t *item_steps;  // [item][axis], -1: none; NULL with one axis or none
};

// Fills ordinals of the axes, items and item_steps from the axes.
int ra__dataset_make_items(ra_dataset *dataset, ra_err *err);

// A new reference to the CRS of this definition, shared by all who name it. Any thread.
int ra__dataset_crs(const char *definition, ra_crs **out, ra_err *err);
