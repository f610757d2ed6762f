// codec.c - the registry and chains of codecs; see codec.h
#include "codec/codec.h"

#include <string.h>

#include "base/size.h"
#include "codec/impl.h"

// A generous bound that no codec of ours exceeds: bzip2 grows by 1 % + 600, blosc by 16, gzip by 0.1 % + 64.
static size_t bound_any(size_t raw) { return raw + raw / 64 + 1024; }
static size_t bound_same(size_t raw) { return raw; }
static size_t bound_checksum(size_t raw) { return raw + 4; }

static const ra__codec_kind kinds[] = {
    [RA_CODEC_DEFLATE] = {"zlib", ra__deflate_decode, ra__deflate_encode, bound_any},
    [RA_CODEC_GZIP] = {"gzip", ra__gzip_decode, ra__gzip_encode, bound_any},
    [RA_CODEC_ZSTD] = {"zstd", ra__zstd_decode, ra__zstd_encode, bound_any},
    [RA_CODEC_BLOSC] = {"blosc", ra__blosc_decode, ra__blosc_encode, bound_any},
    [RA_CODEC_LZ4] = {"lz4", ra__lz4_decode, ra__lz4_encode, bound_any},
    [RA_CODEC_BZ2] = {"bz2", ra__bz2_decode, ra__bz2_encode, bound_any},
    [RA_CODEC_SHUFFLE] = {"shuffle", ra__shuffle_decode, ra__shuffle_encode, bound_same},
    [RA_CODEC_FLETCHER32] = {"fletcher32", ra__checksum_decode, ra__fletcher32_encode, bound_checksum},
    [RA_CODEC_CRC32C] = {"crc32c", ra__checksum_decode, ra__crc32c_encode, bound_checksum},
    [RA_CODEC_LZW] = {"lzw", ra__lzw_decode, NULL, bound_any},
    [RA_CODEC_PACKBITS] = {"packbits", ra__packbits_decode, NULL, bound_any},
    [RA_CODEC_LZ4_HDF5] = {"lz4", ra__lz4_hdf5_decode, NULL, bound_any},
    [RA_CODEC_BITSHUFFLE] = {"bitshuffle", ra__bitshuffle_decode, NULL, bound_any},
    [RA_CODEC_LZF] = {"lzf", ra__lzf_decode, NULL, bound_any},
    [RA_CODEC_ADLER32] = {"adler32", ra__checksum_decode, NULL, bound_checksum},
    [RA_CODEC_CRC32] = {"crc32", ra__checksum_decode, NULL, bound_checksum},
    [RA_CODEC_INFLATE] = {"deflate", ra__inflate_decode, NULL, bound_any},
    [RA_CODEC_LZMA] = {"lzma", ra__lzma_decode, NULL, bound_any},
    [RA_CODEC_PACKED_BITS] = {"packbits", ra__packed_bits_decode, NULL, bound_any},
};
enum { CHAIN_MAX = 8 };

static bool is_checksum(ra_codec_id id) {
  return id == RA_CODEC_FLETCHER32 || id == RA_CODEC_CRC32C || id == RA_CODEC_ADLER32 ||
         id == RA_CODEC_CRC32;
}

const char *ra_codec_name(ra_codec_id id) { return kinds[id].name; }

static int check_chain(size_t count, size_t size, ra_err *err) {
  if (count > CHAIN_MAX) {
    return ra_fail(err, RA_E_UNSUPPORTED, "", "%zu codecs in a row; at most %d", count, CHAIN_MAX);
  }
  if (size > SIZE_MAX / 4) return ra_fail(err, RA_E_TOOBIG, "", "a chunk of %zu bytes", size);
  return RA_OK;
}

// sizes[i]: the most bytes that go into codec i when encoding.
static void chain_sizes(const ra_codec *chain, size_t count, size_t raw, size_t *sizes) {
  for (size_t i = 0; i < count; i++) {
    sizes[i] = raw;
    raw = kinds[chain[i].id].bound(raw);
  }
}

static int wrong_size(const char *name, size_t got, size_t want, ra_err *err) {
  return ra_fail(err, RA_E_CORRUPT, "", "%s gives %zu bytes where %zu were expected", name, got,
                 want);
}

