// series_cells.c - the nearest cell of a curvilinear grid. The tables of its index are kept like headers; a search reads
// some kilobytes of it.
#include "format/cell_index.h"
#include "render/object.h"
#include "render/series_impl.h"

typedef struct opening {
  ra_render_context *context;
  const char *key;
} opening;

static void free_index(void *index) { ra_cell_index_free(index); }

static int make_index(void *ctx, void **value, size_t *bytes, ra_err *err) {
  const opening *job = ctx;
  ra_cell_index *index;
  int rc = ra_cell_index_open(&job->context->reader, job->key, &index, err);
  if (rc < 0) return rc;
  *bytes = ra_cell_index_memory(index) + sizeof(ra__object);
  return ra__object_new(index, free_index, (ra__object **)value, err);
}

static int find(ra_render_context *context, const char *key, const ra_series_point *point,
                ra_cell *out, bool *found, ra_err *err) {
  const uint64_t kind = 'c';
  opening job = {context, key};
  void *object = NULL;
  int rc =
      ra_cache_get(context->headers, ra_cache_key_of(key, &kind, 1), make_index, &job, &object, err);
  if (rc < 0) return rc;
  const ra_cell_index *index = ((ra__object *)object)->value;
  rc = ra_cell_index_find(index, &context->reader, key, point->lon, point->lat, out, found, err);
  ra__object_unref(object);
  return rc;
}

int ra__series_nearest(ra_render_context *context, const ra_dataset *dataset,
                       const ra_dataset_grid *grid, const ra_series_point *point, ra_cell *out,
                       bool *found, ra_err *err) {
  ra_str key;
  ra_str_init(&key);
  ra_dataset_cells_key(dataset, grid, &key);
  int rc = key.failed ? ra_fail(err, RA_E_NOMEM, grid->id, "no memory for a key")
                      : find(context, key.ptr, point, out, found, err);
  ra_str_deinit(&key);
  uint64_t cells = (uint64_t)grid->native_width * (uint64_t)grid->native_height;
  if (rc < 0 || !*found || out->number < cells) return rc;
  return ra_fail(err, RA_E_CORRUPT, grid->id, "the index of cells is not of this grid");
}
