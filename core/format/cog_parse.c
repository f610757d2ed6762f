// cog_parse.c - the header of a TIFF: its full image, its overviews and their masks. Further pages are passed over.
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "format/cog_tags.h"

enum { DIRECTORIES = 256, SUBFILE_REDUCED = 1, SUBFILE_PAGE = 2, SUBFILE_MASK = 4 };
enum { ALPHA_ASSOCIATED = 1, ALPHA_UNASSOCIATED = 2 };
#define BLOCK_MOST ((size_t)256 << 20)  // decoded bytes of a block
#define BLOCKS_MOST ((size_t)4 << 20)   // blocks of a level

static int unsupported(ra_err *err, const char *what, uint64_t value) {
  return ra_fail(err, RA_E_UNSUPPORTED, "", "TIFF: %s %llu is not one that we read", what,
                 (unsigned long long)value);
}

static int corrupt(ra_err *err, const char *what) {
  return ra_fail(err, RA_E_CORRUPT, "", "TIFF: %s", what);
}

// One value that all samples share.
static int parse_common(ra__tiff *tiff, const ra__ifd *ifd, uint16_t tag, unsigned bands,
                        uint64_t fallback, const char *what, uint64_t *out, ra_err *err) {
  const ra__tag *found = ra__tiff_find(ifd, tag);
  uint64_t *values = NULL;
  *out = fallback;
  if (!found) return RA_OK;
  size_t count = found->count < bands ? 1 : bands;
  values = malloc(count * sizeof *values);
  if (!values) return ra_fail(err, RA_E_NOMEM, "", "no memory for a TIFF's tags");
  int rc = ra__tiff_numbers(tiff, found, count, values, err);
  if (rc == RA_OK) *out = values[0];
  for (size_t i = 1; i < count && rc == RA_OK; i++) {
    if (values[i] != values[0]) rc = unsupported(err, what, values[i]);
  }
  free(values);
  return rc;
}

static int dtype_of(uint64_t bits, uint64_t format, ra_dtype *out, ra_err *err) {
  static const struct {
    uint8_t bits, format;
    ra_dtype dtype;
  } known[] = {{8, 1, RA_DTYPE_U8},   {8, 2, RA_DTYPE_I8},   {16, 1, RA_DTYPE_U16},
               {16, 2, RA_DTYPE_I16}, {32, 1, RA_DTYPE_U32}, {32, 2, RA_DTYPE_I32},
               {64, 1, RA_DTYPE_U64}, {64, 2, RA_DTYPE_I64}, {32, 3, RA_DTYPE_F32},
               {64, 3, RA_DTYPE_F64}, {1, 1, RA_DTYPE_U8},   {2, 1, RA_DTYPE_U8},
               {4, 1, RA_DTYPE_U8},   {16, 3, RA_DTYPE_F32}};
  if (format == 4) format = 1;  // "undefined"
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (known[i].bits != bits || known[i].format != format) continue;
    *out = known[i].dtype;
    return RA_OK;
  }
  return ra_fail(err, RA_E_UNSUPPORTED, "", "TIFF: samples of %llu bits in format %llu",
                 (unsigned long long)bits, (unsigned long long)format);
}

static int parse_samples(ra__tiff *tiff, const ra__ifd *ifd, ra_cog_info *info, ra_err *err) {
  uint64_t samples, bits = 1, format = 1, planar = 1, order = 1;
  int rc = ra__tiff_number(tiff, ifd, RA__TAG_SAMPLES, 1, &samples, err);
  if (rc != RA_OK) return rc;
  if (samples < 1 || samples > UINT16_MAX) return corrupt(err, "no samples, or too many");
  info->bands = (unsigned)samples;
  rc = parse_common(tiff, ifd, RA__TAG_BITS, info->bands, 1, "a second sample size", &bits, err);
  if (rc == RA_OK) {
    rc = parse_common(tiff, ifd, RA__TAG_SAMPLE_FORMAT, info->bands, 1, "a second sample format",
                      &format, err);
  }
  if (rc == RA_OK) rc = ra__tiff_number(tiff, ifd, RA__TAG_PLANAR, 1, &planar, err);
  if (rc == RA_OK) rc = ra__tiff_number(tiff, ifd, RA__TAG_FILL_ORDER, 1, &order, err);
  if (rc != RA_OK) return rc;
  if (planar != 1 && planar != 2) return corrupt(err, "a planar configuration other than 1 and 2");
  if (order != 1) return unsupported(err, "fill order", order);
  info->planar = planar == 2 && samples > 1;
  info->bits = (unsigned)bits;
  return dtype_of(bits, format, &info->dtype, err);
}

