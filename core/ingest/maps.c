// maps.c - maps of grids whose cells no affine places: which cells make a pixel is found once a grid, then each band of
// each step is made of its cells. Land and gaps stay: a pixel has a value where the cell that it lies in has one, and it
// is the mean of those of its four cells that have one, too.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/cell_index.h"
#include "ingest/ingest_private.h"
#include "ingest/scratch.h"

static size_t add(size_t a, size_t b) { return a > SIZE_MAX - b ? SIZE_MAX : a + b; }

static bool is_used(const ra_ingest *ingest, const ra_cf_grid *grid) {
  for (size_t i = 0; i < ingest->count; i++) {
    const ra_cf_variable *variable = ingest->arrays[i].cf;
    if (variable->mappable && variable->grid == grid) return true;
  }
  return false;
}

// Rows of a map's places that are in memory at once: all of them, or strips where they would take an eighth of it.
static int64_t rows_at_once(const ra_ingest *ingest, const ra_cf_grid *g) {
  size_t row = ra_regrid_memory(&g->grid, 1);
  size_t room = ingest->options.memory / 32 / row + 1;
  if (ingest->sizes.strips) return 3 < g->grid.height ? 3 : g->grid.height;
  bool fits = ra_regrid_memory(&g->grid, g->grid.height) <= ingest->options.memory / 8;
  return fits || room > (size_t)g->grid.height ? g->grid.height : (int64_t)room;
}

static bool is_kept(const ra_ingest *ingest, const ra_cf_grid *g) {
  return rows_at_once(ingest, g) < g->grid.height;
}

// The lattices stay, and the places of whole maps. Before a map there is the writer of an index, or a strip.
size_t ra__maps_memory(const ra_ingest *ingest, size_t *making) {
  size_t bytes = 0;
  *making = 0;
  for (const ra_cf_grid *g = ingest->cf->grids; g; g = g->next) {
    if (g->layout != RA_CF_CURVED || !is_used(ingest, g)) continue;
    size_t places = ra_regrid_memory(&g->grid, rows_at_once(ingest, g));
    size_t most = ra_cell_writer_memory(&g->lattice);
    bytes = add(bytes, 2 * sizeof(int32_t) * (size_t)(g->native_width * g->native_height));
    if (is_kept(ingest, g)) {
      most = places > most ? places : most;
    } else {
      bytes = add(bytes, places);
      most = most > places ? most - places : 0;
    }
    if (most > *making) *making = most;
  }
  return bytes;
}

uint64_t ra__maps_scratch(const ra_ingest *ingest) {
  uint64_t bytes = 0;
  for (const ra_cf_grid *g = ingest->cf->grids; g; g = g->next) {
    if (g->layout == RA_CF_CURVED && is_used(ingest, g) && is_kept(ingest, g))
      bytes += ra_regrid_memory(&g->grid, g->grid.height);
  }
  return bytes;
}

static const ra_dataset_grid *described(const ra__output *output, const ra_cf_grid *grid) {
  for (size_t i = 0; i < ra_dataset_grid_count(output->dataset); i++) {
    const ra_dataset_grid *g = ra_dataset_get_grid(output->dataset, i);
    if (!strcmp(g->id, grid->id)) return g;
  }
  return NULL;
}

static int write_index(ra__output *output, const ra_cf_grid *grid, ra_err *err) {
  ra_cell_writer *writer;
  ra_str key;
  int rc = ra_cell_writer_new(&grid->lattice, &writer, err);
  if (rc < 0) return rc;
  ra_str_init(&key);
  ra_dataset_cells_key(output->dataset, described(output, grid), &key);
  rc = key.failed ? ra_fail(err, RA_E_NOMEM, grid->id, "out of memory")
                  : ra__output_stream(output, key.ptr, ra_cell_writer_next, writer, err);
  ra_str_deinit(&key);
  ra_cell_writer_free(writer);
  return rc;
}

static int append(void *ctx, const void *data, size_t size, uint64_t *offset, ra_err *err) {
  return ra__scratch_append(ctx, data, size, offset, err);
}

static int read_back(void *ctx, uint64_t offset, void *dst, size_t size, ra_err *err) {
  return ra__scratch_read(ctx, offset, dst, size, err);
}

