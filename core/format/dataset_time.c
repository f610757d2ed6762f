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

// Of equal times the step of the later run, else the first.
static bool better(const ra_dataset_axis *axis, int64_t distance, size_t i, int64_t best,
                   size_t kept) {
  if (distance != best) return distance < best;
  return axis->runs && best != INT64_MAX &&
         ra_dataset_axis_run(axis, i) > ra_dataset_axis_run(axis, kept);
}

// Looks at the steps from first to before last; keeps the nearest that fits.
static bool scan(const ra_dataset_axis *axis, size_t first, size_t last, int64_t ms,
                 ra_time_match match, int64_t run, size_t *step) {
  int64_t best = INT64_MAX;
  for (size_t i = first; i < last; i++) {
    if (axis->ms[i] == RA_TIME_NONE || !fits(axis->ms[i], ms, match)) continue;
    if (run != RA_TIME_NONE && ra_dataset_axis_run(axis, i) != run) continue;
    int64_t distance = llabs(axis->ms[i] - ms);
    if (!better(axis, distance, i, best, *step)) continue;
    best = distance;
    *step = i;
  }
  return best != INT64_MAX;
}

bool ra_dataset_axis_find(const ra_dataset_axis *axis, int64_t ms, ra_time_match match, int64_t run,
                          size_t *step) {
  const int64_t most = INT64_MAX / 4;
  if (ms > most) ms = most;
  if (ms < -most) ms = -most;
  bool one_run = run == RA_TIME_NONE || axis->runs <= 1;
  if (!axis->rising || !one_run) return scan(axis, 0, axis->count, ms, match, run, step);
  size_t at = lower_bound(axis, ms);
  return scan(axis, at ? at - 1 : 0, at + 1 < axis->count ? at + 1 : axis->count, ms, match, run,
              step);
}

int64_t ra_dataset_axis_run(const ra_dataset_axis *axis, size_t step) {
  return axis && axis->runs ? axis->run_ms[step / (axis->count / axis->runs)] : RA_TIME_NONE;
}

bool ra_dataset_axis_find_run(const ra_dataset_axis *axis, int64_t ms, int64_t *run) {
  for (size_t i = 0; axis && i < axis->runs; i++) {
    if (axis->run_ms[i] == RA_TIME_NONE || llabs(axis->run_ms[i] - ms) > EXACT_MS) continue;
    *run = axis->run_ms[i];
    return true;
  }
  return false;
}
