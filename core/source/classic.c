// classic.c - where the variables of a classic file (CDF-1, 2, 5) lie, and does it hold all the bytes that its header
// promises? netcdf-c reads what is not there as zeros, so a file whose transfer broke off would become plausible, wrong
// data. (NetCDF classic format
// specification: header = magic numrecs dim_list gatt_list var_list, big-endian.)
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "source/source_private.h"

enum { DIMENSION = 10, VARIABLE = 11, ATTRIBUTE = 12, LIST_MAX = 1 << 20, DIMS_MAX = 1 << 16 };

typedef struct header {
  FILE *file;
  int version;       // 1, 2 or 5
  bool bad;          // ended too soon, or is no header
  uint64_t records;  // UINT64_MAX: unknown (written as a stream)
  uint64_t *dims;    // lengths; 0: the record dimension
  uint64_t dim_count;
  uint64_t record_size, record_vars, record_raw;  // padded sum; number; unpadded size of the last
  uint64_t last_begin, last_size;  // of the record variable that ends last in a record
  uint64_t end;                    // of the fixed part
  ra__plain *plain;                // of each variable
  uint64_t plain_count;
} header;

static uint64_t read_int(header *h, int bytes) {
  unsigned char raw[8];
  uint64_t value = 0;
  if (h->bad || fread(raw, 1, (size_t)bytes, h->file) != (size_t)bytes) {
    h->bad = true;
    return 0;
  }
  for (int i = 0; i < bytes; i++) value = value << 8 | raw[i];
  return value;
}

// Counts and sizes are 8 bytes wide in CDF-5.
static uint64_t read_count(header *h) { return read_int(h, h->version == 5 ? 8 : 4); }

static void skip(header *h, uint64_t bytes) {
  uint64_t padded = bytes + (4 - bytes % 4) % 4;
  if (bytes > ((uint64_t)1 << 40) || fseeko(h->file, (off_t)padded, SEEK_CUR)) h->bad = true;
}

static void skip_name(header *h) { skip(h, read_count(h)); }

static uint64_t type_size(header *h) {
  static const uint64_t SIZES[] = {0, 1, 1, 2, 4, 4, 8, 1, 2, 4, 8, 8};
  uint64_t type = read_int(h, 4);
  if (type == 0 || type >= sizeof SIZES / sizeof *SIZES) h->bad = true;
  return h->bad ? 0 : SIZES[type];
}

// The number of elements of a list; 0 when it is absent.
static uint64_t open_list(header *h, uint64_t tag) {
  uint64_t found = read_int(h, 4), count = read_count(h);
  if (count > LIST_MAX || (found != tag && !(found == 0 && count == 0))) h->bad = true;
  return h->bad ? 0 : count;
}

static void skip_attributes(header *h) {
  uint64_t count = open_list(h, ATTRIBUTE);
  for (uint64_t i = 0; i < count && !h->bad; i++) {
    skip_name(h);
    uint64_t size = type_size(h), n = read_count(h), bytes;
    if (__builtin_mul_overflow(size, n, &bytes)) h->bad = true;
    if (!h->bad) skip(h, bytes);
  }
}

static void read_dims(header *h, ra_arena *arena) {
  h->dim_count = open_list(h, DIMENSION);
  if (h->dim_count > DIMS_MAX) h->bad = true;
  if (!h->bad) h->dims = ra_arena_calloc(arena, h->dim_count + 1, sizeof *h->dims);
  if (!h->dims) h->bad = true;
  for (uint64_t i = 0; i < h->dim_count && !h->bad; i++) {
    skip_name(h);
    h->dims[i] = read_count(h);
  }
}

static void add_variable(header *h, bool record, uint64_t bytes, uint64_t begin) {
  uint64_t end, padded = bytes + (4 - bytes % 4) % 4;
  if (__builtin_add_overflow(begin, bytes, &end) || padded < bytes) {
    h->bad = true;
  } else if (!record) {
    if (end > h->end && bytes) h->end = end;
  } else if (__builtin_add_overflow(h->record_size, padded, &h->record_size)) {
    h->bad = true;
  } else {
    h->record_vars++;
    h->record_raw = bytes;
    if (end > h->last_begin + h->last_size) {
      h->last_begin = begin;
      h->last_size = bytes;
    }
  }
}

static void read_variable(header *h) {
  skip_name(h);
  uint64_t rank = read_count(h), cells = 1;
  bool record = false;
  if (rank > 1024) h->bad = true;
  for (uint64_t d = 0; d < rank && !h->bad; d++) {
    uint64_t dim = read_count(h);
    if (h->bad || dim >= h->dim_count) {
      h->bad = true;
    } else if (h->dims[dim] == 0 && d == 0) {
      record = true;
    } else if (__builtin_mul_overflow(cells, h->dims[dim], &cells)) {
      h->bad = true;
    }
  }
  skip_attributes(h);
  uint64_t size = type_size(h), bytes;
  read_count(h);  // the stated size is padded, and too small for big variables
  uint64_t begin = read_int(h, h->version == 1 ? 4 : 8);
  if (__builtin_mul_overflow(cells, size, &bytes)) h->bad = true;
  if (!h->bad) add_variable(h, record, bytes, begin);
  h->plain[h->plain_count++] = (ra__plain){begin, bytes, record};
}

static bool read_header(header *h, ra_arena *arena) {
  h->version = (int)(read_int(h, 4) & 0xff);
  h->records = read_count(h);
  uint64_t streaming = h->version == 5 ? UINT64_MAX : UINT32_MAX;
  if (h->records == streaming) h->records = UINT64_MAX;
  read_dims(h, arena);
  skip_attributes(h);
  uint64_t count = open_list(h, VARIABLE);
  h->plain = ra_arena_calloc(arena, count + 1, sizeof *h->plain);
  if (!h->plain) h->bad = true;
  for (uint64_t i = 0; i < count && !h->bad; i++) read_variable(h);
  return !h->bad;
}

// From one record to the next. A single record variable is not padded.
static uint64_t record_stride(const header *h) {
  return h->record_vars == 1 ? h->record_raw : h->record_size;
}

// The first byte behind the last cell; 0 when it cannot be told.
static uint64_t needed(const header *h) {
  uint64_t stride = record_stride(h), last;
  if (h->record_vars == 0 || h->records == 0 || h->records == UINT64_MAX) return h->end;
  if (__builtin_mul_overflow(stride, h->records - 1, &last)) return UINT64_MAX;
  if (__builtin_add_overflow(last, h->last_begin + h->last_size, &last)) return UINT64_MAX;
  return last > h->end ? last : h->end;
}

int ra__source_classic(ra_source *source, ra_err *err) {
  header h = {.file = fopen(source->path, "rbe")};
  if (!h.file) return ra_fail_errno(err, errno, source->name, "cannot be opened");
  bool whole = read_header(&h, &source->arena);
  fclose(h.file);
  if (!whole)
    return ra_fail(err, RA_E_CORRUPT, source->name, "has a damaged or incomplete NetCDF header");
  source->plain = h.plain;
  source->plain_count = h.plain_count;
  source->record_stride = record_stride(&h);
  uint64_t end = needed(&h);
  if (end <= source->bytes) return RA_OK;
  return ra_fail(err, RA_E_CORRUPT, source->name,
                 "is cut short: its header promises %llu bytes, the file has %llu",
                 (unsigned long long)end, (unsigned long long)source->bytes);
}
