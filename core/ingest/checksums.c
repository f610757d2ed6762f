// checksums.c - see checksums.h. Cells are read in slabs that fit the budget, in C order, so that one pass gives the hash,
// the statistics and the .npy file.
#include "ingest/checksums.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "base/size.h"
#include "ingest/checksums_private.h"
#include "raster/half.h"
#include "source/fetched.h"
#include "source/source.h"
#include "source/zarr_tree.h"

// ---- one array

typedef struct slabs {
  unsigned split;  // the dimension that is taken in pieces; those before it one by one
  uint64_t step;   // cells of it a slab
  size_t bytes;    // of the largest slab
  uint64_t at[RA__SUM_DIMS];
} slabs;

// The coarsest pieces that fit: whole rows of chunks, or fewer rows where those are too large.
static int plan_slabs(const ra__sums *sums, const ra__sum_array *a, slabs *s, ra_err *err) {
  size_t below = a->cell;  // bytes of one index of the split dimension
  *s = (slabs){.split = 0, .step = 1};
  unsigned d = a->ndim;
  while (d > 0) {
    size_t whole;
    if (!ra_size_mul(below, a->shape[d - 1], &whole) || whole > sums->budget) break;
    below = whole;
    d--;
  }
  if (d == 0) {
    s->step = a->ndim ? a->shape[0] : 1;
    s->bytes = below;
    return RA_OK;
  }
  s->split = d - 1;
  uint64_t most = sums->budget / below, chunk = a->chunk[s->split];
  if (most == 0) return ra_fail(err, RA_E_TOOBIG, a->path, "one cell does not fit in memory");
  s->step = most >= chunk ? most - most % chunk : most;
  s->bytes = below * s->step;
  return RA_OK;
}

static bool next_slab(const ra__sum_array *a, slabs *s) {
  if (a->ndim == 0) return false;
  s->at[s->split] += s->step;
  if (s->at[s->split] < a->shape[s->split]) return true;
  s->at[s->split] = 0;
  for (unsigned i = s->split; i-- > 0;) {
    if (++s->at[i] < a->shape[i]) return true;
    s->at[i] = 0;
  }
  return false;
}

static void slab_box(const ra__sum_array *a, const slabs *s, uint64_t *count) {
  for (unsigned i = 0; i < a->ndim; i++) {
    uint64_t left = a->shape[i] - s->at[i];
    count[i] = i < s->split ? 1 : i > s->split ? a->shape[i] : left < s->step ? left : s->step;
  }
}

typedef struct statistics {
  uint64_t valid, finite;
  double least, most;
  long double sum;
} statistics;

#define LOAD(type)                   \
  do {                               \
    type value;                      \
    memcpy(&value, p, sizeof value); \
    return (double)value;            \
  } while (0)

static double load(const char *type, const uint8_t *p) {
  switch (type[1] << 8 | type[2]) {
    case 'b' << 8 | '1':
    case 'u' << 8 | '1': LOAD(uint8_t);
    case 'i' << 8 | '1': LOAD(int8_t);
    case 'u' << 8 | '2': LOAD(uint16_t);
    case 'i' << 8 | '2': LOAD(int16_t);
    case 'u' << 8 | '4': LOAD(uint32_t);
    case 'i' << 8 | '4': LOAD(int32_t);
    case 'u' << 8 | '8': LOAD(uint64_t);
    case 'i' << 8 | '8': LOAD(int64_t);
    case 'f' << 8 | '2': return ra_half_load((uint16_t)(p[0] | p[1] << 8));
    case 'f' << 8 | '4': LOAD(float);
    default: LOAD(double);
  }
}

static bool is_number(const char *type) { return strchr("biuf", type[1]) != NULL; }