// What GDAL makes red, green and blue of: CMYK, YCbCr, L*a*b* in three forms, LogL, LogLuv.
static bool is_converted(uint64_t colours) {
  static const uint16_t known[] = {5, 6, 8, 9, 10, 32844, 32845};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (known[i] == colours) return true;
  }
  return false;
}

static int parse_coding(ra__tiff *tiff, const ra__ifd *ifd, ra__cog_level *level, ra_err *err) {
  uint64_t compression, predictor = 1, colours = 1;
  int rc = ra__tiff_number(tiff, ifd, RA__TAG_COMPRESSION, 1, &compression, err);
  if (rc == RA_OK) rc = ra__tiff_number(tiff, ifd, RA__TAG_PREDICTOR, 1, &predictor, err);
  if (rc == RA_OK) rc = ra__tiff_number(tiff, ifd, RA__TAG_PHOTOMETRIC, 1, &colours, err);
  if (rc != RA_OK) return rc;
  switch (compression) {
    case RA__TIFF_NONE:
    case RA__TIFF_PACKBITS: predictor = 1; break;  // as libtiff: these have none
    case RA__TIFF_LZW:
    case RA__TIFF_DEFLATE:
    case RA__TIFF_OLD_DEFLATE:
    case RA__TIFF_ZSTD: break;
    default: return unsupported(err, "compression", compression);
  }
  if (is_converted(colours)) return unsupported(err, "colour space", colours);
  if (predictor < 1 || predictor > 3) return unsupported(err, "predictor", predictor);
  if (level->bits < 8 && predictor != 1)
    return unsupported(err, "samples of fewer than 8 bits with predictor", predictor);
  level->compression = (uint16_t)compression;
  level->predictor = (uint16_t)predictor;
  return RA_OK;
}

static int parse_shape(ra__tiff *tiff, const ra__ifd *ifd, ra__cog_level *level, ra_err *err) {
  uint64_t width = 0, height = 0, across, down;
  level->stripped = !ra__tiff_find(ifd, RA__TAG_TILE_WIDTH);
  int rc = ra__tiff_number(tiff, ifd, RA__TAG_WIDTH, 0, &width, err);
  if (rc == RA_OK) rc = ra__tiff_number(tiff, ifd, RA__TAG_HEIGHT, 0, &height, err);
  if (rc == RA_OK) {
    rc = level->stripped ? ra__tiff_number(tiff, ifd, RA__TAG_ROWS_PER_STRIP, height, &down, err)
                         : ra__tiff_number(tiff, ifd, RA__TAG_TILE_HEIGHT, 0, &down, err);
  }
  if (rc == RA_OK) rc = ra__tiff_number(tiff, ifd, RA__TAG_TILE_WIDTH, width, &across, err);
  if (rc != RA_OK) return rc;
  if (level->stripped && down > height) down = height;
  if (width < 1 || height < 1 || width > INT32_MAX || height > INT32_MAX) {
    return corrupt(err, "an image without cells, or with too many");
  }
  if (across < 1 || down < 1 || across > INT32_MAX || down > INT32_MAX) {
    return corrupt(err, "blocks without cells, or with too many");
  }
  level->shown = (ra_cog_level){.width = (uint32_t)width,
                                .height = (uint32_t)height,
                                .block_width = (uint32_t)across,
                                .block_height = (uint32_t)down,
                                .across = (uint32_t)((width + across - 1) / across),
                                .down = (uint32_t)((height + down - 1) / down)};
  return RA_OK;
}

