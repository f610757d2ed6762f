// weather.c - see weather.h. A wave is sin(k lon + tilt(lat) - w t): its sine and cosine at the points are
// made once, so that a step costs two multiplications a wave and point. What depends on the latitude
// alone is looked up in tables that are made anew at each step.
#include "weather.h"

#include <math.h>
#include <stdlib.h>

enum { WAVES = 18, PROFILE = 1024 };

static const double PI = 3.14159265358979323846;

typedef struct wave {
  double number;  // crests round the globe
  double period;  // days for one crest to pass; negative: westward
  double height;  // degrees of latitude
  double tilt;    // radians per degree of latitude
  double centre;  // latitude where it is largest, on both sides of the equator
  double width;
  double phase;
} wave;

static const wave WAVE[WAVES] = {
    {1, -21, 3.0, 0.010, 58, 20, 0.3},    {2, 33, 3.4, 0.015, 60, 18, 2.1},
    {3, 17, 3.6, 0.022, 52, 16, 4.4},     {4, 9.5, 3.6, 0.030, 50, 15, 1.2},
    {5, 7.1, 3.4, 0.034, 48, 14, 5.6},    {6, 5.3, 3.0, 0.040, 46, 13, 3.3},
    {7, 4.6, 2.4, 0.046, 47, 12, 0.9},    {8, 3.7, 1.8, 0.050, 44, 12, 2.7},
    {9, 3.3, 1.4, 0.060, 50, 14, 4.9},    {11, 2.9, 1.1, 0.072, 43, 14, 1.8},
    {13, 2.4, 0.8, 0.080, 52, 16, 0.1},   {16, 2.1, 0.6, 0.095, 45, 18, 3.9},
    {19, 1.8, 0.45, 0.110, 50, 20, 5.2},  {4, -6.5, 1.3, 0.030, 12, 9, 2.2},
    {7, -4.1, 1.2, 0.055, 10, 8, 4.1},    {11, -3.4, 0.9, 0.080, 14, 9, 0.7},
    {23, 1.6, 0.35, -0.120, 40, 25, 2.9}, {29, 1.3, 0.28, 0.150, 38, 28, 1.1},
};

struct points {
  size_t count;
  float *lon, *lat;
  float *height;         // metres, sea at 0
  float *land;           // share of land around, 0 to 1
  float *sine, *cosine;  // of the waves, WAVES rows of count
  float *shift;          // degrees by which the waves push the profiles north, now
  float *curl;           // the same waves a quarter crest on: rising air ahead of a trough
  double day;
  double season;  // -1 in the middle of the northern winter, 1 in that of the summer
};

static double clamp(double value, double low, double high) { return fmin(fmax(value, low), high); }

static double bell(double distance, double width) {
  return exp(-0.5 * (distance / width) * (distance / width));
}

// Bilinear between the relief's cells.
static double relief_at(const relief *map, double lon, double lat) {
  double x = fmod(lon - map->west + 720, 360) / map->step;
  double y = clamp((lat - map->south) / map->step, 0, (double)map->ny - 1.001);
  size_t x0 = (size_t)x % map->nx, x1 = (x0 + 1) % map->nx, y0 = (size_t)y;
  double fx = x - floor(x), fy = y - (double)y0;
  const float *low = map->height + y0 * map->nx, *high = low + map->nx;
  return (low[x0] * (1 - fx) + low[x1] * fx) * (1 - fy) + (high[x0] * (1 - fx) + high[x1] * fx) * fy;
}

// Height and share of land over a square of this half width, in degrees.
static void survey(const relief *map, double lon, double lat, double half, float *height,
                   float *land) {
  enum { SIDE = 5 };
  double sum = 0, dry = 0;
  for (int i = 0; i < SIDE * SIDE; i++) {
    double dx = (i % SIDE - SIDE / 2) * half / (SIDE / 2),
           dy = (i / SIDE - SIDE / 2) * half / (SIDE / 2);
    double metres = relief_at(map, lon + dx, clamp(lat + dy, -89.5, 89.5));
    sum += fmax(metres, 0);
    dry += metres > 0;
  }
  *height = (float)(sum / (SIDE * SIDE));
  *land = (float)(dry / (SIDE * SIDE));
}

static int allocate(points *at) {
  float **arrays[] = {&at->lon, &at->lat, &at->height, &at->land, &at->shift, &at->curl};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
    *arrays[i] = calloc(at->count, sizeof(float));
    if (!*arrays[i]) return 0;
  }
  at->sine = calloc(at->count * WAVES, sizeof(float));
  at->cosine = calloc(at->count * WAVES, sizeof(float));
  return at->sine && at->cosine;
}

static void set_waves(points *at, size_t i, double lon, double lat) {
  for (size_t k = 0; k < WAVES; k++) {
    const wave *w = &WAVE[k];
    double size = w->height * bell(fabs(lat) - w->centre, w->width) * fmin(1, (90 - fabs(lat)) / 15);
    double angle = w->number * lon * PI / 180 + w->tilt * fabs(lat) + w->phase +
                   (lat < 0 ? 1.7 * w->number : 0);
    at->sine[k * at->count + i] = (float)(size * sin(angle));
    at->cosine[k * at->count + i] = (float)(size * cos(angle));
  }
}

points *points_new(const relief *map, const double *lon, const double *lat, size_t count,
                   double cell) {
  points *at = calloc(1, sizeof *at);
  if (!at) return NULL;
  at->count = count;
  if (!allocate(at)) {
    points_free(at);
    return NULL;
  }
  for (size_t i = 0; i < count; i++) {
    at->lon[i] = (float)lon[i];
    at->lat[i] = (float)lat[i];
    survey(map, lon[i], lat[i], cell / 2, &at->height[i], &at->land[i]);
    set_waves(at, i, lon[i], lat[i]);
  }
  return at;
}

