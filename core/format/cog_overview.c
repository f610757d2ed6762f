// cog_overview.c - the pyramid: each level covers the same ground as the one before with half the cells, rounded up.
// Where a side is odd, a cell covers parts of cells, which count by their share. Missing cells do not count; a cell
// with none valid is missing. A level's row is made as soon as the rows below it have come.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/cog_impl.h"

// Cell i of n_out over n_in cells, in units of 1/n_out of a source cell.
static ra__cog_span span_of(uint32_t i, uint32_t n_in, uint32_t n_out) {
  uint64_t begin = (uint64_t)i * n_in, end = begin + n_in;
  ra__cog_span s = {.first = (uint32_t)(begin / n_out)};
  for (uint64_t k = s.first; k * n_out < end && s.count < RA__COG_SPAN; k++) {
    uint64_t low = k * n_out > begin ? k * n_out : begin;
    uint64_t high = (k + 1) * n_out < end ? (k + 1) * n_out : end;
    s.weight[s.count++] = (double)(high - low) / n_out;
  }
  return s;
}

typedef struct shrink {
  const ra__cog_writer *w;
  const ra__cog_plane *from, *to;
  const double *rows[RA__COG_SPAN];
} shrink;

static void average_down(const shrink *s, const ra__cog_span *rows) {
  uint32_t width = s->from->width;
  double *sum = s->from->sum, *share = s->from->share;
  for (uint32_t x = 0; x < width; x++) sum[x] = share[x] = 0;
  for (uint32_t k = 0; k < rows->count; k++) {
    const double *row = s->rows[k], weight = rows->weight[k];
    for (uint32_t x = 0; x < width; x++) {
      bool valid = row[x] == row[x];
      sum[x] += valid ? weight * row[x] : 0;
      share[x] += valid ? weight : 0;
    }
  }
}

static void average(const shrink *s, const ra__cog_span *rows) {
  const double *sums = s->from->sum, *shares = s->from->share;
  average_down(s, rows);
  for (uint32_t x = 0; x < s->to->width; x++) {
    const ra__cog_span *c = &s->from->columns[x];
    double sum = 0, share = 0;
    for (uint32_t k = 0; k < c->count; k++) {
      sum += c->weight[k] * sums[c->first + k];
      share += c->weight[k] * shares[c->first + k];
    }
    s->from->mean[x] = share > 0 ? sum / share : (double)NAN;
  }
}

// The value with the largest share; the first of several.
static double mode_of(const double *values, const double *weights, size_t n) {
  double best = NAN, most = 0;
  for (size_t i = 0; i < n; i++) {
    double share = 0;
    for (size_t k = 0; k < n; k++) share += values[k] == values[i] ? weights[k] : 0;
    if (share > most) {
      most = share;
      best = values[i];
    }
  }
  return best;
}

static void mode(const shrink *s, const ra__cog_span *rows) {
  for (uint32_t x = 0; x < s->to->width; x++) {
    const ra__cog_span *c = &s->from->columns[x];
    double values[RA__COG_SPAN * RA__COG_SPAN], weights[RA__COG_SPAN * RA__COG_SPAN];
    size_t n = 0;
    for (uint32_t j = 0; j < rows->count; j++) {
      for (uint32_t k = 0; k < c->count; k++, n++) {
        values[n] = s->rows[j][c->first + k];
        weights[n] = rows->weight[j] * c->weight[k];
      }
    }
    s->from->mean[x] = mode_of(values, weights, n);
  }
}

static bool same_cell(const uint8_t *a, const uint8_t *b, size_t size) {
  switch (size) {
    case 1: return *a == *b;
    case 2: return memcmp(a, b, 2) == 0;
    case 4: return memcmp(a, b, 4) == 0;
    default: return memcmp(a, b, 8) == 0;
  }
}

// A mean that happens to be the value of "missing" moves to its neighbour.
static void store_row(const shrink *s, uint8_t *cells) {
  const ra__cog_writer *w = s->w;
  ra_dtype dtype = w->spec->dtype;
  for (uint32_t x = 0; x < s->to->width; x++) {
    uint8_t *cell = cells + x * w->size;
    double value = s->from->mean[x];
    if (isnan(value)) {
      memcpy(cell, w->missing, w->size);
      continue;
    }
    ra_dtype_store(dtype, cell, 0, value);
    if (!w->spec->has_nodata || !same_cell(cell, w->missing, w->size)) continue;
    double least, most, nodata = ra_dtype_load(dtype, w->missing, 0);
    ra_dtype_limits(dtype, &least, &most);
    double step = nodata < most ? INFINITY : -INFINITY;
    double moved = dtype == RA_DTYPE_F32   ? (double)nextafterf((float)nodata, (float)step)
                   : dtype == RA_DTYPE_F64 ? nextafter(nodata, step)
                                           : nodata + (step > 0 ? 1 : -1);
    ra_dtype_store(dtype, cell, 0, moved);
  }
}

bool ra__cog_overview_row(const ra__cog_writer *w, size_t level) {
  const ra__cog_plane *from = &w->planes[level];
  shrink s = {.w = w, .from = from, .to = from + 1};
  if (level + 1 == w->count || from->made == s.to->height) return false;
  ra__cog_span rows = span_of(from->made, from->height, s.to->height);
  if (rows.first + rows.count > from->row) return false;
  for (uint32_t k = 0; k < rows.count; k++)
    s.rows[k] = from->values[(rows.first + k) % RA__COG_SPAN];
  if (w->spec->categorical) {
    mode(&s, &rows);
  } else {
    average(&s, &rows);
  }
  store_row(&s, from->cells);
  return true;
}

bool ra__cog_overview_init(ra__cog_writer *w, size_t level) {
  ra__cog_plane *from = &w->planes[level];
  uint32_t width = from[1].width;
  from->columns = malloc(width * sizeof *from->columns);
  from->sum = malloc(from->width * sizeof *from->sum);
  from->share = malloc(from->width * sizeof *from->share);
  from->mean = malloc(width * sizeof *from->mean);
  from->cells = malloc(width * w->size);
  if (!from->columns || !from->sum || !from->share || !from->mean || !from->cells) return false;
  for (uint32_t x = 0; x < width; x++) from->columns[x] = span_of(x, from->width, width);
  return true;
}

int ra__cog_levels(ra__cog_writer *w, ra_err *err) {
  for (; w->count < RA__COG_LEVELS; w->count++) {
    const ra__cog_plane *from = &w->planes[w->count - 1];
    if (from->width <= w->block && from->height <= w->block) return RA_OK;
    if (from->width == 1)
      return RA_OK;  // judges compare widths: an overview as wide as its image is an error
    w->planes[w->count].width = (from->width + 1) / 2;
    w->planes[w->count].height = (from->height + 1) / 2;
  }
  return ra_fail(err, RA_E_TOOBIG, "", "an image with more than %d levels", RA__COG_LEVELS);
}
