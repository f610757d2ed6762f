// stac_item.c - see stac_item.h. An item is
//   {… "stac_extensions", "id", <middle: geometry, bbox, collection, links' rest>, "properties":{times, <fixed>}, "links", "assets"}
// where only id, times, links and the labels in asset hrefs differ between items of one kind.
#include "format/stac_item.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "format/stac_cube.h"

#define EXTENSION "https://stac-extensions.github.io/"
#define COG_TYPE "image/tiff; application=geotiff; profile=cloud-optimized"
#define ZARR_TYPE "application/vnd.zarr; version="

static const double METRES_A_DEGREE = 111319.49079327358;

void ra_stac_writer_init(ra_stac_writer *writer, const char *base_url) {
  *writer = (ra_stac_writer){.base_url = base_url};
  ra_str_init(&writer->middle);
  ra_str_init(&writer->extensions);
  ra_str_init(&writer->zarr);
}

static void forget(ra_stac_writer *writer) {
  for (size_t i = 0; i < writer->asset_count; i++) {
    ra_str_deinit(&writer->before[i]);
    ra_str_deinit(&writer->after[i]);
  }
  free(writer->before);
  free(writer->after);
  ra_str_deinit(&writer->middle);
  ra_str_deinit(&writer->extensions);
  ra_str_deinit(&writer->zarr);
  const char *segment = writer->segment;
  ra_stac_writer_init(writer, writer->base_url);
  writer->segment = segment;
}

void ra_stac_writer_deinit(ra_stac_writer *writer) { forget(writer); }

uint64_t ra_stac_item_axes(const ra_dataset *dataset, size_t i) {
  uint64_t bits = 0;
  size_t step;
  for (size_t a = 0; a < ra_dataset_axis_count(dataset) && a < 64; a++)
    if (ra_dataset_item_step(dataset, i, (int)a, &step)) bits |= UINT64_C(1) << a;
  return bits;
}

bool ra__stac_has(const ra_dataset_variable *variable, uint64_t axes) {
  return variable->axis_index < 0 ||
         (variable->axis_index < 64 && (axes >> variable->axis_index & 1));
}

// The grids of an item's variables: the first, and whether there are others.
static const ra_dataset_grid *grid_of(const ra_dataset *dataset, uint64_t axes, bool *several) {
  const ra_dataset_grid *first = NULL;
  *several = false;
  for (size_t i = 0; i < ra_dataset_variable_count(dataset); i++) {
    const ra_dataset_variable *variable = ra_dataset_get_variable(dataset, i);
    if (!variable->mappable || !ra__stac_has(variable, axes)) continue;
    if (!first) first = variable->grid;
    if (variable->grid != first) *several = true;
  }
  return first;
}

// Of several grids the one whose CRS has no code: its TIFFs may lack keys, and are read by what the item says.
static const ra_dataset_grid *uncoded_grid(const ra_dataset *dataset, uint64_t axes) {
  for (size_t i = 0; i < ra_dataset_variable_count(dataset); i++) {
    const ra_dataset_variable *variable = ra_dataset_get_variable(dataset, i);
    if (variable->mappable && ra__stac_has(variable, axes) && !ra_crs_epsg(variable->grid->crs))
      return variable->grid;
  }
  return NULL;
}

static void add_ring(ra_str *out, double w, double s, double e, double n) {
  const double corners[5][2] = {{w, s}, {e, s}, {e, n}, {w, n}, {w, s}};
  ra_str_add(out, "[[");
  for (int i = 0; i < 5; i++) {
    ra_str_add(out, i ? ",[" : "[");
    ra_str_add_double(out, corners[i][0]);
    ra_str_add_char(out, ',');
    ra_str_add_double(out, corners[i][1]);
    ra_str_add_char(out, ']');
  }
  ra_str_add(out, "]]");
}

static void add_box_geometry(ra_str *out, const double b[4]) {
  bool splits = b[0] > b[2];
  ra_str_add(out, splits ? "{\"type\":\"MultiPolygon\",\"coordinates\":["
                         : "{\"type\":\"Polygon\",\"coordinates\":");
  add_ring(out, b[0], b[1], splits ? 180 : b[2], b[3]);
  if (splits) {
    ra_str_add_char(out, ',');
    add_ring(out, -180, b[1], b[2], b[3]);
  }
  ra_str_add(out, splits ? "]}" : "}");
}