static int check_block(const ra_cog_info *info, const ra__cog_level *level, ra_err *err) {
  size_t bytes = ra_dtype_size(info->dtype);
  if (!ra_size_mul(bytes, level->shown.block_width, &bytes) ||
      !ra_size_mul(bytes, level->shown.block_height, &bytes) ||
      !ra_size_mul(bytes, info->planar ? 1 : info->bands, &bytes) || bytes > BLOCK_MOST) {
    return ra_fail(err, RA_E_UNSUPPORTED, "", "TIFF: blocks of more than 256 MiB");
  }
  return RA_OK;
}

// The size of an only block that nobody wrote down: it ends with the file at the latest.
static void mend_size(const ra__tiff *tiff, ra__cog_level *level) {
  if (level->counts[0] == 0 && level->offsets[0] && level->offsets[0] < tiff->file_size)
    level->counts[0] = tiff->file_size - level->offsets[0];
}

static int parse_blocks(ra__tiff *tiff, const ra__ifd *ifd, const ra_cog_info *info,
                        ra__cog_level *level, ra_err *err) {
  size_t blocks;
  if (!ra_size_mul(level->shown.across, level->shown.down, &blocks) ||
      !ra_size_mul(blocks, info->planar ? info->bands : 1, &blocks) || blocks > BLOCKS_MOST) {
    return ra_fail(err, RA_E_UNSUPPORTED, "", "TIFF: more than 4 million blocks in one level");
  }
  const ra__tag *offsets =
      ra__tiff_find(ifd, level->stripped ? RA__TAG_STRIP_OFFSETS : RA__TAG_TILE_OFFSETS);
  const ra__tag *counts =
      ra__tiff_find(ifd, level->stripped ? RA__TAG_STRIP_COUNTS : RA__TAG_TILE_COUNTS);
  if (!offsets || (!counts && blocks > 1))
    return corrupt(err, "the blocks' offsets or sizes are missing");
  if (offsets->count < blocks || (counts && counts->count < blocks)) {
    return corrupt(err, "fewer offsets or sizes than blocks");
  }
  level->blocks = blocks;
  level->offsets = malloc(blocks * sizeof *level->offsets);
  level->counts = malloc(blocks * sizeof *level->counts);
  if (!level->offsets || !level->counts) {
    return ra_fail(err, RA_E_NOMEM, "", "no memory for the offsets of %zu blocks", blocks);
  }
  level->counts[0] = 0;
  int rc = ra__tiff_numbers(tiff, offsets, blocks, level->offsets, err);
  if (rc == RA_OK && counts) rc = ra__tiff_numbers(tiff, counts, blocks, level->counts, err);
  if (rc == RA_OK && blocks == 1) mend_size(tiff, level);
  return rc;
}

static int parse_level(ra__tiff *tiff, const ra__ifd *ifd, const ra_cog_info *info,
                       ra__cog_level *level, ra_err *err) {
  level->bits = info->bits;
  int rc = parse_shape(tiff, ifd, level, err);
  if (rc == RA_OK) rc = parse_coding(tiff, ifd, level, err);
  if (rc == RA_OK) rc = check_block(info, level, err);
  if (rc == RA_OK) rc = parse_blocks(tiff, ifd, info, level, err);
  return rc;
}

// Extra samples that say how opaque a pixel is: the last one of them.
static int parse_alpha(ra__tiff *tiff, const ra__ifd *ifd, ra_cog_info *info, ra_err *err) {
  const ra__tag *extra = ra__tiff_find(ifd, RA__TAG_EXTRA_SAMPLES);
  uint64_t kinds[16];
  if (!extra || extra->count < 1 || extra->count >= info->bands || extra->count > 16) return RA_OK;
  size_t count = (size_t)extra->count;
  int rc = ra__tiff_numbers(tiff, extra, count, kinds, err);
  for (size_t i = 0; i < count && rc == RA_OK; i++) {
    if (kinds[i] != ALPHA_ASSOCIATED && kinds[i] != ALPHA_UNASSOCIATED) continue;
    info->masking = RA_COG_MASK_ALPHA;
    info->alpha = info->bands - (unsigned)(count - i);
  }
  return rc;
}

