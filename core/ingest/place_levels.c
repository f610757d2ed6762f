// place_levels.c - the pyramid of an array that stays where it is: which of its levels are the same cells at a lower
// resolution, from the array's own corner on, and whether maps can be made of them at a fair price. A level that is not sure
// to be so is left out, and without levels maps are made as COGs.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "format/json.h"
#include "ingest/ingest_private.h"
#include "source/multiscales.h"

enum { TILE = 256, AXIS_MOST = 1 << 20 };
static const uint64_t TILE_BYTES = (uint64_t)64 << 20;    // decoded for a tile, at most
static const uint64_t COARSE_CELLS = (uint64_t)16 << 20;  // of the coarsest level, at most
static const double APART = 0.1;  // of a level's cell, that its centres may be off

// ---- the same thing?

static json_t *load(const char *text) {
  return text ? ra_json_load(text, strlen(text), NULL) : NULL;
}

static bool same_members(const json_t *a, const json_t *b, const char *const *names, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const json_t *x = json_object_get(a, names[i]), *y = json_object_get(b, names[i]);
    if (!x != !y || (x && !json_equal(x, y))) return false;
  }
  return true;
}

// Cells of both mean the same numbers.
static bool same_packing(const ra_zarr_node *a, const ra_zarr_node *b) {
  static const char *const own[] = {"fill_value"};
  static const char *const cf[] = {"scale_factor", "add_offset", "_FillValue", "missing_value",
                                   "_Unsigned",    "valid_min",  "valid_max",  "valid_range"};
  json_t *x = load(a->metadata), *y = load(b->metadata);
  json_t *p = load(a->attributes), *q = load(b->attributes);
  const json_t *v = a->format == 2 ? p : json_object_get(x, "attributes");
  const json_t *w = b->format == 2 ? q : json_object_get(y, "attributes");
  bool same = a->format == b->format && same_members(x, y, own, 1) &&
              same_members(v, w, cf, sizeof cf / sizeof *cf);
  json_decref(x);
  json_decref(y);
  json_decref(p);
  json_decref(q);
  return same;
}

static bool same_shape(const ra_zarr_info *a, const ra_zarr_info *b, const ra_cf_variable *variable) {
  if (a->ndim != b->ndim || strcmp(a->type, b->type) != 0) return false;
  for (unsigned d = 0; d < a->ndim; d++) {
    bool map = (int)d == variable->y_dim || (int)d == variable->x_dim;
    if (map ? b->shape[d] >= a->shape[d] || b->shape[d] < 1 : b->shape[d] != a->shape[d])
      return false;
  }
  return true;
}

static int parse(const ra_zarr_node *node, ra_zarr_info *info) {
  ra_zarr_array *array = NULL;
  ra_err ignored;
  int rc = ra_zarr_array_parse_any(node->metadata, strlen(node->metadata), node->format, &array,
                                   &ignored);
  if (rc >= 0) *info = *ra_zarr_array_info(array);
  ra_zarr_array_unref(array);
  return rc;
}

// ---- along an axis

// A level's coordinates: the array of the axis' name beside the level's, plain numbers, one a cell.
static double *read_axis(const ra_zarr_tree *tree, const char *level, const char *name,
                         uint64_t size) {
  const char *slash = strrchr(level, '/');
  char path[1024];
  snprintf(path, sizeof path, "%.*s%s%s", slash ? (int)(slash - level) : 0, level, slash ? "/" : "",
           name);
  for (size_t i = 0; i < ra_zarr_tree_count(tree); i++) {
    const ra_zarr_node *node = ra_zarr_tree_node(tree, i);
    ra_zarr_array *array = NULL;
    ra_err ignored;
    const uint64_t start[RA_ZARR_DIMS] = {0};
    if (!node->array || strcmp(node->path, path) != 0) continue;
    if (ra_zarr_array_parse_any(node->metadata, strlen(node->metadata), node->format, &array,
                                &ignored) < 0)
      continue;
    const ra_zarr_info *info = ra_zarr_array_info(array);
    bool fits = info->numeric && info->ndim == 1 && info->shape[0] == size && size <= AXIS_MOST;
    double *cells = fits ? calloc(size, sizeof *cells) : NULL;
    void *raw = fits ? malloc(size * info->cell) : NULL;
    ra_reader reader = ra_zarr_tree_reader(tree);
    bool good =
        cells && raw &&
        ra_zarr_read(array, &reader, path, start, info->shape, raw, NULL, NULL, &ignored) >= 0;
    for (uint64_t k = 0; good && k < size; k++) cells[k] = ra_dtype_load(info->dtype, raw, k);
    ra_zarr_array_unref(array);
    free(raw);
    if (good) return cells;
    free(cells);
  }
  return NULL;
}

// How many of the array's cells one of the level is wide, by the centres of both. 0: it does not begin where the array does,
// or is uneven.
static double by_centres(const double *own, uint64_t n, const double *coarse, uint64_t m) {
  if (n < 2 || m < 2) return 0;
  double step = (own[n - 1] - own[0]) / (double)(n - 1);
  if (!isfinite(step) || step == 0 || fabs(own[1] - own[0] - step) > APART * fabs(step)) return 0;
  double ratio = (coarse[m - 1] - coarse[0]) / (double)(m - 1) / step;
  for (uint64_t k = 0; k < m; k++) {
    double centre = (coarse[k] - own[0]) / step, wanted = (double)k * ratio + (ratio - 1) / 2;
    if (!(fabs(centre - wanted) <= APART * ratio)) return 0;
  }
  return ratio;
}

// By the sizes alone: a whole number of cells, the last of which may be cut short or left out.
static double by_sizes(uint64_t n, uint64_t m) {
  double ratio = round((double)n / (double)m);
  return fabs((double)n / ratio - (double)m) < 1 ? ratio : 0;
}

