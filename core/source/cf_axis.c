// cf_axis.c - what a coordinate variable measures (CF 1.11 §4).
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "source/cf_private.h"

typedef struct word_class {
  const char *word;
  ra__cf_class class;
} word_class;

static const word_class STANDARD_NAMES[] = {
    {"longitude", RA__CF_LON},
    {"latitude", RA__CF_LAT},
    {"projection_x_coordinate", RA__CF_PROJ_X},
    {"projection_y_coordinate", RA__CF_PROJ_Y},
    {"projection_x_angular_coordinate", RA__CF_PROJ_X},
    {"projection_y_angular_coordinate", RA__CF_PROJ_Y},
    {"grid_longitude", RA__CF_ROTATED_X},
    {"grid_latitude", RA__CF_ROTATED_Y},
    {"time", RA__CF_TIME},
    {"forecast_reference_time", RA__CF_TIME},
};

// In lower case, without blanks, '_' and '.'.
static const word_class UNITS[] = {
    {"degreeseast", RA__CF_LON},      {"degreeeast", RA__CF_LON},      {"degreese", RA__CF_LON},
    {"degreee", RA__CF_LON},          {"degeast", RA__CF_LON},         {"dege", RA__CF_LON},
    {"degreesnorth", RA__CF_LAT},     {"degreenorth", RA__CF_LAT},     {"degreesn", RA__CF_LAT},
    {"degreen", RA__CF_LAT},          {"degnorth", RA__CF_LAT},        {"degn", RA__CF_LAT},
    {"degreeslongitude", RA__CF_LON}, {"degreeslatitude", RA__CF_LAT},
};
// Angles that do not say of what: the name tells.
static const char *const ANGLES[] = {
    "",       "1",       "degrees", "degree",         "deg",
    "radian", "radians", "rad",     "decimaldegrees", "decimaldegree"};

// Of the CDM (netcdf-java), where CF attributes are missing.
static const word_class AXIS_TYPES[] = {
    {"lon", RA__CF_LON},       {"lat", RA__CF_LAT},           {"geox", RA__CF_PROJ_X},
    {"geoy", RA__CF_PROJ_Y},   {"pressure", RA__CF_VERTICAL}, {"height", RA__CF_VERTICAL},
    {"geoz", RA__CF_VERTICAL},
};

static const word_class NAMES[] = {
    {"lon", RA__CF_LON},
    {"lat", RA__CF_LAT},
    {"longitude", RA__CF_LON},
    {"latitude", RA__CF_LAT},
    {"lons", RA__CF_LON},
    {"lats", RA__CF_LAT},
    {"longitudes", RA__CF_LON},
    {"latitudes", RA__CF_LAT},
    {"nav_lon", RA__CF_LON},
    {"nav_lat", RA__CF_LAT},
    {"xlong", RA__CF_LON},
    {"xlat", RA__CF_LAT},
    {"lon_rho", RA__CF_LON},
    {"lat_rho", RA__CF_LAT},
    {"lon_u", RA__CF_LON},
    {"lat_u", RA__CF_LAT},
    {"lon_v", RA__CF_LON},
    {"lat_v", RA__CF_LAT},
    {"geolon", RA__CF_LON},
    {"geolat", RA__CF_LAT},
    {"tlon", RA__CF_LON},
    {"tlat", RA__CF_LAT},
    {"tlong", RA__CF_LON},
    {"ulon", RA__CF_LON},
    {"ulat", RA__CF_LAT},
    {"ulong", RA__CF_LON},
    {"rlon", RA__CF_ROTATED_X},
    {"rlat", RA__CF_ROTATED_Y},
    {"grid_longitude", RA__CF_ROTATED_X},
    {"grid_latitude", RA__CF_ROTATED_Y},
};

// Axes of which only a grid mapping tells what they measure.
static const word_class PLANE_NAMES[] = {
    {"x", RA__CF_X},        {"y", RA__CF_Y},         {"xc", RA__CF_X},   {"yc", RA__CF_Y},
    {"easting", RA__CF_X},  {"northing", RA__CF_Y},  {"xdim", RA__CF_X}, {"ydim", RA__CF_Y},
    {"eastings", RA__CF_X}, {"northings", RA__CF_Y},
};

static const char *const VERTICAL_NAMES[] = {"height", "altitude", "depth", "air_pressure",
                                             "model_level_number"};
static const char *const PRESSURE_UNITS[] = {"hpa", "mbar", "mb",      "millibar", "millibars",
                                             "pa",  "bar",  "decibar", "dbar"};
static const char *const LENGTH_UNITS[] = {
    "m",         "meter",      "metre",      "meters",         "metres", "km",   "kilometer",
    "kilometre", "kilometers", "kilometres", "us_survey_foot", "foot",   "feet", "ft"};