static int parse_full(ra__tiff *tiff, const ra__ifd *ifd, ra_cog *cog, ra_err *err) {
  int rc = parse_samples(tiff, ifd, &cog->info, err);
  cog->level_count = 1;
  if (rc == RA_OK) rc = parse_level(tiff, ifd, &cog->info, &cog->levels[0], err);
  if (rc != RA_OK) return rc;
  cog->info.grid.width = cog->levels[0].shown.width;
  cog->info.grid.height = cog->levels[0].shown.height;
  rc = parse_alpha(tiff, ifd, &cog->info, err);
  if (rc == RA_OK) rc = ra__cog_parse_image(tiff, ifd, cog, err);
  if (rc == RA_OK && cog->info.has_nodata) cog->info.masking = RA_COG_MASK_NODATA;
  return rc;
}

// A mask belongs to the level of its size, and is cut into the same blocks.
static int parse_mask(ra__tiff *tiff, const ra__ifd *ifd, ra_cog *cog, ra_err *err) {
  ra_cog_info info = {0};
  ra__cog_level mask = {0};
  int rc = parse_samples(tiff, ifd, &info, err);
  if (rc != RA_OK) return rc;
  if (info.bands != 1 || info.dtype != RA_DTYPE_U8)
    return ra_fail(err, RA_E_UNSUPPORTED, "", "TIFF: a mask of more than 8 bits");
  mask.bits = info.bits;
  rc = parse_shape(tiff, ifd, &mask, err);
  if (rc != RA_OK) return rc;
  for (size_t i = 0; i < cog->level_count; i++) {
    const ra_cog_level *level = &cog->levels[i].shown;
    if (level->width != mask.shown.width || level->height != mask.shown.height) continue;
    if (cog->masks[i].offsets) return corrupt(err, "two masks of one image");
    if (memcmp(level, &mask.shown, sizeof *level) != 0)
      return ra_fail(err, RA_E_UNSUPPORTED, "", "TIFF: a mask in other blocks than its image");
    cog->info.masking = RA_COG_MASK_IMAGE;
    cog->mask_count++;
    return parse_level(tiff, ifd, &info, &cog->masks[i], err);
  }
  return RA_OK;
}

static int check_masks(const ra_cog *cog, ra_err *err) {
  if (cog->mask_count == 0 || cog->mask_count == cog->level_count) return RA_OK;
  return ra_fail(err, RA_E_UNSUPPORTED, "", "TIFF: masks of some overviews only");
}

// Makes room for a level of that size: levels go from large to small, whatever their order in the file.
static ra__cog_level *insert_level(ra_cog *cog, const ra_cog_level *shape) {
  size_t at = cog->level_count++;
  while (at > 1 && cog->levels[at - 1].shown.width < shape->width) at--;
  size_t behind = cog->level_count - 1 - at;
  memmove(&cog->levels[at + 1], &cog->levels[at], behind * sizeof *cog->levels);
  memmove(&cog->masks[at + 1], &cog->masks[at], behind * sizeof *cog->masks);
  cog->levels[at] = cog->masks[at] = (ra__cog_level){0};
  return &cog->levels[at];
}