static bool footprint(const ra_dataset *dataset, uint64_t axes, double bbox[4], ra_str *geometry) {
  bool several;
  const ra_dataset_grid *grid = grid_of(dataset, axes, &several);
  if (!grid) return false;
  memcpy(bbox, grid->bbox, sizeof grid->bbox);
  for (size_t i = 0; several && i < ra_dataset_variable_count(dataset); i++) {
    const ra_dataset_variable *variable = ra_dataset_get_variable(dataset, i);
    if (variable->mappable && ra__stac_has(variable, axes))
      ra_bbox_join(bbox, variable->grid->bbox);
  }
  if (!geometry) return true;
  if (several)
    add_box_geometry(geometry, bbox);
  else
    ra_str_add(geometry, grid->geometry);
  return true;
}

bool ra_stac_item_footprint(const ra_dataset *dataset, size_t i, double bbox[4], ra_str *geometry) {
  return footprint(dataset, ra_stac_item_axes(dataset, i), bbox, geometry);
}

// ---- what the items of one kind share

static bool has_runs(const ra_dataset *dataset, uint64_t axes) {
  for (size_t a = 0; a < ra_dataset_axis_count(dataset) && a < 64; a++)
    if (axes >> a & 1 && ra_dataset_get_axis(dataset, a)->runs) return true;
  return false;
}

static void add_extensions(ra_stac_writer *writer, const ra_dataset *dataset, uint64_t axes,
                           bool has_grid) {
  ra_str *out = &writer->extensions;
  ra_str_add(out, "\"stac_extensions\":[\"" EXTENSION "datacube/v2.3.0/schema.json\"");
  if (has_grid) ra_str_add(out, ",\"" EXTENSION "projection/v2.0.0/schema.json\"");
  if (writer->has_mappable) ra_str_add(out, ",\"" EXTENSION "raster/v2.0.0/schema.json\"");
  if (has_runs(dataset, axes)) ra_str_add(out, ",\"" EXTENSION "forecast/v0.2.0/schema.json\"");
  ra_str_add_char(out, ']');
}

// ,"proj:…" of a grid.
static void add_projection(ra_str *out, const ra_dataset_grid *grid) {
  const double *gt = grid->grid.gt;
  int epsg = ra_crs_epsg(grid->crs);
  if (epsg) {
    ra_str_addf(out, ",\"proj:code\":\"EPSG:%d\"", epsg);
  } else {
    ra_str_add(out, ",\"proj:code\":null,\"proj:wkt2\":");
    ra_str_add_json(out, ra_crs_wkt2(grid->crs));
  }
  ra_str_addf(out, ",\"proj:shape\":[%lld,%lld],\"proj:transform\":[", (long long)grid->grid.height,
              (long long)grid->grid.width);
  const int order[6] = {1, 2, 0, 4, 5, 3};  // row-major affine
  for (int i = 0; i < 6; i++) {
    if (i) ra_str_add_char(out, ',');
    ra_str_add_double(out, gt[order[i]]);
  }
  ra_str_add_char(out, ']');
  static const char *const REGRIDDED[] = {
      [RA_DATASET_UNEVEN] = "{\"from\":\"uneven\",\"method\":\"nearest\"}",
      [RA_DATASET_CURVED] = "{\"from\":\"curvilinear\",\"method\":\"bilinear\"}"};
  if (grid->layout != RA_DATASET_EVEN)
    ra_str_addf(out, ",\"rastrum:regridded\":%s", REGRIDDED[grid->layout]);
}

static void add_middle(ra_stac_writer *writer, const ra_dataset *dataset, uint64_t axes) {
  ra_str *out = &writer->middle;
  double bbox[4];
  bool several;
  const ra_dataset_grid *grid = grid_of(dataset, axes, &several);
  const char *created = ra_dataset_get_about(dataset)->created;
  if (*created) {
    ra_str_add(out, ",\"created\":");
    ra_str_add_json(out, created);
    ra_str_add(out, ",\"updated\":");
    ra_str_add_json(out, created);
  }
  if (several) grid = uncoded_grid(dataset, axes);
  if (grid) add_projection(out, grid);
  ra_str_add_char(out, ',');
  ra__stac_add_cube(dataset, axes, out);
  ra_str_add(out, "},\"geometry\":");
  if (!footprint(dataset, axes, bbox, out)) {
    ra_str_add(out, "null");
  } else {
    ra_str_add(out, ",\"bbox\":[");
    for (int i = 0; i < 4; i++) {
      if (i) ra_str_add_char(out, ',');
      ra_str_add_double(out, bbox[i]);
    }
    ra_str_add_char(out, ']');
  }
  ra_str_addf(out, ",\"collection\":\"%s\"", ra_dataset_collection(dataset));
}