static void add_cells(statistics *s, const ra__sum_array *a, const uint8_t *cells, size_t bytes) {
  for (size_t i = 0; i < bytes; i += a->cell) {
    double value = load(a->type, cells + i);
    if (isnan(value)) continue;
    s->valid++;
    if (isinf(value)) continue;
    if (!s->finite || value < s->least) s->least = value;
    if (!s->finite || value > s->most) s->most = value;
    s->finite++;
    s->sum += value;
  }
}

// The header of numpy's format 1.0, padded so that cells begin at a multiple of 64.
static bool write_npy_header(FILE *file, const ra__sum_array *a) {
  ra_str text;
  ra_str_init(&text);
  const char *type = strchr("mM", a->type[1]) ? "<i8" : a->type;  // dates as they are counted
  ra_str_addf(&text, "{'descr': '%s', 'fortran_order': False, 'shape': (", type);
  for (unsigned i = 0; i < a->ndim; i++)
    ra_str_addf(&text, "%llu,%s", (unsigned long long)a->shape[i], i + 1 < a->ndim ? " " : "");
  ra_str_add(&text, "), }");
  while ((10 + text.len + 1) % 64) ra_str_add_char(&text, ' ');
  ra_str_add_char(&text, '\n');
  const uint8_t head[10] = {
      0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)text.len, (uint8_t)(text.len >> 8)};
  bool good = !text.failed && fwrite(head, sizeof head, 1, file) == 1 &&
              fwrite(text.ptr, text.len, 1, file) == 1;
  ra_str_deinit(&text);
  return good;
}

typedef struct summing {
  ra_sha256 *hash;
  FILE *npy;
  char file[PATH_MAX];
  statistics statistics;
  ra_str texts;  // of byte strings, as JSON
  size_t text_count;
} summing;

enum { TEXTS_MOST = 1000 };
#define BYTES_MOST ((uint64_t)1 << 40)

static bool is_text(const ra__sum_array *a) { return a->type[1] == 'S'; }

// A short text of bytes, without what numpy pads it with.
static void add_text(summing *s, const ra__sum_array *a, const uint8_t *cell) {
  char text[256];
  size_t n = a->cell < sizeof text - 1 ? a->cell : sizeof text - 1;
  memcpy(text, cell, n);
  text[n] = 0;
  if (s->texts.len) ra_str_add_char(&s->texts, ',');
  ra_str_add_json(&s->texts, text);
  s->text_count++;
}

static int begin(ra__sums *sums, const ra__sum_array *a, summing *s, ra_err *err) {
  *s = (summing){0};
  ra_str_init(&s->texts);
  int rc = ra_sha256_new(&s->hash, err);
  if (rc < 0 || !sums->dump || is_text(a)) return rc;
  if (snprintf(s->file, sizeof s->file, "%s/array-%u.npy", sums->dump, sums->count) >= PATH_MAX)
    return ra_fail(err, RA_E_INVALID, sums->dump, "--dump: the path is too long");
  s->npy = fopen(s->file, "wb");
  if (!s->npy) return ra_fail_errno(err, errno, s->file, "cannot be written");
  return write_npy_header(s->npy, a) ? RA_OK
                                     : ra_fail_errno(err, errno, s->file, "cannot be written");
}

static int add_slab(summing *s, const ra__sum_array *a, const uint8_t *cells, size_t bytes,
                    ra_err *err) {
  ra_sha256_add(s->hash, cells, bytes);
  for (size_t i = 0; is_text(a) && i < bytes && s->text_count < TEXTS_MOST; i += a->cell)
    add_text(s, a, cells + i);
  if (is_number(a->type)) add_cells(&s->statistics, a, cells, bytes);
  if (s->npy && bytes && fwrite(cells, bytes, 1, s->npy) != 1)
    return ra_fail_errno(err, errno, s->file, "cannot be written");
  return RA_OK;
}

