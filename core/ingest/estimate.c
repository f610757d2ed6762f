// estimate.c - the dry run: some regions of each array, spread over it, are read and encoded; the whole is taken to be
// like them. An array that is not larger than a region is encoded whole.
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ingest/sample.h"
#include "ingest/scratch.h"

enum { REGIONS = 5, STEPS_LEAST = 16, SIDE_LEAST = 128, WRITTEN = 8 << 20 };
static const size_t SAMPLED = (size_t)160 << 20;  // bytes of cells, of all arrays
static const size_t REGION = (size_t)32 << 20;    // of one region, at most
static const size_t SMALL = (size_t)256 << 10;    // and at least

static uint64_t round_up(uint64_t n, uint64_t side) { return (n + side - 1) / side * side; }

static size_t bytes_of(const ra__array *array, const ra__region *region) {
  return ra__region_cells(region, array->zarr.ndim) * ra_dtype_size(array->zarr.dtype);
}

// Halves a side, in whole blocks, unless it is at its least already.
static bool halve(const ra__array *array, unsigned d, uint64_t least, ra__region *region) {
  uint64_t block = array->plan.blocks.side[d];
  uint64_t half = round_up((region->count[d] + 1) / 2, block);
  if (half < least) half = round_up(least, block);
  if (half >= region->count[d]) return false;
  region->count[d] = half;
  return true;
}

// Extra dimensions are cut first, then time, then the map, as long as enough of each is left; then time and the map again.
static bool shrink(const ra__array *array, ra__region *region) {
  const ra_cf_variable *v = array->cf;
  if (!v->mappable) {
    for (unsigned d = 0; d < array->zarr.ndim; d++) {
      if (halve(array, d, 1, region)) return true;
    }
    return false;
  }
  for (unsigned e = 0; e < v->extra_count; e++) {
    if (halve(array, v->extra[e].dim, 1, region)) return true;
  }
  if (v->run_dim >= 0 && halve(array, (unsigned)v->run_dim, 1, region)) return true;
  if (v->time_dim >= 0 && halve(array, (unsigned)v->time_dim, STEPS_LEAST, region)) return true;
  if (halve(array, (unsigned)v->y_dim, SIDE_LEAST, region)) return true;
  if (halve(array, (unsigned)v->x_dim, SIDE_LEAST, region)) return true;
  if (v->time_dim >= 0 && halve(array, (unsigned)v->time_dim, 1, region)) return true;
  return halve(array, (unsigned)v->y_dim, 1, region) || halve(array, (unsigned)v->x_dim, 1, region);
}

// Places the i-th of n regions: evenly along each dimension, in another order along each, in whole blocks.
static void place(const ra__array *array, unsigned i, unsigned n, ra__region *region) {
  static const unsigned STRIDES[] = {1, 2, 3, 4};
  for (unsigned d = 0; d < array->zarr.ndim; d++) {
    uint64_t left = array->zarr.shape[d] - region->count[d], block = array->plan.blocks.side[d];
    unsigned turn = (i * STRIDES[d % 4] + d) % n;
    region->start[d] = left * (2 * turn + 1) / (2 * n) / block * block;
  }
}

static int sample_array(ra_ingest *ingest, const ra__array *array, size_t room, ra_cancel *cancel,
                        ra__sample *sample, ra_err *err) {
  ra__region region = {{0}, {0}};
  memcpy(region.count, array->zarr.shape, sizeof region.count);
  while (bytes_of(array, &region) > room && shrink(array, &region)) {
  }
  unsigned n = bytes_of(array, &region) == array->raw ? 1 : REGIONS;
  for (unsigned i = 0; i < n; i++) {
    if (ra_cancel_is_set(cancel))
      return ra_fail(err, RA_E_CANCELLED, ra_source_name(ingest->source), "cancelled");
    place(array, i, n, &region);
    int rc = ra__sample_add(ingest, array, &region, sample, err);
    if (rc < 0) return rc;
  }
  return RA_OK;
}

// ---- from samples to the whole

static double ratio(const ra__yield *yield) {
  return yield->cells > 0 ? yield->bytes / yield->cells : 0;
}
static double pace(const ra__yield *yield) {
  return yield->cells > 0 ? yield->seconds / yield->cells : 0;
}

static size_t maps_of(const ra__array *array) {
  const ra_cf_variable *v = array->cf;
  size_t maps = 0;
  for (size_t i = 0; i < array->steps; i++)
    maps += v->time_dim < 0 || v->time->ms[i] != RA_TIME_NONE;
  return maps;
}

static double shards_bytes(const ra__array *array, const ra__sample *sample, double cells) {
  double bytes = ratio(&sample->shards) * cells;
  if (!array->zarr.sharded) return bytes;
  uint64_t chunks = 1;
  for (unsigned d = 0; d < array->zarr.ndim; d++)
    chunks *= array->zarr.shard[d] / array->zarr.chunk[d];
  return bytes + (double)array->plan.targets[RA__SHARDS].count * (double)(16 * chunks + 4);
}

// A third more cells are in the overviews, where maps were sampled in pieces.
static double maps_bytes(const ra__sample *sample, double cells) {
  return ratio(&sample->maps) * cells + ratio(&sample->overview) * cells / 3;
}

// Evictions of half the buffers at a time, as long as more blocks are to come than there is room for. Pieces for the
// layout that is followed soon go again.
static double spilled_cells(const ra__array *array, double cells) {
  const ra__plan *plan = &array->plan;
  bool both = plan->layouts > 1;
  if (!plan->spills[both ? !plan->stream : plan->stream]) return 0;
  uint64_t half = plan->buffers > 1 ? plan->buffers / 2 : 1, blocks = plan->blocks.count;
  uint64_t times = (blocks + half - 1) / half;
  return times > 2 ? cells * (double)((times - 2) * half) / (double)blocks : 0;
}

