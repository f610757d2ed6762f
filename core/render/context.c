// context.c - the two caches that renderers share.
#include "render/context.h"

#include <stdlib.h>

#include "base/buf.h"
#include "render/object.h"

int ra__object_new(void *value, void (*unref)(void *value), ra__object **out, ra_err *err) {
  ra__object *object = malloc(sizeof *object);
  if (!object) {
    unref(value);
    return ra_fail(err, RA_E_NOMEM, "", "out of memory for a parsed header");
  }
  atomic_init(&object->refs, 1);
  object->value = value;
  object->unref = unref;
  *out = object;
  return RA_OK;
}

void *ra__object_ref(void *object) {
  atomic_fetch_add_explicit(&((ra__object *)object)->refs, 1, memory_order_relaxed);
  return object;
}

void ra__object_unref(void *ptr) {
  ra__object *object = ptr;
  if (atomic_fetch_sub_explicit(&object->refs, 1, memory_order_acq_rel) != 1) return;
  object->unref(object->value);
  free(object);
}

static void *block_ref(void *block) { return ra_buf_ref(block); }

static void block_unref(void *block) { ra_buf_unref(block); }

int ra_render_context_new(const ra_reader *reader, size_t header_bytes, size_t block_bytes,
                          ra_render_context **out, ra_err *err) {
  static const ra_cache_ops objects = {ra__object_ref, ra__object_unref};
  static const ra_cache_ops blocks = {block_ref, block_unref};
  ra_render_context *context = calloc(1, sizeof *context);
  if (!context) return ra_fail(err, RA_E_NOMEM, "", "out of memory for the caches");
  context->reader = *reader;
  int rc = ra_cache_new("headers", header_bytes, &objects, &context->headers, err);
  if (rc == RA_OK) rc = ra_cache_new("blocks", block_bytes, &blocks, &context->blocks, err);
  if (rc < 0) {
    ra_render_context_free(context);
    return rc;
  }
  *out = context;
  return RA_OK;
}

void ra_render_context_free(ra_render_context *context) {
  if (!context) return;
  ra_cache_free(context->headers);
  ra_cache_free(context->blocks);
  free(context);
}
