// cf_grid.c - from a pair of 1-D axes to a grid: coordinate system, affine, and how the map layout is turned: north-up,
// longitudes in -180..180, a global grid rotated by whole columns (data.md §1).
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "source/cf_private.h"

typedef struct pair {
  int x, y;  // places in the variable's dims
  const ra__cf_dim *x_dim, *y_dim;
  bool degrees;  // plain longitude and latitude
  bool rotated;  // those of a rotated pole
  bool bare;     // only the grid mapping tells which they are
} pair;

static bool find_pair(const ra_cf_variable *variable, const ra__cf_dim *dims, ra__cf_class x,
                      ra__cf_class y, pair *out) {
  int found_x = -1, found_y = -1;
  for (int d = 0; d < (int)variable->source->ndim; d++) {
    if (dims[d].class == x) found_x = d;
    if (dims[d].class == y) found_y = d;
  }
  if (found_x < 0 || found_y < 0) return false;
  *out = (pair){.x = found_x,
                .y = found_y,
                .x_dim = &dims[found_x],
                .y_dim = &dims[found_y],
                .degrees = x == RA__CF_LON,
                .rotated = x == RA__CF_ROTATED_X,
                .bare = x == RA__CF_X};
  return true;
}

// `grid_mapping = "crs"`, or "crsA: x y crsB: lat lon": the mapping that names the axis, else the first.
static ra_source_var *named_mapping(const ra_cf *cf, const ra_source_var *var, const char *x_name) {
  const char *text = ra_source_var_text(var, "grid_mapping");
  ra_source_var *first = NULL, *current = NULL;
  for (const char *p = text; p && *p;) {
    p += strspn(p, " \t\r\n");
    size_t n = strcspn(p, " \t\r\n");
    char word[256];
    if (n > 0 && n < sizeof word) {
      memcpy(word, p, n);
      word[n] = 0;
      bool mapping = word[n - 1] == ':';
      if (mapping) word[n - 1] = 0;
      if (mapping || !current) {
        current = ra_source_find(cf->source, var->group, word);
        if (!first) first = current;
      } else if (!strcmp(word, x_name)) {
        return current;
      }
    }
    p += n;
  }
  return first;
}

static bool shares_dims(const ra_source_var *var, unsigned x_dim, unsigned y_dim) {
  bool x = false, y = false;
  for (unsigned d = 0; d < var->ndim; d++) {
    x |= var->dims[d] == x_dim;
    y |= var->dims[d] == y_dim;
  }
  return x && y;
}

// rioxarray finds its mapping by this name where the attribute was lost.
static bool called_spatial_ref(const ra_source_var *mapping) {
  return mapping && !strcmp(mapping->base, "spatial_ref");
}

// A variable without the attribute lies in the same system as another one on the same axes; else in the file's only one.
static ra_source_var *mapping_of(const ra_cf *cf, const ra_cf_variable *variable, const pair *axes) {
  ra_source_var *mapping = named_mapping(cf, variable->source, axes->x_dim->var->base);
  if (mapping || axes->degrees) return mapping;
  const ra_source_var *var = variable->source;
  ra_source_var *only = NULL;
  unsigned count = 0;
  for (size_t i = 0; i < cf->count; i++) {
    ra_source_var *other = cf->variables[i].source;
    if (shares_dims(other, var->dims[axes->x], var->dims[axes->y])) {
      mapping = named_mapping(cf, other, axes->x_dim->var->base);
      if (mapping) return mapping;
    }
    if (ra_source_var_text(other, "grid_mapping_name") || ra_source_var_text(other, "crs_wkt") ||
        ra_source_var_text(other, "spatial_ref")) {
      only = other;
      count++;
    }
  }
  return count == 1 && (!axes->bare || called_spatial_ref(only)) ? only : NULL;
}

