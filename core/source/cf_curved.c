// cf_curved.c - curvilinear grids: 2-D longitudes and latitudes, which the variable names or which alone have its
// dimensions. Those of WRF repeat over time: the first step's are taken.
#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/size.h"
#include "source/cf_private.h"

enum { CELLS_READ = 1 << 18 };

typedef struct places {
  ra_source_var *lon, *lat;
  int x_dim, y_dim;  // places in the variable's dims
} places;

static int dim_of(const ra_source_var *var, unsigned dim) {
  for (unsigned d = 0; d < var->ndim; d++) {
    if (var->dims[d] == dim) return (int)d;
  }
  return -1;
}

// Its last two dimensions are the grid's; all are the variable's.
static bool lies_on(const ra_source_var *place, const ra_source_var *var) {
  if (place == var || place->ndim < 2 || place->kind != RA_SOURCE_NUMBERS) return false;
  for (unsigned d = 0; d < place->ndim; d++) {
    if (dim_of(var, place->dims[d]) < 0) return false;
  }
  return place->dims[place->ndim - 1] != place->dims[place->ndim - 2];
}

static bool same_dims(const ra_source_var *a, const ra_source_var *b) {
  return a->ndim == b->ndim && !memcmp(a->dims, b->dims, a->ndim * sizeof *a->dims);
}

// The best coordinate of a class: named by the variable, then in its group, then of the fewest dimensions.
static ra_source_var *best_place(const ra_cf *cf, const ra_source_var *var, ra__cf_class class,
                                 const ra_source_var *beside, bool named_only) {
  const char *list = ra_source_var_text(var, "coordinates");
  ra_source_var *best = NULL;
  int best_rank = 0;
  for (size_t i = 0; i < cf->count; i++) {
    ra_source_var *other = cf->variables[i].source;
    if (!lies_on(other, var) || ra__cf_classify(other) != class) continue;
    if (beside && !same_dims(beside, other)) continue;
    bool named = list && ra__cf_list_has(list, other->base);
    if (named_only && !named) continue;
    int rank = 1 + 40 * named + 20 * !strcmp(other->group, var->group) + (int)(16 - other->ndim);
    if (rank > best_rank) {
      best_rank = rank;
      best = other;
    }
  }
  return best;
}

static bool find_places(const ra_cf *cf, const ra_cf_variable *variable, const ra__cf_dim *dims,
                        bool named_only, places *out) {
  const ra_source_var *var = variable->source;
  out->lat = best_place(cf, var, RA__CF_LAT, NULL, named_only);
  out->lon = out->lat ? best_place(cf, var, RA__CF_LON, out->lat, named_only) : NULL;
  if (!out->lon) return false;
  out->x_dim = dim_of(var, out->lat->dims[out->lat->ndim - 1]);
  out->y_dim = dim_of(var, out->lat->dims[out->lat->ndim - 2]);
  // Along a trajectory one of the two is time.
  return dims[out->x_dim].class != RA__CF_TIME && dims[out->y_dim].class != RA__CF_TIME;
}

// `rows` rows from `start` as decoded degrees.
static int read_rows(ra_cf *cf, ra_source_var *var, const uint64_t *start, uint64_t rows,
                     void *cells, double *values, ra_err *err) {
  uint64_t count[RA_SOURCE_DIMS];
  for (unsigned d = 0; d < var->ndim; d++) count[d] = 1;
  count[var->ndim - 2] = rows;
  count[var->ndim - 1] = var->shape[var->ndim - 1];
  int rc = ra_source_read(cf->source, var, start, count, cells, err);
  if (rc < 0) return rc;
  size_t n = (size_t)(rows * var->shape[var->ndim - 1]);
  ra_cf_variable variable = {.source = var};
  ra__cf_packing(&variable);
  variable.packing.has_valid_min = variable.packing.has_valid_max = false;
  ra_unpack_f64(var->dtype, cells, n, &variable.packing, true, values);
  double unit = ra__cf_is_radians(var) ? 180 / M_PI : 1;
  for (size_t i = 0; i < n && unit != 1; i++) values[i] *= unit;
  return RA_OK;
}

