// tile_sample.c - one source's values at the tile's pixels: positions by geo/warp, the overview that fits, only the
// blocks that are touched, then raster/resample. Where all lies in one block it is sampled in place.
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/size.h"
#include "geo/warp.h"
#include "raster/filter.h"
#include "raster/resample.h"
#include "render/tile_job.h"

// More cells than any source with overviews needs; without them a coarser zoom would read it whole.
enum { WINDOW_CELLS = 64 << 20, SIDE_MOST = 1 << 29 };

// Destination pixels. Far below what the eye sees (an eighth), since it costs a few more places asked of PROJ only, and
// nearest then gives the very cells that GDAL's exact transformer gives.
#define TOLERANCE 0.005

// A source at the level chosen for the tile. Cells are the level's; columns of a wrapping source that crosses its seam
// go on beyond its width.
typedef struct view {
  ra__map_source map;
  ra_warp warp;
  ra_axis x_axis, y_axis;
  int64_t x0, x1, y0, y1;  // the window; empty when x0 >= x1
} view;

typedef struct region {  // cells of a window: in a block that is held, or in the arena
  ra_window window;
  ra_buf *held;
} region;

static int no_memory(ra_err *err) {
  ra_fail(err, RA_E_NOMEM, "", "out of memory for a tile");
  return RA_E_NOMEM;
}

// ---- the view

static int check_source(const ra_tile_source *source, const ra__tile_job *job, unsigned bands,
                        ra_err *err) {
  const ra_grid *grid = &source->variable->grid->grid;
  if (grid->width > SIDE_MOST || grid->height > SIDE_MOST) {
    return ra_fail(err, RA_E_UNSUPPORTED, source->variable->name,
                   "%lld by %lld cells; a tile's source has up to %d a side",
                   (long long)grid->width, (long long)grid->height, SIDE_MOST);
  }
  for (unsigned i = 0; i < job->band_count; i++) {
    if (job->bands[i] < bands) continue;
    return ra_fail(err, RA_E_INVALID, source->variable->name, "band %u of %u; bands are 1 to %u",
                   job->bands[i] + 1, bands, bands);
  }
  return RA_OK;
}

// The range of cells of the level that a run of positions lies in; least > most when it is empty.
static void measure(const ra_axis *axis, const double *positions, size_t n, double *least,
                    double *most) {
  *least = INFINITY;
  *most = -INFINITY;
  for (size_t i = 0; i < n; i++) {
    double at = ra_axis_cell(axis, positions[i]);
    *least = at < *least ? at : *least;
    *most = at > *most ? at : *most;
  }
}

// Axes of the level; positions stay those of the full grid. A window whose columns cross the seam begins at seam_at.
static ra_axis level_axis(int64_t level_size, double scale, bool wraps, double seam_at) {
  ra_axis axis = ra_axis_plain(level_size, wraps);
  axis.scale = scale;
  axis.seam = seam_at;
  return axis;
}

// Without separate axes the window that the warp has found will do, which is up to half a cell too large.
static void place_by_warp(const ra_warp *warp, const view *v, double x[2], double y[2]) {
  x[0] = (double)warp->x0 * v->x_axis.scale;
  x[1] = nextafter((double)warp->x1 * v->x_axis.scale, 0);
  y[0] = (double)warp->y0 * v->y_axis.scale;
  y[1] = nextafter((double)warp->y1 * v->y_axis.scale, 0);
}

static bool is_filtered(const ra_tile_request *request) {
  return request->resampling >= RA_RESAMPLING_CUBIC;
}

static ra_filter filter_of(const ra_tile_request *request) {
  return (ra_filter)(request->resampling - RA_RESAMPLING_CUBIC);
}

// A pixel's width in cells of the level.
static double step_along(const ra_axis *axis, double step) { return fabs(step) * axis->scale; }

// Cells of the level that positions between least and most need.
static void reach(const ra_tile_request *request, const ra_axis *axis, double step, double least,
                  double most, int64_t *first, int64_t *last) {
  bool bilinear = request->resampling == RA_RESAMPLING_BILINEAR;
  ra_axis_reach(axis, bilinear, least, most, first, last);
  if (!is_filtered(request)) return;
  int more = ra_filter_reach(filter_of(request), step_along(axis, step));
  *first -= more;
  *last += more;
  if (!axis->wraps && *first < 0) *first = 0;
  if (!axis->wraps && *last > axis->extent) *last = axis->extent;
}