// Longitude and latitude: the mapping tells the ellipsoid; one that is missing or unusable leaves WGS 84.
static int degrees_crs(ra_cf *cf, const ra_source_var *mapping, const pair *axes, ra_crs **crs,
                       double *scale, ra_err *err) {
  *crs = NULL;
  if (mapping) {
    const char *name = ra_source_var_text(mapping, "grid_mapping_name");
    ra_err why;
    bool usable = !name || !strcmp(name, "latitude_longitude");
    if (usable &&
        ra__cf_mapping_crs(cf, mapping, axes->x_dim->var, axes->y_dim->var, 0, crs, scale, &why) >= 0 &&
        !ra_crs_is_geographic(*crs)) {
      ra_crs_unref(*crs);
      *crs = NULL;
    }
    if (usable && !*crs) {
      ra__cf_find(cf, "grid-mapping-ignored", "warning", mapping->name,
                  "the grid mapping does not describe longitudes and latitudes; WGS 84 is taken");
    }
  }
  *scale = ra__cf_is_radians(axes->x_dim->var) ? 180 / M_PI : 1;
  return *crs ? RA_OK : ra_crs_new("EPSG:4326", crs, err);
}

// Cell size of an axis of one cell: from its bounds; 0 when unknown.
static double single_cell(ra_cf *cf, const ra_source_var *axis, double scale) {
  const char *name = ra_source_var_text(axis, "bounds");
  ra_source_var *bounds = name ? ra_source_find(cf->source, axis->group, name) : NULL;
  if (!bounds || bounds->kind != RA_SOURCE_NUMBERS || ra_source_var_cells(bounds) != 2) return 0;
  const double *values;
  size_t count;
  ra_err ignored;
  if (ra__cf_values(cf, bounds, &values, &count, &ignored) < 0) return 0;
  double size = fabs(values[1] - values[0]) * scale;
  return isfinite(size) ? size : 0;
}

typedef struct axis_line {
  ra__cf_line line;
  size_t count;
  const double *centres;  // in the CRS's unit; longitudes without jumps
  bool assumed;           // one cell of unknown size
} axis_line;

// False with a reason when the axis is none.
static bool read_axis(ra_cf *cf, ra_cf_variable *variable, ra_source_var *var, bool longitude,
                      double scale, axis_line *out, int *rc, ra_err *err) {
  const double *values;
  *out = (axis_line){0};
  *rc = ra__cf_values(cf, var, &values, &out->count, err);
  if (*rc < 0) return false;
  double *centres = ra_arena_calloc(&cf->arena, out->count + 1, sizeof *centres);
  if (!centres) {
    *rc = ra_fail(err, RA_E_NOMEM, var->name, "out of memory");
    return false;
  }
  for (size_t i = 0; i < out->count; i++) centres[i] = values[i] * scale;
  double noise = var->dtype == RA_DTYPE_F64 ? 0x1p-52 : 0x1p-24;
  ra__cf_line_fit(centres, out->count, longitude, noise, &out->line);
  out->centres = centres;
  if (!out->line.finite) {
    ra__cf_reason(cf, variable, RA_E_INVALID, "its axis '%s' has missing values", var->name);
  } else if (!out->line.even && !ra_uneven_is_monotonic(centres, out->count)) {
    ra__cf_reason(cf, variable, RA_E_INVALID,
                  "its axis '%s' neither rises nor falls throughout; sort it", var->name);
    return false;
  } else if (out->count == 1) {
    out->line.step = single_cell(cf, var, scale);
    out->assumed = out->line.step == 0;
  }
  return out->line.finite;
}

// Turns the line so that it runs upward; the source's cells run against it when it did not.
static bool turn(axis_line *axis) {
  bool reversed = axis->line.step < 0;
  if (reversed) {
    axis->line.first += axis->line.step * (double)(axis->count - 1);
    axis->line.step = -axis->line.step;
  }
  return reversed;
}

// Longitudes: the first centre comes into [-180, 180) by whole turns, a global grid's by whole columns too.
static int64_t rotate(axis_line *x) {
  double slack = 1e-6 * x->line.step;
  x->line.first -= 360 * floor((x->line.first + 180 + slack) / 360);
  if (!x->line.wraps) return 0;
  int64_t roll = (int64_t)ceil((180 - slack - x->line.first) / x->line.step);
  if (roll >= (int64_t)x->count) return 0;
  x->line.first += (double)roll * x->line.step - 360;
  return roll;
}