static void add_data_href(ra_str *out, const ra_stac_writer *writer, const ra_dataset *dataset) {
  ra_str_addf(out, "%s/data/%s/%s/%s/", writer->base_url, ra_dataset_collection(dataset),
              ra_dataset_id(dataset), ra_dataset_version(dataset));
}

static void add_nodata(ra_str *out, double nodata) {
  ra_str_add(out, ",\"nodata\":");
  if (isnan(nodata))
    ra_str_add(out, "\"nan\"");
  else if (isinf(nodata))
    ra_str_add(out, nodata > 0 ? "\"inf\"" : "\"-inf\"");
  else
    ra_str_add_double(out, nodata);
}

static void add_statistics(ra_str *out, const ra_dataset_variable *variable) {
  if (isnan(variable->minimum) || isnan(variable->maximum)) return;
  ra_str_add(out, ",\"statistics\":{\"minimum\":");
  ra_str_add_double(out, variable->minimum);
  ra_str_add(out, ",\"maximum\":");
  ra_str_add_double(out, variable->maximum);
  const struct {
    const char *name;
    double value;
  } rest[] = {{"mean", variable->mean}, {"stddev", variable->stddev}};
  for (int i = 0; i < 2; i++) {
    if (isnan(rest[i].value)) continue;
    ra_str_addf(out, ",\"%s\":", rest[i].name);
    ra_str_add_double(out, rest[i].value);
  }
  if (variable->total_count) {
    ra_str_add(out, ",\"valid_percent\":");
    ra_str_add_double(out, 100.0 * (double)variable->valid_count / (double)variable->total_count);
  }
  ra_str_add_char(out, '}');
}

static double resolution(const ra_dataset_grid *grid) {
  const double *gt = grid->grid.gt;
  double side = (hypot(gt[1], gt[4]) + hypot(gt[2], gt[5])) / 2;
  bool degrees = ra_crs_is_geographic(grid->crs) || ra_crs_is_rotated_pole(grid->crs);
  return degrees ? side * METRES_A_DEGREE : side;
}

static void add_band(ra_str *out, const ra_dataset_variable *variable, unsigned band) {
  ra_str_add(out, "{\"name\":");
  ra_str_add_json(out, variable->band_names ? variable->band_names[band] : variable->name);
  ra_str_addf(out, ",\"data_type\":\"%s\"", ra_dtype_name(variable->dtype));
  if (variable->has_nodata) add_nodata(out, variable->nodata);
  if (*variable->units) {
    ra_str_add(out, ",\"unit\":");
    ra_str_add_json(out, variable->units);
  }
  if (variable->bands == 1) add_statistics(out, variable);
  ra_str_add(out, ",\"raster:sampling\":\"area\"");
  if (!ra_packing_is_plain(&variable->packing)) {
    ra_str_add(out, ",\"raster:scale\":");
    ra_str_add_double(out, variable->packing.scale);
    ra_str_add(out, ",\"raster:offset\":");
    ra_str_add_double(out, variable->packing.offset);
  }
  ra_str_add(out, ",\"raster:spatial_resolution\":");
  ra_str_add_double(out, resolution(variable->grid));
  ra_str_add_char(out, '}');
}

// A variable whose maps are made of its Zarr array has no other asset than this.
static void add_array(ra_str *out, const ra_dataset *dataset, const ra_dataset_variable *variable) {
  ra_str_addf(out, "%s/%s\",\"type\":\"" ZARR_TYPE "%u\",\"zarr:node_type\":\"array\"",
              ra_dataset_store(dataset), variable->array.path, variable->array.format);
  ra_str_addf(out, ",\"zarr:zarr_format\":%u", variable->array.format);
}

static void add_asset(ra_stac_writer *writer, const ra_dataset *dataset,
                      const ra_dataset_variable *variable, bool own_projection) {
  ra_str *before = &writer->before[writer->asset_count], *after = &writer->after[writer->asset_count];
  ra_str_init(before);
  ra_str_init(after);
  writer->asset_count++;
  ra_str_add_json(before, variable->name);
  ra_str_add(before, ":{\"href\":\"");
  add_data_href(before, writer, dataset);
  if (variable->mapped_from_zarr) {
    add_array(before, dataset, variable);
  } else if (ra_dataset_in_place(dataset)) {
    ra_str_add(before, ra_dataset_in_place(dataset));
    ra_str_add(after, "\",\"type\":\"" COG_TYPE "\"");
  } else {
    ra_key_escape(before, variable->name, true);
    ra_str_add_char(before, '/');
    ra_str_add(after, ".tif\",\"type\":\"" COG_TYPE "\"");
  }
  ra_str_add(after, ",\"roles\":[\"data\"],\"title\":");
  ra_str_add_json(after, *variable->long_name ? variable->long_name : variable->name);
  if (own_projection) add_projection(after, variable->grid);
  if (variable->bands > 1) add_statistics(after, variable);
  ra_str_add(after, ",\"bands\":[");
  for (unsigned band = 0; band < variable->bands; band++) {
    if (band) ra_str_add_char(after, ',');
    add_band(after, variable, band);
  }
  ra_str_add(after, "]}");
}

