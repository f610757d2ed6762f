// HDF5's filters: chunks written by h5py 3.16 with hdf5plugin 7.1, their damage, and what stands for which filter.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/codec.h"
#include "random.h"

// numpy: (np.arange(400) // 7 * 3).astype("<u4") and (np.arange(403) // 5 * 257 % 997).astype("<u2")
static const char lz4_hdf5[] =
    "000000000000064000000400000000be1f000100081f030400081f060400081f090400081f0c0400081f0f04"
    "00081f120400081f150400081f180400081f1b0400081f1e0400081f210400081f240400081f270400081f2a"
    "0400081f2d0400081f300400081f330400081f360400081f390400081f3c0400081f3f0400081f420400081f"
    "450400081f480400081f4b0400081f4e0400081f510400081f540400081f570400081f5a0400081f5d040008"
    "1f600400081f630400081f660400081f69040008166c040050006c00000000000071446c00000004001f6f04"
    "00081f720400081f750400081f780400081f7b0400081f7e0400081f810400081f840400081f870400081f8a"
    "0400081f8d0400081f900400081f930400081f960400081f990400081f9c0400081f9f0400081fa20400081f"
    "a50400081fa80400075000ab000000";
static const char bitshuffle_plain[] =
    "e083ffc107e083ffc107e083ffc107e000fcff01f8ff0300fe0700fcff01f8ff0000f00100ff03f0ff07ffff"
    "0ffeff000000f00100ff03f0ff07ffffffffffff0000f00100ff03f0ff07ffffffffffff000000feffff0300"
    "00f8ffff0f0000ff000000000000fcffffffffff0f000000000000000000000000000000f0ffffffe0830f3e"
    "f8e0830f3ef8e0830f3ef8e000fc0fc0ff00fc0fc0ff00fc0fc0ff0000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000000000000000000083ffc107e003f0c1"
    "ffe003f0c1ffe0030300fe0700fcff0100ff0300feff00fcfc0f00f80080ff01f8ff83ffff07ff7fffffffff"
    "ff7f00fe07007c0000000000ffffffffffffffffffffffffffffffffff0f0000ff7f0000f8ff7f0000f8ff7f"
    "00f0ffffff7f0000000080ffffffff7fffffffffff7f00000000000000000080830f3ef8e003f0c1071f7cf0"
    "c1071f7cfc0fc0ff007c00fe07e07f00fe07e07f000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000f0c1ffe003f0c1ffe07ff001f8e07ff0"
    "ff0100ff0300feff0080ff0100ff7f0000fe07007c0000f800fcffc1ffff83ff00000000000000f800fcffc1"
    "ffffffffffffffffffffff07ff03003e000000000000f8ff7f0000f8ff0300c0ffff03000000000080ffffff"
    "ff0300000000fcffffffffffffffffffff03000000000000f0c1071f7cf0c1071f800f3ef8e0830f00fe07e0"
    "7f00fe07e003f03f00ff03f00000000000000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "000000000000000000000000000000000000000001f8feff3f00ffff0000c0ffffff00003ef83f0000000000"
    "00000000000000006c026c026c02";
static const char bitshuffle_lz4[] =
    "0000000000000326000001000000006d57e083ffc1070500a200fcff01f8ff0300fe070a00f8010000f00100"
    "ff03f0ff07ffff0ffeff0010000002000e1000d000feffff030000f8ffff0f0000310040000000fc2b000010"
    "0009020097f0ffffffe0830f3ef805005700fc0fc0ff05000931000f02003b500000000000000000889383ff"
    "c107e003f0c1ff0500f0120300fe0700fcff0100ff0300feff00fcfc0f00f80080ff01f8ff83ffff07ff7fff"
    "0100107f2500207c000100000f00090200840f0000ff7f0000f8050011f0300040000000802700044000003b"
    "000002005080830f3ef87b0031071f7c0500a0fc0fc0ff007c00fe07e0650016e02a000f02003f5000000000"
    "000000008f50f0c1ffe0030500f0027ff001f8e07ff0ff0100ff0300feff00800a00f2047f0000fe07007c00"
    "00f800fcffc1ffff83ff0001000310000502005307ff03003e1b00c1ff7f0000f8ff0300c0ffff0313001080"
    "2700010b0010fc0a00020200011000700000f0c1071f7c0500c0800f3ef8e0830f00fe07e07f05007003f03f"
    "00ff03f024000f0200445000000000000000001cc001f8feff3f00ffff0000c0ff0600433ef83f0001005000"
    "000000006c026c026c02";
