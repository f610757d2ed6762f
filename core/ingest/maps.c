// maps.c - maps of grids whose cells no affine places: which cells make a pixel is found once a grid, then each band of
// each step is made of its cells. Land and gaps stay: a pixel has a value where the cell that it lies in has one, and it
// is the mean of those of its four cells that have one, too.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/cell_index.h"
#include "ingest/ingest_private.h"

static size_t add(size_t a, size_t b) { return a > SIZE_MAX - b ? SIZE_MAX : a + b; }

static bool is_used(const ra_ingest *ingest, const ra_cf_grid *grid) {
  for (size_t i = 0; i < ingest->count; i++) {
    const ra_cf_variable *variable = ingest->arrays[i].cf;
    if (variable->mappable && variable->grid == grid) return true;
  }
  return false;
}

// The lattices, the maps, and before each map the writer of an index.
size_t ra__maps_memory(const ra_ingest *ingest) {
  size_t bytes = 0, writer = 0;
  for (const ra_cf_grid *g = ingest->cf->grids; g; g = g->next) {
    if (g->layout != RA_CF_CURVED || !is_used(ingest, g)) continue;
    bytes = add(bytes, ra_regrid_memory(&g->grid));
    bytes = add(bytes, 2 * sizeof(int32_t) * (size_t)(g->native_width * g->native_height));
    size_t more = ra_cell_writer_memory(&g->lattice), map = ra_regrid_memory(&g->grid);
    if (more > map && more - map > writer) writer = more - map;
  }
  return add(bytes, writer);
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

static int open_map(ra__output *output, const ra_cf_grid *grid, ra_regrid **out, ra_err *err) {
  if (grid->layout == RA_CF_UNEVEN)
    return ra_regrid_axes(&grid->x_axis, &grid->y_axis, &grid->grid, out, err);
  int rc = write_index(output, grid, err);
  return rc < 0 ? rc : ra_regrid_lattice(&grid->lattice, &grid->grid, out, err);
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
  for (const ra_cf_grid *g = ingest->cf->grids; g; g = g->next) {
    if (g->layout == RA_CF_EVEN || !is_used(ingest, g)) continue;
    ra__map *map = &ingest->maps[ingest->map_count];
    map->grid = g;
    int rc = open_map(output, g, &map->regrid, err);
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
}

// ---- pixels

typedef struct row {  // of a map in the making
  size_t width;
  float *weights;   // four a pixel; the first one 0: no cell lies there
  uint8_t *stored;  // cells, four a pixel
  double *values;   // of them: stored numbers, NaN where missing
} row;

static void gather(const ra__array *array, const uint8_t *cells, int64_t y, row *r) {
  size_t size = ra_dtype_size(array->zarr.dtype);
  for (size_t x = 0; x < r->width; x++) {
    ra_regrid_pixel pixel;
    float *weights = r->weights + 4 * x;
    uint8_t *stored = r->stored + 4 * x * size;
    if (!ra_regrid_get(array->regrid, y, (int64_t)x, &pixel)) {
      memset(weights, 0, 4 * sizeof *weights);
      memset(stored, 0, 4 * size);
      continue;
    }
    memcpy(weights, pixel.weights, sizeof pixel.weights);
    for (int i = 0; i < 4; i++)
      memcpy(stored + (size_t)i * size, cells + pixel.cells[i] * size, size);
  }
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

int ra__maps_rows(const ra__array *array, const uint8_t *cells, bool blank, int64_t first,
                  int64_t count, uint8_t *pixels, ra_err *err) {
  const ra_cf_variable *variable = array->cf;
  size_t size = ra_dtype_size(array->zarr.dtype), width = (size_t)variable->grid->grid.width;
  row r = {.width = width};
  r.weights = malloc(4 * width * sizeof *r.weights);
  r.stored = malloc(4 * width * size);
  r.values = malloc(4 * width * sizeof *r.values);
  bool ok = r.weights && r.stored && r.values;
  for (int64_t y = 0; y < count && ok; y++) {
    gather(array, cells, first + y, &r);
    ra_unpack_f64(array->zarr.dtype, r.stored, 4 * width, &variable->packing, false, r.values);
    make_row(variable, &r, blank, pixels + (size_t)y * width * size);
  }
  free(r.weights);
  free(r.stored);
  free(r.values);
  return ok ? RA_OK : ra_fail(err, RA_E_NOMEM, array->zarr.name, "no memory for rows of a map");
}
