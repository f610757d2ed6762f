// The index of a curvilinear grid's cells against looking at every cell: random places, the seam, the poles, cells without
// a place, ties; what lies outside; damaged objects.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format/cell_index.h"

#define DEGREE (M_PI / 180)

static struct {
  uint8_t *bytes;
  size_t size;
  size_t reads, read;
} object;

static int read_object(void *ctx, const char *key, uint64_t offset, size_t size, uint8_t *dst,
                       ra_err *err) {
  (void)ctx;
  if (offset + size > object.size) return ra_fail(err, RA_E_CORRUPT, key, "ends too soon");
  memcpy(dst, object.bytes + offset, size);
  object.reads++;
  object.read += size;
  return RA_OK;
}

static int object_size(void *ctx, const char *key, uint64_t *out, ra_err *err) {
  (void)ctx, (void)key, (void)err;
  *out = object.size;
  return RA_OK;
}

static const ra_reader READER = {.read = read_object, .size = object_size};

static ra_lattice lattice_new(int64_t width, int64_t height) {
  size_t cells = (size_t)(width * height);
  return (ra_lattice){.width = width,
                      .height = height,
                      .lon = calloc(cells, sizeof(int32_t)),
                      .lat = calloc(cells, sizeof(int32_t))};
}

static void lattice_free(ra_lattice *lattice) {
  free(lattice->lon);
  free(lattice->lat);
}

static ra_cell_index *write_and_open(const ra_lattice *lattice) {
  ra_cell_writer *writer;
  ra_cell_index *index;
  ra_err err = {0};
  free(object.bytes);
  memset(&object, 0, sizeof object);
  assert_int_equal(ra_cell_writer_new(lattice, &writer, &err), RA_OK);
  for (size_t size = 1; size > 0;) {
    const void *data;
    assert_int_equal(ra_cell_writer_next(writer, &data, &size, &err), RA_OK);
    object.bytes = realloc(object.bytes, object.size + size + 1);
    memcpy(object.bytes + object.size, data, size);
    object.size += size;
  }
  ra_cell_writer_free(writer);
  assert_int_equal(ra_cell_index_open(&READER, "cells", &index, &err), RA_OK);
  return index;
}

// By the haversine formula, over all cells; the first of equals.
static double by_hand(const ra_lattice *l, double lon, double lat, uint32_t *cell) {
  double best = INFINITY;
  for (size_t i = 0; i < (size_t)(l->width * l->height); i++) {
    if (l->lat[i] == RA_NO_PLACE) continue;
    double a = sin((l->lat[i] * 1e-7 - lat) * DEGREE / 2);
    double b = sin((l->lon[i] * 1e-7 - lon) * DEGREE / 2);
    double h = a * a + cos(lat * DEGREE) * cos(l->lat[i] * 1e-7 * DEGREE) * b * b;
    if (h < best) {
      best = h;
      *cell = (uint32_t)i;
    }
  }
  return 2 * asin(sqrt(fmin(1, best))) / DEGREE;
}

static double uniform(uint64_t *seed) {
  *seed = *seed * 6364136223846793005u + 1442695040888963407u;
  return (double)(*seed >> 11) / 9007199254740992.0;
}

static void compare(const ra_lattice *l, const ra_cell_index *index, double lon, double lat,
                    double inside, double outside) {
  ra_cell cell;
  bool found;
  ra_err err = {0};
  uint32_t want = 0;
  double distance = by_hand(l, lon, lat, &want);
  assert_int_equal(ra_cell_index_find(index, &READER, "cells", lon, lat, &cell, &found, &err), RA_OK);
  if (distance < inside && !found) fail_msg("%.9g, %.9g lies in cell %u", lon, lat, want);
  if (distance > outside && found) fail_msg("%.9g, %.9g lies outside", lon, lat);
  if (!found) return;
  if (fabs(cell.distance - distance) > 1e-7)
    fail_msg("%.9g, %.9g: cell %u at %.9g, not %u at %.9g", lon, lat, cell.number, cell.distance,
             want, distance);
}

// Rows of confocal ellipses round the pole: cells of very unlike sizes, a fold, some without a place.
static ra_lattice cap(void) {
  ra_lattice l = lattice_new(90, 40);
  for (size_t i = 0; i < 90 * 40; i++) {
    size_t row = i / 90, column = i % 90;
    double m = 0.04 * (40 - (double)row - 0.5), n = 2 * M_PI * ((double)column + 0.5) / 90;
    double x = 0.2 * cosh(m) * cos(n), y = 0.2 * sinh(m) * sin(n);
    bool none = row > 10 && row < 15 && column > 30 && column < 40;
    ra_lattice_put(&l, i, none ? NAN : atan2(y, x) / DEGREE, 90 - atan(hypot(x, y)) / DEGREE);
  }
  l.cyclic = true;
  return l;
}

static void it_finds_what_looking_at_all_finds(void **state) {
  (void)state;
  uint64_t seed = 20;
  ra_lattice l = cap();
  ra_cell_index *index = write_and_open(&l);
  for (int i = 0; i < 1500; i++)
    compare(&l, index, 360 * uniform(&seed) - 180, 62 + 28 * uniform(&seed), 0, 6);
  compare(&l, index, 0, 90, 1, 6);
  compare(&l, index, 180, 80, 1, 6);
  compare(&l, index, -180, 80, 1, 6);
  ra_cell_index_free(index);
  lattice_free(&l);
}

