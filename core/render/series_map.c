// series_map.c - values at points of an image that was ingested in place. It has no time-shaped store: each cell costs a
// block of the image, and a series of many dates a block of each.
#include <stdlib.h>

#include "render/map_source.h"
#include "render/series_impl.h"

int ra__series_map_open(ra__series *self, ra__series_store *store, ra_err *err) {
  const ra_series_part *part = store->part;
  const ra_tile_source source = {
      .dataset = part->dataset, .variable = part->variable, .step = store->entries[0].step};
  if (!ra_dataset_in_place(part->dataset) || store->entry_count != 1)
    return ra_fail(err, RA_E_CORRUPT, ra_dataset_id(part->dataset),
                   "the catalog has neither a Zarr store nor one image for it");
  ra__map_source *map = malloc(sizeof *map);
  if (!map) return ra_fail(err, RA_E_NOMEM, ra_dataset_id(part->dataset), "no memory for a series");
  int rc = ra__map_source_init(self->context, &source, true, NULL, NULL, 0, self->timing, map, err);
  if (rc == RA_OK) {
    store->map = map;
  } else {
    free(map);
  }
  return rc;
}

void ra__series_map_close(ra__series_store *store) {
  if (!store->map) return;
  ra__map_source_deinit(store->map);
  free(store->map);
}

void ra__series_map_block(const ra__series_store *store, uint64_t *rows, uint64_t *columns,
                          uint64_t *bytes) {
  const ra_cog_level *level = ra_cog_get_level(store->map->cog.cog, 0);
  *rows = level->block_height;
  *columns = level->block_width;
  *bytes = *rows * *columns * ra_dtype_size(store->map->value_dtype);
}

// Bands are in C order of the extra dimensions.
static unsigned band_of(const ra_series_part *part) {
  size_t band = 0;
  for (unsigned i = 0; i < part->variable->extra_count; i++)
    band = band * part->variable->extra[i].size + part->extra[i];
  return (unsigned)band;
}

int ra__series_map_read(ra__series *self, const ra__series_store *store, ra_err *err) {
  const ra__map_source *map = store->map;
  unsigned band = band_of(store->part);
  if (band >= map->bands)
    return ra_fail(err, RA_E_CORRUPT, map->key,
                   "the file is not the one that the catalog describes");
  for (size_t i = 0; i < store->places->sample_count; i++) {
    const ra__series_sample *sample = &store->places->samples[i];
    double value;
    int rc = ra__map_source_cell(self->context, map, band, (int64_t)sample->col,
                                 (int64_t)sample->row, self->cancel, self->timing, &value, err);
    if (rc < 0) return rc;
    ra__series_put(self, store, sample, store->entries[0].at, value);
  }
  return RA_OK;
}
