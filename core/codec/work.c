// work.c - a thread's codec contexts and scratch memory: made at first use, kept while the thread lives. Scratch over
// KEEP bytes is given back at the next smaller demand, so that one huge chunk does not stay.
#include <libdeflate.h>
#include <pthread.h>
#include <stdlib.h>
#include <zstd.h>

#include "codec/impl.h"

enum { KEEP = 4 << 20, LEVELS = 13 };

typedef struct work {
  ZSTD_DCtx *dctx;
  ZSTD_CCtx *cctx;
  struct libdeflate_decompressor *inflater;
  struct libdeflate_compressor *deflater[LEVELS];
  uint8_t *scratch[RA__SCRATCHES];
  size_t cap[RA__SCRATCHES];
} work;

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void work_free(void *ctx) {
  work *w = ctx;
  ZSTD_freeDCtx(w->dctx);
  ZSTD_freeCCtx(w->cctx);
  libdeflate_free_decompressor(w->inflater);
  for (int i = 0; i < LEVELS; i++) libdeflate_free_compressor(w->deflater[i]);
  for (int i = 0; i < RA__SCRATCHES; i++) free(w->scratch[i]);
  free(w);
}

static void make_key(void) { (void)pthread_key_create(&key, work_free); }

static work *get(void) {
  static __thread work *mine;
  if (mine) return mine;
  pthread_once(&once, make_key);
  work *w = calloc(1, sizeof *w);
  if (w && pthread_setspecific(key, w) != 0) {
    free(w);
    return NULL;
  }
  return mine = w;
}

uint8_t *ra__scratch(int slot, size_t size) {
  work *w = get();
  if (!w) return NULL;
  size_t cap = w->cap[slot];
  if (size <= cap && (cap <= KEEP || size > KEEP)) return w->scratch[slot];
  free(w->scratch[slot]);
  w->scratch[slot] = malloc(size ? size : 1);
  w->cap[slot] = w->scratch[slot] ? size : 0;
  return w->scratch[slot];
}

uint8_t *ra_codec_packed(size_t size) { return ra__scratch(RA__SCRATCH_PACKED, size); }

ZSTD_DCtx *ra__zstd_dctx(void) {
  work *w = get();
  if (w && !w->dctx) w->dctx = ZSTD_createDCtx();
  return w ? w->dctx : NULL;
}

ZSTD_CCtx *ra__zstd_cctx(void) {
  work *w = get();
  if (w && !w->cctx) w->cctx = ZSTD_createCCtx();
  return w ? w->cctx : NULL;
}

struct libdeflate_decompressor *ra__inflater(void) {
  work *w = get();
  if (w && !w->inflater) w->inflater = libdeflate_alloc_decompressor();
  return w ? w->inflater : NULL;
}

struct libdeflate_compressor *ra__deflater(int level) {
  work *w = get();
  if (w && !w->deflater[level]) w->deflater[level] = libdeflate_alloc_compressor(level);
  return w ? w->deflater[level] : NULL;
}