// An image in place has none.
static void add_zarr(ra_stac_writer *writer, const ra_dataset *dataset) {
  ra_str *out = &writer->zarr;
  const char *store = ra_dataset_store(dataset);
  unsigned format = ra_dataset_store_format(dataset);
  if (!store) return;
  ra_str_add(out, "\"zarr\":{\"href\":\"");
  if (writer->segment) {
    ra_str_addf(out, "%s/data/%s/segments/%s/data.zarr", writer->base_url,
                ra_dataset_collection(dataset), writer->segment);
  } else {
    add_data_href(out, writer, dataset);
    ra_str_add(out, store);
  }
  ra_str_addf(out,
              "\",\"type\":\"" ZARR_TYPE
              "%u\",\"roles\":[\"data\"],\"title\":\"Zarr store that holds the step\","
              "\"zarr:consolidated\":true,\"zarr:node_type\":\"group\",\"zarr:zarr_format\":%u}",
              format, format);
}

static int prepare(ra_stac_writer *writer, const ra_dataset *dataset, uint64_t axes, ra_err *err) {
  forget(writer);
  size_t count = ra_dataset_variable_count(dataset);
  writer->before = calloc(count + 1, sizeof *writer->before);
  writer->after = calloc(count + 1, sizeof *writer->after);
  if (!writer->before || !writer->after)
    return ra_fail(err, RA_E_NOMEM, "", "out of memory for items");
  bool several;
  bool has_grid = grid_of(dataset, axes, &several);
  for (size_t i = 0; i < count; i++) {
    const ra_dataset_variable *variable = ra_dataset_get_variable(dataset, i);
    if (!variable->mappable || !ra__stac_has(variable, axes)) continue;
    writer->has_mappable = true;
    add_asset(writer, dataset, variable, several);
  }
  add_extensions(writer, dataset, axes, has_grid);
  add_middle(writer, dataset, axes);
  add_zarr(writer, dataset);
  writer->dataset = dataset;
  writer->axes = axes;
  return RA_OK;
}

// ---- what differs

// What RFC 3339 can say: years 0000 to 9999.
static bool has_rfc3339(int64_t iso_ms) {
  const int64_t first = -62167219200000, last = 253402300799999;
  return iso_ms >= first && iso_ms <= last;
}

static void add_range(ra_str *out, const char *first, const char *last) {
  ra_str_addf(out, "\"datetime\":null,\"start_datetime\":\"%s\",\"end_datetime\":\"%s\"", first,
              last);
}

