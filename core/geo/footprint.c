// footprint.c - where on Earth a grid lies: its edges, taken to degrees point by point. What lies outside the domain of
// its projection (the corners of a full disk, of a sinusoidal world) is drawn in towards the middle.
#include <math.h>
#include <string.h>

#include "geo/internal.h"
#include "geo/outline.h"

typedef struct place {
  const ra_grid *grid;
  ra_transform *forth, *back;  // CRS to degrees, degrees to CRS
  bool angular;                // x is a longitude
  double middle_c, middle_r;   // a cell position that has an image
} place;

static double wrap_180(double lon) { return lon - 360 * floor((lon + 180) / 360); }

static void position(const ra_grid *grid, double c, double r, double *x, double *y) {
  *x = grid->gt[0] + c * grid->gt[1] + r * grid->gt[2];
  *y = grid->gt[3] + c * grid->gt[4] + r * grid->gt[5];
}

// The image of a cell position, if going there and back ends where it began: an inverse projection may well answer for
// places outside of its domain.
static bool image(const place *self, double c, double r, ra__point *out) {
  double x, y;
  position(self->grid, c, r, &x, &y);
  double lon = x, lat = y;
  if (ra_transform_points(self->forth, 1, &lon, &lat)) return false;
  *out = (ra__point){lon, lat};
  if (ra_transform_points(self->back, 1, &lon, &lat)) return false;
  const double *gt = self->grid->gt;
  double cell = 0.05 * fmax(hypot(gt[1], gt[4]), hypot(gt[2], gt[5]));
  double dx = self->angular ? remainder(lon - x, 360) : lon - x;
  bool pole = self->angular && fabs(y) > 90 - 1e-6;  // any longitude is right there
  return (pole || fabs(dx) <= cell) && fabs(lat - y) <= cell;
}

// The outermost place with an image between the middle and (c, r).
static ra__point rim(const place *self, double c, double r) {
  ra__point found = {0, 0}, p;
  double low = 0, high = 1;
  if (image(self, c, r, &p)) return p;
  image(self, self->middle_c, self->middle_r, &found);
  for (int i = 0; i < 30; i++) {
    double t = (low + high) / 2;
    if (image(self, self->middle_c + (c - self->middle_c) * t,
              self->middle_r + (r - self->middle_r) * t, &p)) {
      found = p;
      low = t;
    } else {
      high = t;
    }
  }
  return found;
}

// The place with an image that is nearest to the middle, of a lattice.
static bool find_middle(place *self) {
  double w = (double)self->grid->width, h = (double)self->grid->height, best = INFINITY;
  ra__point p;
  for (int i = 0; i < 33 * 33; i++) {
    int column = i % 33, row = i / 33;
    double fx = column / 32.0, fy = row / 32.0, far = hypot(fx - 0.5, fy - 0.5);
    if (far >= best || !image(self, fx * w, fy * h, &p)) continue;
    best = far;
    self->middle_c = fx * w;
    self->middle_r = fy * h;
  }
  return isfinite(best);
}

static void walk(const place *self, ra__ring *ring) {
  double w = (double)self->grid->width, h = (double)self->grid->height;
  const double corners[5][2] = {{0, 0}, {0, h}, {w, h}, {w, 0}, {0, 0}};
  *ring = (ra__ring){.count = RA__RING_POINTS};
  for (size_t i = 0; i < RA__RING_POINTS; i++) {
    size_t edge = i / RA__EDGE_POINTS;
    double t = (double)(i % RA__EDGE_POINTS) / RA__EDGE_POINTS;
    double c = corners[edge][0] + (corners[edge + 1][0] - corners[edge][0]) * t;
    double r = corners[edge][1] + (corners[edge + 1][1] - corners[edge][1]) * t;
    ra__point p = rim(self, c, r);
    if (i) p.x = ring->points[i - 1].x + remainder(p.x - ring->points[i - 1].x, 360);
    ring->points[i] = p;
  }
  double last = ring->points[RA__RING_POINTS - 1].x;
  double end = last + remainder(ring->points[0].x - last, 360);
  ring->turn = round((end - ring->points[0].x) / 360) * 360;
}

static bool holds(const place *self, double lon, double lat) {
  if (ra_transform_points(self->back, 1, &lon, &lat)) return false;
  const double *gt = self->grid->gt;
  double det = gt[1] * gt[5] - gt[2] * gt[4], dx = lon - gt[0], dy = lat - gt[3];
  double c = (dx * gt[5] - dy * gt[2]) / det, r = (dy * gt[1] - dx * gt[4]) / det;
  if (self->angular) c -= 360 / fabs(gt[1]) * floor(c / (360 / fabs(gt[1])));
  return c >= 0 && c <= (double)self->grid->width && r >= 0 && r <= (double)self->grid->height;
}

static void set_bbox(double west, double south, double east, double north, double bbox[4]) {
  bool all = east - west >= 360 - 1e-6;
  double w = all ? -180 : ra__round_degrees(wrap_180(west));
  if (w == 180) w = -180;
  double e = all ? 180 : ra__round_degrees(w + (east - west));
  if (e > 180) e = ra__round_degrees(e - 360);
  bbox[0] = w;
  bbox[1] = ra__round_degrees(fmax(south, -90));
  bbox[2] = e;
  bbox[3] = ra__round_degrees(fmin(north, 90));
}

