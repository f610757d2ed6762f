// op_render.c - see op_render.h
#include "ops/op_render.h"

// From these costs on a job takes tens of milliseconds: a tile of 1024 pixels, some chunks of a series.
enum { HEAVY_TILE = 32 << 20, HEAVY_SERIES = 8 << 20 };

static int tile_run(ra_op *op, void *state, ra_err *err) {
  ra_op_tile *tile = state;
  return ra_tile_render(ra_op_ops(op)->render, &tile->request, ra_op_cancel_flag(op),
                        ra_op_timing(op), &tile->out, err);
}

static size_t tile_cost(const void *state) {
  return ra_tile_cost(&((const ra_op_tile *)state)->request);
}

static bool any_far(const ra_tile_source *sources, unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    if (ra_dataset_is_far(sources[i].dataset)) return true;
  }
  return false;
}

static bool tile_is_far(const void *state) {
  const ra_tile_request *request = &((const ra_op_tile *)state)->request;
  return any_far(request->sources, request->source_count);
}

static void tile_deinit(void *state) {
  ra_op_tile *tile = state;
  ra_tile_request_deinit(&tile->request);
  ra_buf_unref(tile->out);
}

static int series_run(ra_op *op, void *state, ra_err *err) {
  ra_op_series *series = state;
  return ra_series_render(ra_op_ops(op)->render, &series->request, ra_op_cancel_flag(op),
                          ra_op_timing(op), &series->out, err);
}

// What cannot be estimated is admitted at the request's own ceiling: ra_series_render refuses what exceeds it.
static size_t series_cost(const void *state) {
  const ra_series_request *request = &((const ra_op_series *)state)->request;
  uint64_t chunks = 0, bytes = 0;
  if (ra_series_cost(request, &chunks, &bytes, NULL) < 0 || bytes > request->max_bytes) {
    bytes = request->max_bytes;
  }
  return (size_t)bytes;
}

static bool series_is_far(const void *state) {
  const ra_series_request *request = &((const ra_op_series *)state)->request;
  size_t parts = (size_t)request->variable_count * request->segment_count;
  for (size_t i = 0; i < parts; i++) {
    if (request->parts[i].dataset && ra_dataset_is_far(request->parts[i].dataset)) return true;
  }
  for (unsigned i = 0; i < request->fallback_count; i++) {
    if (ra_dataset_is_far(request->fallbacks[i].dataset)) return true;
  }
  return false;
}

static void series_deinit(void *state) {
  ra_op_series *series = state;
  ra_series_request_deinit(&series->request);
  ra_buf_unref(series->out);
}

static int point_run(ra_op *op, void *state, ra_err *err) {
  ra_op_point *point = state;
  return ra_point_render(ra_op_ops(op)->render, &point->request, ra_op_cancel_flag(op),
                         ra_op_timing(op), &point->out, err);
}

static bool point_is_far(const void *state) {
  const ra_point_request *request = &((const ra_op_point *)state)->request;
  return any_far(request->sources, request->source_count);
}

static void point_deinit(void *state) {
  ra_op_point *point = state;
  ra_point_request_deinit(&point->request);
  ra_buf_unref(point->out);
}

const ra_op_kind RA_OP_TILE = {.name = "tile",
                               .state_size = sizeof(ra_op_tile),
                               .lane = RA_OP_CPU,
                               .run = tile_run,
                               .cost = tile_cost,
                               .is_far = tile_is_far,
                               .heavy = HEAVY_TILE,
                               .cheaper = "a smaller tilesize, fewer bands or a higher zoom",
                               .deinit = tile_deinit};

const ra_op_kind RA_OP_SERIES = {.name = "series",
                                 .state_size = sizeof(ra_op_series),
                                 .lane = RA_OP_CPU,
                                 .run = series_run,
                                 .cost = series_cost,
                                 .is_far = series_is_far,
                                 .heavy = HEAVY_SERIES,
                                 .cheaper = "fewer points or variables, or a shorter datetime",
                                 .deinit = series_deinit};

const ra_op_kind RA_OP_POINT = {.name = "point",
                                .state_size = sizeof(ra_op_point),
                                .lane = RA_OP_CPU,
                                .run = point_run,
                                .is_far = point_is_far,
                                .deinit = point_deinit};
