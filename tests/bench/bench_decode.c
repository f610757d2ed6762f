// bench_decode.c - all cells of one variable, in windows of whole chunks, by our decoder with 1 and N threads and by
// netcdf-c's nc_get_vara: bench_decode FILE VARIABLE [THREADS]. Prints megabytes of cells a second, the best of three,
// as JSON; the file should be in the page cache. Not a test.
#include <netcdf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "source/chunks.h"

enum { ROUNDS = 3 };
static const size_t WINDOW = (size_t)32 << 20;

typedef struct run {
  ra_source *source;
  const ra_source_var *var;
  void *cells;
  uint64_t rows;  // of a window
} run;

static int by_ours(const run *r, const uint64_t *start, const uint64_t *count) {
  ra_err err = {0};
  int rc = ra_source_read(r->source, r->var, start, count, r->cells, &err);
  if (rc < 0) fprintf(stderr, "%s: %s\n", err.where, err.message);
  return rc;
}

static int by_netcdf(const run *r, const uint64_t *start, const uint64_t *count) {
  size_t first[RA_SOURCE_DIMS], edge[RA_SOURCE_DIMS];
  for (unsigned d = 0; d < r->var->ndim; d++) {
    first[d] = start[d];
    edge[d] = count[d];
  }
  return nc_get_vara(r->var->ncid, r->var->varid, first, edge, r->cells);
}

// Megabytes a second.
static double measure(const run *r, int (*read)(const run *, const uint64_t *, const uint64_t *)) {
  double best = 0;
  for (int round = 0; round < ROUNDS; round++) {
    uint64_t start[RA_SOURCE_DIMS] = {0}, count[RA_SOURCE_DIMS], begin = ra_clock_ns();
    memcpy(count, r->var->shape, sizeof count);
    for (; start[0] < r->var->shape[0]; start[0] += count[0]) {
      uint64_t left = r->var->shape[0] - start[0];
      count[0] = left < r->rows ? left : r->rows;
      if (read(r, start, count) != 0) exit(1);
    }
    double rate = (double)ra_source_var_bytes(r->var) * 1e3 / (double)(ra_clock_ns() - begin);
    if (rate > best) best = rate;
  }
  return best;
}

int main(int argc, char **argv) {
  ra_err err = {0};
  run r = {0};
  if (argc < 3) return fprintf(stderr, "usage: bench_decode FILE VARIABLE [THREADS]\n"), 2;
  if (ra_source_open(argv[1], &r.source, &err) < 0)
    return fprintf(stderr, "%s: %s\n", err.where, err.message), 1;
  r.var = ra_source_find(r.source, "", argv[2]);
  if (!r.var || r.var->ndim == 0) return fprintf(stderr, "no variable %s\n", argv[2]), 1;
  uint64_t shape[RA_SOURCE_DIMS];
  ra_source_chunk_shape(r.var, shape);
  size_t row = ra_source_var_bytes(r.var) / r.var->shape[0];
  r.rows = WINDOW / (row ? row : 1);
  r.rows = r.rows < shape[0] ? shape[0] : r.rows / shape[0] * shape[0];
  r.cells = calloc(r.rows, row ? row : 1);
  if (!r.cells) return 1;
  double alone = measure(&r, by_ours);
  ra_source_set_threads(r.source, argc > 3 ? (unsigned)atoi(argv[3]) : 2);
  double together = measure(&r, by_ours), theirs = measure(&r, by_netcdf);
  printf("{\"ours\": %.0f, \"ours_threads\": %.0f, \"netcdf_c\": %.0f}\n", alone, together, theirs);
  free(r.cells);
  ra_source_free(r.source);
  return 0;
}