static int open_map(ra__output *output, const ra_cf_grid *grid, ra_regrid **out, ra_err *err) {
  ra_ingest *ingest = output->ingest;
  if (grid->layout == RA_CF_UNEVEN)
    return ra_regrid_axes(&grid->x_axis, &grid->y_axis, &grid->grid, out, err);
  int rc = write_index(output, grid, err);
  if (rc < 0) return rc;
  const ra_regrid_keep keep = {ingest->map_scratch, append, read_back};
  bool kept = is_kept(ingest, grid);
  return ra_regrid_lattice(&grid->lattice, &grid->grid, rows_at_once(ingest, grid),
                           kept ? &keep : NULL, out, err);
}

static int open_scratch(ra_ingest *ingest, ra_err *err) {
  uint64_t need = ra__maps_scratch(ingest);
  if (!need) return RA_OK;
  int rc = ra__scratch_check(ingest->options.scratch, need + ingest->scratch, err);
  return rc < 0 ? rc : ra__scratch_open(ingest->options.scratch, &ingest->map_scratch, err);
}

static void share_map(ra_ingest *ingest, const ra__map *map) {
  for (size_t i = 0; i < ingest->count; i++) {
    ra__array *array = &ingest->arrays[i];
    if (array->cf->mappable && array->cf->grid == map->grid) array->regrid = map->regrid;
  }
}

int ra__maps_open(ra__output *output, ra_err *err) {
  ra_ingest *ingest = output->ingest;
  size_t grids = 0;
  for (const ra_cf_grid *g = ingest->cf->grids; g; g = g->next) grids++;
  ingest->maps = ra_arena_calloc(&ingest->arena, grids + 1, sizeof *ingest->maps);
  if (!ingest->maps) return ra_fail(err, RA_E_NOMEM, "", "out of memory");
  int rc = open_scratch(ingest, err);
  if (rc < 0) return rc;
  for (const ra_cf_grid *g = ingest->cf->grids; g; g = g->next) {
    if (g->layout == RA_CF_EVEN || !is_used(ingest, g)) continue;
    ra__map *map = &ingest->maps[ingest->map_count];
    map->grid = g;
    rc = open_map(output, g, &map->regrid, err);
    if (rc < 0) return rc;
    ingest->map_count++;
    share_map(ingest, map);
  }
  return RA_OK;
}

void ra__maps_close(ra_ingest *ingest) {
  for (size_t i = 0; i < ingest->map_count; i++) ra_regrid_free(ingest->maps[i].regrid);
  for (size_t i = 0; i < ingest->count; i++) ingest->arrays[i].regrid = NULL;
  ingest->map_count = 0;
  ra__scratch_free(ingest->map_scratch);
  ingest->map_scratch = NULL;
}

// ---- pixels

typedef struct row {  // of a map in the making
  size_t width;
  ra_regrid_place *room;
  float *weights;   // four a pixel; the first one 0: no cell lies there
  uint8_t *stored;  // cells, four a pixel
  double *values;   // of them: stored numbers, NaN where missing
} row;

static int gather(const ra__array *array, const uint8_t *cells, int64_t y, row *r, ra_err *err) {
  size_t size = ra_dtype_size(array->zarr.dtype);
  const ra_regrid_place *places = ra_regrid_row(array->regrid, y, r->room, err);
  if (!places) return RA_E_IO;
  for (size_t x = 0; x < r->width; x++) {
    ra_regrid_pixel pixel;
    float *weights = r->weights + 4 * x;
    uint8_t *stored = r->stored + 4 * x * size;
    if (!ra_regrid_pixel_of(array->regrid, &places[x], &pixel)) {
      memset(weights, 0, 4 * sizeof *weights);
      memset(stored, 0, 4 * size);
      continue;
    }
    memcpy(weights, pixel.weights, sizeof pixel.weights);
    for (int i = 0; i < 4; i++)
      memcpy(stored + (size_t)i * size, cells + pixel.cells[i] * size, size);
  }
  return RA_OK;
}

static double mean(const float *weights, const double *values) {
  double sum = 0, weight = 0;
  for (int i = 0; i < 4; i++) {
    if (isnan(values[i])) continue;
    sum += (double)weights[i] * values[i];
    weight += (double)weights[i];
  }
  return sum / weight;
}

