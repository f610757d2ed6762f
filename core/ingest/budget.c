// budget.c - how an array is converted within the memory there is: what is decoded at once, how many blocks may be held,
// how many threads work, which layout's objects are completed first and which is spilled. No output byte depends on it.
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "ingest/ingest_private.h"
#include "ingest/spill.h"
#include "source/chunks.h"

#define MIB ((size_t)1 << 20)
static const size_t BASE = 44 * MIB;          // the program, its libraries, catalog and Lua
static const size_t AT_EASE = 64 * MIB;       // of blocks held: more threads are no use without
static const size_t LEVELS_APART = 6 * MIB;   // of a COG's levels, what is still in memory
enum { BLOCKS_MAX = 1 << 28, DECODING = 3 };  // DECODING: chunks' bytes that decoding one takes

static size_t add(size_t a, size_t b) { return ra_size_add(a, b, &a) ? a : SIZE_MAX; }
static size_t times(size_t a, size_t b) { return ra_size_mul(a, b, &a) ? a : SIZE_MAX; }
static size_t least(size_t a, size_t b) { return a < b ? a : b; }
static size_t most(size_t a, size_t b) { return a > b ? a : b; }

static size_t side_bytes(const ra__tiling *tiling, size_t cell) {
  for (unsigned d = 0; d < tiling->ndim; d++)
    cell = times(cell, least(tiling->side[d], tiling->shape[d]));
  return cell;
}

static bool cut(const ra__array *array, const uint64_t *side, ra__tiling *out) {
  return ra__tiling_init(out, array->zarr.ndim, array->zarr.shape, side);
}

// Chunks are joined along the last dimensions until they make a block worth its bookkeeping.
static bool plan_blocks(ra__array *array, size_t room) {
  const ra_source_var *var = array->cf->source;
  ra__plan *plan = &array->plan;
  uint64_t side[RA__DIMS];
  ra_source_chunk_shape(var, side);
  size_t bytes = ra_source_chunk_bytes(var);
  for (unsigned d = var->ndim; d-- > 0 && bytes;) {
    uint64_t chunks = (var->shape[d] + side[d] - 1) / side[d];
    uint64_t n = bytes < room ? least(chunks, room / bytes) : 1;
    side[d] *= n;
    bytes *= n;
    if (n < chunks) break;
  }
  if (!cut(array, side, &plan->blocks) || plan->blocks.count > BLOCKS_MAX) return false;
  plan->block_bytes = side_bytes(&plan->blocks, ra_dtype_size(var->dtype));
  return true;
}

// Nothing is made of the shards of a store that stays: each block is done with at once.
static bool plan_none(ra__array *array) {
  const uint64_t *side = array->plan.blocks.side;
  return cut(array, side, &array->plan.targets[RA__SHARDS]) &&
         ra__tiling_init(&array->plan.parts[RA__SHARDS], array->zarr.ndim, side, side);
}

// Parts of a shard: runs of its inner chunks in C order, as long as fits.
static bool plan_shards(const ra_ingest *ingest, ra__array *array, size_t room) {
  const ra_zarr_spec *zarr = &array->zarr;
  ra__plan *plan = &array->plan;
  if (ingest->kept) return plan_none(array);
  uint64_t side[RA__DIMS];
  size_t bytes = ra_dtype_size(zarr->dtype);
  for (unsigned d = 0; d < zarr->ndim; d++) {
    side[d] = zarr->chunk[d];
    bytes = times(bytes, side[d]);
  }
  for (unsigned d = zarr->ndim; d-- > 0;) {
    uint64_t chunks = zarr->shard[d] / zarr->chunk[d];
    uint64_t n = bytes < room ? least(chunks, room / bytes) : 1;
    side[d] *= n;
    bytes *= n;
    if (n < chunks) break;
  }
  return cut(array, zarr->shard, &plan->targets[RA__SHARDS]) &&
         ra__tiling_init(&plan->parts[RA__SHARDS], zarr->ndim, zarr->shard, side);
}

// `steps` maps at a time, each whole.
static bool plan_maps(ra__array *array, uint64_t steps) {
  ra__plan *plan = &array->plan;
  uint64_t side[RA__DIMS];
  memcpy(side, array->zarr.shape, sizeof side);
  if (array->cf->time_dim >= 0) side[array->cf->time_dim] = steps;
  if (array->cf->run_dim >= 0) side[array->cf->run_dim] = 1;
  plan->strips = false;
  return cut(array, side, &plan->targets[RA__MAPS]) &&
         ra__tiling_init(&plan->parts[RA__MAPS], array->zarr.ndim, side, side);
}

