// versions.c - the versions of the libraries that the codecs are made of.
#include <blosc.h>
#include <bzlib.h>
#include <isa-l.h>
#include <libdeflate.h>
#include <lz4.h>
#include <lzma.h>
#include <string.h>
#include <zstd.h>

#include "codec/codec.h"

void ra_codec_versions(ra_str *out) {
  ra_str_addf(out,
              "libdeflate %s, ISA-L %d.%d.%d, zstd %s, blosc %s, lz4 %s, bzip2 %.*s, liblzma %s",
              LIBDEFLATE_VERSION_STRING, ISAL_MAJOR_VERSION, ISAL_MINOR_VERSION, ISAL_PATCH_VERSION,
              ZSTD_versionString(), blosc_get_version_string(), LZ4_versionString(),
              (int)strcspn(BZ2_bzlibVersion(), ","), BZ2_bzlibVersion(), lzma_version_string());
}