static void affine(const axis_line *x, const axis_line *y, ra_grid *grid) {
  *grid = (ra_grid){.width = (int64_t)x->count, .height = (int64_t)y->count, .wraps = x->line.wraps};
  grid->gt[0] = x->line.first - x->line.step / 2;
  grid->gt[1] = x->line.step;
  grid->gt[3] = y->line.first + y->line.step * ((double)y->count - 0.5);
  grid->gt[5] = -y->line.step;
}

// The source's own order of rows: `first` is the centre of row 0.
static void native_affine(const axis_line *x, const axis_line *y, ra_grid *grid) {
  affine(x, y, grid);
  grid->gt[3] = y->line.first - y->line.step / 2;
  grid->gt[5] = y->line.step;
}

static void place(ra_cf_grid *grid, axis_line *x, axis_line *y, bool degrees) {
  double unit = degrees ? 1 : 1000;
  if (x->assumed) x->line.step = y->assumed ? unit : fabs(y->line.step);
  if (y->assumed) y->line.step = fabs(x->line.step);
  native_affine(x, y, &grid->native);
  grid->x_reversed = turn(x);
  grid->y_reversed = !turn(y) && y->count > 1;
  if (degrees) grid->roll = rotate(x);
  affine(x, y, &grid->grid);
  if (x->assumed) x->line.step = 1e-3 * unit;
  if (y->assumed) y->line.step = 1e-3 * unit;
  affine(x, y, &grid->extent);
}

// Cells that run along no axis of the CRS stay as they are.
static void place_skewed(ra_cf_grid *grid, const double *gt) {
  grid->grid = (ra_grid){.width = grid->native_width, .height = grid->native_height};
  memcpy(grid->grid.gt, gt, sizeof grid->grid.gt);
  grid->native = grid->extent = grid->grid;
}

// ---- uneven axes

enum { CELLS_A_CENTRE = 16 };

// The even cells of the map along an axis: its own where it is even.
static void even_cells(axis_line *axis, ra_uneven *uneven, bool longitude, bool latitude) {
  *uneven = (ra_uneven){axis->centres, axis->count, longitude ? 360 : 0, axis->line.wraps};
  if (axis->line.even) {
    turn(axis);
    return;
  }
  double edges[2], low, extent;
  ra_uneven_edges(uneven, edges);
  low = fmin(edges[0], edges[1]);
  extent = fabs(edges[1] - edges[0]);
  if (latitude) {
    double high = fmin(low + extent, 90);
    low = fmax(low, -90);
    extent = high - low;
  }
  double last = fabs(axis->centres[axis->count - 1] - axis->centres[axis->count - 2]);
  axis->line.wraps = uneven->closed = longitude && fabs(extent - 360) < last / 2;
  if (uneven->closed) extent = 360;
  axis->count = (size_t)ra_uneven_even_count(uneven, extent, CELLS_A_CENTRE * (int64_t)axis->count);
  axis->line.step = extent / (double)axis->count;
  axis->line.first = low + axis->line.step / 2;
}

// The source's cells stay in their order, so nothing is turned: a pixel finds its cell by the centres.
static void place_uneven(ra_cf *cf, ra_cf_grid *grid, axis_line *x, axis_line *y, bool degrees) {
  const axis_line *uneven = x->line.even ? y : x;
  size_t cells = uneven->count;
  double unit = degrees ? 1 : 1000;
  grid->layout = RA_CF_UNEVEN;
  if (x->assumed) x->line.step = unit;
  if (y->assumed) y->line.step = unit;
  even_cells(x, &grid->x_axis, degrees, false);
  even_cells(y, &grid->y_axis, false, degrees);
  if (degrees) rotate(x);
  affine(x, y, &grid->grid);
  grid->extent = grid->grid;
  const ra_source_var *var = uneven == x ? grid->x : grid->y;
  ra__cf_find(cf, "uneven-axis", "info", var->name,
              "is uneven: its %zu cells stay as they are in the Zarr store and in series; the map "
              "has %zu even ones, each with the value of the cell that it lies in",
              cells, uneven->count);
}

