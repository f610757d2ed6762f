// bench_tile.c - one thread, one tile, warm and cold, by stage: build/release/tests/bench/bench_tile [WORDS of a name]. Prints
// the best and the median of many; not a test.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/render/tile_world.h"
#include "base/clock.h"

enum { ROUNDS = 300 };

static double waves(const map *m, unsigned band, uint32_t row, uint32_t column) {
  (void)band;
  double x = column * 6.283185 / m->columns, y = row * 3.141593 / m->rows, value = 288;
  for (int k = 1; k < 12; k++) value += 12.0 / k * sin(x * k + k * k) * cos(y * k * 2 + k);
  return value;
}

static double waves_and_land(const map *m, unsigned band, uint32_t row, uint32_t column) {
  double value = waves(m, band, row, column);
  return value > 300 ? m->nodata : value;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void print_stages(const char *name, double *total, double (*stages)[ROUNDS], size_t bytes) {
  static const char *const names[] = {"catalog", "fetch", "decode", "warp", "encode"};
  qsort(total, ROUNDS, sizeof *total, compare);
  printf("%-34s best %6.0f us, median %6.0f us, %6zu bytes;", name, total[0], total[ROUNDS / 2],
         bytes);
  for (int s = RA_STAGE_FETCH; s < RA_STAGE_COUNT; s++) {
    qsort(stages[s], ROUNDS, sizeof(double), compare);
    printf(" %s %.0f", names[s], stages[s][ROUNDS / 2]);
  }
  printf("\n");
}

static void measure(const char *name, memstore *store, const ra_tile_request *request, bool cold) {
  static double total[ROUNDS], stages[RA_STAGE_COUNT][ROUNDS];
  ra_reader reader = memstore_reader(store);
  ra_render_context *context = NULL;
  size_t bytes = 0;
  for (int i = -1; i < ROUNDS; i++) {
    if (!context && ra_render_context_new(&reader, 1 << 20, 256 << 20, &context, NULL) < 0) abort();
    ra_timing timing = {0};
    ra_buf *body;
    ra_err err;
    uint64_t start = ra_clock_ns();
    if (ra_tile_render(context, request, NULL, &timing, &body, &err) < 0) {
      printf("%s: %s\n", name, err.message);
      exit(1);
    }
    uint64_t end = ra_clock_ns();
    bytes = ra_buf_size(body);
    ra_buf_unref(body);
    if (cold) ra_render_context_free(context), context = NULL;
    if (i < 0) continue;
    total[i] = (double)(end - start) / 1e3;
    for (int s = 0; s < RA_STAGE_COUNT; s++) stages[s][i] = (double)timing.ns[s] / 1e3;
  }
  ra_render_context_free(context);
  print_stages(name, total, stages, bytes);
}

static const char *wanted;

static ra_ramp *colours(void) {
  const char *json = "{\"type\":\"linear\",\"colors\":[\"#440154\",\"#21918c\",\"#fde725\"]}";
  ra_ramp *ramp;
  if (ra_ramp_parse(json, strlen(json), &ramp, NULL) < 0) abort();
  return ramp;
}

static void run(const char *name, memstore *store, const map *m, unsigned z, uint32_t x, uint32_t y,
                ra_resampling how, ra_tile_format format, bool cold) {
  if (wanted && !strstr(name, wanted)) return;
  ra_tile_request request = map_request(z, x, y, 256, how);
  map_add(&request, map_dataset(m));
  request.ramp = colours();
  request.rescale[0] = 250;
  request.rescale[1] = 320;
  request.format = format;
  measure(name, store, &request, cold);
  ra_tile_request_deinit(&request);
}

int main(int count, char **words) {
  if (count > 1) wanted = words[1];
  static memstore store;
  map world = {.dataset = "w",
               .columns = 1440,
               .rows = 720,
               .bands = 1,
               .west = -180,
               .north = 90,
               .cell = 0.25,
               .wraps = true,
               .crs = "EPSG:4326",
               .dtype = RA_DTYPE_F32,
               .scale = 1,
               .nodata = NAN,
               .stored = waves};
  map land = world, packed = world, europe = world;
  land.dataset = "l", land.stored = waves_and_land;
  packed.dataset = "p", packed.dtype = RA_DTYPE_I16, packed.scale = 1, packed.nodata = -32767;
  europe.dataset = "e", europe.crs = "EPSG:3035", europe.west = 2500000, europe.north = 5500000;
  europe.cell = 3000, europe.columns = europe.rows = 1200, europe.wraps = false;
  map_put_cog(&world, &store), map_put_cog(&land, &store);
  map_put_cog(&packed, &store), map_put_cog(&europe, &store);
  const ra_resampling near = RA_RESAMPLING_NEAREST, linear = RA_RESAMPLING_BILINEAR;
  run("z5 bilinear", &store, &world, 5, 9, 12, linear, RA_TILE_PNG, false);
  run("z5 nearest", &store, &world, 5, 9, 12, near, RA_TILE_PNG, false);
  run("z3 bilinear, many blocks", &store, &world, 3, 3, 3, linear, RA_TILE_PNG, false);
  run("z2 bilinear", &store, &world, 2, 1, 1, linear, RA_TILE_PNG, false);
  run("z0 bilinear, overview", &store, &world, 0, 0, 0, linear, RA_TILE_PNG, false);
  run("z8 bilinear", &store, &world, 8, 80, 100, linear, RA_TILE_PNG, false);
  run("z5 bilinear, holes", &store, &land, 5, 9, 12, linear, RA_TILE_PNG, false);
  run("z3 bilinear, holes", &store, &land, 3, 3, 3, linear, RA_TILE_PNG, false);
  run("z5 bilinear, npy", &store, &world, 5, 9, 12, linear, RA_TILE_NPY, false);
  run("EPSG:3035 z6 bilinear", &store, &europe, 6, 33, 22, linear, RA_TILE_PNG, false);
  run("EPSG:3035 z6 nearest", &store, &europe, 6, 33, 22, near, RA_TILE_PNG, false);
  run("z5 bilinear, cold", &store, &world, 5, 9, 12, linear, RA_TILE_PNG, true);
  run("z5 bilinear, int16, cold", &store, &packed, 5, 9, 12, linear, RA_TILE_PNG, true);
  run("outside the data", &store, &europe, 6, 3, 50, linear, RA_TILE_PNG, false);
  memstore_clear(&store);
  return 0;
}
