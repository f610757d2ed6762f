// packed_bits.c - numcodecs' packbits: a byte that says how many bits at the end are none, then the bits, first ones first.
#include "codec/impl.h"

int ra__packed_bits_decode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap,
                           size_t *got, ra_err *err) {
  (void)codec;
  if (src.size < 1 || src.data[0] > 7 || (src.data[0] && src.size < 2))
    return ra_fail(err, RA_E_CORRUPT, "", "packbits: the number of unused bits is missing or wrong");
  if (src.size - 1 > cap / 8 + 1 || 8 * (src.size - 1) - src.data[0] > cap)
    return ra_fail(err, RA_E_CORRUPT, "", "packbits gives more than the %zu cells expected", cap);
  *got = 8 * (src.size - 1) - src.data[0];
  for (size_t i = 0; i < *got; i++) dst[i] = src.data[1 + i / 8] >> (7 - i % 8) & 1;
  return RA_OK;
}
