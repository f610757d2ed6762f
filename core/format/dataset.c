// dataset.c - the life of a dataset and what others may ask of it. Everything lies in one arena, made by
// dataset_parse.c and dataset_items.c.
#include "format/dataset.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "format/dataset_tables.h"

ra_dataset *ra_dataset_ref(ra_dataset *dataset) {
  atomic_fetch_add_explicit(&dataset->refs, 1, memory_order_relaxed);
  return dataset;
}

void ra_dataset_unref(ra_dataset *dataset) {
  if (!dataset || atomic_fetch_sub_explicit(&dataset->refs, 1, memory_order_acq_rel) > 1) return;
  for (size_t i = 0; i < dataset->grid_count; i++) ra_crs_unref(dataset->grids[i].crs);
  ra_arena_deinit(&dataset->arena);
  free(dataset);
}

size_t ra_dataset_memory(const ra_dataset *dataset) {
  return sizeof *dataset + dataset->arena.used;
}

const char *ra_dataset_collection(const ra_dataset *dataset) { return dataset->collection; }
const char *ra_dataset_id(const ra_dataset *dataset) { return dataset->id; }
const char *ra_dataset_version(const ra_dataset *dataset) { return dataset->version; }

const char *ra_dataset_body(const ra_dataset *dataset, size_t *size) {
  if (size) *size = dataset->body_size;
  return dataset->body;
}

const ra_dataset_about *ra_dataset_get_about(const ra_dataset *dataset) { return &dataset->about; }

size_t ra_dataset_grid_count(const ra_dataset *dataset) { return dataset->grid_count; }

const ra_dataset_grid *ra_dataset_get_grid(const ra_dataset *dataset, size_t i) {
  return &dataset->grids[i];
}

size_t ra_dataset_axis_count(const ra_dataset *dataset) { return dataset->axis_count; }

const ra_dataset_axis *ra_dataset_get_axis(const ra_dataset *dataset, size_t i) {
  return &dataset->axes[i];
}

size_t ra_dataset_variable_count(const ra_dataset *dataset) { return dataset->variable_count; }

const ra_dataset_variable *ra_dataset_get_variable(const ra_dataset *dataset, size_t i) {
  return &dataset->variables[i];
}

const ra_dataset_variable *ra_dataset_find_variable(const ra_dataset *dataset, const char *name) {
  for (size_t i = 0; i < dataset->variable_count; i++)
    if (!strcmp(dataset->variables[i].name, name)) return &dataset->variables[i];
  return NULL;
}

// The smallest box round both; across 180 where that is narrower.
void ra_bbox_join(double bbox[4], const double other[4]) {
  if (other[1] < bbox[1]) bbox[1] = other[1];
  if (other[3] > bbox[3]) bbox[3] = other[3];
  double best = 1e9, west = -180, east = 180;
  const double wests[2] = {bbox[0], other[0]}, easts[2] = {bbox[2], other[2]};
  for (int i = 0; i < 4; i++) {  // the joined box begins at one's west and ends at one's east
    double w = wests[i / 2], e = easts[i % 2], width = e < w ? e - w + 360 : e - w;
    bool holds = true;
    for (int k = 0; k < 2; k++) {
      double begin = wests[k] - w, own = easts[k] - wests[k];
      if (begin < 0) begin += 360;
      if (own < 0) own += 360;
      holds = holds && begin + own <= width + 1e-9;
    }
    if (!holds || width >= best) continue;
    best = width;
    west = w;
    east = e;
  }
  bbox[0] = west;
  bbox[2] = east;
}

bool ra_dataset_bbox(const ra_dataset *dataset, double bbox[4]) {
  if (!dataset->grid_count) return false;
  memcpy(bbox, dataset->grids[0].bbox, sizeof dataset->grids[0].bbox);
  for (size_t i = 1; i < dataset->grid_count; i++) ra_bbox_join(bbox, dataset->grids[i].bbox);
  return true;
}

static void add_root(const ra_dataset *dataset, ra_str *out) {
  ra_str_addf(out, "%s/%s/%s/", dataset->collection, dataset->id, dataset->version);
}

void ra_dataset_cog_key(const ra_dataset *dataset, const ra_dataset_variable *variable, size_t step,
                        ra_str *out) {
  add_root(dataset, out);
  if (dataset->in_place) {
    ra_str_add(out, dataset->in_place);
    return;
  }
  ra_key_escape(out, variable->name, true);
  ra_str_add_char(out, '/');
  ra_dataset_step_label(variable->axis, step, out);
  ra_str_add(out, ".tif");
}

void ra_dataset_cells_key(const ra_dataset *dataset, const ra_dataset_grid *grid, ra_str *out) {
  add_root(dataset, out);
  ra_str_addf(out, "cells/%s.bin", grid->id);
}

void ra_dataset_zarr_key(const ra_dataset *dataset, const char *array, ra_str *out) {
  add_root(dataset, out);
  ra_str_add(out, dataset->store ? dataset->store : "data.zarr");
  if (!*array) return;
  ra_str_add_char(out, '/');
  ra_key_add_path(out, array);
}

const char *ra_dataset_store(const ra_dataset *dataset) { return dataset->store; }

bool ra_dataset_is_far(const ra_dataset *dataset) { return dataset->far; }

unsigned ra_dataset_store_format(const ra_dataset *dataset) { return dataset->store_format; }

const char *ra_dataset_in_place(const ra_dataset *dataset) { return dataset->in_place; }
