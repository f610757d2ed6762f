// tile_paint.c - values to bodies. A png is a palette image wherever its pixels have at most 255 colours, which is
// nearly always: entry 0 is "nothing", the ramp's entries follow. Pixel rules: contracts.md §1.
#include <math.h>
#include <string.h>

#include "codec/png.h"
#include "raster/vector.h"
#include "render/tile_job.h"

enum { PALETTE = 256 };

// ---- values to entries of the ramp; -1: nothing

// float32 values are stretched in double and stored back as float before they are cut to whole numbers, float64 ones
// stay double. NaN is clipped to the low end like any other number, and then marked: no branch, so that this is vector
// code.
RA_VECTOR
static void stretch_f32(const float *values, size_t n, double low, double high, int32_t *out) {
  const double factor = 255 / (high - low);
  for (size_t i = 0; i < n; i++) {
    double v = (double)values[i];
    v = v > low ? v : low;
    v = v < high ? v : high;
    float at = (float)((v - low) * factor);
    out[i] = (int32_t)at | -(int32_t)(values[i] != values[i]);
  }
}

RA_VECTOR
static void stretch_f64(const double *values, size_t n, double low, double high, int32_t *out) {
  const double width = high - low;
  for (size_t i = 0; i < n; i++) {
    double v = values[i];
    v = v > low ? v : low;
    v = v < high ? v : high;
    out[i] = (int32_t)((v - low) / width * 255) | -(int32_t)(values[i] != values[i]);
  }
}

// Neighbours are often equal, so a value that was just looked up is not looked up again.
static void find_entries(const ra__tile_job *job, const ra__plane *plane, int32_t *out) {
  double last = NAN;
  int32_t entry = -1;
  for (size_t i = 0; i < plane->count; i++) {
    double v = job->is_double ? ((const double *)plane->cells)[i]
                              : (double)((const float *)plane->cells)[i];
    if (!(v == last)) {
      last = v;
      entry = ra_ramp_find(job->request->ramp, v);
    }
    out[i] = entry;
  }
}

// What a linear ramp has for values outside the range, and for none.
static void mark_entries(const ra__tile_job *job, const ra__plane *plane, int32_t *out) {
  const ra_tile_request *request = job->request;
  const int below = ra_ramp_mark_entry(request->ramp, RA_RAMP_BELOW);
  const int above = ra_ramp_mark_entry(request->ramp, RA_RAMP_ABOVE);
  const int missing = ra_ramp_mark_entry(request->ramp, RA_RAMP_MISSING);
  for (size_t i = 0; i < plane->count; i++) {
    double v = job->is_double ? ((const double *)plane->cells)[i]
                              : (double)((const float *)plane->cells)[i];
    int entry = isnan(v)                  ? missing
                : v < request->rescale[0] ? below
                : v > request->rescale[1] ? above
                                          : -1;
    if (entry >= 0) out[i] = entry;
  }
}

// The formula works on the 256 levels that are the entries of a linear ramp.
static void adjust_entries(const ra_formula *formula, int32_t *entries, size_t n) {
  ra_formula_run run;
  uint8_t table[PALETTE];
  ra_formula_begin(formula, &run);
  for (unsigned i = 0; i < PALETTE; i++) {
    table[i] = (uint8_t)i;
    ra_formula_apply(&run, 1, &table[i]);
  }
  for (size_t i = 0; i < n; i++) {
    if (entries[i] >= 0) entries[i] = table[entries[i] & 255];
  }
}

static void to_entries(const ra__tile_job *job, const ra__plane *plane, int32_t *out) {
  const ra_tile_request *request = job->request;
  double low = request->rescale[0], high = request->rescale[1];
  if (ra_ramp_get_kind(request->ramp) != RA_RAMP_LINEAR) {
    find_entries(job, plane, out);
  } else if (job->is_double) {
    stretch_f64(plane->cells, plane->count, low, high, out);
  } else {
    stretch_f32(plane->cells, plane->count, low, high, out);
  }
  if (ra_ramp_get_kind(request->ramp) == RA_RAMP_LINEAR && request->formula.count) {
    adjust_entries(&request->formula, out, plane->count);
  }
  if (ra_ramp_get_kind(request->ramp) == RA_RAMP_LINEAR && ra_ramp_marked(request->ramp)) {
    mark_entries(job, plane, out);
  }
  for (size_t i = 0; job->on_grid && i < plane->count; i++) {
    if (!job->on_grid[i]) out[i] = -1;
  }
}

// ---- colours

bool ra__tile_opaque(const ra_tile_request *request) {
  return !request->return_mask || request->format == RA_TILE_JPG;
}

