// tile.c - a request through its steps: check, sample the sources in order until every pixel has a value, paint.
#include "render/tile.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "geo/warp.h"
#include "render/tile_job.h"
#include "render/tile_level.h"

enum { SIZE_LEAST = 64, SIZE_MOST = 1024, BUFFER_MOST = 256 };
#define ZARR_COST_MOST ((size_t)1 << 40)  // no one admits it

static int index_of(const char *const *names, int count, const char *name) {
  for (int i = 0; i < count; i++) {
    if (strcmp(names[i], name) == 0) return i;
  }
  return -1;
}

bool ra_resampling_parse(const char *name, ra_resampling *out) {
  static const char *const names[] = {"nearest", "bilinear", "cubic", "cubic_spline", "lanczos",
                                      "gauss",   "average",  "mode",  "rms"};
  int i = index_of(names, sizeof names / sizeof *names, name);
  if (i >= 0) *out = (ra_resampling)i;
  return i >= 0;
}

bool ra_tile_format_parse(const char *name, ra_tile_format *out) {
  static const char *const names[] = {"png", "jpg", "webp", "npy", "tif"};
  int i = index_of(names, sizeof names / sizeof *names, name);
  if (i >= 0) *out = (ra_tile_format)i;
  return i >= 0;
}

bool ra_tile_is_picture(ra_tile_format format) { return format <= RA_TILE_WEBP; }

void ra_tile_request_deinit(ra_tile_request *request) {
  for (unsigned i = 0; i < request->source_count; i++) {
    ra_dataset_unref(request->sources[i].dataset);
  }
  ra_ramp_unref(request->ramp);
  ra_expr_unref(request->expr);
  *request = (ra_tile_request){0};
}

// ---- cost

static size_t least_of(double a, double b) { return (size_t)(a < b ? a : b); }

// With the overview that fits, a pixel takes one to two cells a side (more along y where Mercator squeezes), and a
// grid smaller than that is read whole.
static size_t window_cells(const ra_tile_request *request, const ra_dataset_variable *variable) {
  if (!variable->grid) return 0;
  double side = 3.0 * (request->size + request->buffer);
  double all = (double)variable->grid->grid.width * (double)variable->grid->grid.height;
  return least_of(side * side, all);
}

// Of a Zarr array whole chunks are read, and at a low zoom all of its coarsest level.
static size_t zarr_cost(const ra_tile_request *request, const ra_dataset_variable *variable) {
  const ra_dataset_level *coarsest =
      variable->level_count ? &variable->levels[variable->level_count - 1] : NULL;
  double side = 3.0 * (request->size + request->buffer);
  double width = fmax(side, coarsest ? (double)coarsest->width : INFINITY);
  double height = fmax(side, coarsest ? (double)coarsest->height : INFINITY);
  size_t columns = least_of(width, (double)variable->grid->native_width);
  size_t rows = least_of(height, (double)variable->grid->native_height);
  uint64_t bytes = ra__zarr_map_cost(variable, columns, rows);
  return bytes < ZARR_COST_MOST ? (size_t)bytes : ZARR_COST_MOST;
}

size_t ra_tile_cost(const ra_tile_request *request) {
  size_t size = (size_t)request->size + request->buffer, pixels = size * size;
  size_t fetched = 0, held = 0;
  for (unsigned i = 0; i < request->source_count; i++) {
    const ra_dataset_variable *variable = request->sources[i].variable;
    size_t cells = window_cells(request, variable), bytes = cells * ra_dtype_size(variable->dtype);
    size_t values = cells * ra_dtype_size(ra_packing_value_dtype(variable->dtype));
    if (variable->mapped_from_zarr && variable->grid) bytes = zarr_cost(request, variable);
    fetched += bytes * request->band_count;
    if (values > held) held = values;
  }
  size_t operands = request->expr ? ra_expr_name_count(request->expr) : 0;
  size_t planes = (request->band_count + 1 + operands) * pixels * sizeof(double);
  return planes + 2 * pixels * sizeof(double) + held + fetched;  // two positions a pixel
}

// ---- rendering

static int check_range(const double *rescale, ra_err *err) {
  if (rescale[0] < rescale[1] && !isinf(rescale[0]) && !isinf(rescale[1])) return RA_OK;
  return ra_fail(err, RA_E_INVALID, "rescale", "%g,%g; the first number must be below the second",
                 rescale[0], rescale[1]);
}

static int check_picture(const ra_tile_request *request, ra_err *err) {
  if (request->band_count != 1 && request->band_count != RA_TILE_CHANNELS) {
    return ra_fail(err, RA_E_INVALID, "bidx",
                   "%u bands; a picture takes one, or three as its colours", request->band_count);
  }
  bool ramped = request->band_count == 1 && !request->deep;
  if (ramped != (request->ramp != NULL)) {
    return ra_fail(err, RA_E_INVALID, "colormap",
                   ramped ? "a picture of one band needs a colour ramp"
                          : "a picture of three bands, or of 16 bits, takes no colour ramp");
  }
  if (request->deep && request->format != RA_TILE_PNG) {
    return ra_fail(err, RA_E_INVALID, "bits", "only png has 16 bits");
  }
  if (ra_formula_needs_rgb(&request->formula) && request->band_count != RA_TILE_CHANNELS) {
    return ra_fail(err, RA_E_INVALID, "color_formula",
                   "color_formula: saturation needs three bands; this has one");
  }
  int rc = RA_OK;
  for (unsigned i = 0; rc == RA_OK && i < request->band_count; i++) {
    rc = check_range(request->rescale + 2 * (size_t)i, err);
  }
  return rc;
}