static int read_slabs(const ra__sum_array *a, slabs *plan, summing *s, ra_err *err) {
  uint8_t *cells = malloc(plan->bytes ? plan->bytes : 1);
  if (!cells) return ra_fail(err, RA_E_NOMEM, a->path, "no memory for %zu bytes", plan->bytes);
  int rc;
  do {
    uint64_t count[RA__SUM_DIMS] = {0};
    size_t bytes = a->cell;
    slab_box(a, plan, count);
    for (unsigned i = 0; i < a->ndim; i++) bytes *= count[i];
    rc = a->read(a->ctx, plan->at, count, cells, err);
    if (rc == RA_OK) rc = add_slab(s, a, cells, bytes, err);
  } while (rc == RA_OK && next_slab(a, plan));
  free(cells);
  return rc;
}

static void add_number(ra_str *out, const char *name, double value) {
  ra_str_addf(out, ",\"%s\":", name);
  ra_str_add_double(out, value);
}

static void tell(ra__sums *sums, const ra__sum_array *a, summing *s) {
  ra_str *out = sums->out;
  char digest[65];
  ra_sha256_hex(s->hash, digest);
  ra_str_add(out, sums->count ? ",{\"path\":" : "{\"path\":");
  ra_str_add_json(out, a->path);
  if (a->more) a->more(a->ctx, out);
  ra_str_add(out, ",\"dtype\":");
  ra_str_add_json(out, a->type);
  ra_str_add(out, ",\"shape\":[");
  for (unsigned i = 0; i < a->ndim; i++)
    ra_str_addf(out, "%s%llu", i ? "," : "", (unsigned long long)a->shape[i]);
  ra_str_addf(out, "],\"sha256\":\"%s\"", digest);
  if (is_number(a->type) && !a->valid_told)
    ra_str_addf(out, ",\"valid\":%llu", (unsigned long long)s->statistics.valid);
  if (s->statistics.finite) {
    add_number(out, "min", s->statistics.least);
    add_number(out, "max", s->statistics.most);
    add_number(out, "mean", (double)(s->statistics.sum / (long double)s->statistics.finite));
  }
  if (s->text_count) ra_str_addf(out, ",\"values\":[%s]", s->texts.ptr);
  if (s->npy) {
    ra_str_add(out, ",\"npy\":");
    ra_str_add_json(out, s->file);
  }
  ra_str_add_char(out, '}');
  sums->count++;
}

static uint64_t array_bytes(const ra__sum_array *a) {
  uint64_t bytes = a->cell;
  for (unsigned i = 0; i < a->ndim; i++) {
    if (a->shape[i] == 0) return 0;
    if (__builtin_mul_overflow(bytes, a->shape[i], &bytes)) bytes = UINT64_MAX;
  }
  return bytes;
}

int ra__sum(ra__sums *sums, const ra__sum_array *a, ra_err *err) {
  slabs plan;
  summing s = {0};
  uint64_t bytes = array_bytes(a);
  if (bytes > BYTES_MOST)
    return ra_fail(err, RA_E_TOOBIG, a->path, "more than %llu TiB of cells are not summed",
                   (unsigned long long)(BYTES_MOST >> 40));
  int rc = begin(sums, a, &s, err);
  if (rc == RA_OK && bytes) {
    rc = plan_slabs(sums, a, &plan, err);
    if (rc == RA_OK) rc = read_slabs(a, &plan, &s, err);
  }
  if (rc == RA_OK) tell(sums, a, &s);
  ra_sha256_free(s.hash);
  ra_str_deinit(&s.texts);
  if (s.npy && fclose(s.npy) != 0 && rc == RA_OK)
    rc = ra_fail_errno(err, errno, s.file, "cannot be written");
  return rc;
}

void ra__sum_skipped(ra__sums *sums, const char *path, const char *why) {
  ra_str_add(sums->out, sums->count++ ? ",{\"path\":" : "{\"path\":");
  ra_str_add_json(sums->out, path);
  ra_str_add(sums->out, ",\"skipped\":");
  ra_str_add_json(sums->out, why);
  ra_str_add_char(sums->out, '}');
}

