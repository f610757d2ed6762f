// ramp.c - lookups in a ramp. A ramp never changes after ra__ramp_finish, so any thread may read
// it.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "base/str.h"
#include "raster/ramp_private.h"

int ra__ramp_new(ra_ramp_kind kind, unsigned count, ra_ramp **out, ra_err *err) {
  ra_ramp *ramp = calloc(1, sizeof *ramp);
  if (!ramp) {
    ra_fail(err, RA_E_NOMEM, "colormap", "out of memory for a colour ramp");
    return RA_E_NOMEM;
  }
  atomic_init(&ramp->refs, 1);
  ramp->kind = kind;
  ramp->count = count;
  ramp->colours = calloc((size_t)count + RA_RAMP_MARKS, sizeof *ramp->colours);
  ramp->low = calloc(count, sizeof *ramp->low);
  ramp->high = calloc(count, sizeof *ramp->high);
  if (!ramp->colours || !ramp->low || !ramp->high) {
    ra_ramp_unref(ramp);
    ra_fail(err, RA_E_NOMEM, "colormap", "out of memory for %u colours", count);
    return RA_E_NOMEM;
  }
  *out = ramp;
  return RA_OK;
}

ra_ramp *ra_ramp_ref(ra_ramp *ramp) {
  atomic_fetch_add_explicit(&ramp->refs, 1, memory_order_relaxed);
  return ramp;
}

void ra_ramp_unref(ra_ramp *ramp) {
  if (!ramp || atomic_fetch_sub_explicit(&ramp->refs, 1, memory_order_acq_rel) != 1) return;
  for (unsigned i = 0; ramp->labels && i < ramp->count; i++) free(ramp->labels[i]);
  free(ramp->labels);
  free(ramp->colours);
  free(ramp->low);
  free(ramp->high);
  free(ramp->cuts);
  free(ramp->winners);
  free(ramp);
}