// Many clients cannot read a "datetime" in year 0, and then lose the whole page: there it is a range of no length.
static void add_datetime(ra_str *out, const ra_dataset_item *item) {
  const int64_t year_one = -62135596800000;
  char iso[40];
  if (!item->axis || !has_rfc3339(item->iso_ms)) {
    add_range(out, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z");
    return;
  }
  ra_time_format(RA_CALENDAR_PROLEPTIC_GREGORIAN, item->iso_ms, iso);
  if (item->iso_ms < year_one)
    add_range(out, iso, iso);
  else
    ra_str_addf(out, "\"datetime\":\"%s\"", iso);
}

static void add_times(ra_str *out, const ra_dataset_item *item) {
  add_datetime(out, item);
  if (!item->axis) return;
  ra_str_addf(out, ",\"rastrum:time_index\":%zu", item->step);
  bool exact;
  char own[40];
  ra_time_to_iso(item->axis->calendar, item->true_ms, &exact);
  if (exact && has_rfc3339(item->iso_ms)) return;
  ra_time_format(item->axis->calendar, item->true_ms, own);
  ra_str_addf(out, ",\"rastrum:datetime\":\"%s\",\"rastrum:calendar\":\"%s\"", own,
              ra_calendar_name(item->axis->calendar));
}

// "PT6H", "PT1H30M", "-PT3H": hours, as forecasters count.
static void add_duration(ra_str *out, int64_t ms) {
  uint64_t seconds = (uint64_t)llabs(ms) / 1000;
  uint64_t hours = seconds / 3600, minutes = seconds / 60 % 60;
  ra_str_addf(out, "\"%sPT", ms < 0 ? "-" : "");
  if (hours || seconds < 60) ra_str_addf(out, "%lluH", (unsigned long long)hours);
  if (minutes) ra_str_addf(out, "%lluM", (unsigned long long)minutes);
  if (seconds % 60) ra_str_addf(out, "%lluS", (unsigned long long)(seconds % 60));
  ra_str_add_char(out, '"');
}

// The forecast extension: the run that the step belongs to, and how far ahead of it the step is.
static void add_run(ra_str *out, const ra_dataset_item *item) {
  int64_t run = item->axis ? ra_dataset_axis_run(item->axis, item->step) : RA_TIME_NONE;
  if (run == RA_TIME_NONE) return;
  int64_t iso = ra_time_to_iso(item->axis->calendar, run, NULL), lead;
  char text[40];
  if (!has_rfc3339(iso)) return;
  ra_time_format(RA_CALENDAR_PROLEPTIC_GREGORIAN, iso, text);
  ra_str_addf(out, ",\"forecast:reference_datetime\":\"%s\"", text);
  if (__builtin_sub_overflow(item->true_ms, run, &lead)) return;
  ra_str_add(out, ",\"forecast:horizon\":");
  add_duration(out, lead);
}

static void add_links(ra_str *out, const ra_stac_writer *writer, const ra_dataset *dataset, size_t i) {
  const char *base = writer->base_url, *collection = ra_dataset_collection(dataset);
  ra_str_addf(out,
              ",\"links\":[{\"rel\":\"self\",\"type\":\"application/geo+json\",\"href\":\"%s/stac/"
              "collections/%s/items/",
              base, collection);
  ra_dataset_item_id(dataset, i, out);
  ra_str_add(out, "\"}");
  for (int k = 0; k < 2; k++)
    ra_str_addf(
        out, ",{\"rel\":\"%s\",\"type\":\"application/json\",\"href\":\"%s/stac/collections/%s\"}",
        k ? "collection" : "parent", base, collection);
  ra_str_addf(out, ",{\"rel\":\"root\",\"type\":\"application/json\",\"href\":\"%s/stac\"}]", base);
}

static void add_assets(ra_str *out, const ra_stac_writer *writer, const ra_dataset *dataset,
                       size_t i) {
  size_t asset = 0;
  ra_str_add(out, ",\"assets\":{");
  for (size_t k = 0; k < ra_dataset_variable_count(dataset); k++) {
    const ra_dataset_variable *variable = ra_dataset_get_variable(dataset, k);
    if (!variable->mappable || !ra__stac_has(variable, writer->axes)) continue;
    size_t step = 0;
    ra_dataset_item_step(dataset, i, variable->axis_index, &step);
    if (asset) ra_str_add_char(out, ',');
    ra_str_add_bytes(out, writer->before[asset].ptr, writer->before[asset].len);
    if (!ra_dataset_in_place(dataset) && !variable->mapped_from_zarr)
      ra_dataset_step_label(variable->axis, step, out);
    ra_str_add_bytes(out, writer->after[asset].ptr, writer->after[asset].len);
    asset++;
  }
  if (writer->zarr.len) {
    if (asset) ra_str_add_char(out, ',');
    ra_str_add_bytes(out, writer->zarr.ptr, writer->zarr.len);
  }
  ra_str_add_char(out, '}');
}

int ra_stac_writer_add(ra_stac_writer *writer, const ra_dataset *dataset, size_t i, ra_str *out,
                       ra_err *err) {
  uint64_t axes = ra_stac_item_axes(dataset, i);
  if (writer->dataset != dataset || writer->axes != axes) {
    int rc = prepare(writer, dataset, axes, err);
    if (rc < 0) return rc;
  }
  ra_str_add(out, "{\"type\":\"Feature\",\"stac_version\":\"1.1.0\",");
  ra_str_add_bytes(out, writer->extensions.ptr, writer->extensions.len);
  ra_str_add(out, ",\"id\":\"");
  ra_dataset_item_id(dataset, i, out);
  ra_str_add(out, "\",\"properties\":{");
  add_times(out, ra_dataset_get_item(dataset, i));
  add_run(out, ra_dataset_get_item(dataset, i));
  ra_str_add_bytes(out, writer->middle.ptr, writer->middle.len);
  add_links(out, writer, dataset, i);
  add_assets(out, writer, dataset, i);
  ra_str_add_char(out, '}');
  return out->failed ? ra_fail(err, RA_E_NOMEM, "", "out of memory for items") : RA_OK;
}
