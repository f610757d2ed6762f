// zarr_plan.c - shapes of chunks and shards, and the names of shards.
#include <math.h>
#include <string.h>

#include "format/zarr_impl.h"

static const uint64_t STEPS = 4096, CHUNK_BYTES = 96 << 10, SHARD_BYTES = 64 << 20;
static const uint64_t V2_CELLS = 16 * 16, WHOLE_BYTES = 8 << 20;

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }
static uint64_t ceil_div(uint64_t a, uint64_t b) { return a / b + (a % b != 0); }

// The square of `cells` cells, limited to `a` by `b`; what one side can't use goes to the other.
static void square(uint64_t cells, uint64_t a, uint64_t b, uint64_t *side_a, uint64_t *side_b) {
  uint64_t side = (uint64_t)sqrt((double)cells);
  *side_a = least(a, side);
  *side_b = least(b, side);
  if (*side_a < side) {
    *side_b = least(b, cells / *side_a);
  } else if (*side_b < side) {
    *side_a = least(a, cells / *side_b);
  }
}

// Everything in one chunk; split along the first dimension where that would be a large one to hold.
static void plan_whole(ra_zarr_spec *spec) {
  uint64_t rest = ra_dtype_size(spec->dtype);
  for (unsigned i = 1; i < spec->ndim; i++) rest *= most(1, spec->shape[i]);
  for (unsigned i = 0; i < spec->ndim; i++) spec->chunk[i] = most(1, spec->shape[i]);
  if (spec->ndim) spec->chunk[0] = least(spec->chunk[0], most(1, WHOLE_BYTES / rest));
  memcpy(spec->shard, spec->chunk, sizeof spec->shard);
  spec->sharded = false;
}

// Grows the shard by whole chunks along `dim` while it keeps to `budget` chunks; the budget shrinks by what is used.
static void grow(ra_zarr_spec *spec, unsigned dim, uint64_t wanted, uint64_t *budget) {
  uint64_t chunks = ceil_div(spec->shape[dim], spec->chunk[dim]);
  uint64_t n = most(1, least(least(chunks, wanted), *budget));
  spec->shard[dim] = n * spec->chunk[dim];
  *budget /= n;
}

static void plan_shard(ra_zarr_spec *spec, int time_dim, unsigned y, unsigned x) {
  uint64_t bytes = ra_dtype_size(spec->dtype);
  for (unsigned i = 0; i < spec->ndim; i++) bytes *= spec->chunk[i];
  memcpy(spec->shard, spec->chunk, sizeof spec->shard);
  uint64_t budget = most(1, SHARD_BYTES / bytes);
  if (time_dim >= 0) grow(spec, (unsigned)time_dim, UINT64_MAX, &budget);
  uint64_t ny, nx;
  square(budget, ceil_div(spec->shape[y], spec->chunk[y]), ceil_div(spec->shape[x], spec->chunk[x]),
         &ny, &nx);
  grow(spec, y, ny, &budget);
  grow(spec, x, nx, &budget);
  for (unsigned i = spec->ndim; i-- > 0;) {
    if (i != y && i != x && (int)i != time_dim) grow(spec, i, UINT64_MAX, &budget);
  }
  spec->sharded = memcmp(spec->shard, spec->chunk, spec->ndim * sizeof *spec->shard) != 0;
}

void ra_zarr_plan(ra_zarr_spec *spec, int time_dim, int y_dim, int x_dim) {
  bool empty = false;
  for (unsigned i = 0; i < spec->ndim; i++) empty = empty || spec->shape[i] == 0;
  if (y_dim < 0 || x_dim < 0 || empty) {
    plan_whole(spec);
    return;
  }
  unsigned y = (unsigned)y_dim, x = (unsigned)x_dim;
  for (unsigned i = 0; i < spec->ndim; i++) spec->chunk[i] = 1;
  uint64_t steps = 1;
  if (time_dim >= 0) {
    uint64_t count = spec->shape[time_dim];
    steps = ceil_div(count, ceil_div(count, STEPS));  // equal pieces
    spec->chunk[time_dim] = steps;
  }
  uint64_t cells =
      most(spec->format == 2 ? V2_CELLS : 1, CHUNK_BYTES / (steps * ra_dtype_size(spec->dtype)));
  square(cells, spec->shape[y], spec->shape[x], &spec->chunk[y], &spec->chunk[x]);
  if (spec->format == 2) {
    memcpy(spec->shard, spec->chunk, sizeof spec->shard);
    spec->sharded = false;
  } else {
    plan_shard(spec, time_dim, y, x);
  }
}

int ra_zarr_shard_grid(const ra_zarr_spec *spec, uint64_t grid[RA_ZARR_DIMS], uint64_t *count,
                       ra_err *err) {
  *count = 1;
  for (unsigned i = 0; i < spec->ndim; i++) {
    grid[i] = ceil_div(spec->shape[i], spec->shard[i]);
    if (__builtin_mul_overflow(*count, grid[i], count)) {
      return ra_fail(err, RA_E_TOOBIG, spec->name, "too many shards to count");
    }
  }
  return RA_OK;
}

void ra_zarr_shard_key(const ra_zarr_spec *spec, const uint64_t *shard, ra_str *out) {
  bool v2 = spec->format == 2;
  if (!v2) ra_str_add_char(out, 'c');
  for (unsigned i = 0; i < spec->ndim; i++) {
    if (i || !v2) ra_str_add_char(out, v2 ? '.' : '/');
    ra_str_addf(out, "%llu", (unsigned long long)shard[i]);
  }
  if (v2 && spec->ndim == 0) ra_str_add_char(out, '0');
}
