// cell_index.c - reading; see cell_index.h. cell_writer.c writes it.
#include "format/cell_index.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/cell_impl.h"

static const double DEGREE = M_PI / 180;
enum { TABLES_MOST = 256 << 20, CELLS_AT_ONCE = 4096 };

struct ra_cell_index {
  ra__cell_head head;
  ra__cell_band *bands;
  uint64_t *bins;  // one more than there are
};

void ra_cell_index_free(ra_cell_index *self) {
  if (!self) return;
  free(self->bands);
  free(self->bins);
  free(self);
}

size_t ra_cell_index_memory(const ra_cell_index *self) {
  return sizeof *self + self->head.bands * sizeof *self->bands +
         (self->head.bins + 1) * sizeof *self->bins;
}

static int broken(const char *key, ra_err *err) {
  return ra_fail(err, RA_E_CORRUPT, key, "is not an index of cells, or a damaged one");
}

static bool head_fits(const ra__cell_head *head, uint64_t size) {
  if (memcmp(head->magic, RA__CELL_MAGIC, sizeof head->magic) != 0) return false;
  if (!(head->height > 0 && head->height <= 180) || !(head->reach >= 0 && head->reach <= 180) ||
      !isfinite(head->south) || !isfinite(head->west)) {
    return false;
  }
  if (head->bands == 0 || head->bands > TABLES_MOST / sizeof(ra__cell_band) ||
      head->bins > TABLES_MOST / sizeof(uint64_t) || head->cells > UINT32_MAX) {
    return false;
  }
  return size == ra__cell_start(head) + head->cells * sizeof(ra__cell_entry);
}

static bool tables_fit(const ra_cell_index *self) {
  const ra__cell_head *head = &self->head;
  uint64_t bins = 0;
  for (uint64_t b = 0; b < head->bands; b++) {
    const ra__cell_band *band = &self->bands[b];
    if (band->first != bins || !(band->width > 0)) return false;
    bins += band->count;
  }
  if (bins != head->bins || self->bins[0] != 0 || self->bins[bins] != head->cells) return false;
  for (uint64_t i = 0; i < bins; i++) {
    if (self->bins[i] > self->bins[i + 1]) return false;
  }
  return true;
}

static int read_tables(ra_cell_index *self, const ra_reader *reader, const char *key, ra_err *err) {
  size_t bands = (size_t)self->head.bands * sizeof *self->bands;
  size_t bins = ((size_t)self->head.bins + 1) * sizeof *self->bins;
  self->bands = calloc(self->head.bands + 1, sizeof *self->bands);
  self->bins = calloc(self->head.bins + 2, sizeof *self->bins);
  if (!self->bands || !self->bins) return ra_fail(err, RA_E_NOMEM, key, "no memory for an index");
  uint64_t at = sizeof self->head;
  int rc = reader->read(reader->ctx, key, at, bands, (uint8_t *)self->bands, err);
  if (rc == RA_OK)
    rc = reader->read(reader->ctx, key, at + bands, bins, (uint8_t *)self->bins, err);
  return rc < 0 || tables_fit(self) ? rc : broken(key, err);
}

int ra_cell_index_open(const ra_reader *reader, const char *key, ra_cell_index **out, ra_err *err) {
  uint64_t size;
  int rc = reader->size(reader->ctx, key, &size, err);
  if (rc < 0) return rc;
  ra_cell_index *self = calloc(1, sizeof *self);
  if (!self) return ra_fail(err, RA_E_NOMEM, key, "no memory for an index");
  rc = size < sizeof self->head
           ? broken(key, err)
           : reader->read(reader->ctx, key, 0, sizeof self->head, (uint8_t *)&self->head, err);
  if (rc == RA_OK && !head_fits(&self->head, size)) rc = broken(key, err);
  if (rc == RA_OK) rc = read_tables(self, reader, key, err);
  if (rc < 0) {
    ra_cell_index_free(self);
    return rc;
  }
  *out = self;
  return RA_OK;
}

// ---- searching

typedef struct search {
  const ra_cell_index *index;
  const ra_reader *reader;
  const char *key;
  double lon, lat;  // degrees
  double at[3];
  ra_cell best;
  double best_chord;  // squared
  double reach;       // of the best
} search;

