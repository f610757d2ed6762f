// outline.c - see outline.h. Plain geometry on a plane of degrees, no PROJ.
#include "geo/outline.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { WANTED = 72, CLIP_ROOM = 2 * (RA__RING_POINTS + 8) };

double ra__round_degrees(double value) { return round(value * 1e7) / 1e7 + 0.0; }

static double distance_to_line(ra__point p, ra__point a, ra__point b) {
  double dx = b.x - a.x, dy = b.y - a.y, length = hypot(dx, dy);
  if (length == 0) return hypot(p.x - a.x, p.y - a.y);
  return fabs((p.x - a.x) * dy - (p.y - a.y) * dx) / length;
}

// Douglas and Peucker: marks what is kept between two kept points.
static void keep_between(const ra__point *points, size_t first, size_t last, double tolerance,
                         bool *kept) {
  double worst = tolerance;
  size_t at = 0;
  for (size_t i = first + 1; i < last; i++) {
    double off = distance_to_line(points[i], points[first], points[last]);
    if (off <= worst) continue;
    worst = off;
    at = i;
  }
  if (!at) return;
  kept[at] = true;
  keep_between(points, first, at, tolerance, kept);
  keep_between(points, at, last, tolerance, kept);
}

static size_t simplify_with(const ra__point *points, double tolerance, bool *kept) {
  size_t n = 0;
  memset(kept, 0, RA__RING_POINTS + 1);
  for (size_t edge = 0; edge < 4; edge++) {
    size_t first = edge * RA__EDGE_POINTS;
    kept[first] = true;
    keep_between(points, first, first + RA__EDGE_POINTS, tolerance, kept);
  }
  for (size_t i = 0; i < RA__RING_POINTS; i++) n += kept[i] ? 1 : 0;
  return n;
}

void ra__ring_simplify(const ra__ring *ring, ra__ring *out) {
  ra__point points[RA__RING_POINTS + 1];
  bool kept[RA__RING_POINTS + 1];
  memcpy(points, ring->points, RA__RING_POINTS * sizeof *points);
  points[RA__RING_POINTS] = (ra__point){points[0].x + ring->turn, points[0].y};
  double west = points[0].x, east = west, south = points[0].y, north = south;
  for (size_t i = 1; i < RA__RING_POINTS; i++) {
    west = fmin(west, points[i].x);
    east = fmax(east, points[i].x);
    south = fmin(south, points[i].y);
    north = fmax(north, points[i].y);
  }
  double tolerance = fmax(fmax(east - west, north - south) * 1e-4, 1e-9);
  while (simplify_with(points, tolerance, kept) > WANTED) tolerance *= 1.6;
  *out = (ra__ring){.turn = ring->turn};
  for (size_t i = 0; i < RA__RING_POINTS; i++) {
    if (kept[i]) out->points[out->count++] = points[i];
  }
}

// The first place where the ring meets a meridian 180 + 360 k: behind point *at.
static bool find_crossing(const ra__ring *ring, size_t *at, ra__point *crossing) {
  for (size_t i = 0; i < ring->count; i++) {
    ra__point a = ring->points[i], b = ring->points[(i + 1) % ring->count];
    if (i + 1 == ring->count) b.x += ring->turn;
    double low = fmin(a.x, b.x), high = fmax(a.x, b.x);
    double meridian = ceil((low - 180) / 360) * 360 + 180;
    if (meridian > high || high == low) continue;
    *at = i;
    *crossing = (ra__point){meridian, a.y + (b.y - a.y) * (meridian - a.x) / (b.x - a.x)};
    return true;
  }
  return false;
}

void ra__ring_close_over_pole(ra__ring *ring, double pole) {
  size_t at = 0;
  ra__point start = ring->points[0];
  find_crossing(ring, &at, &start);
  ra__ring out = {0};
  double shift = (ring->turn > 0 ? -180 : 180) - start.x;
  out.points[out.count++] = (ra__point){start.x + shift, start.y};
  for (size_t k = 1; k <= ring->count; k++) {
    size_t i = at + k;
    double turn = i >= ring->count ? ring->turn : 0;
    ra__point p = ring->points[i % ring->count];
    out.points[out.count++] = (ra__point){p.x + shift + turn, p.y};
  }
  out.points[out.count++] = (ra__point){start.x + shift + ring->turn, start.y};
  out.points[out.count++] = (ra__point){start.x + shift + ring->turn, pole};
  out.points[out.count++] = (ra__point){start.x + shift, pole};
  *ring = out;
}