static double *own_axis(ra_ingest *ingest, const ra_source_var *axis, uint64_t size) {
  const void *cells;
  ra_err ignored;
  if (!axis || axis->ndim != 1 || axis->shape[0] != size) return NULL;
  ra_source_var *var = ra_source_get_var(ingest->source, axis->index);
  if (ra_source_cells(ingest->source, var, &cells, &ignored) < 0) return NULL;
  double *out = calloc(size, sizeof *out);
  for (uint64_t k = 0; out && k < size; k++) out[k] = ra_dtype_load(var->dtype, cells, k);
  return out;
}

static double ratio_along(ra_ingest *ingest, const ra_source_var *axis, const char *path,
                          uint64_t n, uint64_t m) {
  double *own = own_axis(ingest, axis, n);
  double *coarse = own ? read_axis(ra_source_tree(ingest->source), path, axis->base, m) : NULL;
  double ratio = own && coarse ? by_centres(own, n, coarse, m) : own ? 0 : by_sizes(n, m);
  free(own);
  free(coarse);
  return ratio;
}

// Where the map turns the array round, or begins in its middle, or goes round the Earth, the level has to do the same with
// whole cells.
static bool is_whole(double ratio, uint64_t n, uint64_t m, bool turned, int64_t roll) {
  double begin = (double)roll / ratio;
  if (fabs(begin - round(begin)) > 1e-6) return false;
  return !(turned || roll) || fabs(ratio * (double)m - (double)n) < 1e-6 * (double)n;
}

static bool measure(ra_ingest *ingest, const ra__array *array, ra__level *level) {
  const ra_cf_variable *variable = array->cf;
  const ra_cf_grid *grid = variable->grid;
  const char *path = level->node->path;
  uint64_t n = array->zarr.shape[variable->x_dim], m = level->info.shape[variable->x_dim];
  level->x_ratio = ratio_along(ingest, grid->x, path, n, m);
  if (!(level->x_ratio >= 1) ||
      !is_whole(level->x_ratio, n, m, grid->x_reversed || grid->grid.wraps, grid->roll))
    return false;
  n = array->zarr.shape[variable->y_dim];
  m = level->info.shape[variable->y_dim];
  level->y_ratio = ratio_along(ingest, grid->y, path, n, m);
  return level->y_ratio >= 1 && is_whole(level->y_ratio, n, m, grid->y_reversed, 0);
}

// ---- at a fair price?

// What a tile of cells decodes.
static uint64_t tile_bytes(const ra_cf_variable *variable, const ra_zarr_info *info) {
  uint64_t bytes = info->cell;
  for (unsigned d = 0; d < info->ndim; d++) {
    uint64_t side = info->chunk[d];
    if ((int)d == variable->y_dim || (int)d == variable->x_dim) side = (TILE / side + 2) * side;
    if (__builtin_mul_overflow(bytes, side, &bytes)) return UINT64_MAX;
  }
  return bytes;
}

static bool is_fair(const ra_cf_variable *variable, const ra_zarr_info *own, const ra__array *array) {
  if (!array->level_count || tile_bytes(variable, own) > TILE_BYTES) return false;
  for (unsigned i = 0; i < array->level_count; i++) {
    if (tile_bytes(variable, &array->levels[i].info) > TILE_BYTES) return false;
  }
  const ra_zarr_info *coarsest = &array->levels[array->level_count - 1].info;
  uint64_t rows = coarsest->shape[variable->y_dim], columns = coarsest->shape[variable->x_dim];
  return columns <= COARSE_CELLS && rows <= COARSE_CELLS / columns;
}

// ---- all levels

static void add_level(ra_ingest *ingest, ra__array *array, const ra_zarr_node *own,
                      const ra_zarr_info *info, const ra_zarr_node *node) {
  ra__level level = {.node = node};
  double before = array->level_count ? array->levels[array->level_count - 1].x_ratio *
                                           array->levels[array->level_count - 1].y_ratio
                                     : 1;
  if (!ra_key_valid(node->path) || parse(node, &level.info) < 0 ||
      !same_shape(info, &level.info, array->cf) || !same_packing(own, node) ||
      !measure(ingest, array, &level) || level.x_ratio * level.y_ratio <= before)
    return;
  array->levels[array->level_count++] = level;
}

int ra__place_levels(ra_ingest *ingest, ra__array *array, ra_err *err) {
  const ra_cf_variable *variable = array->cf;
  const ra_zarr_tree *tree = ra_source_tree(ingest->source);
  const ra_zarr_node *nodes[RA_MULTISCALES], *own = NULL;
  ra_zarr_info info;
  if (!variable->mappable || variable->grid->layout != RA_CF_EVEN) return RA_OK;
  int count = ra_multiscales_of(tree, variable->source->name, &ingest->arena, nodes);
  if (count > 0)
    array->levels = ra_arena_calloc(&ingest->arena, (size_t)count, sizeof *array->levels);
  if (count < 0 || (count > 0 && !array->levels))
    return ra_fail(err, RA_E_NOMEM, variable->source->name, "no memory for levels");
  for (size_t i = 0; i < ra_zarr_tree_count(tree); i++) {
    const ra_zarr_node *node = ra_zarr_tree_node(tree, i);
    if (node->array && strcmp(node->path, variable->source->name) == 0) own = node;
  }
  if (!own || parse(own, &info) < 0) return RA_OK;
  for (int i = 0; i < count; i++) add_level(ingest, array, own, &info, nodes[i]);
  array->direct = ingest->options.by_reference || is_fair(variable, &info, array);
  return RA_OK;
}
