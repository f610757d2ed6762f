// Codecs against streams made by numcodecs, zlib, bz2 and HDF5; damaged streams; chains there and back.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/impl.h"
#include "random.h"

// numpy: (np.arange(400, dtype="<u4") // 7 * 3), encoded by numcodecs 0.16 and Python's zlib, gzip and bz2.
static const char blosc_lz4[] =
    "0201210440060000400600003101000014000000e900000012000100120301001206010012090100120c"
    "0100120f0100121201001215010012180100121b0100121e0100122101001224010012270100122a0100"
    "122d010012300100123301001236010012390100123c0100123f0100124201001245010012480100124b"
    "0100124e0100125101001254010012570100125a0100125d010012600100126301001266010012690100"
    "126c0100126f0100127201001275010012780100127b0100127e0100128101001284010012870100128a"
    "0100128d010012900100129301001296010012990100129c0100129f010012a2010012a5010080a8a8a8"
    "a8a8a8a8ab0c0000001f000100ff785000000000000c0000001f000100ff785000000000000c0000001f"
    "000100ff78500000000000";
static const char blosc_zstd[] =
    "02019404400600004006000089000000140000007100000028b52ffd6040053d0300a403803fe00ff803"
    "fe80ff1f00f8ff0100c01ff0ff03fe0000e0ffff0300ffff1f0000fcff00fcff0000ffffffffe0ff1f00"
    "fcffff00fcff1f00e0ff142000039b1ea8f85080066e844330bd42b82e9697004122e2171c2081d0a943"
    "b2d88154641ac034c81c46";
static const char lz4[] =
    "400600001f000100081f030400081f060400081f090400081f0c0400081f0f0400081f120400081f1504"
    "00081f180400081f1b0400081f1e0400081f210400081f240400081f270400081f2a0400081f2d040008"
    "1f300400081f330400081f360400081f390400081f3c0400081f3f0400081f420400081f450400081f48"
    "0400081f4b0400081f4e0400081f510400081f540400081f570400081f5a0400081f5d0400081f600400"
    "081f630400081f660400081f690400081f6c0400081f6f0400081f720400081f750400081f780400081f"
    "7b0400081f7e0400081f810400081f840400081f870400081f8a0400081f8d0400081f900400081f9304"
    "00081f960400081f990400081f9c0400081f9f0400081fa20400081fa50400081fa80400075000ab0000"
    "00";
static const char zstd[] =
    "28b52ffd604005850400e40300000306090c0f1215181b1e2124272a2d303336393c3f4245484b4e5154"
    "575a5d606366696c6f7275787b7e8184878a8d909396999c9fa2a5a8ab0000003920e0c7a18417b250c2"
    "0b5928e1852c94f042164a78210b25bc908522bc9085125ec842092f64a18417b250c20b5928e1852c94"
    "f0422694f042164a78210b25bc9085125ec842092f643494c36b2f2c";
static const char zlib[] =
    "78da7dc3010602010000b023222222222222228e8888888888888888382222222222222222222222fa64"
    "7da08d05c17f318c63029398c23466308b39cc63018b58c2325630c42ad6b08e0d6c620bdbd8c12ef6b0"
    "8f031ce208c738c1294638c3392e70892b5ce306b7b8c33d1ef088273ce305af78c33b3ef0892f7ce3e7"
    "f70bd9dc8398";
static const char gzip_two_members[] =
    "1f8b08000000000002037dc3410680000000b08888888888888888888888888888feff96eed1c682e05f"
    "8811c698608a19e658608915d6d8608b1df638e08813ceb8e08a1bee78e08917def87cbe6006d5222003"
    "00001f8b08000000000002037dc3d10683500000d0fb919788888888888831464444c4181111a39f5c0f"
    "7b3e87134308f13fc11433ccb1c0122bacb1c1163becf1814f7ce180234e38e3822bbef1831bee78e089"
    "5fbcee3f1408d05e20030000";