// One map at a time, of which a strip of one band's rows is in memory; of one that is regridded, which takes its cells from
// anywhere, a band.
static bool plan_strips(ra__array *array, size_t room) {
  ra__plan *plan = &array->plan;
  const ra_cf_variable *variable = array->cf;
  if (!plan_maps(array, 1)) return false;
  const uint64_t *map = plan->targets[RA__MAPS].side;
  uint64_t side[RA__DIMS];
  memcpy(side, map, sizeof side);
  for (unsigned e = 0; e < variable->extra_count; e++) side[variable->extra[e].dim] = 1;
  size_t row = map[variable->x_dim] * ra_dtype_size(array->zarr.dtype);
  if (variable->grid->layout == RA_CF_EVEN)
    side[variable->y_dim] = most(least(map[variable->y_dim], room / row), 1);
  plan->strips = true;
  return ra__tiling_init(&plan->parts[RA__MAPS], array->zarr.ndim, map, side);
}

// ---- memory

// A record in memory, as cells and compressed: RA__RECORD of them or what a block has of one part.
static size_t record_need(const ra__array *array, unsigned layout) {
  const ra__plan *plan = &array->plan;
  size_t part = side_bytes(&plan->parts[layout], ra_dtype_size(array->zarr.dtype));
  return times(add(RA__RECORD, least(part, plan->block_bytes)), 2);
}

// A part's cells and bytes, a chunk, and the index.
static size_t shard_need(const ra_ingest *ingest, const ra__array *array) {
  const ra__plan *plan = &array->plan;
  if (ingest->kept) return 0;
  size_t cell = ra_dtype_size(array->zarr.dtype), chunk = cell;
  for (unsigned d = 0; d < array->zarr.ndim; d++) chunk = times(chunk, array->zarr.chunk[d]);
  size_t part = side_bytes(&plan->parts[RA__SHARDS], cell);
  size_t chunks = side_bytes(&plan->targets[RA__SHARDS], cell) / most(chunk, 1);
  return add(add(times(part, 2), times(chunk, 2)), times(chunks, 32));
}

// What rows of a regridded map are made in.
static size_t rows_need(const ra__array *array) {
  size_t width = (size_t)array->cf->grid->grid.width, size = ra_dtype_size(array->zarr.dtype);
  if (array->cf->grid->layout == RA_CF_EVEN) return 0;
  size_t pixel = sizeof(ra_regrid_place) + 4 * (sizeof(float) + size + sizeof(double));
  return times(width, pixel + RA__MAP_ROWS * size);
}

// The planes read back together, the file of one, and what makes it; or a strip, and what is about to go to the scratch file.
static size_t maps_need(const ra_ingest *ingest, const ra__array *array) {
  ra_cog_spec spec = ra__cog_spec(ingest, array);
  size_t planes = side_bytes(&array->plan.parts[RA__MAPS], ra_dtype_size(array->zarr.dtype));
  size_t making = add(ra_cog_writer_memory(&spec), 2 * MIB);  // and a sketch
  making = add(making, rows_need(array));
  if (array->plan.strips) return add(add(planes, making), LEVELS_APART);
  return add(add(planes, making), add(array->map_plane, array->map_plane / 2));
}

static size_t tables_need(const ra__array *array) {
  const ra__plan *plan = &array->plan;
  size_t bytes = times(plan->blocks.count, 64);
  bytes = add(bytes, times(ra_source_chunk_count(array->cf->source), 24));  // the file's index
  for (unsigned l = 0; l < plan->layouts; l++)
    bytes = add(bytes, times(plan->targets[l].count, 44 + 16 * plan->parts[l].count));
  return bytes;
}

typedef struct needs {
  size_t fixed, worker, encoder;
} needs;

static needs needs_of(const ra_ingest *ingest, const ra__array *array) {
  const ra__plan *plan = &array->plan;
  bool all = plan->buffers >= plan->blocks.count;
  size_t making;
  needs n = {.fixed = add(add(BASE, tables_need(array)), ra__maps_memory(ingest, &making))};
  if (!array->cf->source->cells)
    n.worker = times(ra_source_chunk_bytes(array->cf->source), DECODING);
  for (unsigned l = 0; l < plan->layouts; l++) {
    size_t record = all ? 0 : record_need(array, l);
    n.worker = most(n.worker, record);
    n.encoder = most(
        n.encoder, add(l == RA__MAPS ? maps_need(ingest, array) : shard_need(ingest, array), record));
  }
  return n;
}

static size_t total(const ra_ingest *ingest, const ra__array *array) {
  const ra__plan *plan = &array->plan;
  needs n = needs_of(ingest, array);
  size_t threads = add(times(n.worker, plan->workers), times(n.encoder, plan->encoders));
  return add(add(n.fixed, threads), times(plan->block_bytes, plan->buffers));
}

