// cog_tags.h - TIFF directories out of bytes: a cursor over the head of a file that knows byte order and word size.
// Every offset and count is checked against the file; what the head does not hold yet is asked for.
#pragma once
#include "format/cog_impl.h"

typedef struct ra__tiff {
  const uint8_t *head;
  size_t size;
  uint64_t file_size;
  bool swapped, big;
  size_t need;  // set where RA__TIFF_MORE is returned
} ra__tiff;

enum {
  RA__TIFF_MORE = 1
};  // positive result: the head ends too soon, `need` says how much is wanted

typedef struct ra__tag {
  uint16_t tag, type;
  uint64_t count;
  uint64_t at;  // where the values stand in the file
} ra__tag;

enum { RA__TAGS = 200 };

typedef struct ra__ifd {
  ra__tag tags[RA__TAGS];
  size_t count;
  uint64_t next;  // the next directory; 0: none
} ra__ifd;

// All of these: RA_OK, RA__TIFF_MORE, or an error.
int ra__tiff_start(ra__tiff *tiff, uint64_t *first, ra_err *err);
int ra__tiff_ifd(ra__tiff *tiff, uint64_t at, ra__ifd *out, ra_err *err);
const ra__tag *ra__tiff_find(const ra__ifd *ifd, uint16_t tag);
// One whole number; `fallback` where the tag is absent.
int ra__tiff_number(ra__tiff *tiff, const ra__ifd *ifd, uint16_t tag, uint64_t fallback,
                    uint64_t *out, ra_err *err);
// The first `count` whole numbers (doubles) of a tag that has at least so many.
int ra__tiff_numbers(ra__tiff *tiff, const ra__tag *tag, size_t count, uint64_t *out, ra_err *err);
int ra__tiff_doubles(ra__tiff *tiff, const ra__tag *tag, size_t count, double *out, ra_err *err);
// The bytes of an ASCII tag, not terminated.
int ra__tiff_text(ra__tiff *tiff, const ra__tag *tag, const char **text, size_t *size, ra_err *err);

// What the tags say of the whole image: georeference, nodata, scale. `ifd` is the full image's.
int ra__cog_parse_image(ra__tiff *tiff, const ra__ifd *ifd, ra_cog *cog, ra_err *err);