// Without a mask every pixel is opaque, and nothing is value 0: the table's first colour, or black.
static void colour_of(const ra_tile_request *request, int32_t entry, uint8_t rgba[4]) {
  bool linear = ra_ramp_get_kind(request->ramp) == RA_RAMP_LINEAR;
  memset(rgba, 0, 4);
  if (entry < 0 && linear && ra__tile_opaque(request)) entry = 0;
  if (entry >= 0) memcpy(rgba, ra_ramp_colours(request->ramp)[entry], 4);
  if (ra__tile_opaque(request)) rgba[3] = 255;
}

typedef struct range {
  int32_t least, most;  // of the entries that are there; least > most: none is
} range;

RA_VECTOR
static range find_range(const int32_t *entries, size_t n) {
  uint32_t least = UINT32_MAX;  // as unsigned numbers -1 is never the least
  int32_t most = -1;
  for (size_t i = 0; i < n; i++) {
    uint32_t entry = (uint32_t)entries[i];
    least = entry < least ? entry : least;
    most = entries[i] > most ? entries[i] : most;
  }
  return (range){most < 0 ? 0 : (int32_t)least, most};
}

RA_VECTOR
static void subtract(const int32_t *entries, size_t n, int32_t least, uint8_t *out) {
  for (size_t i = 0; i < n; i++) {
    int32_t at = entries[i] - least + 1;
    out[i] = (uint8_t)(entries[i] < 0 ? 0 : at);
  }
}

// Entries that lie close together become palette indexes by one subtraction.
static int paint_range(const ra__tile_job *job, const int32_t *entries, size_t n, range used,
                       uint8_t *index, ra_buf **out, ra_err *err) {
  const ra_tile_request *request = job->request;
  uint8_t palette[PALETTE][4];
  unsigned count = (unsigned)(used.most - used.least + 2);
  colour_of(request, -1, palette[0]);
  for (unsigned i = 1; i < count; i++) colour_of(request, used.least + (int32_t)i - 1, palette[i]);
  subtract(entries, n, used.least, index);
  return ra_png_indexed(index, job->size, job->size, (const uint8_t(*)[4])palette, count, out, err);
}

// Which entries occur, as palette slots from 1 on; 0 when they are more than 255.
static unsigned number_entries(const int32_t *entries, size_t n, uint32_t *slots, unsigned count) {
  memset(slots, 0, count * sizeof *slots);
  for (size_t i = 0; i < n; i++) {
    if (entries[i] >= 0) slots[entries[i]] = 1;
  }
  unsigned used = 0;
  for (unsigned i = 0; i < count; i++) {
    if (slots[i]) slots[i] = ++used;
  }
  return used < PALETTE ? used : 0;
}

static int paint_slots(const ra__tile_job *job, const int32_t *entries, size_t n,
                       const uint32_t *slots, unsigned used, uint8_t *index, ra_buf **out,
                       ra_err *err) {
  const ra_tile_request *request = job->request;
  uint8_t palette[PALETTE][4];
  colour_of(request, -1, palette[0]);
  for (unsigned i = 0; i < ra_ramp_count(request->ramp) + RA_RAMP_MARKS; i++) {
    if (slots[i]) colour_of(request, (int32_t)i, palette[slots[i]]);
  }
  for (size_t i = 0; i < n; i++) {
    index[i] = (uint8_t)(entries[i] < 0 ? 0 : slots[entries[i]]);
  }
  return ra_png_indexed(index, job->size, job->size, (const uint8_t(*)[4])palette, used + 1, out,
                        err);
}

static int paint_rgba(const ra__tile_job *job, int32_t *entries, size_t n, ra_buf **out, ra_err *err) {
  uint8_t *rgba = (uint8_t *)entries;
  for (size_t i = 0; i < n; i++) {
    uint8_t colour[4];
    colour_of(job->request, entries[i], colour);
    memcpy(rgba + i * 4, colour, 4);
  }
  return ra__tile_encode(job, rgba, out, err);
}

int ra__tile_paint(ra__tile_job *job, const ra__plane *plane, ra_buf **out, ra_err *err) {
  unsigned count = ra_ramp_count(job->request->ramp) + RA_RAMP_MARKS;
  int32_t *entries = ra_arena_alloc(&job->arena, plane->count * sizeof *entries);
  uint32_t *slots = ra_arena_alloc(&job->arena, count * sizeof *slots);
  uint8_t *index = ra_arena_alloc(&job->arena, plane->count);
  if (!entries || !slots || !index) return ra_fail(err, RA_E_NOMEM, "", "out of memory for a tile");
  to_entries(job, plane, entries);
  if (job->request->format != RA_TILE_PNG) {
    return paint_rgba(job, entries, plane->count, out, err);
  }
  range used = find_range(entries, plane->count);
  if (used.most - used.least + 2 <= PALETTE) {
    return paint_range(job, entries, plane->count, used, index, out, err);
  }
  unsigned slots_used = number_entries(entries, plane->count, slots, count);
  if (slots_used) {
    return paint_slots(job, entries, plane->count, slots, slots_used, index, out, err);
  }
  return paint_rgba(job, entries, plane->count, out, err);
}