static const char bz2[] =
    "425a68393141592653591e8ba1db000001fff04924924924924924924924924924924924924924924820"
    "0090300000000341a00d00d011faaa51804c001304d3000344c4cf523e0f9261349c4f281461424a4533"
    "e8a8552b15cb0592d16cb85d2f17cc07d984c46332194fc331fa67341a4d46b361b4dc6f381c4e4733a1"
    "29d4ec7f1dcf0793fcf44b0884442591108887b1772453850901e8ba1db0";

enum { ITEMS = 400, BYTES = 4 * ITEMS };

static void make_items(uint32_t *items) {
  for (uint32_t i = 0; i < ITEMS; i++) items[i] = i / 7 * 3;
}

static size_t unhex(const char *text, uint8_t *out) {
  size_t n = strlen(text) / 2;
  for (size_t i = 0; i < n; i++) {
    unsigned byte;
    sscanf(text + 2 * i, "%2x", &byte);
    out[i] = (uint8_t)byte;
  }
  return n;
}

static const struct golden {
  ra_codec_id id;
  const char *text;
} goldens[] = {
    {RA_CODEC_BLOSC, blosc_lz4}, {RA_CODEC_BLOSC, blosc_zstd}, {RA_CODEC_LZ4, lz4},
    {RA_CODEC_ZSTD, zstd},       {RA_CODEC_DEFLATE, zlib},     {RA_CODEC_GZIP, gzip_two_members},
    {RA_CODEC_BZ2, bz2},
};

static void streams_of_others_decode(void **state) {
  (void)state;
  uint32_t want[ITEMS], got[ITEMS];
  uint8_t packed[1024];
  make_items(want);
  for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
    ra_codec codec = {.id = goldens[i].id};
    ra_err err = {0};
    size_t size = unhex(goldens[i].text, packed);
    memset(got, 0xee, sizeof got);
    if (ra_codec_decode(&codec, 1, packed, size, (uint8_t *)got, BYTES, &err) < 0) {
      fail_msg("%s: %s", ra_codec_name(codec.id), err.message);
    }
    assert_memory_equal(got, want, BYTES);
  }
}

static void another_size_is_corrupt(void **state) {
  (void)state;
  uint8_t packed[1024], *dst = malloc(BYTES + 8);
  const size_t wrong[] = {0, 1, BYTES - 1, BYTES + 1, BYTES + 8};
  for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
    ra_codec codec = {.id = goldens[i].id};
    size_t size = unhex(goldens[i].text, packed);
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
      ra_err err = {0};
      assert_int_equal(ra_codec_decode(&codec, 1, packed, size, dst, wrong[k], &err), RA_E_CORRUPT);
      assert_true(err.message[0] != 0);
    }
    assert_int_equal(ra_codec_decode(&codec, 1, packed, 0, dst, BYTES, NULL), RA_E_CORRUPT);
  }
  free(dst);
}

// Any damage gives an answer: RA_OK (an unprotected literal byte) or RA_E_CORRUPT.
static void damaged_streams_are_answered(void **state) {
  (void)state;
  uint64_t seed = test_seed("damaged_streams_are_answered");
  uint8_t packed[1024], dst[BYTES];
  for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
    ra_codec codec = {.id = goldens[i].id};
    for (int round = 0; round < 300; round++) {
      size_t size = unhex(goldens[i].text, packed);
      for (int k = 0; k < 3; k++) packed[test_random(&seed) % size] ^= (uint8_t)test_random(&seed);
      if (round % 3 == 0) size = test_random(&seed) % size;
      uint8_t *exact =
          malloc(size ? size : 1);  // so that a sanitizer sees the first byte past the end
      memcpy(exact, packed, size);
      int rc = ra_codec_decode(&codec, 1, exact, size, dst, BYTES, NULL);
      assert_true(rc == RA_OK || rc == RA_E_CORRUPT);
      free(exact);
    }
  }
}