// The ring of a box in degrees; bbox[0] > bbox[2] across 180.
static void write_box(const double bbox[4], ra_str *geometry) {
  double east = bbox[2] < bbox[0] ? bbox[2] + 360 : bbox[2];
  ra__ring ring = {
      .points = {{bbox[0], bbox[1]}, {east, bbox[1]}, {east, bbox[3]}, {bbox[0], bbox[3]}},
      .count = 4};
  ra__ring_write(&ring, geometry);
}

static int upright_box(const ra_grid *grid, double bbox[4], ra_str *geometry, ra_err *err) {
  double x0, y0, x1, y1;
  position(grid, 0, 0, &x0, &y0);
  position(grid, (double)grid->width, (double)grid->height, &x1, &y1);
  double south = fmin(y0, y1), north = fmax(y0, y1), west = fmin(x0, x1), east = fmax(x0, x1);
  if (south >= 90 || north <= -90) {
    return ra_fail(err, RA_E_INVALID, "grid", "latitudes from %g to %g lie outside of -90 to 90",
                   south, north);
  }
  if (grid->wraps) east = west + 360;
  set_bbox(west, south, east, north, bbox);
  write_box(bbox, geometry);
  return RA_OK;
}

// A grid round a rotated globe: all longitudes, and the latitudes of a lattice of its places.
static void rotated_globe(const place *self, double bbox[4], ra_str *geometry) {
  double south = 90, north = -90, w = (double)self->grid->width, h = (double)self->grid->height;
  ra__point p;
  for (int i = 0; i < 65 * 65; i++) {
    int column = i % 65, row = i / 65;
    if (!image(self, column / 64.0 * w, row / 64.0 * h, &p)) continue;
    south = fmin(south, p.y);
    north = fmax(north, p.y);
  }
  if (holds(self, 0, 90)) north = 90;
  if (holds(self, 0, -90)) south = -90;
  set_bbox(-180, south, 180, north, bbox);
  write_box(bbox, geometry);
}

// Whether the grid holds the whole Earth but for its poles: then its outer edges meet, and the ring that they make says
// nothing.
static bool holds_world(const place *self) {
  for (int i = 0; i < 24 * 12; i++) {
    int column = i % 24, row = i / 24;
    if (!holds(self, -172.5 + 15 * column, -82.5 + 15 * row)) return false;
  }
  return true;
}

static void outline(const place *self, double bbox[4], ra_str *geometry) {
  ra__ring ring, simple;
  walk(self, &ring);
  double west = INFINITY, east = -INFINITY, south = INFINITY, north = -INFINITY;
  for (size_t i = 0; i < ring.count; i++) {
    west = fmin(west, ring.points[i].x);
    east = fmax(east, ring.points[i].x);
    south = fmin(south, ring.points[i].y);
    north = fmax(north, ring.points[i].y);
  }
  bool north_pole = holds(self, 0, 90), south_pole = holds(self, 0, -90);
  if ((ring.turn == 0 && north_pole && south_pole) || holds_world(self)) {
    set_bbox(-180, south_pole ? -90 : south, 180, north_pole ? 90 : north, bbox);
    write_box(bbox, geometry);
    return;
  }
  if (ring.turn == 0) {
    ra__ring_simplify(&ring, &simple);
    set_bbox(west, south, east, north, bbox);
  } else {
    bool up = north_pole != south_pole ? north_pole : south + north > 0;
    ra__ring_simplify(&ring, &simple);
    ra__ring_close_over_pole(&simple, up ? 90 : -90);
    set_bbox(-180, up ? south : -90, 180, up ? 90 : north, bbox);
  }
  ra__ring_write(&simple, geometry);
}

// Whether the CRS's own longitudes and latitudes are WGS 84's for PROJ.
static bool plain_degrees(const place *self) {
  for (int i = 0; i < 9; i++) {
    int column = i % 3, row = i / 3;
    double x, y;
    position(self->grid, (double)self->grid->width * column / 2,
             (double)self->grid->height * row / 2, &x, &y);
    y = fmax(-89.9, fmin(89.9, y));
    double lon = x, lat = y;
    if (ra_transform_points(self->forth, 1, &lon, &lat)) continue;
    if (fabs(remainder(lon - x, 360)) > 1e-9 || fabs(lat - y) > 1e-9) return false;
  }
  return true;
}

int ra_grid_footprint(const ra_grid *grid, const ra_crs *crs, double bbox[4], ra_str *geometry,
                      ra_err *err) {
  ra_crs *degrees = NULL;
  const double *gt = grid->gt;
  double det = gt[1] * gt[5] - gt[2] * gt[4];
  if (!isfinite(det) || det == 0 || grid->width < 1 || grid->height < 1) {
    return ra_fail(err, RA_E_INVALID, "grid", "the grid has no cells or its affine has no inverse");
  }
  place self = {.grid = grid, .angular = crs->geographic || crs->rotated};
  int rc = ra_crs_new("EPSG:4326", &degrees, err);
  if (rc == RA_OK) rc = ra_transform_get(crs, degrees, &self.forth, err);
  if (rc == RA_OK) rc = ra_transform_get(degrees, crs, &self.back, err);
  ra_crs_unref(degrees);
  if (rc < 0) return rc;
  bool upright = gt[2] == 0 && gt[4] == 0;
  if (crs->geographic && upright && (grid->wraps || plain_degrees(&self))) {
    return upright_box(grid, bbox, geometry, err);
  }
  if (!find_middle(&self)) {
    return ra_fail(err, RA_E_INVALID, crs->name, "no cell of the grid lies on Earth in this CRS");
  }
  if (grid->wraps) {
    rotated_globe(&self, bbox, geometry);
  } else {
    outline(&self, bbox, geometry);
  }
  return RA_OK;
}