static void place_view(const ra__tile_job *job, const ra_grid *grid, view *v) {
  const ra_warp *warp = &v->warp;
  double seam = warp->x1 > grid->width ? (double)warp->x0 : -INFINITY, x[2], y[2];
  v->x_axis = level_axis(v->map.width, v->map.x_scale, grid->wraps, seam);
  v->y_axis = level_axis(v->map.height, v->map.y_scale, false, -INFINITY);
  if (warp->separable) {
    measure(&v->x_axis, warp->x, warp->width, &x[0], &x[1]);
    measure(&v->y_axis, warp->y, warp->height, &y[0], &y[1]);
  } else {
    place_by_warp(warp, v, x, y);
  }
  v->x0 = v->x1 = v->y0 = v->y1 = 0;
  if (x[0] > x[1] || y[0] > y[1]) return;
  reach(job->request, &v->x_axis, warp->x_step, x[0], x[1], &v->x0, &v->x1);
  reach(job->request, &v->y_axis, warp->y_step, y[0], y[1], &v->y0, &v->y1);
  v->x_axis.origin = v->x0;
  v->y_axis.origin = v->y0;
}

static int make_warp(ra__tile_job *job, const ra_dataset_grid *grid, ra_warp *out, ra_err *err) {
  uint32_t size = job->size;
  return ra_warp_new(job->crs, job->gt, size, size, grid->crs, &grid->grid, TOLERANCE, &job->arena,
                     out, err);
}

// ---- the window

static int one_block(ra__tile_job *job, const view *v, const ra_cog_level *level, unsigned band,
                     region *out, ra_err *err) {
  uint32_t column = (uint32_t)(v->x0 / level->block_width);
  uint32_t row = (uint32_t)(v->y0 / level->block_height);
  int rc = ra__cog_block(job->context, &v->map.cog, v->map.level, band, column, row, job->cancel,
                         job->timing, &out->held, err);
  if (rc < 0) return rc;
  size_t at = (size_t)(v->y0 % level->block_height) * level->block_width +
              (size_t)(v->x0 % level->block_width);
  out->window.cells =
      (const uint8_t *)ra__cog_block_cells(out->held) + at * ra_dtype_size(v->map.value_dtype);
  out->window.stride = level->block_width;
  out->window.has_missing = ra__cog_block_has_missing(out->held);
  return RA_OK;
}

// Copies the part of a block that lies in the window: from column x (of the window's unbroken counting; it is
// column `inside` of the raster) up to the block's or the window's end. *copied: columns done.
static int copy_block(ra__tile_job *job, const view *v, unsigned band, int64_t x, int64_t y,
                      uint8_t *cells, region *out, int64_t *copied, int64_t *copied_rows,
                      ra_err *err) {
  const ra_cog_level *level = ra_cog_get_level(v->map.cog.cog, v->map.level);
  int64_t inside = ((x % level->width) + level->width) % level->width;
  int64_t block_x = inside % level->block_width, block_y = y % level->block_height;
  int64_t columns = level->block_width - block_x, rows = level->block_height - block_y;
  if (columns > level->width - inside) columns = level->width - inside;
  if (columns > v->x1 - x) columns = v->x1 - x;
  if (rows > v->y1 - y) rows = v->y1 - y;
  *copied = columns;
  *copied_rows = rows;
  ra_buf *block;
  int rc = ra__cog_block(job->context, &v->map.cog, v->map.level, band,
                         (uint32_t)(inside / level->block_width),
                         (uint32_t)(y / level->block_height), job->cancel, job->timing, &block, err);
  if (rc < 0) return rc;
  size_t size = ra_dtype_size(v->map.value_dtype), stride = out->window.stride;
  const uint8_t *src = ra__cog_block_cells(block);
  src += ((size_t)block_y * level->block_width + (size_t)block_x) * size;
  uint8_t *dst = cells + ((size_t)(y - v->y0) * stride + (size_t)(x - v->x0)) * size;
  for (int64_t i = 0; i < rows; i++) {
    memcpy(dst, src, (size_t)columns * size);
    dst += stride * size;
    src += (size_t)level->block_width * size;
  }
  out->window.has_missing |= ra__cog_block_has_missing(block);
  ra_buf_unref(block);
  return RA_OK;
}

static int many_blocks(ra__tile_job *job, const view *v, unsigned band, ra_arena *arena,
                       region *out, ra_err *err) {
  size_t width = (size_t)(v->x1 - v->x0), cells;
  if (!ra_size_mul(width, (size_t)(v->y1 - v->y0), &cells) || cells > WINDOW_CELLS) {
    return ra_fail(err, RA_E_TOOBIG, v->map.key,
                   "the tile covers more than %d cells and the file has no overview for it; ask "
                   "for a higher zoom",
                   WINDOW_CELLS);
  }
  uint8_t *copy = ra_arena_alloc(arena, cells * ra_dtype_size(v->map.value_dtype));
  if (!copy) return no_memory(err);
  out->window.cells = copy;
  out->window.stride = width;
  if (v->map.is_zarr) {
    const ra__zarr_window all = {band, v->x0, v->x1, v->y0, v->y1};
    out->window.has_missing = true;
    return ra__zarr_map_read(job->context, &v->map.zarr, &all, copy, job->cancel, job->timing, err);
  }
  int64_t columns, rows = 0;
  for (int64_t y = v->y0; y < v->y1; y += rows) {
    for (int64_t x = v->x0; x < v->x1; x += columns) {
      int rc = copy_block(job, v, band, x, y, copy, out, &columns, &rows, err);
      if (rc < 0) return rc;
    }
  }
  return RA_OK;
}

