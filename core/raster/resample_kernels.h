// resample_kernels.h - the loops of resample.c for one type: it defines REAL (float or double) and NAME(x), and
// includes this twice. Bilinear works in two passes: each source row is interpolated along x once, however many
// destination rows lie between it and the next.

static void NAME(fill_missing)(REAL *out, size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = (REAL)NAN;
}

static void NAME(blank_outside)(const ra_taps *x, REAL *out) {
  if (x->all_inside) return;
  for (size_t i = 0; i < x->count; i++) {
    if (x->nearest[i] < 0) out[i] = (REAL)NAN;
  }
}

RA_VECTOR
static void NAME(nearest_row)(const REAL *row, const ra_taps *x, REAL *out) {
  if (x->all_inside) {
    for (size_t i = 0; i < x->count; i++) out[i] = row[x->nearest[i]];
    return;
  }
  for (size_t i = 0; i < x->count; i++) {
    out[i] = x->nearest[i] < 0 ? (REAL)NAN : row[x->nearest[i]];
  }
}

static void NAME(nearest_grid)(const ra_window *window, const ra_taps *x, const ra_taps *y,
                               REAL *out) {
  const REAL *cells = window->cells;
  for (size_t j = 0; j < y->count; j++, out += x->count) {
    if (y->nearest[j] < 0) {
      NAME(fill_missing)(out, x->count);
    } else if (j > 0 && y->nearest[j] == y->nearest[j - 1]) {
      memcpy(out, out - x->count, x->count * sizeof *out);
    } else {
      NAME(nearest_row)(cells + (size_t)y->nearest[j] * window->stride, x, out);
    }
  }
}

// ---- bilinear, nothing missing

RA_VECTOR
static void NAME(blend_row)(const REAL *row, const ra_taps *x, const REAL *share, REAL *out) {
  for (size_t i = 0; i < x->count; i++) {
    REAL low = row[x->low[i]], high = row[x->high[i]];
    out[i] = low + (high - low) * share[i];
  }
}

RA_VECTOR
static void NAME(mix_rows)(const REAL *low, const REAL *high, REAL share, size_t n, REAL *out) {
  for (size_t i = 0; i < n; i++) out[i] = low[i] + (high[i] - low[i]) * share;
}

// ---- bilinear, with missing cells: sums of weighted values and of weights, divided at the end

RA_VECTOR
static void NAME(weigh_row)(const REAL *row, const ra_taps *x, const REAL *share, REAL *sum,
                            REAL *weight) {
  for (size_t i = 0; i < x->count; i++) {
    REAL low = row[x->low[i]], high = row[x->high[i]];
    REAL low_weight = low == low ? (REAL)1 - share[i] : (REAL)0;
    REAL high_weight = high == high ? share[i] : (REAL)0;
    low = low == low ? low : (REAL)0;
    high = high == high ? high : (REAL)0;
    sum[i] = low * low_weight + high * high_weight;
    weight[i] = low_weight + high_weight;
  }
}

// nearest: the row of the cells that hold the positions; where such a cell is missing there is nothing.
RA_VECTOR
static void NAME(mix_weighed)(const REAL *const sums[2], const REAL *const weights[2], REAL share,
                              const REAL *nearest, const ra_taps *x, REAL *out) {
  const REAL *low = sums[0], *high = sums[1], *low_weight = weights[0], *high_weight = weights[1];
  REAL rest = (REAL)1 - share;
  for (size_t i = 0; i < x->count; i++) {
    REAL weight = low_weight[i] * rest + high_weight[i] * share;
    out[i] = (low[i] * rest + high[i] * share) / weight;
  }
  for (size_t i = 0; i < x->count; i++) {
    REAL cell = nearest[x->nearest[i] < 0 ? 0 : x->nearest[i]];
    out[i] = cell == cell ? out[i] : (REAL)NAN;
  }
}

// ---- rows interpolated along x: the two in use, found again by their number

typedef struct NAME(rows) {
  const ra_window *window;
  const ra_taps *x;
  REAL *share;      // of the high columns
  REAL *values[2];  // or sums
  REAL *weights[2];
  int32_t row[2];  // -1: none yet
  int last;        // which was used last
} NAME(rows);

static int NAME(find_row)(NAME(rows) * rows, int32_t row) {
  int slot = rows->row[0] == row ? 0 : rows->row[1] == row ? 1 : 1 - rows->last;
  if (rows->row[slot] != row) {
    const REAL *cells = (const REAL *)rows->window->cells + (size_t)row * rows->window->stride;
    if (rows->window->has_missing) {
      NAME(weigh_row)(cells, rows->x, rows->share, rows->values[slot], rows->weights[slot]);
    } else {
      NAME(blend_row)(cells, rows->x, rows->share, rows->values[slot]);
    }
    rows->row[slot] = row;
  }
  rows->last = slot;
  return slot;
}

