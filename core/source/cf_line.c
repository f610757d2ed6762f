// cf_line.c - is an axis even, and which affine is it? An axis is even when no centre is more than 0.05 cell from the
// affine (data.md §1). Stored numbers carry rounding noise (float32: 1e-5 degrees): where the clean step explains the
// centres as well as the measured one, the clean one is taken, so that files of one product share one grid.
#include <math.h>

#include "source/cf_private.h"

static const double EVEN = 0.05;

static void unwrap(double *centres, size_t n) {
  for (size_t i = 1; i < n; i++) {
    double jump = centres[i] - centres[i - 1];
    if (fabs(jump) > 180) centres[i] -= 360 * nearbyint(jump / 360);
  }
}

static double worst(const double *centres, size_t n, double first, double step) {
  double most = 0;
  for (size_t i = 0; i < n; i++) most = fmax(most, fabs(centres[i] - (first + (double)i * step)));
  return most;
}

static double largest(const double *centres, size_t n) {
  return fmax(fabs(centres[0]), fabs(centres[n - 1]));
}

// The nearest multiple of 1/k, for the coarsest k that stays within `room` of the value.
static double clean(double value, double room) {
  static const int PARTS[] = {
      1,   2,    3,    4,    5,    6,    8,    10,   12,   15,   16,   20,   24,   25,   30,
      32,  40,   48,   50,   60,   64,   80,   96,   100,  120,  125,  128,  150,  160,  180,
      200, 240,  250,  256,  300,  320,  360,  400,  480,  500,  512,  600,  640,  720,  800,
      900, 1000, 1200, 1250, 1440, 1800, 2000, 2400, 2500, 3600, 4000, 5000, 7200, 8000, 10000};
  for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++) {
    double candidate = nearbyint(value * PARTS[i]) / PARTS[i];
    if (candidate != 0 && fabs(candidate - value) <= room) return candidate;
  }
  return value;
}

static void snap(const double *centres, size_t n, double noise, ra__cf_line *line) {
  double room = 2 * noise * largest(centres, n);
  double step = clean(line->step, room / (double)(n - 1));
  double first = fabs(line->first) <= room ? 0 : clean(line->first, room / 2);
  if (worst(centres, n, first, step) <= room) {
    line->first = first;
    line->step = step;
  }
}

void ra__cf_line_fit(double *centres, size_t n, bool longitude, double noise, ra__cf_line *out) {
  *out = (ra__cf_line){.finite = true};
  for (size_t i = 0; i < n; i++) out->finite &= isfinite(centres[i]) != 0;
  if (!out->finite || n == 0) return;
  if (longitude) unwrap(centres, n);
  out->first = centres[0];
  out->even = n == 1;
  if (n == 1) return;
  out->step = (centres[n - 1] - centres[0]) / (double)(n - 1);
  out->even = out->step != 0 && worst(centres, n, out->first, out->step) <= EVEN * fabs(out->step);
  if (!out->even) return;
  snap(centres, n, noise, out);
  double turn = fabs(out->step) * (double)n;
  out->wraps = longitude && fabs(turn - 360) <= EVEN * fabs(out->step);
  if (out->wraps) out->step = copysign(360.0 / (double)n, out->step);
}