// As many buffers as fit, at least `wanted`; false when not even those do.
static bool take_buffers(const ra_ingest *ingest, ra__array *array, size_t wanted) {
  ra__plan *plan = &array->plan;
  size_t memory = ingest->options.memory;
  plan->buffers = plan->blocks.count;
  if (total(ingest, array) <= memory) return true;
  plan->buffers = 0;
  size_t used = total(ingest, array);
  plan->buffers = used < memory ? (memory - used) / plan->block_bytes : 0;
  if (plan->buffers >= plan->blocks.count) plan->buffers = plan->blocks.count - 1;
  return plan->buffers >= wanted;
}

static bool take_threads(const ra_ingest *ingest, ra__array *array, size_t wanted) {
  ra__plan *plan = &array->plan;
  for (plan->workers = ingest->jobs; plan->workers > 0; plan->workers--) {
    for (plan->encoders = plan->workers; plan->encoders > 0; plan->encoders--) {
      if (take_buffers(ingest, array, wanted)) return true;
    }
  }
  plan->workers = plan->encoders = 1;
  return false;
}

// ---- the order

static uint64_t corner(const ra__tiling *tiling, const ra__region *region, bool last) {
  uint64_t index = 0;
  for (unsigned d = 0; d < tiling->ndim; d++) {
    uint64_t at = last ? region->start[d] + region->count[d] - 1 : region->start[d];
    index = index * tiling->grid[d] + at / tiling->side[d];
  }
  return index;
}

// Most blocks in memory when objects of a layout are completed one after another; SIZE_MAX without memory to tell.
static size_t blocks_at_peak(const ra__plan *plan, unsigned layout) {
  const ra__tiling *targets = &plan->targets[layout];
  int64_t *change = calloc(targets->count + 1, sizeof *change);
  if (!change) return SIZE_MAX;
  for (uint64_t b = 0; b < plan->blocks.count; b++) {
    ra__region region;
    ra__tiling_region(&plan->blocks, b, &region);
    change[corner(targets, &region, false)]++;
    change[corner(targets, &region, true) + 1]--;
  }
  int64_t now = 0, peak = 0;
  for (uint64_t t = 0; t < targets->count; t++) {
    now += change[t];
    if (now > peak) peak = now;
  }
  free(change);
  return (size_t)peak;
}

// The layout that needs fewer blocks at a time is followed; what is left of the memory gathers pieces for the other.
static void choose_order(const ra_ingest *ingest, ra__plan *plan) {
  plan->stream = RA__SHARDS;
  plan->spills[RA__SHARDS] = plan->spills[RA__MAPS] = false;
  if (plan->buffers >= plan->blocks.count) {
    if (plan->layouts > 1) plan->stream = RA__MAPS;
    return;
  }
  size_t shards = blocks_at_peak(plan, RA__SHARDS), peak = shards, room = plan->buffers;
  if (plan->layouts > 1 && ingest->kept) {  // maps alone are made
    plan->stream = RA__MAPS;
    peak = blocks_at_peak(plan, RA__MAPS);
  } else if (plan->layouts > 1) {
    size_t maps = blocks_at_peak(plan, RA__MAPS);
    plan->stream = maps <= shards ? RA__MAPS : RA__SHARDS;
    peak = least(maps, shards);
    room = plan->buffers / 2;
    plan->spills[!plan->stream] = true;
  }
  plan->spills[plan->stream] = peak > room;
}

// Maps that come back from the scratch file are read several at a time, since each record holds pieces of all.
static void group_maps(const ra_ingest *ingest, ra__array *array) {
  ra__plan *plan = &array->plan;
  size_t spare = plan->buffers * plan->block_bytes / 3 / plan->encoders;
  size_t steps = least(spare, ingest->sizes.maps) / array->plane;
  if (plan->strips || array->cf->time_dim < 0 || !plan->spills[RA__MAPS] ||
      plan->stream == RA__MAPS || steps < 2)
    return;
  size_t buffers = plan->buffers;
  plan_maps(array, least(steps, array->zarr.shape[array->cf->time_dim]));
  if (take_buffers(ingest, array, 1) && plan->buffers < plan->blocks.count) {
    plan->buffers = least(plan->buffers, buffers);
    return;
  }
  plan_maps(array, 1);
  plan->buffers = buffers;
}

static uint64_t scratch_need(const ra__array *array) {
  const ra__plan *plan = &array->plan;
  uint64_t raw = array->raw + array->raw / 64;
  uint64_t plane = most(array->plane, array->map_plane);
  plane += plane / 2;
  return (plan->spills[RA__SHARDS] ? raw : 0) + (plan->spills[RA__MAPS] ? raw : 0) +
         (plan->strips ? plan->encoders * plane : 0);
}