static void add_array(ra_ingest *ingest, const ra__array *array, const ra__sample *sample,
                      double *cpu) {
  ra__estimate *e = &ingest->estimate;
  double cells = (double)ra_source_var_cells(array->cf->source);
  bool mapped = array->cf->mappable && !array->direct && !ingest->in_place;
  size_t maps = mapped ? maps_of(array) : 0;
  double share = array->steps ? (double)maps / (double)array->steps : 0;
  bool copied = !ra_ingest_in_place(ingest);
  bool stored = copied && sample->shards.bytes > 0;  // else all is fill
  e->objects += maps + copied + (stored ? array->plan.targets[RA__SHARDS].count : 0);
  e->bytes += (uint64_t)(shards_bytes(array, sample, cells) * stored);
  // A regridded map has other numbers of cells, which are like the source's.
  double pixels = array->plane ? cells * (double)array->map_plane / (double)array->plane : 0;
  e->bytes += (uint64_t)(maps_bytes(sample, pixels) * share);
  double spilled = spilled_cells(array, cells);
  uint64_t scratch = (uint64_t)(spilled * ratio(&sample->spill));
  if (scratch > e->scratch) e->scratch = scratch;
  double encode = pace(&sample->shards) * cells * copied + pace(&sample->maps) * pixels * share;
  double threads = array->plan.workers;
  *cpu += (pace(&sample->decode) * cells + encode + pace(&sample->spill) * spilled) / threads;
}

// zarr.json of all, twice: each on its own and consolidated.
static void add_metadata(ra_ingest *ingest) {
  ra_str text;
  ra_str_init(&text);
  ra__attributes(ingest, NULL, &text);
  for (size_t i = 0; i < ingest->count; i++) {
    ra__attributes(ingest, &ingest->arrays[i], &text);
    ra__attributes(ingest, &ingest->arrays[i], &text);
  }
  ingest->estimate.bytes += text.len + 1600 * ingest->count;
  ingest->estimate.objects++;
  ra_str_deinit(&text);
}

// Seconds that the disk takes for so many bytes, by a part of them; 0 where it cannot be tried.
static int disk_seconds(const ra_ingest *ingest, uint64_t bytes, double *seconds, ra_err *err) {
  size_t size = bytes < WRITTEN ? (size_t)bytes : WRITTEN;
  ra__scratch *scratch = NULL;
  uint64_t offset;
  *seconds = 0;
  if (size == 0) return RA_OK;
  void *data = calloc(1, size);
  if (!data) return ra_fail(err, RA_E_NOMEM, "", "out of memory");
  ra_err ignored;
  int rc = ra__scratch_open(ingest->options.scratch, &scratch, &ignored);
  uint64_t since = ra_clock_ns();
  if (rc >= 0) rc = ra__scratch_append(scratch, data, size, &offset, &ignored);
  if (rc >= 0) rc = ra__scratch_sync(scratch, &ignored);
  if (rc >= 0) *seconds = (double)(ra_clock_ns() - since) * 1e-9 * (double)bytes / (double)size;
  ra__scratch_free(scratch);
  free(data);
  return RA_OK;
}

// A region's share of what is sampled; all of it where that is little.
static size_t room_of(const ra_ingest *ingest, const ra__array *array) {
  size_t most = ingest->options.memory / 16 < REGION ? ingest->options.memory / 16 : REGION;
  double fair = (double)SAMPLED * (double)array->raw / (double)ingest->bytes_total / REGIONS;
  if (ingest->bytes_total <= most) return array->raw;
  if (fair < (double)SMALL) return SMALL;
  return fair < (double)most ? (size_t)fair : most;
}

// Fills ingest->estimate but for the seconds; *cpu: those of the conversion itself.
static int sample_all(ra_ingest *ingest, ra_cancel *cancel, double *cpu, ra_err *err) {
  ingest->estimate = (ra__estimate){.made = true};
  for (size_t i = 0; i < ingest->count; i++) {
    const ra__array *array = &ingest->arrays[i];
    if (!ra__place_reads(ingest, array)) continue;
    ra__sample sample = {.decode = {0}};
    int rc = sample_array(ingest, array, room_of(ingest, array), cancel, &sample, err);
    if (rc < 0) return rc;
    add_array(ingest, array, &sample, cpu);
  }
  return RA_OK;
}

int ra__estimate_scratch(ra_ingest *ingest, ra_cancel *cancel, uint64_t *bytes, ra_err *err) {
  double ignored = 0;
  int rc = sample_all(ingest, cancel, &ignored, err);
  *bytes = ingest->estimate.scratch;
  return rc;
}

int ra_ingest_estimate(ra_ingest *ingest, ra_cancel *cancel, ra_err *err) {
  double cpu = 0, disk = 0, hash = 0;
  int rc = sample_all(ingest, cancel, &cpu, err);
  if (rc < 0) return rc;
  if (!ra_ingest_in_place(ingest)) add_metadata(ingest);
  ingest->estimate.scratch += ra__maps_scratch(ingest);
  rc = disk_seconds(ingest, ingest->estimate.bytes, &disk, err);
  if (rc >= 0) rc = ra__hash_seconds(ingest, &hash, err);
  ingest->estimate.seconds = hash + (cpu > disk ? cpu : disk);
  return rc;
}