static int read_lattice(ra_cf *cf, const places *p, ra_lattice *out, ra_err *err) {
  uint64_t width = p->lat->shape[p->lat->ndim - 1], height = p->lat->shape[p->lat->ndim - 2];
  size_t cells = (size_t)(width * height);
  uint64_t rows = CELLS_READ / width + 1;
  void *raw = ra_arena_alloc(&cf->arena, (size_t)(rows * width) * 8);
  double *lon = ra_arena_calloc(&cf->arena, (size_t)(rows * width), sizeof *lon);
  double *lat = ra_arena_calloc(&cf->arena, (size_t)(rows * width), sizeof *lat);
  *out = (ra_lattice){.width = (int64_t)width, .height = (int64_t)height};
  out->lon = ra_arena_calloc(&cf->arena, cells, sizeof *out->lon);
  out->lat = ra_arena_calloc(&cf->arena, cells, sizeof *out->lat);
  if (!raw || !lon || !lat || !out->lon || !out->lat) {
    return ra_fail(err, RA_E_NOMEM, p->lat->name, "no memory for the places of %zu cells", cells);
  }
  int rc = RA_OK;
  for (uint64_t row = 0; row < height && rc >= 0; row += rows) {
    uint64_t count = height - row < rows ? height - row : rows;
    uint64_t start[RA_SOURCE_DIMS] = {0};
    start[p->lat->ndim - 2] = row;
    rc = read_rows(cf, p->lon, start, count, raw, lon, err);
    if (rc >= 0) rc = read_rows(cf, p->lat, start, count, raw, lat, err);
    for (size_t i = 0; i < count * width && rc >= 0; i++)
      ra_lattice_put(out, (size_t)(row * width) + i, lon[i], lat[i]);
  }
  return rc;
}

int ra__cf_places(ra_cf *cf, const ra_cf_variable *variable, const ra__cf_dim *dims, int x, int y,
                  ra_lattice *out, bool *found, ra_err *err) {
  places p;
  *found = find_places(cf, variable, dims, false, &p) && p.x_dim == x && p.y_dim == y &&
           !p.lon->filter && !p.lat->filter;
  return *found ? read_lattice(cf, &p, out, err) : RA_OK;
}

// Are the 2-D places those of the variable's own axes, within a twentieth of a cell or so?
static int same_as_axes(ra_cf *cf, const places *p, const ra__cf_dim *dims,
                        const ra_lattice *lattice, bool *same, ra_err *err) {
  ra_source_var *x = dims[p->x_dim].var, *y = dims[p->y_dim].var;
  const double *lon, *lat;
  size_t width, height;
  *same = false;
  if (dims[p->x_dim].class != RA__CF_LON || dims[p->y_dim].class != RA__CF_LAT) return RA_OK;
  int rc = ra__cf_values(cf, x, &lon, &width, err);
  if (rc >= 0) rc = ra__cf_values(cf, y, &lat, &height, err);
  if (rc < 0) return rc;
  double room_x = width > 1 ? 0.1 * fabs(lon[1] - lon[0]) : 1;
  double room_y = height > 1 ? 0.1 * fabs(lat[1] - lat[0]) : 1;
  *same = true;
  for (size_t i = 0; i < width * height; i++) {
    if (lattice->lat[i] == RA_NO_PLACE) continue;
    double off = remainder(lattice->lon[i] * RA_PLACE_UNIT - lon[i % width], 360);
    double up = lattice->lat[i] * RA_PLACE_UNIT - lat[i / width];
    if (fabs(off) > room_x || fabs(up) > room_y) *same = false;
  }
  return RA_OK;
}

static ra_cf_grid *same_places(ra_cf *cf, const places *p) {
  for (ra_cf_grid *g = cf->grids; g; g = g->next) {
    if (g->layout == RA_CF_CURVED && g->x == p->lon && g->y == p->lat) return g;
  }
  return NULL;
}

static int make_grid(ra_cf *cf, const places *p, const ra_lattice *lattice, ra_cf_grid **out,
                     ra_err *err) {
  ra_cf_grid like = {.layout = RA_CF_CURVED,
                     .x_dim = p->lat->dims[p->lat->ndim - 1],
                     .y_dim = p->lat->dims[p->lat->ndim - 2],
                     .x = p->lon,
                     .y = p->lat,
                     .native_width = lattice->width,
                     .native_height = lattice->height,
                     .lattice = *lattice};
  int rc = ra_lattice_map(&like.lattice, &like.grid, err);
  if (rc < 0) return rc;
  like.extent = like.grid;
  rc = ra_crs_new("EPSG:4326", &like.crs, err);
  if (rc >= 0) rc = ra__cf_grid_append(cf, &like, out, err);
  if (rc < 0) {
    ra_crs_unref(like.crs);
    return rc;
  }
  ra__cf_find(
      cf, "curvilinear-grid", "info", p->lat->name,
      "and '%s' place %lld x %lld cells on a curvilinear grid: they stay as they are in the "
      "Zarr store and in series; the map is regridded once, bilinearly, to %lld x %lld "
      "pixels of %.6g x %.6g degrees",
      p->lon->name, (long long)lattice->width, (long long)lattice->height,
      (long long)like.grid.width, (long long)like.grid.height, like.grid.gt[1], -like.grid.gt[5]);
  return RA_OK;
}

