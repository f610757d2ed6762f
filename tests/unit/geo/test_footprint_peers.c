// Footprints against pyproj and shapely: check_footprint.py takes points inside each grid to degrees and wants them in
// the bbox and the geometry, which has to be valid and no larger than needed. Needs PEERS_PYTHON; skipped (77) without.
#include <stdio.h>
#include <stdlib.h>

#include "geo/crs.h"

typedef struct sample {
  const char *definition;
  ra_grid grid;
} sample;

#define SPHERE " +R=6371229"
static const sample SAMPLES[] = {
    {"+proj=lcc +lat_0=63 +lon_0=15 +lat_1=63 +lat_2=63 +R=6371000",
     {141, 151, {-698692.2, 2500, 0, 146928, 0, -2500}, false}},
    {"+proj=stere +lat_0=90 +lon_0=-35 +R=6378169",
     {256, 160, {-2299618, 35483.4, 0, -963940, 0, -35500.4}, false}},
    {"+proj=stere +lat_0=90 +lon_0=-60 +k=0.933" SPHERE,
     {45, 39, {-5048100, 190500, 0, -3333800, 0, -190500}, false}},
    {"EPSG:3413", {200, 200, {-3000000, 30000, 0, 3000000, 0, -30000}, false}},
    {"EPSG:3031", {200, 100, {-3000000, 30000, 0, 4000000, 0, -30000}, false}},
    {"EPSG:32601", {100, 100, {100000, 3000, 0, 500000, 0, -3000}, false}},
    {"EPSG:32760", {100, 100, {600000, 3000, 0, 9000000, 0, -3000}, false}},
    {"EPSG:3035", {60, 52, {430357, 439286, 0, 6000000, 0, -400000}, false}},
    {"EPSG:3832", {100, 50, {-6000000, 120000, 0, 3000000, 0, -120000}, false}},
    {"EPSG:4267", {100, 50, {-120, 0.5, 0, 50, 0, -0.5}, false}},
    {"+proj=laea +lat_0=52 +lon_0=10 +datum=WGS84",
     {15, 15, {430357, 439286, 0, 6000000, 0, -400000}, false}},
    {"+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +datum=WGS84",
     {424, 412, {-28.43, 0.11, 0, 21.89, 0, -0.11}, false}},
    {"+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=37.5 +lon_0=357.5" SPHERE,
     {36, 22, {311.92, 2.2, 0, 24.81, 0, -2.2}, false}},
    {"+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=42.5 +lon_0=263 +datum=WGS84",
     {301, 201, {-34.1, 0.22, 0, 13.4, 0, -0.22}, false}},
    {"+proj=geos +sweep=x +lon_0=-89.5 +h=35786023 +ellps=GRS80",
     {500, 300, {-2685000, 10000, 0, 4529000, 0, -10000}, false}},
    {"+proj=geos +sweep=x +lon_0=-75 +h=35786023 +ellps=GRS80",
     {1000, 1000, {-5500000, 11000, 0, 5500000, 0, -11000}, false}},
    {"+proj=sinu +lon_0=0 +R=6371007.181",
     {200, 100, {-20015109, 200150, 0, 10007554, 0, -200150}, false}},
    {"+proj=aea +lat_1=29.5 +lat_2=45.5 +lat_0=23 +lon_0=-96 +ellps=GRS80",
     {100, 80, {-2500000, 50000, 0, 3200000, 0, -40000}, false}},
    {"+proj=tmerc +lat_0=49 +lon_0=-2 +k=0.9996 +x_0=400000 +y_0=-100000 +ellps=airy",
     {90, 130, {-250000, 10000, 0, 1300000, 0, -10000}, false}},
    {"EPSG:32633", {80, 60, {400000, 50, 20, 5600000, 25, -50}, false}},
};

int main(void) {
  const char *python = getenv("PEERS_PYTHON");
  if (!python || !*python) {
    printf("skipped: PEERS_PYTHON names no Python with pyproj and shapely\n");
    return 77;
  }
  char command[4096];
  snprintf(command, sizeof command, "'%s' '%s'", python, CHECK_SCRIPT);
  FILE *judge = popen(command, "w");
  if (!judge) return 1;
  int failed = 0;
  for (size_t i = 0; i < sizeof SAMPLES / sizeof *SAMPLES; i++) {
    ra_crs *crs;
    ra_str text;
    ra_err err = {0};
    double b[4];
    const ra_grid *grid = &SAMPLES[i].grid;
    const double *gt = grid->gt;
    ra_str_init(&text);
    if (ra_crs_new(SAMPLES[i].definition, &crs, &err) < 0 ||
        ra_grid_footprint(grid, crs, b, &text, &err) < 0) {
      printf("%s: %s\n", SAMPLES[i].definition, err.message);
      failed = 1;
      continue;
    }
    fprintf(judge, "%s\t%lld %lld\t%.17g %.17g %.17g %.17g %.17g %.17g\t%.9g %.9g %.9g %.9g\t%s\n",
            SAMPLES[i].definition, (long long)grid->width, (long long)grid->height, gt[0], gt[1],
            gt[2], gt[3], gt[4], gt[5], b[0], b[1], b[2], b[3], text.ptr);
    ra_str_deinit(&text);
    ra_crs_unref(crs);
  }
  return pclose(judge) != 0 || failed;
}
