// cog_overview.c - the pyramid: each level covers the same ground as the one before with half the cells, rounded up.
// Where a side is odd, a cell covers parts of cells, which count by their share. Missing cells do not count; a cell
// with none valid is missing.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "format/cog_impl.h"

enum { SPAN = 3 };  // most source cells along one side of an overview's cell

typedef struct span {
  uint32_t first, count;
  double weight[SPAN];
} span;

// Cell i of n_out over n_in cells, in units of 1/n_out of a source cell.
static span span_of(uint32_t i, uint32_t n_in, uint32_t n_out) {
  uint64_t begin = (uint64_t)i * n_in, end = begin + n_in;
  span s = {.first = (uint32_t)(begin / n_out)};
  for (uint64_t k = s.first; k * n_out < end && s.count < SPAN; k++) {
    uint64_t low = k * n_out > begin ? k * n_out : begin;
    uint64_t high = (k + 1) * n_out < end ? (k + 1) * n_out : end;
    s.weight[s.count++] = (double)(high - low) / n_out;
  }
  return s;
}

typedef struct shrink {
  const ra__cog_writer *w;
  const ra__cog_plane *from, *to;
  span *columns;        // one a cell of the new row
  double *rows[SPAN];   // source rows as doubles, NaN where missing
  double *sum, *share;  // of the rows, a source column
  double *out;          // the new row
} shrink;

static void average_down(const shrink *s, const span *rows) {
  uint32_t width = s->from->width;
  for (uint32_t x = 0; x < width; x++) s->sum[x] = s->share[x] = 0;
  for (uint32_t k = 0; k < rows->count; k++) {
    const double *row = s->rows[k], weight = rows->weight[k];
    for (uint32_t x = 0; x < width; x++) {
      bool valid = row[x] == row[x];
      s->sum[x] += valid ? weight * row[x] : 0;
      s->share[x] += valid ? weight : 0;
    }
  }
}

static void average(const shrink *s, const span *rows) {
  average_down(s, rows);
  for (uint32_t x = 0; x < s->to->width; x++) {
    const span *c = &s->columns[x];
    double sum = 0, share = 0;
    for (uint32_t k = 0; k < c->count; k++) {
      sum += c->weight[k] * s->sum[c->first + k];
      share += c->weight[k] * s->share[c->first + k];
    }
    s->out[x] = share > 0 ? sum / share : (double)NAN;
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

static void mode(const shrink *s, const span *rows) {
  for (uint32_t x = 0; x < s->to->width; x++) {
    const span *c = &s->columns[x];
    double values[SPAN * SPAN], weights[SPAN * SPAN];
    size_t n = 0;
    for (uint32_t j = 0; j < rows->count; j++) {
      for (uint32_t k = 0; k < c->count; k++, n++) {
        values[n] = s->rows[j][c->first + k];
        weights[n] = rows->weight[j] * c->weight[k];
      }
    }
    s->out[x] = mode_of(values, weights, n);
  }
}

// A mean that happens to be the value of "missing" moves to its neighbour.
static void store_row(const shrink *s, uint8_t *cells) {
  const ra__cog_writer *w = s->w;
  ra_dtype dtype = w->spec->dtype;
  for (uint32_t x = 0; x < s->to->width; x++) {
    uint8_t *cell = cells + x * w->size;
    double value = s->out[x];
    if (isnan(value)) {
      memcpy(cell, w->missing, w->size);
      continue;
    }
    ra_dtype_store(dtype, cell, 0, value);
    if (!w->spec->has_nodata || memcmp(cell, w->missing, w->size) != 0) continue;
    double least, most, nodata = ra_dtype_load(dtype, w->missing, 0);
    ra_dtype_limits(dtype, &least, &most);
    double step = nodata < most ? INFINITY : -INFINITY;
    double moved = dtype == RA_DTYPE_F32   ? (double)nextafterf((float)nodata, (float)step)
                   : dtype == RA_DTYPE_F64 ? nextafter(nodata, step)
                                           : nodata + (step > 0 ? 1 : -1);
    ra_dtype_store(dtype, cell, 0, moved);
  }
}

static void shrink_band(const shrink *s, unsigned band) {
  const ra__cog_writer *w = s->w;
  size_t from_row = s->from->width * w->size, to_row = s->to->width * w->size;
  const uint8_t *from = s->from->cells + band * from_row * s->from->height;
  uint8_t *to = s->to->owned + band * to_row * s->to->height;
  for (uint32_t y = 0; y < s->to->height; y++) {
    span rows = span_of(y, s->from->height, s->to->height);
    for (uint32_t k = 0; k < rows.count; k++) {
      ra_unpack_f64(w->spec->dtype, from + (rows.first + k) * from_row, s->from->width, &w->packing,
                    false, s->rows[k]);
    }
    if (w->spec->categorical) {
      mode(s, &rows);
    } else {
      average(s, &rows);
    }
    store_row(s, to + y * to_row);
  }
}

static int shrink_all(ra__cog_writer *w, const ra__cog_plane *from, ra__cog_plane *to, ra_err *err) {
  shrink s = {.w = w, .from = from, .to = to};
  size_t width = from->width;
  s.columns = malloc(to->width * sizeof *s.columns);
  double *rows = malloc(width * (SPAN + 3) * sizeof *rows);
  int rc = RA_OK;
  if (s.columns && rows) {
    for (int k = 0; k < SPAN; k++) s.rows[k] = rows + (size_t)k * width;
    s.sum = rows + SPAN * width;
    s.share = rows + (SPAN + 1) * width;
    s.out = rows + (SPAN + 2) * width;
    for (uint32_t x = 0; x < to->width; x++) s.columns[x] = span_of(x, from->width, to->width);
    for (unsigned band = 0; band < w->spec->bands; band++) shrink_band(&s, band);
  } else {
    rc = ra_fail(err, RA_E_NOMEM, "", "no memory for an overview");
  }
  free(s.columns);
  free(rows);
  return rc;
}

int ra__cog_overviews(ra__cog_writer *w, ra_err *err) {
  for (; w->count < RA__COG_LEVELS; w->count++) {
    const ra__cog_plane *from = &w->planes[w->count - 1];
    if (from->width <= w->block && from->height <= w->block) return RA_OK;
    if (from->width == 1)
      return RA_OK;  // judges compare widths: an overview as wide as its image is an error
    ra__cog_plane *to = &w->planes[w->count];
    to->width = (from->width + 1) / 2;
    to->height = (from->height + 1) / 2;
    size_t bytes = (size_t)to->width * to->height * w->size * w->spec->bands;
    to->cells = to->owned = malloc(bytes);
    if (!to->owned) {
      return ra_fail(err, RA_E_NOMEM, "", "no memory for an overview of %zu bytes", bytes);
    }
    int rc = shrink_all(w, from, to, err);
    if (rc < 0) return rc;
  }
  return ra_fail(err, RA_E_TOOBIG, "", "an image with more than %d levels", RA__COG_LEVELS);
}
