// tile_job.h - what the parts of a tile's rendering share: the job, planes of values, and the two steps - sampling a
// source into a plane, painting planes into a body.
#pragma once
#include "base/arena.h"
#include "geo/warp.h"
#include "render/map_source.h"
#include "render/tile.h"

typedef struct ra__tile_job {
  ra_render_context *context;
  const ra_tile_request *request;
  ra_cancel *cancel;
  ra_timing *timing;
  ra_arena arena;         // freed with the job
  double gt[6];           // of the tile with its buffer, in the CRS
  const ra_crs *crs;      // of the tile
  uint32_t size;          // pixels a side, with the buffer
  const unsigned *bands;  // that are sampled next, a plane each
  unsigned band_count;
  bool is_double;  // type of the planes
  uint8_t *on_grid;  // a pixel each, where the ramp has a colour for no value: 1 on any source's grid; else NULL
} ra__tile_job;

// size × size values of one band, float or double as the job says; NaN where nothing is.
typedef struct ra__plane {
  void *cells;
  size_t count;
} ra__plane;

size_t ra__tile_value_size(const ra__tile_job *job);
// Puts the source's values of the job's bands into planes[]: where `first`, everywhere (NaN outside), else only where a plane
// has nothing yet.
int ra__tile_sample(ra__tile_job *job, const ra_tile_source *source, bool first, ra__plane *planes,
                    ra_err *err);
// Sets on_grid[] to 1 where a pixel lies on the grid.
void ra__tile_mark_extent(const ra_warp *warp, const ra_grid *grid, uint8_t *on_grid);
bool ra__tile_complete(const ra__tile_job *job, const ra__plane *planes, unsigned count);

// One plane to a picture of the request's ramp.
int ra__tile_paint(ra__tile_job *job, const ra__plane *plane, ra_buf **out, ra_err *err);
// Planes to a picture without a ramp: three to red, green and blue; `deep`: one or three of 16 bits.
int ra__tile_direct(ra__tile_job *job, const ra__plane *planes, ra_buf **out, ra_err *err);
// Pixels of four bytes in the request's format.
int ra__tile_encode(const ra__tile_job *job, const uint8_t *rgba, ra_buf **out, ra_err *err);
bool ra__tile_opaque(const ra_tile_request *request);  // where nothing is stands a colour
// Planes of values to a GeoTIFF.
int ra__tile_tif(ra__tile_job *job, const ra__plane *planes, ra_buf **out, ra_err *err);
// Room for a .npy body of the request's bands and their mask; the planes lie in it.
int ra__tile_npy_new(const ra__tile_job *job, ra__plane *planes, ra_buf **out, ra_err *err);
// Fills the mask once the planes are final.
void ra__tile_npy_mask(const ra__tile_job *job, const ra__plane *planes, ra_buf *body);
