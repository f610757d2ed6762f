// uneven.c - see uneven.h
#include "geo/uneven.h"

#include <math.h>

bool ra_uneven_is_monotonic(const double *centres, size_t count) {
  if (count < 2) return false;
  bool rising = centres[1] > centres[0];
  for (size_t i = 1; i < count; i++) {
    double step = centres[i] - centres[i - 1];
    if (!(rising ? step > 0 : step < 0)) return false;
  }
  return true;
}

void ra_uneven_edges(const ra_uneven *axis, double edges[2]) {
  const double *c = axis->centres;
  size_t n = axis->count;
  edges[0] = c[0] - (c[1] - c[0]) / 2;
  edges[1] = c[n - 1] + (c[n - 1] - c[n - 2]) / 2;
}

// The last centre that is not past the place, along the axis's own direction.
static size_t centre_before(const ra_uneven *axis, double at, double sign) {
  size_t low = 0, high = axis->count - 1;
  while (low < high) {
    size_t middle = (low + high + 1) / 2;
    if (axis->centres[middle] * sign <= at * sign) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

double ra_uneven_position(const ra_uneven *axis, double at) {
  const double *c = axis->centres;
  size_t n = axis->count;
  if (n == 1) return 0.5;
  double sign = c[1] > c[0] ? 1 : -1, period = axis->period;
  if (axis->closed) at -= sign * period * floor((at - c[0]) * sign / period);
  if (period > 0 && !axis->closed) at -= period * nearbyint((at - (c[0] + c[n - 1]) / 2) / period);
  if (at * sign < c[0] * sign) {
    double place = 0.5 - (c[0] - at) / (c[1] - c[0]);
    return place >= 0 ? place : NAN;
  }
  size_t i = centre_before(axis, at, sign);
  if (i + 1 < n) return (double)i + 0.5 + (at - c[i]) / (c[i + 1] - c[i]);
  if (axis->closed) {
    double place = (double)n - 0.5 + (at - c[n - 1]) * sign / (period - fabs(c[n - 1] - c[0]));
    return place >= (double)n ? place - (double)n : place;
  }
  double place = (double)n - 0.5 + (at - c[n - 1]) / (c[n - 1] - c[n - 2]);
  return place < (double)n ? place : NAN;
}

int64_t ra_uneven_even_count(const ra_uneven *axis, double extent, int64_t most) {
  double least = extent * 2;
  for (size_t i = 1; i < axis->count; i++)
    least = fmin(least, fabs(axis->centres[i] - axis->centres[i - 1]));
  double count = ceil(2 * extent / least - 1e-6);
  return count < (double)most ? (int64_t)count : most;
}