#define STORE(type, number)    \
  do {                         \
    type v = (type)(number);   \
    memcpy(out, &v, sizeof v); \
  } while (0)

static void store(ra_dtype dtype, double value, uint8_t *out) {
  switch (dtype) {
    case RA_DTYPE_U8: STORE(uint8_t, nearbyint(value)); break;
    case RA_DTYPE_I8: STORE(int8_t, nearbyint(value)); break;
    case RA_DTYPE_U16: STORE(uint16_t, nearbyint(value)); break;
    case RA_DTYPE_I16: STORE(int16_t, nearbyint(value)); break;
    case RA_DTYPE_U32: STORE(uint32_t, nearbyint(value)); break;
    case RA_DTYPE_I32: STORE(int32_t, nearbyint(value)); break;
    case RA_DTYPE_U64: STORE(uint64_t, nearbyint(value)); break;
    case RA_DTYPE_I64: STORE(int64_t, nearbyint(value)); break;
    case RA_DTYPE_F32: STORE(float, value); break;
    case RA_DTYPE_F64: STORE(double, value); break;
    case RA_DTYPE_COUNT: break;
  }
}

bool ra__maps_is_blank(const ra__array *array, const uint8_t *cells) {
  const ra_cf_variable *variable = array->cf;
  size_t size = ra_dtype_size(array->zarr.dtype);
  size_t left = (size_t)(variable->grid->native_width * variable->grid->native_height);
  if (variable->has_fill || variable->grid->layout == RA_CF_CURVED) return false;
  while (left > 0) {
    double values[256];
    size_t n = left < 256 ? left : 256;
    ra_unpack_f64(array->zarr.dtype, cells, n, &variable->packing, false, values);
    for (size_t i = 0; i < n; i++) {
      if (!isnan(values[i])) return false;
    }
    cells += n * size;
    left -= n;
  }
  return true;
}

// One cell alone stays the number that it is.
static void make_row(const ra_cf_variable *variable, const row *r, bool blank, uint8_t *pixels) {
  ra_dtype dtype = variable->source->dtype;
  size_t size = ra_dtype_size(dtype);
  for (size_t x = 0; x < r->width; x++) {
    const float *weights = r->weights + 4 * x;
    const double *values = r->values + 4 * x;
    uint8_t *out = pixels + x * size;
    bool there = weights[0] > 0 && (blank || !isnan(values[0]));
    if (!there && variable->has_nodata) {
      store(dtype, variable->nodata, out);
    } else if (variable->categorical || weights[0] >= 1 || !there) {
      memcpy(out, r->stored + 4 * x * size, size);
    } else {
      store(dtype, mean(weights, values), out);
    }
  }
}

static int make_rows(const ra__array *array, const uint8_t *cells, bool blank, int64_t first,
                     int64_t count, row *r, uint8_t *pixels, ra_err *err) {
  const ra_cf_variable *variable = array->cf;
  size_t bytes = r->width * ra_dtype_size(array->zarr.dtype);
  for (int64_t y = 0; y < count; y++) {
    int rc = gather(array, cells, first + y, r, err);
    if (rc < 0) return rc;
    ra_unpack_f64(array->zarr.dtype, r->stored, 4 * r->width, &variable->packing, false, r->values);
    make_row(variable, r, blank, pixels + (size_t)y * bytes);
  }
  return RA_OK;
}

int ra__maps_rows(const ra__array *array, const uint8_t *cells, bool blank, int64_t first,
                  int64_t count, uint8_t *pixels, ra_err *err) {
  size_t width = (size_t)array->cf->grid->grid.width;
  row r = {.width = width};
  r.room = malloc(width * sizeof *r.room);
  r.weights = malloc(4 * width * sizeof *r.weights);
  r.stored = malloc(4 * width * ra_dtype_size(array->zarr.dtype));
  r.values = malloc(4 * width * sizeof *r.values);
  bool ok = r.room && r.weights && r.stored && r.values;
  int rc = ok ? make_rows(array, cells, blank, first, count, &r, pixels, err)
              : ra_fail(err, RA_E_NOMEM, array->zarr.name, "no memory for rows of a map");
  free(r.room);
  free(r.weights);
  free(r.stored);
  free(r.values);
  return rc;
}
