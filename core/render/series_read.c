// series_read.c - values along time from time-shaped Zarr: points that fall in one chunk are read together, steps that
// lie in neighbouring chunks too; nothing else is read.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "render/series_impl.h"
#include "render/zarr_source.h"

enum { BOX_BYTES = 32 << 20 };

// Whether the array is what the catalog says of it; what follows leans on that.
static int check_array(const ra__series_store *store, ra_err *err) {
  const ra_zarr_info *info = ra_zarr_array_info(store->array);
  const ra_dataset_variable *variable = store->part->variable;
  bool same = ra__zarr_holds(info, variable);
  for (unsigned i = 0; i < variable->ndim && same; i++) same = info->shape[i] == variable->shape[i];
  if (same && variable->grid && variable->y_dim >= 0 && variable->x_dim >= 0) {
    same = info->shape[variable->y_dim] == (uint64_t)variable->grid->native_height &&
           info->shape[variable->x_dim] == (uint64_t)variable->grid->native_width;
  }
  if (same) return RA_OK;
  return ra_fail(err, RA_E_CORRUPT, store->path,
                 "the array is not the one that the catalog describes");
}

int ra__series_open(ra__series *self, ra__series_store *store, ra_err *err) {
  const ra_dataset_array *array = &store->part->variable->array;
  if (!ra_dataset_store(store->part->dataset)) return ra__series_map_open(self, store, err);
  // Both are freed with the store.
  int rc =
      ra__render_zarr(self->context, store->part->dataset, array, &store->path, &store->array, err);
  return rc < 0 ? rc : check_array(store, err);
}

void ra__series_close(ra__series_store *store) {
  ra_zarr_array_unref(store->array);
  free(store->path);
  ra__series_map_close(store);
}

// ---- which bytes

// The samples [from, result) lie in one chunk.
static size_t group_end(const ra__series_places *places, size_t from) {
  const ra__series_sample *first = &places->samples[from];
  size_t i = from + 1;
  while (i < places->sample_count &&
         places->samples[i].row / places->chunk_rows == first->row / places->chunk_rows &&
         places->samples[i].col / places->chunk_cols == first->col / places->chunk_cols) {
    i++;
  }
  return i;
}

static uint64_t time_chunks(const ra__series_store *store, uint64_t chunk) {
  uint64_t count = 0, last = UINT64_MAX;
  for (size_t i = 0; i < store->entry_count; i++) {
    uint64_t at = store->entries[i].step / chunk;
    count += at != last ? 1 : 0;
    last = at;
  }
  return count;
}

// The chunks along time that are read, and the bytes of each.
static uint64_t chunks_of(const ra__series_store *store, uint64_t *bytes) {
  uint64_t rows, columns;
  if (store->map) {
    ra__series_map_block(store, &rows, &columns, bytes);
    return 1;
  }
  const ra_zarr_info *info = ra_zarr_array_info(store->array);
  int time_dim = store->part->variable->time_dim;
  *bytes = info->cell;
  for (unsigned i = 0; i < info->ndim; i++) *bytes *= info->chunk[i];
  return time_dim >= 0 ? time_chunks(store, info->chunk[time_dim]) : 1;
}

void ra__series_add_cost(const ra__series_store *store, uint64_t *chunks, uint64_t *bytes) {
  uint64_t size, groups = 0;
  for (size_t i = 0; i < store->places->sample_count; i = group_end(store->places, i)) groups++;
  uint64_t count = groups * chunks_of(store, &size);
  *chunks += count;
  *bytes += count * size;
}

// ---- reading

// Steps are numbered run by run where the runs of a forecast have a dimension of their own.
static uint64_t times_of(const ra_dataset_variable *variable) {
  return variable->run_dim >= 0 ? variable->shape[variable->time_dim] : UINT64_MAX;
}

// A box of cells in one chunk of rows and columns, over a range of steps.
typedef struct box {
  uint64_t start[RA_ZARR_DIMS], count[RA_ZARR_DIMS];
  size_t time, row, col;  // strides in cells
  size_t cells;
  uint64_t row0, col0, step0;
} box;