static const char bitshuffle_zstd[] =
    "0000000000000640000020000000007928b52ffd6040057d03002403803fe00ff803fe80ff1f00f8ff0100c0"
    "1ff0ff03fe0000e0ffff0300ffff1f0000fcff00fcff0000ff03ffe0ff03ff1ffcff190094a47c000ccef837"
    "305b0405aa82001e34a52f67c245f0850035c901c26c1281239823e2079c8291e1cc55d50db70a63920a601a"
    "806990598c";
static const char lzf[] =
    "010000e011000003201ae00f030006201be00f030009201be00f03000c201be00f03000f201be00f03001220"
    "1be00f030015201be00f030018201be00f03001b201be00f03001e201be00f030021201be00f030024201be0"
    "0f030027201be00f03002a201be00f03002d201be00f030030201be00f030033201be00f030036201be00f03"
    "0039201be00f03003c201be00f03003f201be00f030042201be00f030045201be00f030048201be00f03004b"
    "201be00f03004e201be00f030051201be00f030054201be00f030057201be00f03005a201be00f03005d201b"
    "e00f030060201be00f030063201be00f030066201be00f030069201be00f03006c201be00f03006f201be00f"
    "030072201be00f030075201be00f030078201be00f03007b201be00f03007e201be00f030081201be00f0300"
    "84201be00f030087201be00f03008a201be00f03008d201be00f030090201be00f030093201be00f03009620"
    "1be00f030099201be00f03009c201be00f03009f201be00f0300a2201be00f0300a5201be00f0300a8201be0"
    "0f0303ab000000";
static const char zstd[] =
    "28b52ffd604005850400e40300000306090c0f1215181b1e2124272a2d303336393c3f4245484b4e5154575a"
    "5d606366696c6f7275787b7e8184878a8d909396999c9fa2a5a8ab0000003920e0c7a18417b250c20b5928e1"
    "852c94f042164a78210b25bc908522bc9085125ec842092f64a18417b250c20b5928e1852c94f0422694f042"
    "164a78210b25bc9085125ec842092f643494c36b2f2c";
static const char bz[] =
    "425a68393141592653591e8ba1db000001fff049249249249249249249249249249249249249249248200090"
    "300000000341a00d00d011faaa51804c001304d3000344c4cf523e0f9261349c4f281461424a4533e8a8552b"
    "15cb0592d16cb85d2f17cc07d984c46332194fc331fa67341a4d46b361b4dc6f381c4e4733a129d4ec7f1dcf"
    "0793fcf44b0884442591108887b1772453850901e8ba1db0";

enum { MOST = 1600 };

static const struct golden {
  const char *text;
  unsigned filter, values[6], count;
  size_t item, items;
} goldens[] = {
    {lz4_hdf5, 32004, {1024}, 1, 4, 400},
    {bitshuffle_plain, 32008, {0, 4, 2, 128, 0}, 5, 2, 403},
    {bitshuffle_lz4, 32008, {0, 4, 2, 128, 2}, 5, 2, 403},
    {bitshuffle_zstd, 32008, {0, 4, 4, 0, 3, 3}, 6, 4, 400},
    {lzf, 32000, {4, 261, 1600}, 3, 4, 400},
    {zstd, 32015, {3}, 1, 4, 400},
    {bz, 307, {9}, 1, 4, 400},
};
enum { GOLDENS = sizeof goldens / sizeof *goldens };

static size_t unhex(const char *text, uint8_t *out) {
  size_t n = strlen(text) / 2;
  for (size_t i = 0; i < n; i++) {
    unsigned byte;
    sscanf(text + 2 * i, "%2x", &byte);
    out[i] = (uint8_t)byte;
  }
  return n;
}