// What makes the places unusable, as the variable's reason.
static bool check_places(ra_cf *cf, ra_cf_variable *variable, const places *p) {
  const ra_source_var *lat = p->lat, *lon = p->lon;
  size_t cells;
  if (lat->filter || lon->filter) {
    ra__cf_reason(cf, variable, RA_E_UNSUPPORTED,
                  "its places '%s' and '%s' are compressed with %s, for which there is no decoder; "
                  "rewrite them with deflate",
                  lon->name, lat->name, lat->filter ? lat->filter : lon->filter);
  } else if (lat->shape[lat->ndim - 1] < 2 || lat->shape[lat->ndim - 2] < 2) {
    ra__cf_reason(cf, variable, RA_E_UNSUPPORTED,
                  "its places '%s' and '%s' lie in one row: a list of places, not a raster",
                  lon->name, lat->name);
  } else if (!ra_size_mul((size_t)lat->shape[lat->ndim - 1], (size_t)lat->shape[lat->ndim - 2],
                          &cells) ||
             cells >= UINT32_MAX / 4) {
    ra__cf_reason(cf, variable, RA_E_TOOBIG, "its curvilinear grid has too many cells");
  }
  return variable->reason == NULL;
}

// WRF's `Time` has no coordinate of its own.
static bool is_time(const ra_cf *cf, const ra_cf_variable *variable, const ra__cf_dim *dims,
                    unsigned dim) {
  int d = dim_of(variable->source, dim);
  return dims[d].class == RA__CF_TIME ||
         !strcasecmp(ra_source_get_dim(cf->source, dim)->base, "time");
}

// Is the first row of the last member along the places' dimension d another one than that of the first member?
static int differs(ra_cf *cf, const places *p, unsigned d, bool *out, ra_err *err) {
  uint64_t width = p->lat->shape[p->lat->ndim - 1], start[RA_SOURCE_DIMS] = {0};
  ra_source_var *vars[2] = {p->lon, p->lat};
  void *raw = ra_arena_alloc(&cf->arena, (size_t)width * 8);
  double *first = ra_arena_calloc(&cf->arena, (size_t)width, sizeof *first);
  double *last = ra_arena_calloc(&cf->arena, (size_t)width, sizeof *last);
  if (!raw || !first || !last) return ra_fail(err, RA_E_NOMEM, p->lat->name, "out of memory");
  *out = false;
  for (int i = 0; i < 2; i++) {
    start[d] = 0;
    int rc = read_rows(cf, vars[i], start, 1, raw, first, err);
    start[d] = vars[i]->shape[d] - 1;
    if (rc >= 0) rc = read_rows(cf, vars[i], start, 1, raw, last, err);
    if (rc < 0) return rc;
    for (size_t k = 0; k < width; k++) *out |= fabs(first[k] - last[k]) > 1e-4;
  }
  return RA_OK;
}

// Places may repeat over time. Along anything else they are those of the faces of a cubed sphere, of tiles and the like.
static int check_leading(ra_cf *cf, ra_cf_variable *variable, const places *p,
                         const ra__cf_dim *dims, ra_err *err) {
  for (unsigned d = 0; d + 2 < p->lat->ndim; d++) {
    bool faces = false;
    if (p->lat->shape[d] < 2 || is_time(cf, variable, dims, p->lat->dims[d])) continue;
    int rc = differs(cf, p, d, &faces, err);
    if (rc < 0) return rc;
    if (!faces) continue;
    ra__cf_reason(cf, variable, RA_E_UNSUPPORTED,
                  "its places '%s' and '%s' change along '%s': faces or tiles, not one raster",
                  p->lon->name, p->lat->name, ra_source_get_dim(cf->source, p->lat->dims[d])->name);
    return 1;
  }
  return RA_OK;
}

static int use_grid(ra_cf *cf, ra_cf_variable *variable, const places *p, const ra__cf_dim *dims,
                    bool disputed, ra_err *err) {
  ra_cf_grid *grid = same_places(cf, p);
  if (!grid) {
    ra_lattice lattice;
    bool same = false;
    ra_err why = {0};
    int rc = check_leading(cf, variable, p, dims, err);
    if (rc != 0) return rc;
    rc = read_lattice(cf, p, &lattice, err);
    if (rc >= 0 && disputed) rc = same_as_axes(cf, p, dims, &lattice, &same, err);
    if (rc < 0 || same) return rc < 0 ? rc : 0;
    rc = make_grid(cf, p, &lattice, &grid, &why);
    if (rc == RA_E_NOMEM) *err = why;
    if (rc == RA_E_NOMEM) return rc;
    if (rc < 0) {
      ra__cf_reason(cf, variable, rc, "its places '%s' and '%s' make no grid: %s", p->lon->name,
                    p->lat->name, why.message);
      return 1;
    }
  }
  variable->grid = grid;
  variable->mappable = true;
  variable->x_dim = p->x_dim;
  variable->y_dim = p->y_dim;
  return 1;
}

int ra__cf_curved(ra_cf *cf, ra_cf_variable *variable, const ra__cf_dim *dims, bool disputed,
                  ra_err *err) {
  places p;
  if (ra__cf_is_discrete(cf) || !find_places(cf, variable, dims, disputed, &p)) return 0;
  if (!check_places(cf, variable, &p)) return 1;
  return use_grid(cf, variable, &p, dims, disputed, err);
}
