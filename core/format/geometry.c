// geometry.c - see geometry.h. Every geometry becomes chains of vertices; chains that are rings belong to a polygon, and
// a point is a chain of one.
#include "format/geometry.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

typedef struct vertex {
  double x, y;
} vertex;

typedef struct chain {
  vertex *vertices;
  size_t count;
  int polygon;  // number of the polygon whose ring it is; -1: a line or a point
} chain;

enum { CHAINS_MAX = RA_GEOMETRY_VERTICES };

struct ra_geometry {
  ra_arena arena;
  chain *chains;
  size_t chain_count, vertex_count;
  int polygon_count;
  vertex low, high;
};

typedef struct builder {
  ra_geometry *geometry;
  ra_err *err;
  int depth;
} builder;

static int bad(builder *b, const char *what) {
  return ra_fail(b->err, RA_E_INVALID, "intersects", "the geometry is no GeoJSON: %s", what);
}

static int read_position(builder *b, const json_t *position, vertex *out) {
  const json_t *x = json_array_get(position, 0), *y = json_array_get(position, 1);
  if (!json_is_number(x) || !json_is_number(y))
    return bad(b, "a position takes two or three numbers");
  *out = (vertex){json_number_value(x), json_number_value(y)};
  if (!(fabs(out->x) <= 180 && fabs(out->y) <= 90))
    return bad(b, "longitudes go from -180 to 180, latitudes from -90 to 90");
  ra_geometry *g = b->geometry;
  g->low = (vertex){fmin(g->low.x, out->x), fmin(g->low.y, out->y)};
  g->high = (vertex){fmax(g->high.x, out->x), fmax(g->high.y, out->y)};
  return RA_OK;
}

static int new_chain(builder *b, size_t count, int polygon, chain **out) {
  ra_geometry *g = b->geometry;
  if (count > RA_GEOMETRY_VERTICES - g->vertex_count)
    return ra_fail(b->err, RA_E_TOOBIG, "intersects",
                   "the geometry has over %d vertices: simplify it", RA_GEOMETRY_VERTICES);
  g->vertex_count += count;
  chain *made = &g->chains[g->chain_count++];
  *made = (chain){ra_arena_calloc(&g->arena, count, sizeof(vertex)), count, polygon};
  if (!made->vertices) return ra_fail(b->err, RA_E_NOMEM, "", "out of memory for a geometry");
  *out = made;
  return RA_OK;
}

static int add_chain(builder *b, const json_t *positions, size_t least, int polygon) {
  if (!json_is_array(positions) || json_array_size(positions) < least)
    return bad(b, polygon >= 0 ? "a ring takes four positions or more"
                               : "a line takes two positions or more");
  chain *made = NULL;
  int rc = new_chain(b, json_array_size(positions), polygon, &made);
  for (size_t i = 0; rc == RA_OK && made && i < made->count; i++)
    rc = read_position(b, json_array_get(positions, i), &made->vertices[i]);
  if (rc < 0 || !made || polygon < 0) return rc;
  vertex first = made->vertices[0], last = made->vertices[made->count - 1];
  return first.x == last.x && first.y == last.y ? RA_OK : bad(b, "a ring ends where it began");
}

static int add_point(builder *b, const json_t *position) {
  chain *made = NULL;
  int rc = new_chain(b, 1, -1, &made);
  return rc < 0 || !made ? rc : read_position(b, position, made->vertices);
}

static int add_line(builder *b, const json_t *positions) { return add_chain(b, positions, 2, -1); }

static int add_polygon(builder *b, const json_t *rings) {
  if (!json_is_array(rings) || !json_array_size(rings)) return bad(b, "a polygon takes rings");
  int polygon = b->geometry->polygon_count++, rc = RA_OK;
  for (size_t i = 0; rc == RA_OK && i < json_array_size(rings); i++)
    rc = add_chain(b, json_array_get(rings, i), 4, polygon);
  return rc;
}

static int add_each(builder *b, const json_t *list, int (*add)(builder *, const json_t *)) {
  if (!json_is_array(list) || !json_array_size(list)) return bad(b, "\"coordinates\" is no list");
  int rc = RA_OK;
  for (size_t i = 0; rc == RA_OK && i < json_array_size(list); i++)
    rc = add(b, json_array_get(list, i));
  return rc;
}

static int add_geometry(builder *b, const json_t *object) {
  const char *type = json_string_value(json_object_get(object, "type"));
  const json_t *coordinates = json_object_get(object, "coordinates");
  if (!type) return bad(b, "it has no \"type\"");
  if (!strcmp(type, "Point")) return add_point(b, coordinates);
  if (!strcmp(type, "MultiPoint")) return add_each(b, coordinates, add_point);
  if (!strcmp(type, "LineString")) return add_line(b, coordinates);
  if (!strcmp(type, "MultiLineString")) return add_each(b, coordinates, add_line);
  if (!strcmp(type, "Polygon")) return add_polygon(b, coordinates);
  if (!strcmp(type, "MultiPolygon")) return add_each(b, coordinates, add_polygon);
  if (strcmp(type, "GeometryCollection") != 0) return bad(b, "its \"type\" is no geometry's");
  if (++b->depth > 8) return bad(b, "collections are nested too deep");
  int rc = add_each(b, json_object_get(object, "geometries"), add_geometry);
  b->depth--;
  return rc;
}