static int compare_doubles(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

// Cuts the number line at every bound, so that one binary search finds the winner among overlapping
// intervals.
static int cut_intervals(ra_ramp *ramp, ra_err *err) {
  size_t most = 2 * (size_t)ramp->count;
  ramp->cuts = calloc(most, sizeof *ramp->cuts);
  ramp->winners = calloc(most, sizeof *ramp->winners);
  if (!ramp->cuts || !ramp->winners) {
    return ra_fail(err, RA_E_NOMEM, "colormap", "out of memory for %u intervals", ramp->count);
  }
  memcpy(ramp->cuts, ramp->low, ramp->count * sizeof *ramp->cuts);
  memcpy(ramp->cuts + ramp->count, ramp->high, ramp->count * sizeof *ramp->cuts);
  qsort(ramp->cuts, most, sizeof *ramp->cuts, compare_doubles);
  for (size_t i = 0; i < most; i++) {
    if (i == 0 || ramp->cuts[i] > ramp->cuts[ramp->cut_count - 1]) {
      ramp->cuts[ramp->cut_count++] = ramp->cuts[i];
    }
  }
  for (unsigned i = 0; i < ramp->cut_count; i++) {
    double at = ramp->cuts[i];
    int entry = (int)ramp->count - 1;
    while (entry >= 0 && !(ramp->low[entry] <= at && at < ramp->high[entry])) entry--;
    ramp->winners[i] = entry;
  }
  return RA_OK;
}

static int take_digest(ra_ramp *ramp, ra_err *err) {
  ra_sha256 *sha;
  int rc = ra_sha256_new(&sha, err);
  if (rc < 0) return rc;
  uint32_t head[2] = {(uint32_t)ramp->kind, ramp->count};
  ra_sha256_add(sha, head, sizeof head);
  ra_sha256_add(sha, ramp->colours, ((size_t)ramp->count + RA_RAMP_MARKS) * sizeof *ramp->colours);
  ra_sha256_add(sha, ramp->marked, sizeof ramp->marked);
  ra_sha256_add(sha, ramp->range, sizeof ramp->range);
  for (unsigned i = 0; ramp->labels && i < ramp->count; i++) {
    const char *label = ramp->labels[i] ? ramp->labels[i] : "";
    ra_sha256_add(sha, label, strlen(label) + 1);
  }
  ra_sha256_add(sha, ramp->low, ramp->count * sizeof *ramp->low);
  ra_sha256_add(sha, ramp->high, ramp->count * sizeof *ramp->high);
  ra_sha256_hex(sha, ramp->digest);
  ra_sha256_free(sha);
  return RA_OK;
}

int ra__ramp_finish(ra_ramp *ramp, ra_err *err) {
  if (ramp->kind == RA_RAMP_INTERVALS) {
    int rc = cut_intervals(ramp, err);
    if (rc < 0) return rc;
  }
  return take_digest(ramp, err);
}

int ra_ramp_reversed(const ra_ramp *ramp, ra_ramp **out, ra_err *err) {
  if (ramp->kind != RA_RAMP_LINEAR) {
    return ra_fail(err, RA_E_INVALID, "colormap",
                   "a ramp of categories or intervals can't be reversed; only a linear one can");
  }
  ra_ramp *reversed;
  int rc = ra__ramp_new(RA_RAMP_LINEAR, ramp->count, &reversed, err);
  if (rc < 0) return rc;
  for (unsigned i = 0; i < ramp->count; i++) {
    memcpy(reversed->colours[i], ramp->colours[ramp->count - 1 - i], 4);
  }
  static const ra_ramp_mark OTHER[] = {RA_RAMP_ABOVE, RA_RAMP_BELOW, RA_RAMP_MISSING};
  for (unsigned m = 0; m < RA_RAMP_MARKS; m++) {
    reversed->marked[m] = ramp->marked[OTHER[m]];
    memcpy(reversed->colours[ramp->count + m], ramp->colours[ramp->count + OTHER[m]], 4);
  }
  memcpy(reversed->range, ramp->range, sizeof ramp->range);
  rc = ra__ramp_finish(reversed, err);
  if (rc < 0) {
    ra_ramp_unref(reversed);
    return rc;
  }
  *out = reversed;
  return RA_OK;
}

ra_ramp_kind ra_ramp_get_kind(const ra_ramp *ramp) { return ramp->kind; }

const uint8_t (*ra_ramp_table(const ra_ramp *ramp))[4] { return ra_ramp_colours(ramp); }

const char *ra_ramp_digest(const ra_ramp *ramp) { return ramp->digest; }

unsigned ra_ramp_count(const ra_ramp *ramp) { return ramp->count; }

const uint8_t (*ra_ramp_colours(const ra_ramp *ramp))[4] {
  return (const uint8_t(*)[4])ramp->colours;
}

int ra_ramp_mark_entry(const ra_ramp *ramp, ra_ramp_mark mark) {
  return ramp->marked[mark] ? (int)(ramp->count + mark) : -1;
}

bool ra_ramp_marked(const ra_ramp *ramp) {
  return ramp->marked[RA_RAMP_BELOW] || ramp->marked[RA_RAMP_ABOVE] || ramp->marked[RA_RAMP_MISSING];
}

const char *ra_ramp_label(const ra_ramp *ramp, unsigned entry) {
  return ramp->labels && entry < ramp->count ? ramp->labels[entry] : NULL;
}

bool ra_ramp_range(const ra_ramp *ramp, double range[2]) {
  memcpy(range, ramp->range, sizeof ramp->range);
  return range[0] < range[1];
}

void ra_ramp_bounds(const ra_ramp *ramp, unsigned entry, double *low, double *high) {
  if (ramp->kind == RA_RAMP_LINEAR) {
    *low = entry / (double)ramp->count;
    *high = (entry + 1) / (double)ramp->count;
    return;
  }
  *low = ramp->low[entry];
  *high = ramp->kind == RA_RAMP_INTERVALS ? ramp->high[entry] : ramp->low[entry];
}

// How many of the n ascending numbers are <= value.
static unsigned count_upto(const double *numbers, unsigned n, double value) {
  unsigned low = 0, high = n;
  while (low < high) {
    unsigned middle = low + (high - low) / 2;
    if (numbers[middle] <= value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// The entry of a value outside [low, high), or of a linear ramp outside [low, high]; -1: within, or
// no such colour.
static int outside(const ra_ramp *ramp, double value) {
  double low = 0, high = 1;
  if (ramp->kind == RA_RAMP_CATEGORIES) {
    low = ramp->low[0];
    high = ramp->low[ramp->count - 1];
  } else if (ramp->kind == RA_RAMP_INTERVALS) {
    low = ramp->cuts[0];
    high = ramp->cuts[ramp->cut_count - 1];
  }
  if (value < low) return ra_ramp_mark_entry(ramp, RA_RAMP_BELOW);
  bool above = ramp->kind == RA_RAMP_INTERVALS ? value >= high : value > high;
  return above ? ra_ramp_mark_entry(ramp, RA_RAMP_ABOVE) : -1;
}

static int inside(const ra_ramp *ramp, double value) {
  if (ramp->kind == RA_RAMP_LINEAR) {
    double at = value < 0 ? 0 : value > 1 ? 1 : value;
    return (int)(at * 255);
  }
  if (ramp->kind == RA_RAMP_CATEGORIES) {
    unsigned n = count_upto(ramp->low, ramp->count, value);
    return n > 0 && ramp->low[n - 1] == value ? (int)n - 1 : -1;
  }
  unsigned n = count_upto(ramp->cuts, ramp->cut_count, value);
  return n > 0 ? ramp->winners[n - 1] : -1;
}

int ra_ramp_find(const ra_ramp *ramp, double value) {
  if (isnan(value)) return ra_ramp_mark_entry(ramp, RA_RAMP_MISSING);
  int entry = outside(ramp, value);
  return entry >= 0 ? entry : inside(ramp, value);
}

bool ra_ramp_colour(const ra_ramp *ramp, double value, uint8_t rgba[4]) {
  int entry = ra_ramp_find(ramp, value);
  if (entry < 0) return false;
  memcpy(rgba, ramp->colours[entry], 4);
  return true;
}
