// stac_item.h - STAC 1.1 items as JSON text, computed from a dataset. A writer keeps what the items of one dataset share,
// so that the next item of the same dataset costs little. One thread at a time.
#pragma once
#include "base/str.h"
#include "format/dataset.h"

typedef struct ra_stac_writer {
  const char *base_url;  // borrowed: "http://127.0.0.1:8080"
  const char *segment;  // version of the segment that holds the next item's steps; NULL: its own store
  const ra_dataset *dataset;  // whose pieces are kept; borrowed
  uint64_t axes;              // the axes that the pieces' items have: bit i for axis i
  bool has_mappable;
  ra_str middle;           // from "geometry" to the properties' fixed members
  ra_str extensions;       // "stac_extensions":[…]
  ra_str *before, *after;  // of each asset: up to the step's label, and from there
  size_t asset_count;
  ra_str zarr;  // the whole asset
} ra_stac_writer;

void ra_stac_writer_init(ra_stac_writer *writer, const char *base_url);
void ra_stac_writer_deinit(ra_stac_writer *writer);
// Appends the i-th item of the dataset, which has to live until the next call with another one.
int ra_stac_writer_add(ra_stac_writer *writer, const ra_dataset *dataset, size_t i, ra_str *out,
                       ra_err *err);

// The geometry (GeoJSON text) and box of an item: those of its grid, or the box round several. false: it has no grid.
bool ra_stac_item_footprint(const ra_dataset *dataset, size_t i, double bbox[4], ra_str *geometry);
// The item's axes, one bit each. Items of one dataset with equal bits share their grids and variables.
uint64_t ra_stac_item_axes(const ra_dataset *dataset, size_t i);
// {"cube:dimensions":{…},"cube:variables":{…}} of all variables, for collections.
void ra_stac_cube(const ra_dataset *dataset, ra_str *out);