static int assemble(ra__tile_job *job, const view *v, unsigned band, ra_arena *arena, region *out,
                    ra_err *err) {
  *out = (region){.window.is_double = v->map.value_dtype == RA_DTYPE_F64};
  if (v->map.is_zarr) return many_blocks(job, v, band, arena, out, err);
  const ra_cog_level *level = ra_cog_get_level(v->map.cog.cog, v->map.level);
  bool one = v->x0 >= 0 && v->x1 <= level->width &&
             v->x0 / level->block_width == (v->x1 - 1) / level->block_width &&
             v->y0 / level->block_height == (v->y1 - 1) / level->block_height;
  return one ? one_block(job, v, level, band, out, err) : many_blocks(job, v, band, arena, out, err);
}

// ---- sampling

static bool make_taps(ra_arena *arena, const ra_axis *axis, const double *positions, size_t n,
                      ra_taps *out) {
  *out = (ra_taps){.count = n};
  out->share = ra_arena_alloc(arena, n * sizeof *out->share);
  out->nearest = ra_arena_alloc(arena, n * sizeof *out->nearest);
  out->low = ra_arena_alloc(arena, n * sizeof *out->low);
  out->high = ra_arena_alloc(arena, n * sizeof *out->high);
  if (!out->share || !out->nearest || !out->low || !out->high) return false;
  ra_taps_fill(out, axis, positions);
  return true;
}

static bool make_filter_taps(ra_arena *arena, ra_filter filter, double step, size_t n,
                             ra_filter_taps *out) {
  *out = (ra_filter_taps){.pixels = n, .most = ra_filter_most(filter, step)};
  out->first = ra_arena_alloc(arena, n * sizeof *out->first);
  out->count = ra_arena_alloc(arena, n * sizeof *out->count);
  out->holds = ra_arena_alloc(arena, n * sizeof *out->holds);
  out->weights = ra_arena_alloc(arena, n * out->most * sizeof *out->weights);
  return out->first && out->count && out->holds && out->weights;
}

// Separable: all pixels at once; else row by row, with weights of each pixel's own.
static int sample_filtered(ra__tile_job *job, const view *v, const ra_window *window,
                           ra_arena *arena, void *out, ra_err *err) {
  const ra_warp *warp = &v->warp;
  ra_filter filter = filter_of(job->request);
  const double x_step = step_along(&v->x_axis, warp->x_step);
  const double y_step = step_along(&v->y_axis, warp->y_step);
  size_t columns = warp->width, rows = warp->height;
  ra_filter_taps x, y;
  if (!make_filter_taps(arena, filter, x_step, columns, &x) ||
      !make_filter_taps(arena, filter, y_step, warp->separable ? rows : columns, &y)) {
    return no_memory(err);
  }
  for (size_t row = 0; row < (warp->separable ? 1 : rows); row++) {
    size_t at = row * columns;
    ra_filter_fill(&x, filter, x_step, &v->x_axis, v->x1 - v->x0, warp->x + at);
    ra_filter_fill(&y, filter, y_step, &v->y_axis, v->y1 - v->y0, warp->y + at);
    uint8_t *to = (uint8_t *)out + at * (window->is_double ? sizeof(double) : sizeof(float));
    ra_filter_run(window, filter, &x, &y, !warp->separable, to);
  }
  return RA_OK;
}

static int sample(ra__tile_job *job, const view *v, const ra_window *window, ra_arena *arena,
                  void *out, ra_err *err) {
  if (is_filtered(job->request)) return sample_filtered(job, v, window, arena, out, err);
  bool bilinear = job->request->resampling == RA_RESAMPLING_BILINEAR;
  if (!v->warp.separable) {
    ra_resample_points(window, &v->x_axis, &v->y_axis, v->warp.x, v->warp.y,
                       (size_t)v->warp.width * v->warp.height, bilinear, out);
    return RA_OK;
  }
  ra_taps x, y;
  void *scratch = ra_arena_alloc(arena, ra_resample_scratch(window, v->warp.width));
  if (!scratch || !make_taps(arena, &v->x_axis, v->warp.x, v->warp.width, &x) ||
      !make_taps(arena, &v->y_axis, v->warp.y, v->warp.height, &y)) {
    return no_memory(err);
  }
  ra_resample_grid(window, &x, &y, bilinear, scratch, out);
  return RA_OK;
}