// One step of decoding; *span becomes what came out. to: where the last step writes. *slot is the scratch that does
// not hold *span; a checksum leaves the span where it is.
static int decode_step(const ra_codec *codec, bool last, int *slot, size_t size, uint8_t *to,
                       ra__span *span, ra_err *err) {
  const ra__codec_kind *kind = &kinds[codec->id];
  if (is_checksum(codec->id) && !last) {
    return ra__checksum_strip(codec, *span, span, err);
  }
  uint8_t *dst = last ? to : ra__scratch(*slot, size);
  if (!dst) return ra_fail(err, RA_E_NOMEM, "", "no memory to decode %zu bytes", size);
  size_t got = 0;
  int rc = kind->decode(codec, *span, dst, size, &got, err);
  if (rc < 0) return rc;
  *span = (ra__span){dst, got};
  *slot ^= 1;
  return RA_OK;
}

static int copy(const uint8_t *src, size_t size, uint8_t *dst, size_t cap, size_t *got, ra_err *err) {
  if (size > cap) return wrong_size("an uncompressed chunk", size, cap, err);
  if (size) memcpy(dst, src, size);
  *got = size;
  return RA_OK;
}

int ra_codec_decode_some(const ra_codec *chain, size_t count, const uint8_t *src, size_t src_size,
                         uint8_t *dst, size_t cap, size_t *got, ra_err *err) {
  size_t sizes[CHAIN_MAX];
  int rc = check_chain(count, cap, err);
  if (rc < 0) return rc;
  if (count == 0) return copy(src, src_size, dst, cap, got, err);
  chain_sizes(chain, count, cap, sizes);
  ra__span span = {src, src_size};
  int slot = 0;
  for (size_t i = count; i-- > 0 && rc == RA_OK;) {
    rc = decode_step(&chain[i], i == 0, &slot, sizes[i], dst, &span, err);
  }
  *got = span.size;
  return rc;
}

int ra_codec_decode(const ra_codec *chain, size_t count, const uint8_t *src, size_t src_size,
                    uint8_t *dst, size_t dst_size, ra_err *err) {
  size_t got = 0;
  int rc = ra_codec_decode_some(chain, count, src, src_size, dst, dst_size, &got, err);
  if (rc < 0 || got == dst_size) return rc;
  const char *name = count ? kinds[chain[0].id].name : "an uncompressed chunk";
  return wrong_size(name, got, dst_size, err);
}

size_t ra_codec_bound(const ra_codec *chain, size_t count, size_t size) {
  for (size_t i = 0; i < count; i++) size = kinds[chain[i].id].bound(size);
  return size;
}

int ra_codec_encode_into(const ra_codec *chain, size_t count, const uint8_t *src, size_t src_size,
                         uint8_t *dst, size_t cap, size_t *got, ra_err *err) {
  int rc = check_chain(count, src_size, err);
  if (rc < 0) return rc;
  if (count == 0) {
    if (cap < src_size) return ra_fail(err, RA_E_INTERNAL, "", "no room to copy a chunk");
    if (src_size) memcpy(dst, src, src_size);
    *got = src_size;
    return RA_OK;
  }
  ra__span span = {src, src_size};
  for (size_t i = 0; i < count; i++) {
    const ra__codec_kind *kind = &kinds[chain[i].id];
    if (!kind->encode) {
      return ra_fail(err, RA_E_UNSUPPORTED, "", "%s is read but not written", kind->name);
    }
    bool last = i + 1 == count;
    size_t room = last ? cap : kind->bound(span.size);
    uint8_t *to = last ? dst : ra__scratch((int)(i & 1), room);
    if (!to) return ra_fail(err, RA_E_NOMEM, "", "no memory to encode %zu bytes", span.size);
    rc = kind->encode(&chain[i], span, to, room, got, err);
    if (rc < 0) return rc;
    span = (ra__span){to, *got};
  }
  return RA_OK;
}

int ra_codec_encode(const ra_codec *chain, size_t count, const uint8_t *src, size_t src_size,
                    ra_buf **out, ra_err *err) {
  int rc = check_chain(count, src_size, err);
  if (rc < 0) return rc;
  ra_buf *buf;
  size_t got = 0;
  rc = ra_buf_new(ra_codec_bound(chain, count, src_size), &buf, err);
  if (rc < 0) return rc;
  rc = ra_codec_encode_into(chain, count, src, src_size, ra_buf_bytes(buf), ra_buf_size(buf), &got,
                            err);
  if (rc == RA_OK) rc = ra_buf_copy(ra_buf_data(buf), got, out, err);
  ra_buf_unref(buf);
  return rc;
}