static ra_geometry *new_geometry(void) {
  ra_geometry *geometry = calloc(1, sizeof *geometry);
  if (!geometry) return NULL;
  ra_arena_init(&geometry->arena, 0);
  geometry->low = (vertex){INFINITY, INFINITY};
  geometry->high = (vertex){-INFINITY, -INFINITY};
  geometry->chains = calloc(CHAINS_MAX + 1, sizeof *geometry->chains);
  if (geometry->chains) return geometry;
  ra_geometry_free(geometry);
  return NULL;
}

static int from_json(const json_t *root, ra_geometry **out, ra_err *err) {
  builder b = {.geometry = new_geometry(), .err = err};
  if (!b.geometry) return ra_fail(err, RA_E_NOMEM, "", "out of memory for a geometry");
  int rc = add_geometry(&b, root);
  if (rc < 0) {
    ra_geometry_free(b.geometry);
    return rc;
  }
  *out = b.geometry;
  return RA_OK;
}

int ra_geometry_parse(const char *json, size_t size, ra_geometry **out, ra_err *err) {
  json_t *root = json_loadb(json, size, 0, NULL);
  if (!root) return ra_fail(err, RA_E_INVALID, "intersects", "the geometry is no JSON");
  int rc = from_json(root, out, err);
  json_decref(root);
  return rc;
}

static json_t *box_ring(double w, double s, double e, double n) {
  return json_pack("[[[ff][ff][ff][ff][ff]]]", w, s, e, s, e, n, w, n, w, s);
}

int ra_geometry_from_box(const double box[4], ra_geometry **out, ra_err *err) {
  bool splits = box[0] > box[2];
  json_t *polygons = json_array();
  json_array_append_new(polygons, box_ring(box[0], box[1], splits ? 180 : box[2], box[3]));
  if (splits) json_array_append_new(polygons, box_ring(-180, box[1], box[2], box[3]));
  json_t *root = json_pack("{ss so}", "type", "MultiPolygon", "coordinates", polygons);
  int rc =
      root ? from_json(root, out, err) : ra_fail(err, RA_E_NOMEM, "", "out of memory for a box");
  json_decref(root);
  return rc;
}

void ra_geometry_free(ra_geometry *geometry) {
  if (!geometry) return;
  ra_arena_deinit(&geometry->arena);
  free(geometry->chains);
  free(geometry);
}

// ---- do they touch?

// Which side of a→b is c on? 0: on the line.
static int side(vertex a, vertex b, vertex c) {
  double cross = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
  return (cross > 0) - (cross < 0);
}

static bool in_span(vertex a, vertex b, vertex c) {
  return fmin(a.x, b.x) <= c.x && c.x <= fmax(a.x, b.x) && fmin(a.y, b.y) <= c.y &&
         c.y <= fmax(a.y, b.y);
}

static bool segments_touch(vertex a, vertex b, vertex c, vertex d) {
  int s1 = side(a, b, c), s2 = side(a, b, d), s3 = side(c, d, a), s4 = side(c, d, b);
  if (s1 != s2 && s3 != s4) return true;
  return (!s1 && in_span(a, b, c)) || (!s2 && in_span(a, b, d)) || (!s3 && in_span(c, d, a)) ||
         (!s4 && in_span(c, d, b));
}

// The i-th segment of a chain; a point is a segment without length.
static void segment(const chain *of, size_t i, vertex *a, vertex *b) {
  *a = of->vertices[i];
  *b = of->vertices[of->count > 1 ? i + 1 : i];
}

static size_t segment_count(const chain *of) { return of->count > 1 ? of->count - 1 : 1; }

static bool chains_touch(const chain *one, const chain *other) {
  for (size_t i = 0; i < segment_count(one); i++) {
    vertex a, b, c, d;
    segment(one, i, &a, &b);
    for (size_t k = 0; k < segment_count(other); k++) {
      segment(other, k, &c, &d);
      if (segments_touch(a, b, c, d)) return true;
    }
  }
  return false;
}

// Even-odd over all rings of each polygon by itself.
static bool holds(const ra_geometry *geometry, vertex p) {
  for (int polygon = 0; polygon < geometry->polygon_count; polygon++) {
    bool inside = false;
    for (size_t i = 0; i < geometry->chain_count; i++) {
      const chain *ring = &geometry->chains[i];
      for (size_t k = 0; ring->polygon == polygon && k + 1 < ring->count; k++) {
        vertex a = ring->vertices[k], b = ring->vertices[k + 1];
        if ((a.y > p.y) == (b.y > p.y)) continue;
        if (p.x < (b.x - a.x) * (p.y - a.y) / (b.y - a.y) + a.x) inside = !inside;
      }
    }
    if (inside) return true;
  }
  return false;
}

static bool holds_any(const ra_geometry *geometry, const ra_geometry *other) {
  if (!geometry->polygon_count) return false;
  for (size_t i = 0; i < other->chain_count; i++)
    if (holds(geometry, other->chains[i].vertices[0])) return true;
  return false;
}

bool ra_geometry_intersects(const ra_geometry *a, const ra_geometry *b) {
  if (a->low.x > b->high.x || b->low.x > a->high.x || a->low.y > b->high.y || b->low.y > a->high.y)
    return false;
  for (size_t i = 0; i < a->chain_count; i++)
    for (size_t k = 0; k < b->chain_count; k++)
      if (chains_touch(&a->chains[i], &b->chains[k])) return true;
  return holds_any(a, b) || holds_any(b, a);
}