// A smaller image of other samples is a picture for people, no overview.
static int parse_overview(ra__tiff *tiff, const ra__ifd *ifd, ra_cog *cog, ra_err *err) {
  const ra_cog_level *full = &cog->levels[0].shown;
  ra_cog_info info = {0};
  ra__cog_level level = {0};
  int rc = parse_samples(tiff, ifd, &info, NULL);
  if (rc == RA_E_UNSUPPORTED) return RA_OK;
  if (rc < 0) return corrupt(err, "an overview whose samples cannot be told");
  if (rc == RA_OK) rc = parse_shape(tiff, ifd, &level, err);
  if (rc != RA_OK) return rc;
  if (info.dtype != cog->info.dtype || info.bands != cog->info.bands ||
      info.bits != cog->info.bits || info.planar != cog->info.planar ||
      level.shown.width > full->width || level.shown.height > full->height)
    return RA_OK;
  if (cog->level_count == RA__COG_LEVELS) return corrupt(err, "more than 31 overviews");
  return parse_level(tiff, ifd, &info, insert_level(cog, &level.shown), err);
}

static bool is_overview(uint64_t subfile) {
  return (subfile & (SUBFILE_REDUCED | SUBFILE_PAGE | SUBFILE_MASK)) == SUBFILE_REDUCED;
}

// Some writers keep the overviews of an image in directories of its own.
static int parse_children(ra__tiff *tiff, const ra__ifd *parent, ra_cog *cog, ra_err *err) {
  const ra__tag *tag = ra__tiff_find(parent, RA__TAG_SUB_IFDS);
  uint64_t places[RA__COG_LEVELS];
  if (!tag || tag->count > RA__COG_LEVELS) return RA_OK;
  int rc = ra__tiff_numbers(tiff, tag, (size_t)tag->count, places, err);
  for (size_t i = 0; i < tag->count && rc == RA_OK; i++) {
    ra__ifd ifd;
    uint64_t subfile = 0;
    if (!places[i]) continue;
    rc = ra__tiff_ifd(tiff, places[i], &ifd, err);
    if (rc == RA_OK) rc = ra__tiff_number(tiff, &ifd, RA__TAG_SUBFILE, 0, &subfile, err);
    if (rc == RA_OK && is_overview(subfile)) rc = parse_overview(tiff, &ifd, cog, err);
  }
  return rc;
}

static int parse_directories(ra__tiff *tiff, ra_cog *cog, ra_err *err) {
  uint64_t at;
  int rc = ra__tiff_start(tiff, &at, err);
  cog->swapped = tiff->swapped;
  for (int i = 0; rc == RA_OK && at; i++) {
    ra__ifd ifd;
    uint64_t subfile = 0;
    if (i == DIRECTORIES) return corrupt(err, "directories in a ring, or too many");
    rc = ra__tiff_ifd(tiff, at, &ifd, err);
    if (rc == RA_OK) rc = ra__tiff_number(tiff, &ifd, RA__TAG_SUBFILE, 0, &subfile, err);
    if (rc != RA_OK) return rc;
    if (i == 0) {
      rc = parse_full(tiff, &ifd, cog, err);
      if (rc == RA_OK) rc = parse_children(tiff, &ifd, cog, err);
    } else if (is_overview(subfile)) {
      rc = parse_overview(tiff, &ifd, cog, err);
    } else if (subfile & SUBFILE_MASK) {
      rc = parse_mask(tiff, &ifd, cog, err);
    }
    at = ifd.next;
  }
  if (rc == RA_OK && cog->level_count == 0) rc = corrupt(err, "no image");
  return rc == RA_OK ? check_masks(cog, err) : rc;
}

int ra_cog_parse(const uint8_t *head, size_t size, uint64_t file_size, ra_cog **out, size_t *need,
                 ra_err *err) {
  ra__tiff tiff = {.head = head, .size = size, .file_size = file_size};
  *out = NULL;
  *need = 0;
  if (size > file_size) tiff.size = (size_t)file_size;
  ra_cog *cog = calloc(1, sizeof *cog);
  if (!cog) return ra_fail(err, RA_E_NOMEM, "", "no memory for a TIFF's header");
  atomic_init(&cog->refs, 1);
  cog->file_size = file_size;
  int rc = parse_directories(&tiff, cog, err);
  if (rc == RA_OK) {
    *out = cog;
    return RA_OK;
  }
  ra_cog_unref(cog);
  if (rc == RA__TIFF_MORE) {
    *need = tiff.need;
    return RA_OK;
  }
  return rc;
}
