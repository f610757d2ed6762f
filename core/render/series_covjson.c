// series_covjson.c - a series as CoverageJSON 1.0 (OGC 21-069r2): a coverage of the domain PointSeries, or Point where
// the variable has no time, for each variable at each point.
#include <math.h>

#include "base/clock.h"
#include "render/series_impl.h"

static const ra_dataset_axis *axis_of(const ra__series *self, unsigned v) {
  return self->lines[v].first->variable->axis;
}

static void add_axis(ra_str *out, const char *name, double value) {
  ra_str_addf(out, "\"%s\":{\"values\":[", name);
  ra_str_add_double(out, value);
  ra_str_add(out, "]}");
}

// CoverageJSON names the ISO calendar with a word of its own, others by an identifier: CF's name.
static void add_referencing(const ra_dataset_axis *time, const ra_dataset_extra *level, ra_str *out) {
  ra_str_add(out,
             "\"referencing\":[{\"coordinates\":[\"x\",\"y\"],\"system\":{\"type\":"
             "\"GeographicCRS\",\"id\":\"http://www.opengis.net/def/crs/OGC/1.3/CRS84\"}}");
  if (time) {
    bool iso =
        time->calendar == RA_CALENDAR_STANDARD || time->calendar == RA_CALENDAR_PROLEPTIC_GREGORIAN;
    ra_str_add(out, ",{\"coordinates\":[\"t\"],\"system\":{\"type\":\"TemporalRS\",\"calendar\":");
    ra_str_add_json(out, iso ? "Gregorian" : ra_calendar_name(time->calendar));
    ra_str_add(out, "}}");
  }
  if (level) {
    ra_str_add(out,
               ",{\"coordinates\":[\"z\"],\"system\":{\"type\":\"VerticalCRS\",\"cs\":{"
               "\"csAxes\":[{\"name\":{\"en\":");
    ra_str_add_json(out, level->name);
    ra_str_add(out, "},\"unit\":{\"symbol\":");
    ra_str_add_json(out, level->units);
    ra_str_add(out, "}}]}}}");
  }
  ra_str_add_char(out, ']');
}

static void add_domain(const ra__series *self, unsigned v, unsigned point,
                       const ra_dataset_extra *level, double height, ra_str *out) {
  const ra_series_point *at = &self->request->points[point];
  const ra_dataset_axis *time = axis_of(self, v);
  ra_str_addf(out, "\"domain\":{\"type\":\"Domain\",\"domainType\":\"%s\",\"axes\":{",
              time ? "PointSeries" : "Point");
  add_axis(out, "x", at->lon);
  ra_str_add_char(out, ',');
  add_axis(out, "y", at->lat);
  if (level) {
    ra_str_add_char(out, ',');
    add_axis(out, "z", height);
  }
  if (time) {
    ra_str_add(out, ",\"t\":{\"values\":");
    ra__series_add_times(self, v, out);
    ra_str_add_char(out, '}');
  }
  ra_str_add(out, "},");
  add_referencing(time, level, out);
  ra_str_add_char(out, '}');
}

static void add_parameter(const ra_dataset_variable *variable, ra_str *out) {
  const char *label = variable->long_name[0] ? variable->long_name : variable->name;
  ra_str_add(out, "{\"type\":\"Parameter\",\"observedProperty\":{");
  if (variable->standard_name[0]) {
    ra_str_add(out, "\"id\":");
    ra_str_add_json(out, variable->standard_name);
    ra_str_add_char(out, ',');
  }
  ra_str_add(out, "\"label\":{\"en\":");
  ra_str_add_json(out, label);
  ra_str_add(out, "}}");
  if (variable->units[0]) {
    ra_str_add(out, ",\"unit\":{\"symbol\":");
    ra_str_add_json(out, variable->units);
    ra_str_add_char(out, '}');
  }
  ra_str_add_char(out, '}');
}

static void add_range(const ra__series *self, unsigned v, unsigned point, ra_str *out) {
  ra_str_add(out, "{\"type\":\"NdArray\",\"dataType\":\"float\",");
  if (axis_of(self, v)) {
    ra_str_addf(out, "\"axisNames\":[\"t\"],\"shape\":[%zu],", self->lines[v].count);
  }
  ra__series_add_values(self, v, point, out);
  ra_str_add_char(out, '}');
}

static void add_coverage(const ra__series *self, unsigned v, unsigned point, ra_str *out) {
  const ra_series_part *first = self->lines[v].first;
  double height = NAN;
  const ra_dataset_extra *level = ra__series_level(first, &height);
  if (level && !level->vertical) level = NULL;
  ra_str_add(out, "{\"type\":\"Coverage\",");
  add_domain(self, v, point, level, height, out);
  ra_str_add(out, ",\"parameters\":{");
  ra_str_add_json(out, first->variable->name);
  ra_str_add_char(out, ':');
  add_parameter(first->variable, out);
  ra_str_add(out, "},\"ranges\":{");
  ra_str_add_json(out, first->variable->name);
  ra_str_add_char(out, ':');
  add_range(self, v, point, out);
  ra_str_add(out, "}}");
}

int ra__series_covjson(ra__series *self, ra_str *out, ra_err *err) {
  const ra_series_request *request = self->request;
  uint64_t start = ra_clock_ns();
  bool several = request->variable_count > 1 || request->point_count > 1;
  if (several) ra_str_add(out, "{\"type\":\"CoverageCollection\",\"coverages\":[");
  for (unsigned v = 0; v < request->variable_count; v++) {
    int rc = ra__series_read_timed(self, v, &start, err);
    if (rc < 0) return rc;
    for (unsigned p = 0; p < request->point_count; p++) {
      if (v || p) ra_str_add_char(out, ',');
      add_coverage(self, v, p, out);
    }
  }
  ra_str_add(out, several ? "]}\n" : "\n");
  self->timing->ns[RA_STAGE_ENCODE] += ra_clock_ns() - start;
  return RA_OK;
}