static void bound_group(const ra__series_places *places, size_t from, size_t to, box *out,
                        uint64_t *rows, uint64_t *cols) {
  uint64_t row1 = 0, col1 = 0;
  out->row0 = out->col0 = UINT64_MAX;
  for (size_t i = from; i < to; i++) {
    const ra__series_sample *sample = &places->samples[i];
    if (sample->row < out->row0) out->row0 = sample->row;
    if (sample->row > row1) row1 = sample->row;
    if (sample->col < out->col0) out->col0 = sample->col;
    if (sample->col > col1) col1 = sample->col;
  }
  *rows = row1 - out->row0 + 1;
  *cols = col1 - out->col0 + 1;
}

static void shape_box(const ra__series_store *store, uint64_t rows, uint64_t cols, uint64_t step0,
                      uint64_t steps, box *out) {
  const ra_dataset_variable *variable = store->part->variable;
  for (unsigned i = 0; i < variable->ndim; i++) {
    out->start[i] = 0;
    out->count[i] = 1;
  }
  for (unsigned i = 0; i < variable->extra_count; i++) {
    out->start[variable->extra[i].dim] = store->part->extra[i];
  }
  if (variable->time_dim >= 0) {
    out->start[variable->time_dim] = step0 % times_of(variable);
    out->count[variable->time_dim] = steps;
  }
  if (variable->run_dim >= 0) out->start[variable->run_dim] = step0 / times_of(variable);
  out->start[variable->y_dim] = out->row0;
  out->count[variable->y_dim] = rows;
  out->start[variable->x_dim] = out->col0;
  out->count[variable->x_dim] = cols;
  out->step0 = step0;
  out->cells = 1;
  out->time = out->row = out->col = 0;
  for (int i = (int)variable->ndim - 1; i >= 0; i--) {
    if (i == variable->time_dim) out->time = out->cells;
    if (i == variable->y_dim) out->row = out->cells;
    if (i == variable->x_dim) out->col = out->cells;
    out->cells *= (size_t)out->count[i];
  }
}

// The entries [from, result) that are read in one go: with no whole chunk skipped between them, and ending with a chunk
// when there are too many for one buffer.
static size_t run_end(const ra__series_store *store, size_t from, size_t most) {
  const ra__series_entry *entries = store->entries;
  int time_dim = store->part->variable->time_dim;
  size_t i = from + 1;
  if (time_dim < 0) return store->entry_count;  // one cell for all
  uint64_t chunk = ra_zarr_array_info(store->array)->chunk[time_dim];
  uint64_t times = times_of(store->part->variable);
  for (uint64_t first = entries[from].step, last = first; i < store->entry_count; i++) {
    uint64_t step = entries[i].step;
    if (step / times != first / times || step / chunk > last / chunk + 1) break;
    if (step / chunk != last / chunk && step - first >= most) break;
    last = step;
  }
  return i;
}

// What a sample's cell holds at the steps [from, to), by the box that was read.
typedef struct column {
  const void *values;
  bool single;
  size_t at, stride;  // of step 0 of the box, in cells
} column;

static double value_at(const column *self, size_t step) {
  size_t at = self->at + step * self->stride;
  return self->single ? (double)((const float *)self->values)[at]
                      : ((const double *)self->values)[at];
}

void ra__series_put(ra__series *self, const ra__series_store *store,
                    const ra__series_sample *sample, size_t at, double value) {
  at += (size_t)sample->point * self->lines[store->line].count;
  if (!self->weights) {
    self->values[at] = value;
  } else if (!isnan(value)) {
    self->values[at] += sample->weight * value;
    self->weights[at] += sample->weight;
  }
}

static void scatter(ra__series *self, const ra__series_store *store, const ra__series_sample *sample,
                    const box *area, size_t from, size_t to, column source) {
  source.at = (size_t)(sample->row - area->row0) * area->row +
              (size_t)(sample->col - area->col0) * area->col;
  source.stride = area->time;
  for (size_t i = from; i < to; i++) {
    const ra__series_entry *entry = &store->entries[i];
    ra__series_put(self, store, sample, entry->at,
                   value_at(&source, (size_t)(entry->step - area->step0)));
  }
}