void points_free(points *at) {
  if (!at) return;
  float *arrays[] = {at->lon,   at->lat,  at->height, at->land,
                     at->shift, at->curl, at->sine,   at->cosine};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
  free(at);
}

void points_set_time(points *at, double day) {
  at->day = day;
  at->season = -cos(2 * PI * (day - 18) / 366);
  for (size_t i = 0; i < at->count; i++) at->shift[i] = at->curl[i] = 0;
  for (size_t k = 0; k < WAVES; k++) {
    double swell = 1 + 0.35 * sin(2 * PI * day / (11 + 1.7 * (double)k) + (double)k);
    float c = (float)(swell * cos(2 * PI * day / WAVE[k].period));
    float s = (float)(swell * sin(2 * PI * day / WAVE[k].period));
    const float *sine = at->sine + k * at->count, *cosine = at->cosine + k * at->count;
    for (size_t i = 0; i < at->count; i++) {
      at->shift[i] += sine[i] * c - cosine[i] * s;
      at->curl[i] += cosine[i] * c + sine[i] * s;
    }
  }
}

// A profile holds a value for each latitude from -120 to 120: displaced latitudes pass the poles.
static float profile_at(const float *profile, float lat) {
  float y = fminf(fmaxf((lat + 120) * ((PROFILE - 1) / 240.0F), 0), PROFILE - 1.01F);
  size_t i = (size_t)y;
  return profile[i] + (profile[i + 1] - profile[i]) * (y - (float)i);
}

static double profile_lat(size_t i) { return (double)i * 240 / (PROFILE - 1) - 120; }

static double air_at_sea_level(double lat, double season) {
  double from_warmest = lat - 7 * season;  // the warm belt follows the sun
  double s = sin(clamp(from_warmest, -90, 90) * PI / 180);
  return 300.5 - 27 * s * s - 22 * s * s * s * s;
}

void weather_air_temperature(const points *at, float *out) {
  float profile[PROFILE];
  for (size_t i = 0; i < PROFILE; i++)
    profile[i] = (float)air_at_sea_level(profile_lat(i), at->season);
  double hour = 24 * (at->day - floor(at->day));
  for (size_t i = 0; i < at->count; i++) {
    double lat = at->lat[i] * PI / 180, land = at->land[i];
    double sun = cos(2 * PI * (hour + at->lon[i] / 15 - 14) / 24);
    double summer = at->season * sin(lat) * (2 + 9 * land) + 5 * (1 - land) * fabs(sin(lat));
    double daily = sun * cos(lat) * (0.4 + 4.5 * land);
    double poleward = 1 + 0.25 * land;  // land lets the waves' air masses through less changed
    float air = profile_at(profile, at->lat[i] - (float)poleward * at->shift[i]);
    out[i] = air + (float)(summer + daily - 0.0062 * at->height[i]);
  }
}

void weather_sea_temperature(const points *at, float missing, float *out) {
  double late = -cos(2 * PI * (at->day - 50) / 366);  // the sea lags a month behind
  for (size_t i = 0; i < at->count; i++) {
    double lat = at->lat[i], lon = at->lon[i] * PI / 180;
    double s = sin((lat - 4 * late) * PI / 180);
    double currents = 2.2 * sin(lat * PI / 45) * sin(lon * 2 + 0.6) + 1.3 * cos(lon * 3 + lat * 0.08);
    double eddies = 0.35 * (double)at->shift[i] * bell(fabs(lat) - 42, 14);
    double cold_tongue = -2.5 * bell(lat, 4) * bell(fmod(at->lon[i] - 255 + 540, 360) - 180, 25);
    double sea = 29 - 32 * pow(fabs(s), 1.6) + currents * cos(lat * PI / 180) + eddies + cold_tongue;
    out[i] = at->land[i] > 0.5F ? missing : (float)fmax(sea, -1.8);
  }
}

// Westerlies in two jets (stronger in winter and aloft), weak easterlies between them.
static double zonal_wind(double lat, double season, double aloft) {
  double north = (30 - 9 * season) * bell(lat - (42 + 5 * season), 9);
  double south = (33 + 5 * season) * bell(lat + (46 - 3 * season), 10);
  double trades = 7 * (bell(lat - 12, 9) + bell(lat + 12, 9));
  return (north + south) * aloft - trades * (1.15 - 0.6 * aloft);
}

void weather_wind(const points *at, double hpa, float *out) {
  double aloft = 0.35 + (1000 - hpa) / 750;
  float profile[PROFILE];
  for (size_t i = 0; i < PROFILE; i++)
    profile[i] = (float)zonal_wind(profile_lat(i), at->season, aloft);
  for (size_t i = 0; i < at->count; i++) {
    float east = profile_at(profile, at->lat[i] - 1.3F * at->shift[i]);
    float north = at->curl[i] * (float)(0.9 + 1.2 * aloft);
    float drag = 1 - (hpa > 700 ? 0.35F * at->land[i] : 0);
    out[i] = drag * sqrtf(east * east + north * north + 1);
  }
}

void weather_precipitation(const points *at, float *out) {
  for (size_t i = 0; i < at->count; i++) {
    double hour = 24 * (at->day - floor(at->day)) + at->lon[i] / 15;
    double front = at->curl[i] - 0.45 * at->shift[i] - 1.2;  // ahead of the trough
    double showers = at->season * at->land[i] * fmax(0, cos(2 * PI * (hour - 17) / 24)) * 1.5;
    double uplift = fmin(at->height[i] / 900, 1.4);
    double wet = fmax(0, front + showers + uplift - 0.6);
    out[i] = (float)fmin(0.16 * pow(wet, 1.5), 18);
  }
}
