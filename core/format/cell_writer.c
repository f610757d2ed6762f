// cell_writer.c - an index of cells from a lattice: counted into bins, then written in their order, some thousands at a
// time.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "format/cell_impl.h"

static const double DEGREE = M_PI / 180;
enum { CELLS_A_SIDE = 6, SAMPLES = 4096, AT_ONCE = 4096 };

struct ra_cell_writer {
  const ra_lattice *lattice;
  ra__cell_head head;
  ra__cell_band *bands;
  uint64_t *bins;
  uint32_t *order;  // numbers of cells, bin by bin
  ra__cell_entry *entries;
  uint64_t written;
  int part;  // head, bands, bins, cells
};

void ra_cell_writer_free(ra_cell_writer *self) {
  if (!self) return;
  free(self->bands);
  free(self->bins);
  free(self->order);
  free(self->entries);
  free(self);
}

size_t ra_cell_writer_memory(const ra_lattice *lattice) {
  size_t cells = (size_t)lattice->width * (size_t)lattice->height;
  // A number each, and a bin for some of them.
  return cells * sizeof(uint32_t) + cells / 4 * sizeof(uint64_t) + ((size_t)1 << 20);
}

static bool has_place(const ra_lattice *l, size_t cell) { return l->lat[cell] != RA_NO_PLACE; }

// A parallelogram of these sides reaches this far, and a bit more where it is not upright.
static double reach_of(const ra_lattice *l, size_t cell) {
  double along, across;
  ra_lattice_reach(l, (int64_t)cell / l->width, (int64_t)cell % l->width, &along, &across);
  return 0.55 * hypot(along, across);
}

static double typical_reach(const ra_lattice *l, size_t cells) {
  double sum = 0;
  size_t count = 0, stride = cells / SAMPLES + 1;
  for (size_t i = 0; i < cells; i += stride) {
    double reach = has_place(l, i) ? reach_of(l, i) : 0;
    if (!(reach > 0)) continue;
    sum += log(reach);
    count++;
  }
  return count ? exp(sum / (double)count) : 1;
}

static size_t band_of(const ra_cell_writer *self, size_t cell) {
  double lat = self->lattice->lat[cell] * RA_PLACE_UNIT;
  double band = floor((lat - self->head.south) / self->head.height);
  return band < (double)self->head.bands ? (size_t)fmax(band, 0) : (size_t)self->head.bands - 1;
}

static uint64_t bin_within(const ra_cell_writer *self, size_t cell, const ra__cell_band *band) {
  double off = self->lattice->lon[cell] * RA_PLACE_UNIT - self->head.west;
  off -= 360 * floor(off / 360);
  return (uint64_t)(off / band->width);
}

static bool make_bands(ra_cell_writer *self, size_t cells) {
  ra__cell_head *head = &self->head;
  self->bands = calloc(head->bands, sizeof *self->bands);
  if (!self->bands) return false;
  for (uint64_t b = 0; b < head->bands; b++) {
    double low = head->south + head->height * (double)b, high = low + head->height;
    double wide = fmax(cos(low * DEGREE), cos(high * DEGREE));
    double bins = floor(360 * fmax(wide, 0) / head->height);
    self->bands[b].width = 360 / fmax(bins, 1);
  }
  for (size_t i = 0; i < cells; i++) {
    if (!has_place(self->lattice, i)) continue;
    ra__cell_band *band = &self->bands[band_of(self, i)];
    uint64_t bin = bin_within(self, i, band);
    if (bin >= band->count) band->count = bin + 1;
  }
  for (uint64_t b = 0; b < head->bands; b++) {
    self->bands[b].first = head->bins;
    head->bins += self->bands[b].count;
  }
  return true;
}

static uint64_t bin_of(const ra_cell_writer *self, size_t cell) {
  const ra__cell_band *band = &self->bands[band_of(self, cell)];
  return band->first + bin_within(self, cell, band);
}