static size_t make_cells(const struct golden *g, uint8_t *out) {
  for (uint32_t i = 0; i < g->items; i++) {
    uint32_t item = g->item == 4 ? i / 7 * 3 : i / 5 * 257 % 997;
    memcpy(out + i * g->item, &item, g->item);
  }
  return g->items * g->item;
}

static ra_codec codec_of(const struct golden *g) {
  ra_codec codec;
  assert_int_equal(ra_codec_of_hdf5(g->filter, g->values, g->count, &codec), 1);
  return codec;
}

static void chunks_of_others_decode(void **state) {
  (void)state;
  for (size_t i = 0; i < GOLDENS; i++) {
    const struct golden *g = &goldens[i];
    uint8_t packed[1024], want[MOST], got[MOST] = {0};
    size_t size = unhex(g->text, packed), bytes = make_cells(g, want);
    ra_codec codec = codec_of(g);
    ra_err err = {0};
    if (ra_codec_decode(&codec, 1, packed, size, got, bytes, &err) < 0)
      fail_msg("%u: %s", g->filter, err.message);
    assert_memory_equal(got, want, bytes);
    for (size_t wrong = bytes - 2; wrong <= bytes + 2; wrong++) {
      if (wrong == bytes) continue;
      uint8_t *exact = malloc(wrong);
      assert_int_equal(ra_codec_decode(&codec, 1, packed, size, exact, wrong, &err), RA_E_CORRUPT);
      free(exact);
    }
  }
}

// Any damage gives an answer: RA_OK (an unprotected literal byte) or RA_E_CORRUPT.
static void damaged_chunks_are_answered(void **state) {
  (void)state;
  uint64_t seed = test_seed("damaged_chunks_are_answered");
  for (size_t round = 0; round < 400 * GOLDENS; round++) {
    const struct golden *g = &goldens[round % GOLDENS];
    uint8_t packed[1024] = {0}, dst[MOST];
    size_t size = unhex(g->text, packed);
    if (size == 0) break;
    for (int k = 0; k < 3; k++) packed[test_random(&seed) % size] ^= (uint8_t)test_random(&seed);
    if (round % 3 == 0) size = test_random(&seed) % size;
    uint8_t *exact = malloc(size ? size : 1);  // its end is what a sanitizer watches
    for (size_t k = 0; k < size; k++) exact[k] = packed[k];
    ra_codec codec = codec_of(g);
    int rc = ra_codec_decode(&codec, 1, exact, size, dst, g->items * g->item, NULL);
    assert_true(rc == RA_OK || rc == RA_E_CORRUPT);
    free(exact);
  }
}

static void filters_are_known_or_named(void **state) {
  (void)state;
  ra_codec codec;
  const unsigned four = 4, bitshuffle[] = {0, 4, 4, 0, 7};
  assert_int_equal(ra_codec_of_hdf5(1, &four, 1, &codec), 1);
  assert_int_equal(codec.id, RA_CODEC_DEFLATE);
  assert_int_equal(ra_codec_of_hdf5(2, &four, 1, &codec), 1);
  assert_int_equal(codec.element, 4);
  assert_int_equal(ra_codec_of_hdf5(2, NULL, 0, &codec), -1);
  assert_int_equal(ra_codec_of_hdf5(32008, bitshuffle, 5, &codec), -1);  // no such compressor
  assert_int_equal(ra_codec_of_hdf5(32023, &four, 1, &codec), 0);
  assert_int_equal(ra_codec_of_hdf5(4, &four, 1, &codec), -1);
  assert_string_equal(ra_codec_hdf5_name(4), "szip");
  assert_string_equal(ra_codec_hdf5_name(32015), "zstd");
  assert_string_equal(ra_codec_hdf5_name(40000), "an unknown filter");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(chunks_of_others_decode),
      cmocka_unit_test(damaged_chunks_are_answered),
      cmocka_unit_test(filters_are_known_or_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