static ra_cf_grid *same_grid(ra_cf *cf, const ra_cf_grid *like) {
  for (ra_cf_grid *g = cf->grids; g; g = g->next) {
    if (g->x_dim == like->x_dim && g->y_dim == like->y_dim && g->x == like->x && g->y == like->y &&
        ra_crs_equal(g->crs, like->crs)) {
      return g;
    }
  }
  return NULL;
}

int ra__cf_grid_append(ra_cf *cf, const ra_cf_grid *like, ra_cf_grid **out, ra_err *err) {
  ra_cf_grid *grid = ra_arena_calloc(&cf->arena, 1, sizeof *grid), **end = &cf->grids;
  if (!grid) return ra_fail(err, RA_E_NOMEM, "", "out of memory");
  *grid = *like;
  unsigned n = 0;
  for (; *end; end = &(*end)->next) n++;
  snprintf(grid->id, sizeof grid->id, "g%u", n);
  *end = grid;
  *out = grid;
  return RA_OK;
}

// Rows behind a pole are cut off, where it is a row at each end; more of them are no latitudes.
static bool off_the_globe(const axis_line *y) {
  double step = fabs(y->line.step), last = y->line.first + y->line.step * (double)(y->count - 1);
  return fabs(y->line.first + last) / 2 > 90.5 || fabs(y->line.first) > 90.5 + step ||
         fabs(last) > 90.5 + step;
}

// Takes crs.
static int make_grid(ra_cf *cf, ra_cf_variable *variable, const pair *axes,
                     const ra_source_var *mapping, ra_crs *crs, double scale, ra_err *err) {
  const ra_source_var *var = variable->source;
  ra_cf_grid like = {.x_dim = var->dims[axes->x],
                     .y_dim = var->dims[axes->y],
                     .x = axes->x_dim->var,
                     .y = axes->y_dim->var,
                     .mapping = mapping,
                     .crs = crs};
  ra_cf_grid *grid = same_grid(cf, &like);
  bool degrees = axes->degrees || axes->rotated;
  axis_line x, y;
  int rc = RA_OK;
  if (!grid) {
    bool usable = read_axis(cf, variable, axes->x_dim->var, degrees, scale, &x, &rc, err) &&
                  read_axis(cf, variable, axes->y_dim->var, false, scale, &y, &rc, err);
    const double *skewed = ra_source_affine(cf->source);
    if (usable && degrees && !skewed && off_the_globe(&y)) {
      ra__cf_reason(cf, variable, RA_E_INVALID, "its latitudes '%s' lie outside -90..90",
                    axes->y_dim->var->name);
      usable = false;
    }
    if (usable) {
      like.native_width = (int64_t)x.count;
      like.native_height = (int64_t)y.count;
      if (skewed) {
        place_skewed(&like, skewed);
      } else if (x.line.even && y.line.even) {
        place(&like, &x, &y, degrees);
      } else {
        place_uneven(cf, &like, &x, &y, degrees);
      }
      rc = ra__cf_grid_append(cf, &like, &grid, err);
      if (rc >= 0) crs = NULL;
    }
  }
  ra_crs_unref(crs);
  variable->grid = grid;
  variable->mappable = grid != NULL;
  return rc;
}

// The places of a variable whose grid mapping cannot be used, where it has some; else that is why it is refused.
static int without_mapping(ra_cf *cf, ra_cf_variable *variable, const ra__cf_dim *dims,
                           const ra_source_var *mapping, const ra_err *why, ra_err *err) {
  if (why->code == RA_E_NOMEM) return ra_fail(err, RA_E_NOMEM, mapping->name, "out of memory");
  int rc = ra__cf_curved(cf, variable, dims, false, err);
  if (rc == 0) {
    ra__cf_reason(cf, variable, why->code, "its grid mapping '%s' cannot be used: %s",
                  mapping->name, why->message);
  } else if (rc > 0 && variable->mappable) {
    ra__cf_find(cf, "grid-mapping-ignored", "warning", mapping->name,
                "cannot be used (%s): the file's latitudes and longitudes place the cells",
                why->message);
  }
  return rc < 0 ? rc : 1;
}