static void checksums_are_the_published_ones(void **state) {
  (void)state;
  assert_int_equal(ra_crc32c(0, "123456789", 9), 0xe3069283);  // RFC 3720's polynomial, its check value
  assert_int_equal(ra_crc32c(ra_crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
  uint8_t zeros[32] = {0};
  assert_int_equal(ra_crc32c(0, zeros, 32), 0x8a9136aa);  // RFC 3720, B.4
  assert_int_equal(~ra__crc32c_portable(~0u, (const uint8_t *)"123456789", 9), 0xe3069283);

  ra_codec codec = {.id = RA_CODEC_FLETCHER32};
  uint32_t items[ITEMS];
  uint8_t tail[4];
  ra_buf *buf;
  make_items(items);
  assert_int_equal(ra_codec_encode(&codec, 1, (uint8_t *)items, BYTES, &buf, NULL), RA_OK);
  unhex("8397625e", tail);  // numcodecs.Fletcher32
  assert_int_equal(ra_buf_size(buf), BYTES + 4);
  assert_memory_equal(ra_buf_data(buf) + BYTES, tail, 4);
  ra_buf_unref(buf);
  uint8_t odd[9] = "abcde";
  unhex("c729f04f", odd + 5);  // stored by HDF5 for a chunk of 5 uint8
  uint8_t dst[5];
  assert_int_equal(ra_codec_decode(&codec, 1, odd, 9, dst, 5, NULL), RA_OK);
  odd[0] ^= 1;
  assert_int_equal(ra_codec_decode(&codec, 1, odd, 9, dst, 5, NULL), RA_E_CORRUPT);
}

static void shuffle_is_hdf5s(void **state) {
  (void)state;
  const uint32_t items[] = {0x04030201, 0x14131211, 0x24232221};
  const uint8_t want[] = {1, 0x11, 0x21, 2, 0x12, 0x22, 3, 0x13, 0x23, 4, 0x14, 0x24, 0x77};
  uint8_t raw[13], back[13];
  memcpy(raw, items, 12);
  raw[12] = 0x77;  // past the last whole item
  ra_codec codec = {.id = RA_CODEC_SHUFFLE, .element = 4};
  ra_buf *buf;
  assert_int_equal(ra_codec_encode(&codec, 1, raw, 13, &buf, NULL), RA_OK);
  assert_int_equal(ra_buf_size(buf), 13);
  assert_memory_equal(ra_buf_data(buf), want, 13);
  assert_int_equal(ra_codec_decode(&codec, 1, ra_buf_data(buf), 13, back, 13, NULL), RA_OK);
  assert_memory_equal(back, raw, 13);
  ra_buf_unref(buf);
}

static void tiff_schemes(void **state) {
  (void)state;
  // TIFF 6.0 section 13: codes 256 7 258 8 8 258 6 6 257, 9 bits each.
  const unsigned codes[] = {256, 7, 258, 8, 8, 258, 6, 6, 257};
  uint8_t packed[16] = {0}, out[20];
  for (size_t i = 0; i < 81; i++) {
    if (codes[i / 9] >> (8 - i % 9) & 1) packed[i / 8] |= (uint8_t)(0x80 >> i % 8);
  }
  ra_codec codec = {.id = RA_CODEC_LZW};
  assert_int_equal(ra_codec_decode(&codec, 1, packed, 11, out, 9, NULL), RA_OK);
  assert_memory_equal(out, "\7\7\7\10\10\7\7\6\6", 9);
  // Apple's TN1023, the example that TIFF 6.0 section 9 refers to.
  const uint8_t bits[] = {0xfe, 0xaa, 0x02, 0x80, 0x00, 0x2a, 0xfd, 0xaa,
                          0x03, 0x80, 0x00, 0x2a, 0x22, 0xf7, 0xaa};
  uint8_t want[24];
  memset(want, 0xaa, sizeof want);
  memcpy(want + 3, "\x80\x00\x2a", 3);
  memcpy(want + 10, "\x80\x00\x2a\x22", 4);
  codec.id = RA_CODEC_PACKBITS;
  uint8_t unpacked[24];
  assert_int_equal(ra_codec_decode(&codec, 1, bits, sizeof bits, unpacked, 24, NULL), RA_OK);
  assert_memory_equal(unpacked, want, 24);
  assert_int_equal(ra_codec_decode(&codec, 1, bits, 14, unpacked, 24, NULL), RA_E_CORRUPT);
  assert_int_equal(ra_codec_decode(&codec, 1, bits, sizeof bits, unpacked, 25, NULL), RA_E_CORRUPT);
}

static void random_bytes(uint64_t *seed, uint8_t *data, size_t size) {
  unsigned span = 1 + (unsigned)(test_random(seed) % 255);
  for (size_t i = 0; i < size; i++) data[i] = (uint8_t)(test_random(seed) % span);
}

static ra_codec random_codec(uint64_t *seed) {
  static const char *const inner[] = {"lz4", "zstd", "zlib", "blosclz", "lz4hc"};
  ra_codec codec = {.id = (ra_codec_id)(test_random(seed) % RA_CODEC_LZW)};
  codec.element = 1 + (unsigned)(test_random(seed) % 9);
  codec.shuffle = (int)(test_random(seed) % 3);
  codec.level = (int)(test_random(seed) % 10);
  snprintf(codec.inner, sizeof codec.inner, "%s", inner[test_random(seed) % 5]);
  return codec;
}

static void chains_there_and_back(void **state) {
  (void)state;
  uint64_t seed = test_seed("chains_there_and_back");
  for (int round = 0; round < 400; round++) {
    ra_codec chain[4];
    size_t count = test_random(&seed) % 5, size = 1 + test_random(&seed) % 5000;
    for (size_t i = 0; i < count; i++) chain[i] = random_codec(&seed);
    uint8_t *raw = malloc(size), *back = malloc(size);
    random_bytes(&seed, raw, size);
    ra_buf *buf;
    ra_err err = {0};
    if (ra_codec_encode(chain, count, raw, size, &buf, &err) < 0) fail_msg("%s", err.message);
    if (ra_codec_decode(chain, count, ra_buf_data(buf), ra_buf_size(buf), back, size, &err) < 0) {
      fail_msg("round %d: %s", round, err.message);
    }
    assert_memory_equal(back, raw, size);
    ra_buf_unref(buf);
    free(raw);
    free(back);
  }
  assert_int_equal(ra_buf_live_count(), 0);
}

static void *in_a_thread(void *ctx) {
  (void)ctx;
  chains_there_and_back(NULL);
  return NULL;
}

static void threads_free_their_contexts(void **state) {
  (void)state;
  pthread_t thread;  // what it leaves behind, the leak checker of the asan preset finds
  assert_int_equal(pthread_create(&thread, NULL, in_a_thread, NULL), 0);
  pthread_join(thread, NULL);
}

static void what_cannot_be_done_is_said(void **state) {
  (void)state;
  ra_codec chain[9] = {{.id = RA_CODEC_LZW}};
  ra_buf *buf;
  ra_err err;
  assert_int_equal(ra_codec_encode(chain, 1, (const uint8_t *)"x", 1, &buf, &err), RA_E_UNSUPPORTED);
  assert_string_equal(err.message, "lzw is read but not written");
  uint8_t byte;
  assert_int_equal(ra_codec_decode(chain, 9, (const uint8_t *)"x", 1, &byte, 1, &err),
                   RA_E_UNSUPPORTED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(streams_of_others_decode),
      cmocka_unit_test(another_size_is_corrupt),
      cmocka_unit_test(damaged_streams_are_answered),
      cmocka_unit_test(checksums_are_the_published_ones),
      cmocka_unit_test(shuffle_is_hdf5s),
      cmocka_unit_test(tiff_schemes),
      cmocka_unit_test(chains_there_and_back),
      cmocka_unit_test(threads_free_their_contexts),
      cmocka_unit_test(what_cannot_be_done_is_said),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