static void vector(double lon, double lat, double out[3]) {
  out[0] = cos(lat * DEGREE) * cos(lon * DEGREE);
  out[1] = cos(lat * DEGREE) * sin(lon * DEGREE);
  out[2] = sin(lat * DEGREE);
}

static void weigh(search *self, const ra__cell_entry *entry) {
  double lon = entry->lon * RA_PLACE_UNIT, lat = entry->lat * RA_PLACE_UNIT, v[3];
  vector(lon, lat, v);
  double x = v[0] - self->at[0], y = v[1] - self->at[1], z = v[2] - self->at[2];
  double chord = x * x + y * y + z * z;
  if (chord > self->best_chord) return;
  if (chord == self->best_chord && entry->number > self->best.number) return;
  self->best_chord = chord;
  self->best.number = entry->number;
  self->best.lon = lon;
  self->best.lat = lat;
  self->best.distance = 2 * asin(fmin(1, sqrt(chord) / 2)) / DEGREE;
  self->reach = entry->reach;
}

static int read_bins(search *self, uint64_t first, uint64_t last, ra_err *err) {
  const ra_cell_index *index = self->index;
  ra__cell_entry entries[256];
  uint64_t at = index->bins[first], end = index->bins[last + 1];
  while (at < end) {
    size_t n = end - at < 256 ? (size_t)(end - at) : 256;
    uint64_t offset = ra__cell_start(&index->head) + at * sizeof *entries;
    int rc = self->reader->read(self->reader->ctx, self->key, offset, n * sizeof *entries,
                                (uint8_t *)entries, err);
    if (rc < 0) return rc;
    for (size_t i = 0; i < n; i++) weigh(self, &entries[i]);
    at += n;
  }
  return RA_OK;
}

// Bins of a band that lie within `half` degrees of longitude; those beyond a turn come once more.
static int read_band(search *self, const ra__cell_band *band, double half, ra_err *err) {
  double from = self->lon - half - self->index->head.west, wide = fmin(2 * half, 360);
  from -= 360 * floor(from / 360);
  for (int turn = 0; turn < 2; turn++, from -= 360) {
    double first = floor(fmax(from, 0) / band->width);
    double last = floor((from + wide) / band->width);
    if (last < 0 || first >= (double)band->count) continue;
    if (last >= (double)band->count) last = (double)band->count - 1;
    int rc = read_bins(self, band->first + (uint64_t)first, band->first + (uint64_t)last, err);
    if (rc < 0) return rc;
  }
  return RA_OK;
}

// All cells within `radius` degrees of arc.
static int look_around(search *self, double radius, ra_err *err) {
  const ra__cell_head *head = &self->index->head;
  double low = floor((self->lat - radius - head->south) / head->height);
  double high = floor((self->lat + radius - head->south) / head->height);
  // At this latitude a circle of that radius is asin(sin r / cos lat) of longitude wide, unless it holds the pole.
  double ratio = sin(fmin(radius, 90) * DEGREE) / fmax(cos(self->lat * DEGREE), 1e-12);
  double half = radius >= 90 || ratio >= 1 ? 180 : asin(ratio) / DEGREE + 1e-6;
  for (double b = fmax(low, 0); b <= high && b < (double)head->bands; b++) {
    int rc = read_band(self, &self->index->bands[(size_t)b], half, err);
    if (rc < 0) return rc;
  }
  return RA_OK;
}

int ra_cell_index_find(const ra_cell_index *index, const ra_reader *reader, const char *key,
                       double lon, double lat, ra_cell *out, bool *found, ra_err *err) {
  search self = {.index = index, .reader = reader, .key = key, .lon = lon, .lat = lat};
  const ra__cell_head *head = &index->head;
  *found = false;
  vector(lon, lat, self.at);
  for (double radius = head->height / 2; *found == false; radius *= 2) {
    self.best = (ra_cell){.number = UINT32_MAX};
    self.best_chord = INFINITY;
    int rc = look_around(&self, radius, err);
    if (rc < 0) return rc;
    bool any = self.best.number != UINT32_MAX;
    if (any && self.best.distance <= radius) break;
    if (radius > head->reach) return RA_OK;
  }
  *found = self.best.distance <= self.reach;
  *out = self.best;
  return RA_OK;
}
