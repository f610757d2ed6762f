// sample.h - what some cells of an array become when they are encoded: sizes and time, for estimate.c.
#pragma once
#include "ingest/ingest_private.h"

// Sums over samples: bytes that came of cells, and the seconds that it took.
typedef struct ra__yield {
  double cells, bytes, seconds;
} ra__yield;

typedef struct ra__sample {
  ra__yield decode;    // bytes: the cells themselves
  ra__yield shards;    // indexes not counted
  ra__yield maps;      // full resolution, header included where maps were whole
  ra__yield overview;  // the other levels, a cell of theirs; nothing where maps were whole
  ra__yield spill;
} ra__sample;

// Adds what the cells of a region give; reads them.
int ra__sample_add(ra_ingest *ingest, const ra__array *array, const ra__region *region,
                   ra__sample *sample, ra_err *err);