static int check_expr(const ra_tile_request *request, ra_err *err) {
  if (request->band_count != ra_expr_result_count(request->expr)) {
    return ra_fail(err, RA_E_INVALID, "expression", "%u bands of %u results", request->band_count,
                   ra_expr_result_count(request->expr));
  }
  for (unsigned k = 0; k < ra_expr_name_count(request->expr); k++) {
    const ra_tile_operand *operand = &request->operands[k];
    if (operand->first <= request->source_count &&
        operand->count <= request->source_count - operand->first) {
      continue;
    }
    return ra_fail(err, RA_E_INVALID, "expression", "the sources of '%s' are not there",
                   ra_expr_name(request->expr, k));
  }
  return RA_OK;
}

static int check(const ra_tile_request *request, ra_err *err) {
  if (request->size < SIZE_LEAST || request->size > SIZE_MOST) {
    return ra_fail(err, RA_E_INVALID, "tilesize", "%u pixels; a tile has %d to %d a side",
                   request->size, SIZE_LEAST, SIZE_MOST);
  }
  if (request->buffer > BUFFER_MOST) {
    return ra_fail(err, RA_E_INVALID, "buffer", "%g pixels; at most %d are added at a side",
                   request->buffer / 2.0, BUFFER_MOST / 2);
  }
  if (request->source_count > RA_TILE_SOURCES) {
    return ra_fail(err, RA_E_TOOBIG, "datetime",
                   "%u sources; a tile takes up to %d, so ask for a shorter time",
                   request->source_count, RA_TILE_SOURCES);
  }
  if (request->band_count < 1 || request->band_count > RA_TILE_BANDS) {
    return ra_fail(err, RA_E_INVALID, "bidx", "%u bands; 1 to %d are wanted", request->band_count,
                   RA_TILE_BANDS);
  }
  if (request->expr) {
    int rc = check_expr(request, err);
    if (rc < 0) return rc;
  }
  return ra_tile_is_picture(request->format) ? check_picture(request, err) : RA_OK;
}

size_t ra__tile_value_size(const ra__tile_job *job) {
  return job->is_double ? sizeof(double) : sizeof(float);
}

static bool needs_double(const ra_tile_request *request) {
  if (request->expr) return true;
  for (unsigned i = 0; i < request->source_count; i++) {
    ra_dtype dtype = request->sources[i].variable->dtype;
    if (ra_packing_value_dtype(dtype) == RA_DTYPE_F64) return true;
  }
  return false;
}

static void fill_nothing(const ra__tile_job *job, ra__plane *planes, unsigned count) {
  for (unsigned k = 0; k < count; k++) {
    float *singles = planes[k].cells;
    double *doubles = planes[k].cells;
    for (size_t i = 0; i < planes[k].count; i++) {
      if (job->is_double) {
        doubles[i] = NAN;
      } else {
        singles[i] = NAN;
      }
    }
  }
}

// The job's bands of the sources [first, first + count), in order.
static int fill_from(ra__tile_job *job, unsigned first, unsigned count, ra__plane *planes,
                     ra_err *err) {
  if (count == 0) fill_nothing(job, planes, job->band_count);
  for (unsigned i = 0; i < count; i++) {
    if (ra_cancel_is_set(job->cancel)) {
      return ra_fail(err, RA_E_CANCELLED, "", "nobody waits for this tile any more");
    }
    int rc = ra__tile_sample(job, &job->request->sources[first + i], i == 0, planes, err);
    if (rc < 0) return rc;
    if (i + 1 < count && ra__tile_complete(job, planes, job->band_count)) break;
  }
  return RA_OK;
}

static int evaluate(ra__tile_job *job, ra__plane *planes, ra_err *err) {
  const ra_tile_request *request = job->request;
  const double *operands[RA_EXPR_NAMES];
  double *results[RA_EXPR_RESULTS];
  size_t count = planes[0].count;
  job->band_count = 1;
  for (unsigned k = 0; k < ra_expr_name_count(request->expr); k++) {
    const ra_tile_operand *operand = &request->operands[k];
    ra__plane plane = {ra_arena_alloc(&job->arena, count * sizeof(double)), count};
    if (!plane.cells) return ra_fail(err, RA_E_NOMEM, "", "out of memory for a tile");
    job->bands = &operand->band;
    int rc = fill_from(job, operand->first, operand->count, &plane, err);
    if (rc < 0) return rc;
    operands[k] = plane.cells;
  }
  for (unsigned r = 0; r < request->band_count; r++) results[r] = planes[r].cells;
  ra_expr_run(request->expr, operands, count, results);
  return RA_OK;
}