static NAME(rows) NAME(make_rows)(const ra_window *window, const ra_taps *x, REAL *scratch) {
  size_t n = x->count;
  NAME(rows) rows = {.window = window, .x = x, .share = scratch, .row = {-1, -1}};
  for (size_t k = 0; k < 2; k++) {
    rows.values[k] = scratch + (1 + k) * n;
    rows.weights[k] = scratch + (3 + k) * n;
  }
  for (size_t i = 0; i < n; i++) rows.share[i] = (REAL)x->share[i];
  return rows;
}

static void NAME(bilinear_grid)(const ra_window *window, const ra_taps *x, const ra_taps *y,
                                void *scratch, REAL *out) {
  NAME(rows) rows = NAME(make_rows)(window, x, scratch);
  for (size_t j = 0; j < y->count; j++, out += x->count) {
    if (y->nearest[j] < 0) {
      NAME(fill_missing)(out, x->count);
      continue;
    }
    int low = NAME(find_row)(&rows, y->low[j]), high = NAME(find_row)(&rows, y->high[j]);
    REAL share = (REAL)y->share[j];
    if (window->has_missing) {
      const REAL *sums[2] = {rows.values[low], rows.values[high]};
      const REAL *weights[2] = {rows.weights[low], rows.weights[high]};
      const REAL *cells = (const REAL *)window->cells + (size_t)y->nearest[j] * window->stride;
      NAME(mix_weighed)(sums, weights, share, cells, x, out);
    } else {
      NAME(mix_rows)(rows.values[low], rows.values[high], share, x->count, out);
    }
    NAME(blank_outside)(x, out);
  }
}

// ---- single positions; the same arithmetic as above

RA_VECTOR
static void NAME(nearest_run)(const REAL *cells, int32_t stride, const run_taps *t, size_t n,
                              REAL *out) {
  for (size_t i = 0; i < n; i++) {
    REAL value = cells[t->x_near[i] < 0 ? 0 : t->y_near[i] * stride + t->x_near[i]];
    out[i] = t->x_near[i] < 0 ? (REAL)NAN : value;
  }
}

RA_VECTOR
static void NAME(blend_run)(const REAL *cells, int32_t stride, const run_taps *t, size_t n,
                            REAL *out) {
  for (size_t i = 0; i < n; i++) {
    int32_t low = t->y_low[i] * stride, high = t->y_high[i] * stride;
    REAL sx = (REAL)t->x_share[i], sy = (REAL)t->y_share[i];
    REAL a = cells[low + t->x_low[i]], b = cells[low + t->x_high[i]];
    REAL c = cells[high + t->x_low[i]], d = cells[high + t->x_high[i]];
    REAL top = a + (b - a) * sx, bottom = c + (d - c) * sx;
    REAL value = top + (bottom - top) * sy;
    out[i] = t->x_near[i] < 0 ? (REAL)NAN : value;
  }
}

RA_VECTOR
static void NAME(weigh_run)(const REAL *cells, int32_t stride, const run_taps *t, size_t n,
                            REAL *out) {
  for (size_t i = 0; i < n; i++) {
    int32_t low = t->y_low[i] * stride, high = t->y_high[i] * stride;
    REAL sx = (REAL)t->x_share[i], sy = (REAL)t->y_share[i];
    REAL a = cells[low + t->x_low[i]], b = cells[low + t->x_high[i]];
    REAL c = cells[high + t->x_low[i]], d = cells[high + t->x_high[i]];
    REAL wa = a == a ? 1 - sx : (REAL)0, wb = b == b ? sx : (REAL)0;
    REAL wc = c == c ? 1 - sx : (REAL)0, wd = d == d ? sx : (REAL)0;
    a = a == a ? a : (REAL)0, b = b == b ? b : (REAL)0;
    c = c == c ? c : (REAL)0, d = d == d ? d : (REAL)0;
    REAL rest = 1 - sy, weight = (wa + wb) * rest + (wc + wd) * sy;
    REAL value = ((a * wa + b * wb) * rest + (c * wc + d * wd) * sy) / weight;
    REAL cell = cells[t->x_near[i] < 0 ? 0 : t->y_near[i] * stride + t->x_near[i]];
    out[i] = t->x_near[i] < 0 || !(cell == cell) ? (REAL)NAN : value;
  }
}

static void NAME(points)(const ra_window *window, const ra_axis *x_axis, const ra_axis *y_axis,
                         const double *x, const double *y, size_t n, bool bilinear, REAL *out) {
  run_taps t;
  int32_t stride = (int32_t)window->stride;
  for (size_t at = 0; at < n; at += RUN) {
    size_t count = n - at < RUN ? n - at : RUN;
    find_taps(x_axis, x + at, count, t.x_near, t.x_low, t.x_high, t.x_share);
    find_taps(y_axis, y + at, count, t.y_near, t.y_low, t.y_high, t.y_share);
    drop_outside(&t, count);
    if (!bilinear) {
      NAME(nearest_run)(window->cells, stride, &t, count, out + at);
    } else if (window->has_missing) {
      NAME(weigh_run)(window->cells, stride, &t, count, out + at);
    } else {
      NAME(blend_run)(window->cells, stride, &t, count, out + at);
    }
  }
}
