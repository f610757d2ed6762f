// map_source.c - see map_source.h
#include "render/map_source.h"

#include <math.h>
#include <stdlib.h>

#include "render/tile_level.h"

static size_t choose(const ra_tile_source *source, const double *ratios, size_t count,
                     const ra_crs *tiles, double pixel) {
  const ra_dataset_grid *grid = source->variable->grid;
  return tiles ? ra__tile_level(ratios, count, &grid->grid, grid->crs, tiles, pixel) : 0;
}

static int check_cog(const ra_tile_source *source, const ra_cog *cog, ra_err *err) {
  const ra_cog_info *info = ra_cog_get_info(cog);
  const ra_grid *grid = &source->variable->grid->grid;
  if (info->grid.width == grid->width && info->grid.height == grid->height) return RA_OK;
  return ra_fail(err, RA_E_CORRUPT, source->variable->name,
                 "its COG has %lld by %lld cells where the catalog says %lld by %lld",
                 (long long)info->grid.width, (long long)info->grid.height, (long long)grid->width,
                 (long long)grid->height);
}

static void set_cog(const ra_tile_source *source, const ra_crs *tiles, double pixel,
                    ra__map_source *out) {
  const ra_grid *grid = &source->variable->grid->grid;
  const ra_cog *cog = out->cog.cog;
  double ratios[RA_COG_LEVELS];
  size_t count = ra_cog_level_count(cog);
  for (size_t i = 0; i < count; i++) {
    const ra_cog_level *at = ra_cog_get_level(cog, i);
    ratios[i] = fmax((double)grid->width / at->width, (double)grid->height / at->height);
  }
  out->level = choose(source, ratios, count, tiles, pixel);
  const ra_cog_level *level = ra_cog_get_level(cog, out->level);
  out->width = level->width;
  out->height = level->height;
  out->x_scale = level->width / (double)grid->width;
  out->y_scale = level->height / (double)grid->height;
  out->bands = ra_cog_get_info(cog)->bands;
  out->key = out->cog.key;
  out->value_dtype = out->cog.value_dtype;
}

static int init_zarr(ra_render_context *context, const ra_tile_source *source, bool unscale,
                     const double *nodata, const ra_crs *tiles, double pixel, ra__map_source *out,
                     ra_err *err) {
  const ra_dataset_variable *variable = source->variable;
  double ratios[1 + RA_DATASET_LEVELS] = {1};
  for (unsigned i = 0; i < variable->level_count; i++)
    ratios[i + 1] = fmax(variable->levels[i].x_ratio, variable->levels[i].y_ratio);
  out->level = choose(source, ratios, 1 + variable->level_count, tiles, pixel);
  const ra_dataset_level *level = out->level ? &variable->levels[out->level - 1] : NULL;
  int rc = ra__zarr_map_init(context, source, out->level, unscale, nodata, &out->zarr, err);
  if (rc < 0) return rc;
  out->width = out->zarr.width;
  out->height = out->zarr.height;
  out->x_scale = level ? 1 / level->x_ratio : 1;
  out->y_scale = level ? 1 / level->y_ratio : 1;
  out->bands = variable->bands;
  out->key = out->zarr.path;
  out->value_dtype = out->zarr.value_dtype;
  return RA_OK;
}

int ra__map_source_init(ra_render_context *context, const ra_tile_source *source, bool unscale,
                        const double *nodata, const ra_crs *tiles, double pixel, ra_timing *timing,
                        ra__map_source *out, ra_err *err) {
  *out = (ra__map_source){.is_zarr = source->variable->mapped_from_zarr};
  if (out->is_zarr) return init_zarr(context, source, unscale, nodata, tiles, pixel, out, err);
  int rc = ra__cog_source_init(context, source, unscale, nodata, timing, &out->cog, err);
  if (rc < 0) return rc;
  rc = check_cog(source, out->cog.cog, err);
  if (rc < 0) {
    ra__map_source_deinit(out);
    return rc;
  }
  set_cog(source, tiles, pixel, out);
  return RA_OK;
}

void ra__map_source_deinit(ra__map_source *map) {
  if (map->is_zarr) {
    ra__zarr_map_deinit(&map->zarr);
  } else {
    ra__cog_source_deinit(&map->cog);
  }
}

static int cog_cell(ra_render_context *context, const ra__cog_source *cog, unsigned band,
                    uint32_t column, uint32_t row, ra_cancel *cancel, ra_timing *timing,
                    double *value, ra_err *err) {
  const ra_cog_level *level = ra_cog_get_level(cog->cog, 0);
  uint32_t w = level->block_width, h = level->block_height;
  ra_buf *block;
  int rc = ra__cog_block(context, cog, 0, band, column / w, row / h, cancel, timing, &block, err);
  if (rc < 0) return rc;
  size_t at = (size_t)(row % h) * w + column % w;
  *value = ra_dtype_load(cog->value_dtype, ra__cog_block_cells(block), at);
  ra_buf_unref(block);
  return RA_OK;
}

int ra__map_source_cell(ra_render_context *context, const ra__map_source *map, unsigned band,
                        int64_t column, int64_t row, ra_cancel *cancel, ra_timing *timing,
                        double *value, ra_err *err) {
  if (!map->is_zarr) {
    return cog_cell(context, &map->cog, band, (uint32_t)column, (uint32_t)row, cancel, timing,
                    value, err);
  }
  const ra__zarr_window window = {
      .band = band, .x0 = column, .x1 = column + 1, .y0 = row, .y1 = row + 1};
  double cell = 0;
  int rc = ra__zarr_map_read(context, &map->zarr, &window, &cell, cancel, timing, err);
  if (rc >= 0) *value = ra_dtype_load(map->value_dtype, &cell, 0);
  return rc;
}