// Counts, sums, and deals out: cells of a bin stay in the order of their numbers.
static bool sort_cells(ra_cell_writer *self, size_t cells) {
  ra__cell_head *head = &self->head;
  self->bins = calloc(head->bins + 2, sizeof *self->bins);
  self->order = calloc(cells, sizeof *self->order);
  if (!self->bins || !self->order) return false;
  uint64_t *next = self->bins + 1;
  for (size_t i = 0; i < cells; i++) {
    if (has_place(self->lattice, i)) next[bin_of(self, i) + 1]++;
  }
  for (uint64_t b = 0; b < head->bins; b++) next[b + 1] += next[b];
  head->cells = next[head->bins];
  for (size_t i = 0; i < cells; i++) {
    if (has_place(self->lattice, i)) self->order[next[bin_of(self, i)]++] = (uint32_t)i;
  }
  return true;
}

static void measure(ra_cell_writer *self, size_t cells) {
  const ra_lattice *l = self->lattice;
  ra__cell_head *head = &self->head;
  int32_t south = INT32_MAX, north = INT32_MIN;
  memcpy(head->magic, RA__CELL_MAGIC, sizeof head->magic);
  for (size_t i = 0; i < cells; i++) {
    if (!has_place(l, i)) continue;
    if (l->lat[i] < south) south = l->lat[i];
    if (l->lat[i] > north) north = l->lat[i];
    head->reach = fmax(head->reach, reach_of(l, i));
  }
  head->south = south * RA_PLACE_UNIT;
  double east;
  ra_lattice_arc(l, &head->west, &east);
  head->height = fmin(fmax(CELLS_A_SIDE * typical_reach(l, cells), 1e-6), 45);
  // Never more bands than cells, however unlike their sizes.
  head->height = fmax(head->height, (north - south) * RA_PLACE_UNIT / (double)cells);
  // Nor many more bins, whatever lies between the cells.
  while ((north - south) * RA_PLACE_UNIT * 360 / (head->height * head->height) >
         4.0 * (double)cells + 65536) {
    head->height *= 1.25;
  }
  head->bands = 1 + (uint64_t)((north - south) * RA_PLACE_UNIT / head->height);
}

int ra_cell_writer_new(const ra_lattice *lattice, ra_cell_writer **out, ra_err *err) {
  size_t cells = (size_t)lattice->width * (size_t)lattice->height;
  ra_cell_writer *self = calloc(1, sizeof *self);
  if (self) {
    self->lattice = lattice;
    self->entries = calloc(AT_ONCE, sizeof *self->entries);
    measure(self, cells);
  }
  if (!self || !self->entries || !make_bands(self, cells) || !sort_cells(self, cells)) {
    ra_cell_writer_free(self);
    return ra_fail(err, RA_E_NOMEM, "", "no memory for an index of %zu cells", cells);
  }
  *out = self;
  return RA_OK;
}

static size_t fill_entries(ra_cell_writer *self) {
  const ra_lattice *l = self->lattice;
  size_t n = 0;
  for (; n < AT_ONCE && self->written < self->head.cells; n++) {
    uint32_t cell = self->order[self->written++];
    self->entries[n] = (ra__cell_entry){l->lon[cell], l->lat[cell], cell, (float)reach_of(l, cell)};
  }
  return n;
}

int ra_cell_writer_next(void *writer, const void **data, size_t *size, ra_err *err) {
  ra_cell_writer *self = writer;
  (void)err;
  switch (self->part++) {
    case 0:
      *data = &self->head;
      *size = sizeof self->head;
      return RA_OK;
    case 1:
      *data = self->bands;
      *size = self->head.bands * sizeof *self->bands;
      return RA_OK;
    case 2:
      *data = self->bins;
      *size = (self->head.bins + 1) * sizeof *self->bins;
      return RA_OK;
    default:
      *data = self->entries;
      *size = fill_entries(self) * sizeof *self->entries;
      return RA_OK;
  }
}
