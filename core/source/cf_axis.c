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

static const word_class UNITS[] = {
    {"degrees_east", RA__CF_LON},      {"degree_east", RA__CF_LON},      {"degree_e", RA__CF_LON},
    {"degrees_e", RA__CF_LON},         {"degreee", RA__CF_LON},          {"degreese", RA__CF_LON},
    {"degrees_north", RA__CF_LAT},     {"degree_north", RA__CF_LAT},     {"degree_n", RA__CF_LAT},
    {"degrees_n", RA__CF_LAT},         {"degreen", RA__CF_LAT},          {"degreesn", RA__CF_LAT},
    {"degrees longitude", RA__CF_LON}, {"degrees latitude", RA__CF_LAT},
};

// Of the CDM (netcdf-java), where CF attributes are missing.
static const word_class AXIS_TYPES[] = {
    {"lon", RA__CF_LON},       {"lat", RA__CF_LAT},           {"geox", RA__CF_PROJ_X},
    {"geoy", RA__CF_PROJ_Y},   {"pressure", RA__CF_VERTICAL}, {"height", RA__CF_VERTICAL},
    {"geoz", RA__CF_VERTICAL},
};

static const word_class NAMES[] = {
    {"lon", RA__CF_LON}, {"longitude", RA__CF_LON}, {"lat", RA__CF_LAT}, {"latitude", RA__CF_LAT}};

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
  if (letter == 'X' || !strcasecmp(base, "x")) return length ? RA__CF_PROJ_X : RA__CF_X;
  if (letter == 'Y' || !strcasecmp(base, "y")) return length ? RA__CF_PROJ_Y : RA__CF_Y;
  if (letter == 'Z') return RA__CF_VERTICAL;
  return RA__CF_NONE;
}

// Of the calendar "none" the numbers are days of an experiment, not dates.
bool ra__cf_is_dated(const ra_source_var *var) {
  const char *calendar = ra_source_var_text(var, "calendar");
  return ra_time_units_like(ra_source_var_text(var, "units")) &&
         !(calendar && !strcasecmp(calendar, "none"));
}

ra__cf_class ra__cf_classify(const ra_source_var *var) {
  if (var->kind != RA_SOURCE_NUMBERS) return RA__CF_NONE;
  const char *standard_name = ra_source_var_text(var, "standard_name");
  const char *units = ra_source_var_text(var, "units");
  ra__cf_class class = FIND(standard_name, STANDARD_NAMES);
  if (class == RA__CF_TIME && !ra__cf_is_dated(var)) class = RA__CF_NONE;
  if (class) return class;
  if (ra__cf_is_dated(var)) return RA__CF_TIME;
  if ((class = FIND(units, UNITS))) return class;
  if ((class = FIND(ra_source_var_text(var, "_CoordinateAxisType"), AXIS_TYPES))) return class;
  if ((class = by_vertical_signs(var, standard_name, units))) return class;
  bool bare = !units || !*units || !strcasecmp(units, "degrees") || !strcasecmp(units, "degree");
  if (bare && (class = FIND(var->base, NAMES))) return class;
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