#define FIND(text, table) find_class(text, table, sizeof table / sizeof *table)

static ra__cf_class find_class(const char *text, const word_class *table, size_t count) {
  for (size_t i = 0; text && i < count; i++) {
    if (!strcasecmp(text, table[i].word)) return table[i].class;
  }
  return RA__CF_NONE;
}

#define IN(text, table) is_in(text, table, sizeof table / sizeof *table)

static bool is_in(const char *text, const char *const *table, size_t count) {
  for (size_t i = 0; text && i < count; i++) {
    if (!strcasecmp(text, table[i])) return true;
  }
  return false;
}

bool ra__cf_is_length(const char *units) { return IN(units, LENGTH_UNITS); }

bool ra__cf_is_radians(const ra_source_var *var) {
  const char *units = ra_source_var_text(var, "units");
  return units && (!strncasecmp(units, "radian", 6) || !strcasecmp(units, "rad"));
}

// Attribute or its upper-case form, which some writers use.
static const char *axis_letter(const ra_source_var *var) {
  const char *axis = ra_source_var_text(var, "axis");
  return axis ? axis : ra_source_var_text(var, "AXIS");
}

static ra__cf_class by_vertical_signs(const ra_source_var *var, const char *standard_name,
                                      const char *units) {
  const char *positive = ra_source_var_text(var, "positive");
  bool vertical = positive && (!strcasecmp(positive, "up") || !strcasecmp(positive, "down"));
  return vertical || IN(standard_name, VERTICAL_NAMES) || IN(units, PRESSURE_UNITS) ? RA__CF_VERTICAL
                                                                                    : RA__CF_NONE;
}

static ra__cf_class by_axis_letter(char letter, const char *units, const char *base) {
  bool length = ra__cf_is_length(units);
  ra__cf_class named = FIND(base, PLANE_NAMES);
  if (letter == 'X' || named == RA__CF_X) return length ? RA__CF_PROJ_X : RA__CF_X;
  if (letter == 'Y' || named == RA__CF_Y) return length ? RA__CF_PROJ_Y : RA__CF_Y;
  if (letter == 'Z') return RA__CF_VERTICAL;
  return RA__CF_NONE;
}

// Of the calendar "none" the numbers are days of an experiment, not dates.
bool ra__cf_is_dated(const ra_source_var *var) {
  const char *calendar = ra_source_var_text(var, "calendar");
  return ra_time_units_like(ra_source_var_text(var, "units")) &&
         !(calendar && !strcasecmp(calendar, "none"));
}

// "Degrees East" and "degrees_east " are one unit.
static void plain_units(const char *units, char out[24]) {
  size_t n = 0;
  for (const char *p = units ? units : ""; *p && n < 23; p++) {
    if (!isspace((unsigned char)*p) && *p != '_' && *p != '.')
      out[n++] = (char)tolower((unsigned char)*p);
  }
  out[n] = 0;
}

// Longitude and latitude of a file that has no attributes, or angles without a direction.
static ra__cf_class by_name(const ra_source_var *var, const char *plain) {
  if (!IN(plain, ANGLES)) return RA__CF_NONE;
  ra__cf_class class = FIND(var->base, NAMES);
  if (class) return class;
  const char *title = ra_source_var_text(var, "long_name");
  class = FIND(title, STANDARD_NAMES);
  return class == RA__CF_LON || class == RA__CF_LAT ? class : RA__CF_NONE;
}

ra__cf_class ra__cf_classify(const ra_source_var *var) {
  if (var->kind != RA_SOURCE_NUMBERS) return RA__CF_NONE;
  const char *standard_name = ra_source_var_text(var, "standard_name");
  const char *units = ra_source_var_text(var, "units");
  ra__cf_class class = FIND(standard_name, STANDARD_NAMES);
  if (class == RA__CF_TIME && !ra__cf_is_dated(var)) class = RA__CF_NONE;
  if (class) return class;
  if (ra__cf_is_dated(var)) return RA__CF_TIME;
  char plain[24];
  plain_units(units, plain);
  if ((class = FIND(plain, UNITS))) return class;
  if ((class = FIND(ra_source_var_text(var, "_CoordinateAxisType"), AXIS_TYPES))) return class;
  if ((class = by_vertical_signs(var, standard_name, units))) return class;
  if ((class = by_name(var, plain))) return class;
  const char *axis = axis_letter(var);
  return by_axis_letter(axis ? (char)toupper((unsigned char)*axis) : 0, units, var->base);
}

bool ra__cf_list_has(const char *list, const char *word) {
  size_t len = strlen(word);
  for (const char *p = list; p && *p;) {
    p += strspn(p, " \t\r\n");
    size_t n = strcspn(p, " \t\r\n");
    if (n == len && !strncmp(p, word, n)) return true;
    p += n;
  }
  return false;
}
