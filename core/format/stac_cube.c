// stac_cube.c - see stac_cube.h. Each dimension is told once, by the first variable that has it.
#include "format/stac_cube.h"

#include <math.h>
#include <string.h>

#include "format/stac_item.h"

enum { NAMES_MAX = 64, VALUES_MAX = 1000 };

typedef struct names {
  const char *seen[NAMES_MAX];
  size_t count;
} names;

// A comma before all but the first; false when it was told already.
static bool begin(names *told, const char *name, ra_str *out) {
  for (size_t i = 0; i < told->count; i++)
    if (!strcmp(told->seen[i], name)) return false;
  if (told->count == NAMES_MAX) return false;
  if (told->count) ra_str_add_char(out, ',');
  told->seen[told->count++] = name;
  ra_str_add_json(out, name);
  ra_str_add(out, ":{");
  return true;
}

static void add_reference_system(const ra_dataset_grid *grid, ra_str *out) {
  int epsg = ra_crs_epsg(grid->crs);
  ra_str_add(out, ",\"reference_system\":");
  if (epsg)
    ra_str_addf(out, "%d}", epsg);
  else
    ra_str_add_json(out, ra_crs_wkt2(grid->crs));
  if (!epsg) ra_str_add_char(out, '}');
}

static void add_side(names *told, const ra_dataset_grid *grid, bool is_x, ra_str *out) {
  const char *name = is_x ? grid->x_dim : grid->y_dim;
  if (!*name || !begin(told, name, out)) return;
  const double *gt = grid->grid.gt;
  double width = (double)grid->grid.width, height = (double)grid->grid.height;
  double edge = is_x ? gt[0] : gt[3];
  double along = is_x ? gt[1] * width : gt[5] * height, askew = is_x ? gt[2] * height : gt[4] * width;
  ra_str_addf(out, "\"type\":\"spatial\",\"axis\":\"%s\",\"extent\":[", is_x ? "x" : "y");
  ra_str_add_double(out, edge + fmin(0, along) + fmin(0, askew));
  ra_str_add_char(out, ',');
  ra_str_add_double(out, edge + fmax(0, along) + fmax(0, askew));
  ra_str_add(out, "],\"step\":");
  if (askew != 0)
    ra_str_add(out, "null");
  else
    ra_str_add_double(out, fabs(is_x ? gt[1] : gt[5]));
  add_reference_system(grid, out);
}

// Calendars of real dates are temporal; the others have a type of their own and texts as values.
static bool is_real(ra_calendar calendar) {
  return calendar == RA_CALENDAR_STANDARD || calendar == RA_CALENDAR_PROLEPTIC_GREGORIAN;
}

static void add_time(names *told, const ra_dataset_axis *axis, ra_str *out) {
  char first[40] = "", last[40] = "";
  int64_t low = INT64_MAX, high = INT64_MIN;
  for (size_t i = 0; i < axis->count; i++) {
    if (axis->ms[i] == RA_TIME_NONE) continue;
    if (axis->ms[i] < low) low = axis->ms[i];
    if (axis->ms[i] > high) high = axis->ms[i];
  }
  if (low > high || !begin(told, axis->name, out)) return;
  ra_time_format(axis->calendar, low, first);
  ra_time_format(axis->calendar, high, last);
  if (is_real(axis->calendar))
    ra_str_addf(out, "\"type\":\"temporal\",\"extent\":[\"%s\",\"%s\"]}", first, last);
  else
    ra_str_addf(out,
                "\"type\":\"time\",\"values\":[\"%s\",\"%s\"],\"reference_system\":\"%s\","
                "\"description\":\"First and last time, in the calendar of the data\"}",
                first, last, ra_calendar_name(axis->calendar));
}

static void add_values(const ra_dataset_extra *extra, ra_str *out) {
  if (!extra->values || extra->size > VALUES_MAX) {
    double low = extra->values ? INFINITY : 0,
           high = extra->values ? -INFINITY : (double)extra->size - 1;
    for (size_t i = 0; extra->values && i < extra->size; i++) {
      low = fmin(low, extra->values[i]);
      high = fmax(high, extra->values[i]);
    }
    ra_str_add(out, "\"extent\":[");
    ra_str_add_double(out, low);
    ra_str_add_char(out, ',');
    ra_str_add_double(out, high);
    ra_str_add_char(out, ']');
    return;
  }
  ra_str_add(out, "\"values\":[");
  for (size_t i = 0; i < extra->size; i++) {
    if (i) ra_str_add_char(out, ',');
    if (isfinite(extra->values[i]))
      ra_str_add_double(out, extra->values[i]);
    else
      ra_str_add(out, "\"nan\"");
  }
  ra_str_add_char(out, ']');
}

static void add_extra(names *told, const ra_dataset_extra *extra, ra_str *out) {
  if (!begin(told, extra->name, out)) return;
  if (extra->vertical)
    ra_str_add(out, "\"type\":\"spatial\",\"axis\":\"z\",");
  else
    ra_str_add(out, "\"type\":\"other\",");
  add_values(extra, out);
  if (*extra->units) {
    ra_str_add(out, ",\"unit\":");
    ra_str_add_json(out, extra->units);
  }
  ra_str_add_char(out, '}');
}

static void add_dimensions(const ra_dataset *dataset, uint64_t axes, ra_str *out) {
  names told = {.count = 0};
  for (size_t i = 0; i < ra_dataset_variable_count(dataset); i++) {
    const ra_dataset_variable *variable = ra_dataset_get_variable(dataset, i);
    if (!ra__stac_has(variable, axes)) continue;
    if (variable->axis && variable->time_dim >= 0) add_time(&told, variable->axis, out);
    for (unsigned k = 0; k < variable->extra_count; k++) add_extra(&told, &variable->extra[k], out);
    if (!variable->grid) continue;
    add_side(&told, variable->grid, false, out);
    add_side(&told, variable->grid, true, out);
  }
}

static void add_variable(const ra_dataset_variable *variable, ra_str *out) {
  ra_str_add_json(out, variable->name);
  ra_str_add(out, ":{\"type\":\"data\",\"dimensions\":[");
  for (unsigned k = 0; k < variable->ndim; k++) {
    if (k) ra_str_add_char(out, ',');
    ra_str_add_json(out, variable->dims[k]);
  }
  ra_str_addf(out, "],\"data_type\":\"%s\"", ra_dtype_name(variable->dtype));
  if (*variable->long_name) {
    ra_str_add(out, ",\"description\":");
    ra_str_add_json(out, variable->long_name);
  }
  if (*variable->units) {
    ra_str_add(out, ",\"unit\":");
    ra_str_add_json(out, variable->units);
  }
  ra_str_add_char(out, '}');
}

void ra__stac_add_cube(const ra_dataset *dataset, uint64_t axes, ra_str *out) {
  bool first = true;
  ra_str_add(out, "\"cube:dimensions\":{");
  add_dimensions(dataset, axes, out);
  ra_str_add(out, "},\"cube:variables\":{");
  for (size_t i = 0; i < ra_dataset_variable_count(dataset); i++) {
    const ra_dataset_variable *variable = ra_dataset_get_variable(dataset, i);
    if (!ra__stac_has(variable, axes)) continue;
    if (!first) ra_str_add_char(out, ',');
    first = false;
    add_variable(variable, out);
  }
  ra_str_add_char(out, '}');
}

void ra_stac_cube(const ra_dataset *dataset, ra_str *out) {
  ra_str_add_char(out, '{');
  ra__stac_add_cube(dataset, UINT64_MAX, out);
  ra_str_add_char(out, '}');
}
