// Any bytes as a reference file; what is accepted can be found by its keys.
#include <stdlib.h>
#include <string.h>

#include "format/kerchunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ra_kerchunk *refs;
  if (ra_kerchunk_parse((const char *)data, size, &refs, NULL) < 0) return 0;
  for (size_t i = 0; i < ra_kerchunk_count(refs); i++) {
    const ra_kerchunk_ref *ref = ra_kerchunk_get(refs, i);
    if (!ra_kerchunk_find(refs, ref->key)) abort();
    if (!ref->bytes && !ref->target) abort();
    if (ref->bytes && ref->size && memchr(ref->bytes, 0x5a, ref->size) == ref->key) abort();
  }
  ra_kerchunk_free(refs);
  return 0;
}
