// definitions.h - CRSs that GeoTIFF keys can say, and a place where each is at home.
#pragma once

typedef struct definition {
  const char *text;
  double lon, lat;
} definition;

#define SPHERE " +R=6371229"
static const definition DEFINITIONS[] = {
    {"EPSG:4326", 10, 50},
    {"EPSG:3857", 10, 50},
    {"EPSG:32618", -75, 40},
    {"EPSG:3035", 10, 52},
    {"EPSG:2263", -74, 40.7},
    {"EPSG:4267", -90, 40},
    {"EPSG:5070", -96, 40},
    {"EPSG:3031", 30, -80},
    {"+proj=longlat" SPHERE, 10, 50},
    {"+proj=longlat +ellps=GRS80", 10, 50},
    {"+proj=longlat +a=6377563.396 +b=6356256.91", 10, 50},
    {"+proj=longlat +ellps=bessel +pm=paris", 10, 50},
    {"+proj=tmerc +lat_0=49 +lon_0=-2 +k=0.9996 +x_0=400000 +y_0=-100000 +ellps=airy", -3, 52},
    {"+proj=tmerc +lon_0=9 +k=1 +x_0=3500000 +ellps=bessel "
     "+towgs84=598.1,73.7,418.2,0.202,0.045,-2.455,6.7",
     10, 50},
    {"+proj=lcc +lat_1=63 +lat_0=63 +lon_0=15 +R=6371000", 16, 62},
    {"+proj=lcc +lat_1=33 +lat_2=45 +lat_0=40 +lon_0=-97 +R=6371200", -90, 38},
    {"+proj=lcc +lat_1=49 +lat_2=46 +lat_0=47.5 +lon_0=13.33 +x_0=400000 +y_0=400000 +datum=WGS84",
     14, 47},
    {"+proj=lcc +lat_1=49 +lat_2=46 +lat_0=47.5 +lon_0=13.33 +x_0=1000 +units=us-ft +datum=NAD83",
     14, 47},
    {"+proj=aea +lat_1=29.5 +lat_2=45.5 +lat_0=23 +lon_0=-96 +x_0=1000 +y_0=2000 +ellps=GRS80", -90,
     40},
    {"+proj=merc +lon_0=10 +k=0.9" SPHERE, 12, 40},
    {"+proj=merc +lon_0=10 +lat_ts=30 +x_0=100 +datum=WGS84", 12, 40},
    {"+proj=stere +lat_0=90 +lon_0=-35 +k=0.93" SPHERE, -30, 70},
    {"+proj=stere +lat_0=-90 +lon_0=20 +lat_ts=-71 +x_0=500 +datum=WGS84", 30, -75},
    {"+proj=stere +lat_0=45 +lon_0=10 +k=0.99 +x_0=1000 +datum=WGS84", 12, 44},
    {"+proj=sterea +lat_0=52 +lon_0=5 +k=0.9999 +x_0=155000 +y_0=463000 +ellps=bessel", 6, 51},
    {"+proj=laea +lat_0=52 +lon_0=10 +x_0=4321000 +y_0=3210000 +datum=WGS84", 20, 60},
    {"+proj=laea +lat_0=90 +lon_0=0" SPHERE, 20, 60},
    {"+proj=aeqd +lat_0=52 +lon_0=10 +x_0=10 +datum=WGS84", 20, 60},
    {"+proj=ortho +lat_0=40 +lon_0=10" SPHERE, 20, 60},
    {"+proj=sinu +lon_0=10 +R=6371007.181", 20, 60},
    {"+proj=cea +lat_ts=30 +lon_0=10 +datum=WGS84", 20, 60},
    {"+proj=eqc +lat_ts=30 +lon_0=10 +datum=WGS84", 20, 60},
};
enum { DEFINITION_COUNT = sizeof DEFINITIONS / sizeof *DEFINITIONS };

// Ones that they can't say.
static const char *const UNSPEAKABLE[] = {
    "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18" SPHERE,
    "+proj=geos +sweep=x +lon_0=-75 +h=35786023 +ellps=GRS80",
    "+proj=nsper +h=5000000 +lat_0=40 +lon_0=10" SPHERE,
};