// ---- masks

int ra__sum_mask_begin(ra__sum_mask *mask, ra_err *err) {
  mask->valid = 0;
  mask->stream = NULL;
  if (!mask->file) return RA_OK;
  const ra__sum_array a = {.type = "|b1", .ndim = 2, .shape = {mask->height, mask->width}};
  mask->stream = fopen(mask->file, "wb");
  return mask->stream && write_npy_header(mask->stream, &a)
             ? RA_OK
             : ra_fail_errno(err, errno, mask->file, "cannot be written");
}

int ra__sum_mask_add(ra__sum_mask *mask, const uint8_t *valid, size_t count, ra_err *err) {
  for (size_t i = 0; i < count; i++) {
    mask->valid += valid[i] != 0;
    if (mask->stream && fputc(valid[i] != 0, mask->stream) == EOF)
      return ra_fail_errno(err, errno, mask->file, "cannot be written");
  }
  return RA_OK;
}

int ra__sum_mask_end(ra__sum_mask *mask, ra_err *err) {
  if (!mask->stream || fclose(mask->stream) == 0) return RA_OK;
  return ra_fail_errno(err, errno, mask->file, "cannot be written");
}

// ---- a source

static int sum_source(ra__sums *sums, const char *path, const char **format, ra_str *head,
                      ra_err *err);

// NOLINTNEXTLINE(misc-no-recursion): as below
static int sum_fetched(ra__sums *sums, const char *url, const char **format, ra_str *head,
                       ra_err *err) {
  ra_fetched *fetched;
  int rc = ra_fetched_new(url, &fetched, err);
  if (rc < 0) return rc;
  rc = sum_source(sums, ra_fetched_path(fetched), format, head, err);
  ra_fetched_free(fetched);
  return rc;
}

// NOLINTNEXTLINE(misc-no-recursion): once, of what was fetched
static int sum_source(ra__sums *sums, const char *path, const char **format, ra_str *head,
                      ra_err *err) {
  *format = "zarr";
  if (ra_zarr_tree_is(path)) return ra__sums_zarr(sums, path, err);
  if (ra_is_url(path)) return sum_fetched(sums, path, format, head, err);
  *format = "tiff";
  if (ra_source_is_tiff(path)) return ra__sums_tiff(sums, path, head, err);
  return ra__sums_netcdf(sums, path, format, err);
}

// An error of an array says the file too.
static void name_source(const char *path, ra_err *err) {
  if (!err) return;
  const char *slash = strrchr(path, '/'), *name = slash && slash[1] ? slash + 1 : path;
  if (err->where[0] && strcmp(err->where, name) != 0 && strcmp(err->where, path) != 0)
    ra_err_prefix(err, "%s", err->where);
  snprintf(err->where, sizeof err->where, "%s", name);
}

int ra_checksums(const char *path, const char *dump, size_t memory, ra_str *out, ra_err *err) {
  ra_str arrays, head;
  const char *format;
  ra_str_init(&arrays);
  ra_str_init(&head);
  ra__sums sums = {.out = &arrays, .dump = dump, .budget = memory};
  int rc = sum_source(&sums, path, &format, &head, err);
  if (rc < 0) name_source(path, err);
  if (rc == RA_OK && (arrays.failed || head.failed))
    rc = ra_fail(err, RA_E_NOMEM, path, "no memory for the answer");
  if (rc == RA_OK) {
    ra_str_add(out, "{\"source\":");
    ra_str_add_json(out, path);
    ra_str_addf(out, ",\"format\":\"%s\"", format);
    ra_str_add(out, head.ptr ? head.ptr : "");
    ra_str_add(out, ",\"arrays\":[");
    ra_str_add(out, arrays.ptr ? arrays.ptr : "");
    ra_str_add(out, "]}");
  }
  ra_str_deinit(&arrays);
  ra_str_deinit(&head);
  return rc;
}
