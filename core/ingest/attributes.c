// attributes.c - attributes of the source as JSON for the Zarr store and the body. They stay as they are, but for three
// things: _FillValue takes the form that xarray reads in Zarr v3 (in v2 netcdf-c alone reads it, the others take the array's
// fill value), a missing_value that is NaN becomes such a fill value (JSON has no NaN), and what _Unsigned said is in the
// array's type already.
#include <math.h>
#include <string.h>

#include "ingest/ingest_private.h"

void ra__json_number(ra_str *out, double value) {
  if (isnan(value)) {
    ra_str_add(out, "\"NaN\"");
  } else if (isinf(value)) {
    ra_str_add(out, value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  } else {
    ra_str_add_double(out, value);
  }
}

static void add_element(const ra_source_attr *attr, size_t i, double shift, ra_str *out) {
  if (attr->texts) {
    ra_str_add_json(out, attr->texts[i]);
  } else if (attr->integers && attr->dtype == RA_DTYPE_U64 && attr->integers[i] < 0) {
    ra_str_addf(out, "%.17g", (double)(uint64_t)attr->integers[i]);  // more than JSON's readers hold
  } else if (attr->integers) {
    ra_str_add_int(out, attr->integers[i] + (attr->integers[i] < 0 ? (int64_t)shift : 0));
  } else {
    ra__json_number(out, attr->numbers[i]);
  }
}

// One number or text stands alone, several are a list.
static void add_value(const ra_source_attr *attr, double shift, ra_str *out) {
  if (attr->count == 1) {
    add_element(attr, 0, shift, out);
    return;
  }
  ra_str_add_char(out, '[');
  for (size_t i = 0; i < attr->count; i++) {
    if (i) ra_str_add_char(out, ',');
    add_element(attr, i, shift, out);
  }
  ra_str_add_char(out, ']');
}

static void add_member(const ra_source_attr *attr, double shift, bool *first, ra_str *out) {
  if (!*first) ra_str_add_char(out, ',');
  *first = false;
  ra_str_add_json(out, attr->name);
  ra_str_add_char(out, ':');
  add_value(attr, shift, out);
}

// Readers compare these with cells bit by bit, so they are written as the cell's type holds them.
static void add_missing(const ra__array *array, const ra_source_attr *attr, double shift,
                        bool *first, ra_str *out) {
  if (array->zarr.dtype != RA_DTYPE_F32 || !attr->numbers) {
    add_member(attr, shift, first, out);
    return;
  }
  if (!*first) ra_str_add_char(out, ',');
  *first = false;
  ra_str_add(out, attr->count == 1 ? "\"missing_value\":" : "\"missing_value\":[");
  for (size_t i = 0, n = 0; i < attr->count; i++) {
    if (isnan(attr->numbers[i])) continue;
    if (n++) ra_str_add_char(out, ',');
    ra__json_number(out, (double)(float)attr->numbers[i]);
  }
  if (attr->count != 1) ra_str_add_char(out, ']');
}

static bool all_nan(const ra_source_attr *attr) {
  for (size_t i = 0; attr->numbers && i < attr->count; i++) {
    if (!isnan(attr->numbers[i])) return false;
  }
  return attr->numbers && attr->count > 0;
}

static bool has_nan(const ra_source_attr *attr) {
  for (size_t i = 0; attr->numbers && i < attr->count; i++) {
    if (isnan(attr->numbers[i])) return true;
  }
  return false;
}

bool ra__fill_value(const ra_cf_variable *variable, ra_zarr_spec *spec) {
  const ra_source_var *var = variable->source;
  const ra_source_attr *fill = ra_source_var_attr(var, "_FillValue");
  const ra_source_attr *missing = ra_source_var_attr(var, "missing_value");
  double number = NAN;
  bool named = fill && fill->numbers && fill->count == 1;
  if (named) {
    number = fill->numbers[0];
    if (var->as_unsigned && number < 0) number += ldexp(1, (int)(8 * ra_dtype_size(var->dtype)));
    spec->fill_int =
        ra_dtype_size(var->dtype) == 8 && fill->integers ? fill->integers[0] : (int64_t)number;
  } else if (!(missing && has_nan(missing) && ra_dtype_is_float(var->dtype))) {
    return false;
  }
  if (!ra_dtype_is_float(var->dtype) && !isfinite(number)) return false;
  spec->fill = var->dtype == RA_DTYPE_F32 ? (double)(float)number : number;
  return true;
}

static void add_fill(const ra__array *array, bool *first, ra_str *out) {
  ra_zarr_spec spec = array->zarr;
  if (!ra__fill_value(array->cf, &spec)) return;
  if (spec.format == 2 && ra_dtype_is_float(spec.dtype) && !isfinite(spec.fill)) return;
  spec.has_fill = true;
  if (!*first) ra_str_add_char(out, ',');
  *first = false;
  ra_zarr_fill_attribute(&spec, out);
}

static void array_attributes(const ra__array *array, ra_str *out) {
  const ra_source_var *var = array->cf->source;
  double shift = var->as_unsigned && ra_dtype_size(var->dtype) < 8
                     ? ldexp(1, (int)(8 * ra_dtype_size(var->dtype)))
                     : 0;
  bool first = true;
  for (size_t i = 0; i < var->attr_count; i++) {
    const ra_source_attr *attr = &var->attrs[i];
    bool missing = !strcmp(attr->name, "missing_value");
    if (!strcmp(attr->name, "_FillValue") || attr->count == 0) continue;
    if (!strcmp(attr->name, "_Unsigned") || (missing && all_nan(attr))) continue;
    if (missing) {
      add_missing(array, attr, shift, &first, out);
    } else {
      add_member(attr, 0, &first, out);
    }
  }
  add_fill(array, &first, out);
}

void ra__global_attributes(const ra_ingest *ingest, ra_str *out) {
  bool first = true;
  const ra_source_attr *attrs = ra_source_attrs(ingest->source);
  for (size_t i = 0; i < ra_source_attr_count(ingest->source); i++) {
    if (attrs[i].count) add_member(&attrs[i], 0, &first, out);
  }
}

static const ra_cf_grid *only_grid(const ra_ingest *ingest) {
  const ra_cf_grid *grid = NULL;
  for (size_t i = 0; i < ingest->count; i++) {
    const ra_cf_grid *own = ingest->arrays[i].cf->mappable ? ingest->arrays[i].cf->grid : NULL;
    if (own && grid && own != grid) return NULL;
    if (own) grid = own;
  }
  return grid;
}

void ra__attributes(const ra_ingest *ingest, const ra__array *array, ra_str *out) {
  size_t start = out->len;
  if (array) {
    array_attributes(array, out);
  } else {
    ra__global_attributes(ingest, out);
  }
  const ra_cf_grid *grid = only_grid(ingest);
  if (array) grid = array->cf->mappable && !grid ? array->cf->grid : NULL;
  // Lists of objects and of texts keep netcdf-c from opening a v2 store; there CF says where the cells lie.
  if (!grid || ingest->options.zarr_format == 2) return;
  if (out->len > start) ra_str_add_char(out, ',');
  ra__geozarr(grid, ingest->source, out);
}

static void add_crs(const ra_cf_grid *grid, ra_str *out) {
  int epsg = ra_crs_epsg(grid->crs);
  if (epsg) {
    ra_str_addf(out, "\"proj:code\":\"EPSG:%d\"", epsg);
  } else {
    ra_str_add(out, "\"proj:wkt2\":");
    ra_str_add_json(out, ra_crs_wkt2(grid->crs));
  }
}

// Cells that no affine places: their coordinates do, as CF has it.
static void add_proj_alone(const ra_cf_grid *grid, ra_str *out) {
  ra_str_add(out,
             "\"zarr_conventions\":[{\"uuid\":\"f17cb550-5864-4468-aeb7-f3180cfb622f\",\"name\":"
             "\"proj:\"}],");
  add_crs(grid, out);
}

// The store keeps the source's order of cells, so the transform is the native one, not the map layout's.
void ra__geozarr(const ra_cf_grid *grid, const ra_source *source, ra_str *out) {
  if (grid->layout != RA_CF_EVEN) {
    add_proj_alone(grid, out);
    return;
  }
  const double *gt = grid->native.gt;
  double w = (double)grid->native.width, h = (double)grid->native.height;
  double x0 = gt[0], x1 = gt[0] + w * gt[1], y0 = gt[3], y1 = gt[3] + h * gt[5];
  ra_str_add(out,
             "\"zarr_conventions\":[{\"uuid\":\"689b58e2-cf7b-45e0-9fff-9cfc0883d6b4\",\"name\":"
             "\"spatial:\"},"
             "{\"uuid\":\"f17cb550-5864-4468-aeb7-f3180cfb622f\",\"name\":\"proj:\"}],\"spatial:"
             "dimensions\":[");
  ra_str_add_json(out, ra_source_get_dim(source, grid->y_dim)->base);
  ra_str_add_char(out, ',');
  ra_str_add_json(out, ra_source_get_dim(source, grid->x_dim)->base);
  ra_str_addf(out,
              "],\"spatial:shape\":[%lld,%lld],\"spatial:registration\":\"pixel\",\"spatial:"
              "transform_type\":\"affine\"",
              (long long)grid->native.height, (long long)grid->native.width);
  const double transform[6] = {gt[1], gt[2], gt[0], gt[4], gt[5], gt[3]};
  const double bbox[4] = {fmin(x0, x1), fmin(y0, y1), fmax(x0, x1), fmax(y0, y1)};
  ra_str_add(out, ",\"spatial:transform\":[");
  for (int i = 0; i < 6; i++) {
    if (i) ra_str_add_char(out, ',');
    ra_str_add_double(out, transform[i]);
  }
  ra_str_add(out, "],\"spatial:bbox\":[");
  for (int i = 0; i < 4; i++) {
    if (i) ra_str_add_char(out, ',');
    ra_str_add_double(out, bbox[i]);
  }
  ra_str_add(out, "],");
  add_crs(grid, out);
}
