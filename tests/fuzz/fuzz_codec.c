// Any bytes as a stream of each codec: the first chooses the chain, the second the expected size.
#include <stdlib.h>
#include <string.h>

#include "codec/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 3) return 0;
  ra_codec chain[2] = {{.id = (ra_codec_id)(data[0] % (RA_CODEC_PACKED_BITS + 1))},
                       {.id = (ra_codec_id)(data[0] / 16 % (RA_CODEC_PACKED_BITS + 1))}};
  chain[0].element = chain[1].element = 1 + data[0] % 9;
  static const char *const INNER[] = {"", "lz4", "zstd"};
  for (int i = 0; i < 2; i++) strcpy(chain[i].inner, INNER[data[1] % 3]);
  size_t want = (size_t)data[1] * 37;
  uint8_t *dst = malloc(want + 1);  // its end is what a sanitizer watches
  if (!dst) return 0;
  (void)ra_codec_decode(chain, 1 + (data[0] & 1), data + 2, size - 2, dst, want, NULL);
  free(dst);
  return 0;
}