// 1: the variable has its grid, or a reason. 0 where `axes` are those of its map layout still to be noted.
static int projected(ra_cf *cf, ra_cf_variable *variable, const ra__cf_dim *dims, pair *axes,
                     ra_err *err) {
  ra_source_var *mapping = mapping_of(cf, variable, axes);
  if (!mapping) {
    ra__cf_explain(cf, variable, dims);
    return RA_OK;
  }
  ra_crs *crs = NULL;
  double scale = 1;
  ra_err why;
  int figure = ra__cf_figure(cf, variable, dims, axes->x, axes->y, mapping, err);
  if (figure < 0) return figure;
  if (ra__cf_mapping_crs(cf, mapping, axes->x_dim->var, axes->y_dim->var, figure, &crs, &scale,
                         &why) < 0) {
    return without_mapping(cf, variable, dims, mapping, &why, err);
  }
  if (axes->bare) {
    axes->degrees = ra_crs_is_geographic(crs);
    axes->rotated = ra_crs_is_rotated_pole(crs);
  } else if (ra_crs_is_rotated_pole(crs) != axes->rotated || ra_crs_is_geographic(crs)) {
    ra__cf_reason(cf, variable, RA_E_UNSUPPORTED,
                  "its axes '%s' and '%s' are not those of its grid mapping '%s' (%s)",
                  axes->x_dim->var->name, axes->y_dim->var->name, mapping->name, ra_crs_name(crs));
    ra_crs_unref(crs);
    return RA_OK;
  }
  if ((axes->rotated || axes->degrees) && ra__cf_is_radians(axes->x_dim->var)) scale = 180 / M_PI;
  return make_grid(cf, variable, axes, mapping, crs, scale, err);
}

static int geographic(ra_cf *cf, ra_cf_variable *variable, const pair *axes, ra_err *err) {
  ra_source_var *mapping = mapping_of(cf, variable, axes);
  ra_crs *crs;
  double scale;
  int rc = degrees_crs(cf, mapping, axes, &crs, &scale, err);
  return rc < 0 ? rc : make_grid(cf, variable, axes, mapping, crs, scale, err);
}

// Axes of longitude and latitude may be nominal only (of a tripolar grid); what `coordinates` names is the truth then.
static int by_degrees(ra_cf *cf, ra_cf_variable *variable, const ra__cf_dim *dims, const pair *axes,
                      ra_err *err) {
  int rc = ra__cf_curved(cf, variable, dims, true, err);
  return rc != 0 ? rc : geographic(cf, variable, axes, err);
}

// Axes that say nothing of themselves may only count cells: where there are 2-D places they have to agree.
static int by_projection(ra_cf *cf, ra_cf_variable *variable, const ra__cf_dim *dims, pair *axes,
                         ra_err *err) {
  ra_source_var *mapping = mapping_of(cf, variable, axes);
  int agrees = mapping != NULL;
  if (mapping && axes->bare)
    agrees = ra__cf_agrees(cf, variable, dims, axes->x, axes->y, mapping, err);
  if (agrees < 0) return agrees;
  int rc = agrees ? 0 : ra__cf_curved(cf, variable, dims, false, err);
  return rc != 0 ? rc : projected(cf, variable, dims, axes, err);
}

int ra__cf_grid(ra_cf *cf, ra_cf_variable *variable, const ra__cf_dim *dims, ra_err *err) {
  pair axes;
  int rc;
  if (find_pair(variable, dims, RA__CF_LON, RA__CF_LAT, &axes)) {
    rc = by_degrees(cf, variable, dims, &axes, err);
  } else if (find_pair(variable, dims, RA__CF_PROJ_X, RA__CF_PROJ_Y, &axes) ||
             find_pair(variable, dims, RA__CF_ROTATED_X, RA__CF_ROTATED_Y, &axes) ||
             find_pair(variable, dims, RA__CF_X, RA__CF_Y, &axes)) {
    rc = by_projection(cf, variable, dims, &axes, err);
  } else {
    rc = ra__cf_curved(cf, variable, dims, false, err);
    if (rc == 0) ra__cf_explain(cf, variable, dims);
    return rc < 0 ? rc : RA_OK;
  }
  if (rc == 0 && variable->mappable) {
    variable->x_dim = axes.x;
    variable->y_dim = axes.y;
  }
  return rc < 0 ? rc : RA_OK;
}
