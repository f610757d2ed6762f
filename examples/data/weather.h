// weather.h - made-up weather on any set of points: smooth zonal profiles (temperature, jets), displaced
// north and south by travelling waves, over a given relief. Deterministic. One thread.
#pragma once
#include <stddef.h>

// Where the fields are wanted. All arrays hold count values and belong to the points.
typedef struct points points;

// The relief of the Earth on an even one-degree grid, south to north, from longitude `west`.
typedef struct relief {
  float *height;  // metres, sea floor negative; ny * nx
  size_t nx, ny;
  double west, south, step;
} relief;

// Copies lon and lat (degrees); NULL when memory is out. `cell` is the cells' width in degrees.
points *points_new(const relief *map, const double *lon, const double *lat, size_t count,
                   double cell);
void points_free(points *at);

// Moves the waves to this time: days since 1 January, 00:00.
void points_set_time(points *at, double day);

// Each fills out[count] for the time last set. `missing` stands for no value.
void weather_air_temperature(const points *at, float *out);                 // K, at 2 m
void weather_sea_temperature(const points *at, float missing, float *out);  // degree Celsius, sea only
void weather_wind(const points *at, double hpa, float *out);  // m s-1, at a pressure level
void weather_precipitation(const points *at, float *out);     // mm h-1