static int read_box(ra__series *self, const ra__series_store *store, const box *area, void *raw,
                    void *values, bool single, ra_err *err) {
  const ra_dataset_variable *variable = store->part->variable;
  int rc = ra_zarr_read(store->array, &self->context->reader, store->path, area->start, area->count,
                        raw, self->cancel, self->timing, err);
  if (rc < 0) return rc;
  if (single) {
    ra_unpack_f32(variable->dtype, raw, area->cells, &variable->packing, true, values);
  } else {
    ra_unpack_f64(variable->dtype, raw, area->cells, &variable->packing, true, values);
  }
  return RA_OK;
}

static int read_run(ra__series *self, const ra__series_store *store, size_t group,
                    size_t group_stop, size_t from, size_t to, const box *area, ra_err *err) {
  bool single = ra_packing_value_dtype(store->part->variable->dtype) == RA_DTYPE_F32;
  size_t size = ra_dtype_size(store->part->variable->dtype), bytes;
  if (!ra_size_mul(area->cells, size + 8, &bytes)) bytes = SIZE_MAX;
  // Values first: they have the stricter alignment.
  uint8_t *buffer = malloc(bytes);
  if (!buffer) return ra_fail(err, RA_E_NOMEM, store->path, "no memory for %zu cells", area->cells);
  int rc = read_box(self, store, area, buffer + 8 * area->cells, buffer, single, err);
  for (size_t i = group; i < group_stop && rc == RA_OK; i++) {
    column source = {.values = buffer, .single = single};
    scatter(self, store, &store->places->samples[i], area, from, to, source);
  }
  free(buffer);
  return rc;
}

static int read_group(ra__series *self, const ra__series_store *store, size_t group,
                      size_t group_stop, ra_err *err) {
  uint64_t rows, cols;
  box area = {0};
  bound_group(store->places, group, group_stop, &area, &rows, &cols);
  size_t most = BOX_BYTES / (16 * (size_t)(rows * cols)) + 1;
  int rc = RA_OK;
  for (size_t i = 0; i < store->entry_count && rc == RA_OK;) {
    if (ra_cancel_is_set(self->cancel))
      return ra_fail(err, RA_E_CANCELLED, store->path, "cancelled");
    size_t end = run_end(store, i, most);
    uint64_t first = store->entries[i].step, last = store->entries[end - 1].step;
    shape_box(store, rows, cols, first, last - first + 1, &area);
    rc = read_run(self, store, group, group_stop, i, end, &area, err);
    i = end;
  }
  return rc;
}

static void finish_weights(ra__series *self, size_t n) {
  for (size_t i = 0; i < n; i++) {
    self->values[i] = self->weights[i] > 1e-9 ? self->values[i] / self->weights[i] : NAN;
  }
}

int ra__series_read_store(ra__series *self, const ra__series_store *store, ra_err *err) {
  if (store->map) return ra__series_map_read(self, store, err);
  for (size_t i = 0; i < store->places->sample_count;) {
    size_t end = group_end(store->places, i);
    int rc = read_group(self, store, i, end, err);
    if (rc < 0) return rc;
    i = end;
  }
  return RA_OK;
}

int ra__series_read(ra__series *self, unsigned v, ra_err *err) {
  const ra__series_line *line = &self->lines[v];
  size_t n = line->count * self->request->point_count;
  double empty = self->weights ? 0 : NAN;
  for (size_t i = 0; i < n; i++) self->values[i] = empty;
  if (self->weights) memset(self->weights, 0, n * sizeof *self->weights);
  for (size_t k = 0; k < self->store_count; k++) {
    if (self->stores[k].line != v) continue;
    int rc = ra__series_read_store(self, &self->stores[k], err);
    if (rc < 0) return rc;
  }
  if (self->weights) finish_weights(self, n);
  return ra__series_fill(self, v, err);
}