// One of a degree over the seam, whose distances are known; reads are few and small.
static void a_plain_grid_over_the_seam(void **state) {
  (void)state;
  uint64_t seed = 21;
  ra_lattice l = lattice_new(40, 30);
  for (size_t i = 0; i < 40 * 30; i++) {
    size_t row = i / 40;
    ra_lattice_put(&l, i, 160 + (double)(i % 40), -15 + (double)row);
  }
  ra_cell_index *index = write_and_open(&l);
  for (int i = 0; i < 1000; i++)
    compare(&l, index, 161 + 38 * uniform(&seed), -14 + 28 * uniform(&seed), 0.8, 0.9);
  for (int i = 0; i < 200; i++)
    compare(&l, index, 360 * uniform(&seed), 180 * uniform(&seed) - 90, 0.45, 0.9);
  object.reads = object.read = 0;
  for (int i = 0; i < 100; i++)
    compare(&l, index, 161 + 38 * uniform(&seed), -14 + 28 * uniform(&seed), 0.8, 0.9);
  assert_true(object.reads <= 100 * 4 && object.read <= 100 * 200 * 16);
  ra_cell_index_free(index);
  lattice_free(&l);
}

// Most cells are small; between the few large ones the first that is met is often not the nearest.
static void cells_of_unlike_sizes(void **state) {
  (void)state;
  uint64_t seed = 22;
  ra_lattice l = lattice_new(60, 20);
  for (size_t i = 0; i < 60 * 20; i++) {
    size_t column = i % 60, row = i / 60;
    double lon = column < 50 ? (double)column * 0.5 : 25 + 9 * (double)(column - 49);
    ra_lattice_put(&l, i, lon, (double)row * (column < 50 ? 0.5 : 3) - 20);
  }
  ra_cell_index *index = write_and_open(&l);
  for (int i = 0; i < 2000; i++)
    compare(&l, index, 25 + 90 * uniform(&seed), -20 + 55 * uniform(&seed), 2, 40);
  ra_cell_index_free(index);
  lattice_free(&l);
}

static void of_equals_the_first_is_taken(void **state) {
  (void)state;
  ra_lattice l = lattice_new(10, 10);
  for (size_t i = 0; i < 100; i++) {
    size_t row = i / 10 % 9;  // the last one repeats the first
    ra_lattice_put(&l, i, (double)(i % 10), (double)row);
  }
  ra_cell_index *index = write_and_open(&l);
  ra_cell cell;
  bool found;
  ra_err err = {0};
  assert_int_equal(ra_cell_index_find(index, &READER, "cells", 3.2, 0.1, &cell, &found, &err), RA_OK);
  assert_true(found);
  assert_int_equal(cell.number, 3);
  assert_true(fabs(cell.lon - 3) < 1e-9 && fabs(cell.lat) < 1e-9);
  ra_cell_index_free(index);
  lattice_free(&l);
}

static void damage_is_noticed(void **state) {
  (void)state;
  ra_lattice l = cap();
  ra_cell_index *index = write_and_open(&l);
  ra_cell_index_free(index);
  ra_err err = {0};
  for (size_t at = 0; at < 56 + 24; at++) {  // each bit of the header and of the first band
    for (int bit = 0; bit < 8; bit++) {
      object.bytes[at] ^= (uint8_t)(1 << bit);
      int rc = ra_cell_index_open(&READER, "cells", &index, &err);
      assert_true(rc == RA_OK || rc == RA_E_CORRUPT);
      if (rc == RA_OK) {  // not noticed: then it must do no harm
        ra_cell cell;
        bool found;
        ra_cell_index_find(index, &READER, "cells", 12, 75, &cell, &found, &err);
        ra_cell_index_free(index);
      }
      object.bytes[at] ^= (uint8_t)(1 << bit);
    }
  }
  uint64_t bands, bins;
  memcpy(&bands, object.bytes + 16, 8);
  memcpy(&bins, object.bytes + 24, 8);
  for (uint64_t i = 0; i <= bins;
       i += bins / 2) {  // where bins begin: the first, one in the middle, the end
    uint8_t *high = object.bytes + 64 + bands * 24 + i * 8 + 7;
    *high ^= 0x40;
    assert_int_equal(ra_cell_index_open(&READER, "cells", &index, &err), RA_E_CORRUPT);
    *high ^= 0x40;
  }
  object.size -= 16;
  assert_int_equal(ra_cell_index_open(&READER, "cells", &index, &err), RA_E_CORRUPT);
  object.size = 20;
  assert_int_equal(ra_cell_index_open(&READER, "cells", &index, &err), RA_E_CORRUPT);
  lattice_free(&l);
}

static int free_object(void **state) {
  (void)state;
  free(object.bytes);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_finds_what_looking_at_all_finds),
      cmocka_unit_test(a_plain_grid_over_the_seam),
      cmocka_unit_test(cells_of_unlike_sizes),
      cmocka_unit_test(of_equals_the_first_is_taken),
      cmocka_unit_test(damage_is_noticed),
  };
  return cmocka_run_group_tests(tests, NULL, free_object);
}