// One side of a cut along a meridian (Sutherland and Hodgman): what lies right of it for sign 1, left for -1.
static size_t clip_side(const ra__point *in, size_t n, double meridian, double sign, ra__point *out) {
  size_t count = 0;
  for (size_t i = 0; i < n; i++) {
    ra__point a = in[i], b = in[(i + 1) % n];
    double da = (a.x - meridian) * sign, db = (b.x - meridian) * sign;
    if (da >= 0 && count < CLIP_ROOM) out[count++] = a;
    if ((da < 0) != (db < 0) && da != 0 && db != 0 && count < CLIP_ROOM) {
      out[count++] = (ra__point){meridian, a.y + (b.y - a.y) * da / (da - db)};
    }
  }
  return count;
}

static size_t round_points(ra__point *points, size_t n, double shift) {
  size_t count = 0;
  for (size_t i = 0; i < n; i++) {
    ra__point p = {ra__round_degrees(points[i].x - shift), ra__round_degrees(points[i].y)};
    bool same = count && p.x == points[count - 1].x && p.y == points[count - 1].y;
    if (!same) points[count++] = p;
  }
  while (count > 1 && points[0].x == points[count - 1].x && points[0].y == points[count - 1].y) {
    count--;
  }
  return count;
}

static double signed_area(const ra__point *points, size_t n) {
  double twice = 0;
  for (size_t i = 0; i < n; i++) {
    ra__point a = points[i], b = points[(i + 1) % n];
    twice += a.x * b.y - b.x * a.y;
  }
  return twice / 2;
}

static void write_point(ra__point p, ra_str *out) {
  ra_str_add_char(out, '[');
  ra_str_add_double(out, p.x);
  ra_str_add_char(out, ',');
  ra_str_add_double(out, p.y);
  ra_str_add_char(out, ']');
}

static void write_ring(const ra__point *points, size_t n, bool backwards, ra_str *out) {
  ra_str_add(out, "[[");
  for (size_t i = 0; i <= n; i++) {
    if (i) ra_str_add_char(out, ',');
    write_point(points[backwards ? (n - i) % n : i % n], out);
  }
  ra_str_add(out, "]]");
}

// What of the ring lies on the k-th turn. False: nothing.
static bool write_turn(const ra__ring *ring, double k, bool first, ra_str *out) {
  ra__point right[CLIP_ROOM], both[CLIP_ROOM];
  size_t n = clip_side(ring->points, ring->count, 360 * k - 180, 1, right);
  n = clip_side(right, n, 360 * k + 180, -1, both);
  n = round_points(both, n, 360 * k);
  double area = signed_area(both, n);
  if (n < 3 || fabs(area) < 1e-12) return false;
  if (!first) ra_str_add_char(out, ',');
  write_ring(both, n, area < 0, out);
  return true;
}

void ra__ring_write(const ra__ring *ring, ra_str *out) {
  double west = INFINITY, east = -INFINITY;
  for (size_t i = 0; i < ring->count; i++) {
    west = fmin(west, ring->points[i].x);
    east = fmax(east, ring->points[i].x);
  }
  ra_str parts;
  ra_str_init(&parts);
  int count = 0;
  for (double k = floor((west + 180) / 360); k <= floor((east + 180) / 360) && k < 4; k++) {
    count += write_turn(ring, k, count == 0, &parts) ? 1 : 0;
  }
  bool many = count != 1;
  ra_str_addf(out, "{\"type\":\"%s\",\"coordinates\":%s", many ? "MultiPolygon" : "Polygon",
              many ? "[" : "");
  ra_str_add_bytes(out, parts.ptr ? parts.ptr : "", parts.len);
  ra_str_add(out, many ? "]}" : "}");
  out->failed = out->failed || parts.failed;
  ra_str_deinit(&parts);
}
