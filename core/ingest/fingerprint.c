// fingerprint.c - what identifies a version: the source's bytes, the options that change what is written, the writer.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/sha256.h"
#include "ingest/ingest_private.h"

enum { PIECE = 1 << 20, TRIED = 16 << 20 };

// The first `limit` bytes.
static int hash_file(const ra_source *source, uint64_t limit, ra_cancel *cancel, ra_sha256 *hash,
                     ra_err *err) {
  uint8_t *piece = malloc(PIECE);
  size_t got = 1;
  int rc = piece ? RA_OK : ra_fail(err, RA_E_NOMEM, ra_source_name(source), "out of memory");
  for (uint64_t at = 0; rc >= 0 && got > 0 && at < limit; at += got) {
    rc = ra_source_raw(source, at, piece, PIECE, &got, err);
    if (rc >= 0) ra_sha256_add(hash, piece, got);
    if (ra_cancel_is_set(cancel))
      rc = ra_fail(err, RA_E_CANCELLED, ra_source_name(source), "cancelled");
  }
  free(piece);
  return rc;
}

int ra__hash_seconds(const ra_ingest *ingest, double *seconds, ra_err *err) {
  uint64_t all = ra_source_bytes(ingest->source), part = all < TRIED ? all : TRIED;
  char ignored[65];
  ra_sha256 *hash;
  int rc = ra_sha256_new(&hash, err);
  if (rc < 0) return rc;
  uint64_t since = ra_clock_ns();
  rc = hash_file(ingest->source, part, NULL, hash, err);
  *seconds = (double)(ra_clock_ns() - since) * 1e-9 * (double)all / (double)(part ? part : 1);
  ra_sha256_hex(hash, ignored);
  ra_sha256_free(hash);
  return rc;
}

// What is served where it lies is known there by its time of change.
static void add_place(const ra_ingest *ingest, ra_str *text) {
  struct stat info;
  const char *path = ra_source_path(ingest->source);
  if (!ra_ingest_in_place(ingest)) return;
  ra_str_addf(text, "in place %s\n", path);
  if (stat(path, &info) < 0 || !S_ISREG(info.st_mode)) return;
  ra_str_addf(text, "%lld %lld.%09ld\n", (long long)info.st_size, (long long)info.st_mtim.tv_sec,
              info.st_mtim.tv_nsec);
}

int ra_ingest_fingerprint(ra_ingest *ingest, ra_cancel *cancel, ra_err *err) {
  ra_sha256 *hash;
  int rc = ra_sha256_new(&hash, err);
  if (rc < 0) return rc;
  rc = hash_file(ingest->source, UINT64_MAX, cancel, hash, err);
  if (rc >= 0) ra_sha256_hex(hash, ingest->sha256);
  ra_sha256_free(hash);
  if (rc < 0) return rc;
  const ra_ingest_options *o = &ingest->options;
  ra_str text;
  ra_str_init(&text);
  ra_str_addf(&text, "%s\nwriter %d\ncompress %d\nvariables %s\ndatetime %s\n", ingest->sha256,
              RA__WRITER_FORMAT, (int)o->compress, o->variables ? o->variables : "",
              o->datetime ? o->datetime : "");
  if (!ingest->kept && o->zarr_format != 3) ra_str_addf(&text, "zarr %u\n", o->zarr_format);
  add_place(ingest, &text);
  if (text.failed) {
    rc = ra_fail(err, RA_E_NOMEM, ra_source_name(ingest->source), "out of memory");
  } else {
    ra_sha256_of(text.ptr, text.len, ingest->fingerprint);
    memcpy(ingest->version, ingest->fingerprint, 16);
    ingest->version[16] = 0;
  }
  ra_str_deinit(&text);
  return rc;
}

unsigned ra_ingest_writer_format(void) { return RA__WRITER_FORMAT; }