static int fill(ra__tile_job *job, ra__plane *planes, ra_err *err) {
  const ra_tile_request *request = job->request;
  if (request->expr) return evaluate(job, planes, err);
  job->bands = request->bands;
  job->band_count = request->band_count;
  return fill_from(job, 0, request->source_count, planes, err);
}

// Only a ramp with a colour for no value asks where the grids are.
static int make_extent(ra__tile_job *job, size_t count, ra_err *err) {
  if (ra_ramp_mark_entry(job->request->ramp, RA_RAMP_MISSING) < 0) return RA_OK;
  job->on_grid = ra_arena_alloc(&job->arena, count);
  if (!job->on_grid) return ra_fail(err, RA_E_NOMEM, "", "out of memory for a tile");
  memset(job->on_grid, 0, count);
  return RA_OK;
}

static int make_planes(ra__tile_job *job, ra__plane *planes, ra_err *err) {
  size_t count = (size_t)job->size * job->size;
  for (unsigned i = 0; i < job->request->band_count; i++) {
    planes[i] = (ra__plane){ra_arena_alloc(&job->arena, count * ra__tile_value_size(job)), count};
    if (!planes[i].cells) return ra_fail(err, RA_E_NOMEM, "", "out of memory for a tile");
  }
  return RA_OK;
}

typedef int write_planes(ra__tile_job *job, const ra__plane *planes, ra_buf **out, ra_err *err);

static int render_planes(ra__tile_job *job, write_planes *write, ra_buf **out, ra_err *err) {
  ra__plane planes[RA_TILE_BANDS] = {0};
  int rc = make_planes(job, planes, err);
  if (rc == RA_OK && job->request->ramp) rc = make_extent(job, planes->count, err);
  if (rc == RA_OK) rc = fill(job, planes, err);
  if (rc < 0) return rc;
  uint64_t start = ra_clock_ns();
  rc = write(job, planes, out, err);
  job->timing->ns[RA_STAGE_ENCODE] += ra_clock_ns() - start;
  return rc;
}

static int render_npy(ra__tile_job *job, ra_buf **out, ra_err *err) {
  ra__plane planes[RA_TILE_BANDS] = {0};
  ra_buf *body;
  int rc = ra__tile_npy_new(job, planes, &body, err);
  if (rc < 0) return rc;
  rc = fill(job, planes, err);
  if (rc < 0) {
    ra_buf_unref(body);
    return rc;
  }
  uint64_t start = ra_clock_ns();
  ra__tile_npy_mask(job, planes, body);
  job->timing->ns[RA_STAGE_ENCODE] += ra_clock_ns() - start;
  *out = body;
  return RA_OK;
}

static int render(ra__tile_job *job, ra_buf **out, ra_err *err) {
  const ra_tile_request *request = job->request;
  if (request->format == RA_TILE_NPY) return render_npy(job, out, err);
  write_planes *write = request->format == RA_TILE_TIF ? ra__tile_tif
                        : request->ramp                ? ra__tile_paint
                                                       : ra__tile_direct;
  return render_planes(job, write, out, err);
}

static int place_tile(ra__tile_job *job, ra_err *err) {
  const ra_tile_request *request = job->request;
  job->crs = request->crs ? request->crs : ra__mercator(err);
  if (!job->crs) return err ? err->code : RA_E_INTERNAL;
  if (!request->crs) {
    return ra_mercator_tile(request->z, request->x, request->y, request->size, job->gt, err);
  }
  const double gt[6] = {request->left, request->pixel, 0, request->top, 0, -request->pixel};
  memcpy(job->gt, gt, sizeof gt);
  if (request->pixel > 0 && isfinite(request->left) && isfinite(request->top)) return RA_OK;
  return ra_fail(err, RA_E_INVALID, "tms", "the tile matrix has no place or no cell size");
}

// The buffer lies around the tile.
static int place(ra__tile_job *job, ra_err *err) {
  int rc = place_tile(job, err);
  if (rc < 0 || !job->request->buffer) return rc;
  job->gt[0] -= job->gt[1] * job->request->buffer / 2;
  job->gt[3] -= job->gt[5] * job->request->buffer / 2;
  return RA_OK;
}

int ra_tile_render(ra_render_context *context, const ra_tile_request *request, ra_cancel *cancel,
                   ra_timing *timing, ra_buf **out, ra_err *err) {
  int rc = check(request, err);
  if (rc < 0) return rc;
  ra_timing unused = {0};
  ra__tile_job job = {.context = context,
                      .request = request,
                      .cancel = cancel,
                      .timing = timing ? timing : &unused,
                      .is_double = needs_double(request),
                      .size = request->size + request->buffer};
  rc = place(&job, err);
  if (rc < 0) return rc;
  ra_arena_init(&job.arena, 0);
  rc = render(&job, out, err);
  ra_arena_deinit(&job.arena);
  return rc;
}
