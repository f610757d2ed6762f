// cog_tags.c - see cog_tags.h
#include "format/cog_tags.h"

#include <string.h>

#define HEAD_MOST ((uint64_t)16 << 20)

static int corrupt(ra_err *err, const char *what) {
  return ra_fail(err, RA_E_CORRUPT, "", "TIFF: %s", what);
}

// Are `size` bytes at `at` in the head?
static int want(ra__tiff *tiff, uint64_t at, uint64_t size, ra_err *err) {
  if (at > tiff->file_size || size > tiff->file_size - at) {
    return corrupt(err, "a directory points past the end of the file");
  }
  if (at + size <= tiff->size) return RA_OK;
  if (at + size > HEAD_MOST)
    return ra_fail(err, RA_E_UNSUPPORTED, "", "TIFF: the directories are not in the first 16 MiB");
  uint64_t need = (at + size + 16383) / 16384 * 16384;
  tiff->need = (size_t)(need < tiff->file_size ? need : tiff->file_size);
  return RA__TIFF_MORE;
}

static uint64_t load(const ra__tiff *tiff, uint64_t at, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; i++) {
    size_t place = tiff->swapped ? bytes - 1 - i : i;
    value |= (uint64_t)tiff->head[at + i] << (8 * place);
  }
  return value;
}

int ra__tiff_start(ra__tiff *tiff, uint64_t *first, ra_err *err) {
  int rc = want(tiff, 0, 8, err);
  if (rc != RA_OK) return rc < 0 ? corrupt(err, "too short to be one") : rc;
  bool little = memcmp(tiff->head, "II", 2) == 0;
  if (!little && memcmp(tiff->head, "MM", 2) != 0) return corrupt(err, "no II or MM at its start");
  tiff->swapped = !little;
  uint64_t version = load(tiff, 2, 2);
  tiff->big = version == 43;
  if (version != 42 && version != 43) return corrupt(err, "neither version 42 nor 43");
  if (!tiff->big) {
    *first = load(tiff, 4, 4);
    return RA_OK;
  }
  rc = want(tiff, 0, 16, err);
  if (rc != RA_OK) return rc;
  if (load(tiff, 4, 2) != 8 || load(tiff, 6, 2) != 0) return corrupt(err, "a bad BigTIFF header");
  *first = load(tiff, 8, 8);
  return RA_OK;
}

static size_t type_size(uint16_t type) {
  static const uint8_t sizes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8};
  return type < sizeof sizes ? sizes[type] : 0;
}

static void load_tag(const ra__tiff *tiff, uint64_t at, ra__tag *tag) {
  size_t word = tiff->big ? 8 : 4;
  tag->tag = (uint16_t)load(tiff, at, 2);
  tag->type = (uint16_t)load(tiff, at + 2, 2);
  tag->count = load(tiff, at + 4, word);
  uint64_t bytes;
  bool inside = !__builtin_mul_overflow(tag->count, type_size(tag->type), &bytes) && bytes <= word;
  tag->at = inside ? at + 4 + word : load(tiff, at + 4 + word, word);
}

int ra__tiff_ifd(ra__tiff *tiff, uint64_t at, ra__ifd *out, ra_err *err) {
  size_t lead = tiff->big ? 8 : 2, entry = tiff->big ? 20 : 12, word = tiff->big ? 8 : 4;
  int rc = want(tiff, at, lead, err);
  if (rc != RA_OK) return rc;
  uint64_t count = load(tiff, at, lead);
  if (count == 0 || count > 4096)
    return corrupt(err, "a directory without, or with too many, entries");
  rc = want(tiff, at + lead, count * entry + word, err);
  if (rc != RA_OK) return rc;
  out->count = 0;
  for (uint64_t i = 0; i < count && out->count < RA__TAGS; i++) {
    ra__tag tag;
    load_tag(tiff, at + lead + i * entry, &tag);
    if (type_size(tag.type)) out->tags[out->count++] = tag;
  }
  out->next = load(tiff, at + lead + count * entry, word);
  return RA_OK;
}

const ra__tag *ra__tiff_find(const ra__ifd *ifd, uint16_t tag) {
  for (size_t i = 0; i < ifd->count; i++) {
    if (ifd->tags[i].tag == tag) return &ifd->tags[i];
  }
  return NULL;
}

static int bad_tag(const ra__tag *tag, const char *what, ra_err *err) {
  return ra_fail(err, RA_E_CORRUPT, "", "TIFF: tag %u %s", tag->tag, what);
}

static int want_values(ra__tiff *tiff, const ra__tag *tag, size_t count, ra_err *err) {
  uint64_t bytes;
  if (tag->count < count) return bad_tag(tag, "has too few values", err);
  if (__builtin_mul_overflow((uint64_t)count, type_size(tag->type), &bytes)) {
    return bad_tag(tag, "has too many values", err);
  }
  return want(tiff, tag->at, bytes, err);
}

int ra__tiff_numbers(ra__tiff *tiff, const ra__tag *tag, size_t count, uint64_t *out, ra_err *err) {
  size_t size = type_size(tag->type);
  if (tag->type != RA__TIFF_BYTE && tag->type != RA__TIFF_SHORT && tag->type != RA__TIFF_LONG &&
      tag->type != RA__TIFF_LONG8 && tag->type != RA__TIFF_IFD && tag->type != RA__TIFF_IFD8) {
    return bad_tag(tag, "does not hold whole numbers", err);
  }
  int rc = want_values(tiff, tag, count, err);
  if (rc != RA_OK) return rc;
  for (size_t i = 0; i < count; i++) out[i] = load(tiff, tag->at + i * size, size);
  return RA_OK;
}

int ra__tiff_number(ra__tiff *tiff, const ra__ifd *ifd, uint16_t tag, uint64_t fallback,
                    uint64_t *out, ra_err *err) {
  const ra__tag *found = ra__tiff_find(ifd, tag);
  *out = fallback;
  return found ? ra__tiff_numbers(tiff, found, 1, out, err) : RA_OK;
}

int ra__tiff_doubles(ra__tiff *tiff, const ra__tag *tag, size_t count, double *out, ra_err *err) {
  size_t size = type_size(tag->type);
  if (tag->type != RA__TIFF_DOUBLE && tag->type != RA__TIFF_FLOAT)
    return bad_tag(tag, "does not hold real numbers", err);
  int rc = want_values(tiff, tag, count, err);
  if (rc != RA_OK) return rc;
  for (size_t i = 0; i < count; i++) {
    uint64_t bits = load(tiff, tag->at + size * i, size);
    float single;
    memcpy(&single, &bits, sizeof single);
    memcpy(&out[i], &bits, sizeof bits);
    if (tag->type == RA__TIFF_FLOAT) out[i] = (double)single;
  }
  return RA_OK;
}

int ra__tiff_text(ra__tiff *tiff, const ra__tag *tag, const char **text, size_t *size, ra_err *err) {
  if (tag->type != RA__TIFF_ASCII && tag->type != RA__TIFF_BYTE)
    return bad_tag(tag, "does not hold text", err);
  if (tag->count > HEAD_MOST) return bad_tag(tag, "is too long", err);
  int rc = want_values(tiff, tag, tag->count, err);
  if (rc != RA_OK) return rc;
  *text = (const char *)tiff->head + tag->at;
  *size = (size_t)tag->count;
  return RA_OK;
}
