// dataset_time.c - the step of a time axis that stands at, before, after or nearest to an instant.
#include <stdlib.h>

#include "format/dataset.h"

enum { EXACT_MS = 500 };

static size_t lower_bound(const ra_dataset_axis *axis, int64_t ms) {
  size_t low = 0, high = axis->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (axis->ms[middle] < ms)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static bool fits(int64_t have, int64_t ms, ra_time_match match) {
  switch (match) {
    case RA_TIME_EXACT: return llabs(have - ms) <= EXACT_MS;
    case RA_TIME_FLOOR: return have <= ms;
    case RA_TIME_CEIL: return have >= ms;
    case RA_TIME_NEAREST: break;
  }
  return true;
}

// Looks at the steps from first to before last; keeps the nearest that fits.
static bool scan(const ra_dataset_axis *axis, size_t first, size_t last, int64_t ms,
                 ra_time_match match, size_t *step) {
  int64_t best = INT64_MAX;
  for (size_t i = first; i < last; i++) {
    if (axis->ms[i] == RA_TIME_NONE || !fits(axis->ms[i], ms, match)) continue;
    int64_t distance = llabs(axis->ms[i] - ms);
    if (distance >= best) continue;
    best = distance;
    *step = i;
  }
  return best != INT64_MAX;
}

bool ra_dataset_axis_find(const ra_dataset_axis *axis, int64_t ms, ra_time_match match, size_t *step) {
  const int64_t most = INT64_MAX / 4;
  if (ms > most) ms = most;
  if (ms < -most) ms = -most;
  if (!axis->rising) return scan(axis, 0, axis->count, ms, match, step);
  size_t at = lower_bound(axis, ms);
  return scan(axis, at ? at - 1 : 0, at + 1 < axis->count ? at + 1 : axis->count, ms, match, step);
}

int64_t ra_dataset_axis_run(const ra_dataset_axis *axis, size_t step) {
  return axis && axis->runs ? axis->run_ms[step / (axis->count / axis->runs)] : RA_TIME_NONE;
}