// ---- into planes that may be of another type, or hold something already

static void set_cells(ra__plane *plane, bool plane_is_double, const void *values, bool is_double) {
  for (size_t i = 0; i < plane->count; i++) {
    double v = is_double ? ((const double *)values)[i] : (double)((const float *)values)[i];
    if (plane_is_double) {
      double *cell = (double *)plane->cells + i;
      if (isnan(*cell)) *cell = v;
    } else {
      float *cell = (float *)plane->cells + i;
      if (isnan(*cell)) *cell = (float)v;
    }
  }
}

static void clear_plane(const ra__tile_job *job, ra__plane *plane) {
  for (size_t i = 0; i < plane->count; i++) {
    if (job->is_double) {
      ((double *)plane->cells)[i] = NAN;
    } else {
      ((float *)plane->cells)[i] = NAN;
    }
  }
}

static int sample_band(ra__tile_job *job, const view *v, unsigned band, bool first,
                       ra__plane *plane, ra_err *err) {
  bool is_double = v->map.value_dtype == RA_DTYPE_F64;
  bool direct = first && is_double == job->is_double;
  if (first && !direct) clear_plane(job, plane);
  ra_arena arena;
  ra_arena_init(&arena, 0);
  region part;
  int rc = assemble(job, v, band, &arena, &part, err);
  void *values = plane->cells;
  if (rc == RA_OK && !direct) {
    values = ra_arena_alloc(&arena, plane->count * ra_dtype_size(v->map.value_dtype));
    if (!values) rc = no_memory(err);
  }
  if (rc == RA_OK) rc = sample(job, v, &part.window, &arena, values, err);
  if (rc == RA_OK && !direct) set_cells(plane, job->is_double, values, is_double);
  ra_buf_unref(part.held);
  ra_arena_deinit(&arena);
  return rc;
}

static int sample_bands(ra__tile_job *job, const ra_tile_source *source, view *v, bool first,
                        ra__plane *planes, ra_err *err) {
  const ra_dataset_grid *grid = source->variable->grid;
  int rc = check_source(source, job, v->map.bands, err);
  if (rc < 0) return rc;
  place_view(job, &grid->grid, v);
  for (unsigned i = 0; rc == RA_OK && i < job->band_count; i++) {
    if (v->x0 < v->x1) {
      rc = sample_band(job, v, job->bands[i], first, &planes[i], err);
    } else if (first) {
      clear_plane(job, &planes[i]);
    }
  }
  return rc;
}

static int sample_source(ra__tile_job *job, const ra_tile_source *source, bool first,
                         ra__plane *planes, ra_err *err) {
  const ra_tile_request *request = job->request;
  if (!source->variable->grid || !source->variable->mappable) {
    return ra_fail(
        err, RA_E_INVALID, source->variable->name,
        "the variable is not on a map grid; choose one that the collection lists as mappable");
  }
  view v = {0};
  int rc = make_warp(job, source->variable->grid, &v.warp, err);
  if (rc < 0) return rc;
  if (job->on_grid) ra__tile_mark_extent(&v.warp, &source->variable->grid->grid, job->on_grid);
  if (v.warp.x0 >= v.warp.x1) {
    for (unsigned i = 0; first && i < job->band_count; i++) clear_plane(job, &planes[i]);
    return RA_OK;
  }
  const double *nodata = request->has_nodata ? &request->nodata : NULL;
  rc = ra__map_source_init(job->context, source, request->unscale, nodata, job->crs, job->gt[1],
                           job->timing, &v.map, err);
  if (rc < 0) return rc;
  rc = sample_bands(job, source, &v, first, planes, err);
  ra__map_source_deinit(&v.map);
  return rc;
}

int ra__tile_sample(ra__tile_job *job, const ra_tile_source *source, bool first, ra__plane *planes,
                    ra_err *err) {
  uint64_t *ns = job->timing->ns;
  uint64_t start = ra_clock_ns(), other = ns[RA_STAGE_FETCH] + ns[RA_STAGE_DECODE];
  int rc = sample_source(job, source, first, planes, err);
  other = ns[RA_STAGE_FETCH] + ns[RA_STAGE_DECODE] - other;
  ns[RA_STAGE_WARP] += ra_clock_ns() - start - other;
  return rc;
}

bool ra__tile_complete(const ra__tile_job *job, const ra__plane *planes, unsigned count) {
  for (unsigned k = 0; k < count; k++) {
    for (size_t i = 0; i < planes[k].count; i++) {
      bool missing = job->is_double ? isnan(((const double *)planes[k].cells)[i])
                                    : isnan(((const float *)planes[k].cells)[i]);
      if (missing) return false;
    }
  }
  return true;
}