static int refuse(const ra_ingest *ingest, const ra__array *array, ra_err *err) {
  const ra_cf_grid *grid = array->cf->mappable ? array->cf->grid : NULL;
  bool even = !grid || grid->layout == RA_CF_EVEN;
  double chunk = (double)ra_source_chunk_bytes(array->cf->source) / (double)MIB;
  double row = (grid ? (double)grid->native_width : 0) * (double)ra_dtype_size(array->zarr.dtype);
  double rows = row * (even ? 256 : (double)grid->native_height) / (double)MIB;
  return ra_fail(
      err, RA_E_TOOBIG, ra_source_name(ingest->source),
      "does not fit: variable '%s' needs %zu MiB of memory, --memory allows %zu MiB (one "
      "of its source chunks takes %.1f MiB decoded, %s %.1f); give "
      "more, or choose other variables with --variables",
      array->zarr.name, (total(ingest, array) >> 20) + 1, ingest->options.memory >> 20, chunk,
      even ? "256 rows of its maps" : "a band of its curvilinear cells", rows);
}

// The maps of regridded grids, before any array is read; the places of all their cells have to be there.
int ra__budget_maps(const ra_ingest *ingest, size_t *need, ra_err *err) {
  size_t making, memory = ra__maps_memory(ingest, &making);
  *need = memory ? add(BASE, add(memory, making)) : 0;
  if (*need <= ingest->options.memory) return RA_OK;
  const ra__array *first = NULL;
  for (size_t i = 0; i < ingest->count && !first; i++) {
    const ra_cf_variable *v = ingest->arrays[i].cf;
    if (v->mappable && v->grid->layout == RA_CF_CURVED) first = &ingest->arrays[i];
  }
  const ra_cf_grid *grid = first ? first->cf->grid : NULL;
  return ra_fail(err, RA_E_TOOBIG, ra_source_name(ingest->source),
                 "does not fit: the map of variable '%s', whose curvilinear grid has %lld x %lld "
                 "cells, needs %zu MiB of memory while it is made, --memory allows %zu MiB; give "
                 "--memory %zuM or more, or choose other variables with --variables",
                 first ? first->zarr.name : "", grid ? (long long)grid->native_width : 0,
                 grid ? (long long)grid->native_height : 0, (*need >> 20) + 1,
                 ingest->options.memory >> 20, (*need >> 20) + 1);
}

// Whole maps if they leave room, else strips of them.
static bool take_room(const ra_ingest *ingest, ra__array *array, size_t strip) {
  ra__plan *plan = &array->plan;
  size_t at_ease = most(AT_EASE / plan->block_bytes, 4);
  if (take_threads(ingest, array, at_ease)) return true;
  if (plan->layouts > 1 && plan_strips(array, strip) && take_threads(ingest, array, at_ease))
    return true;
  if (take_threads(ingest, array, 1)) return true;
  plan->buffers = 1;
  return false;
}

static bool plan_tilings(const ra_ingest *ingest, ra__array *array, size_t work) {
  const ra__sizes *sizes = &ingest->sizes;
  ra__plan *plan = &array->plan;
  plan->layouts = array->cf->mappable ? 2 : 1;
  return plan_blocks(array, least(most(work / 32, MIB / 4), sizes->block)) &&
         plan_shards(ingest, array, least(most(work / 16, MIB), sizes->part)) &&
         (plan->layouts == 1 || plan_maps(array, 1)) && plan->targets[RA__SHARDS].count < BLOCKS_MAX;
}

int ra__budget(const ra_ingest *ingest, ra__array *array, ra_err *err) {
  ra__plan *plan = &array->plan;
  const ra__sizes *sizes = &ingest->sizes;
  size_t work = ingest->options.memory > BASE ? ingest->options.memory - BASE : 0;
  if (!plan_tilings(ingest, array, work)) {
    return ra_fail(err, RA_E_TOOBIG, ra_source_name(ingest->source),
                   "variable '%s' has too many chunks or shards to count", array->zarr.name);
  }
  size_t strip = least(most(work / 16, MIB / 4), sizes->part);
  if (!take_room(ingest, array, strip)) return refuse(ingest, array, err);
  if (sizes->strips && plan->layouts > 1) plan_strips(array, strip);
  if (sizes->buffers && plan->buffers > sizes->buffers) plan->buffers = sizes->buffers;
  choose_order(ingest, plan);
  if (plan->layouts > 1) group_maps(ingest, array);
  plan->memory = total(ingest, array);
  plan->scratch = scratch_need(array);
  return RA_OK;
}
