// arena.c - see arena.h
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"

enum { BLOCK_SIZE = 16 * 1024 };

struct ra_arena_block {
  struct ra_arena_block *next;
  size_t used;
  size_t size;
  _Alignas(16) char data[];
};

void ra_arena_init(ra_arena *arena, size_t limit) { *arena = (ra_arena){.limit = limit}; }

void ra_arena_deinit(ra_arena *arena) {
  for (struct ra_arena_block *block = arena->head; block;) {
    struct ra_arena_block *next = block->next;
    free(block);
    block = next;
  }
  arena->head = NULL;
  arena->used = 0;
}

static struct ra_arena_block *add_block(ra_arena *arena, size_t need) {
  size_t size = need > BLOCK_SIZE ? need : BLOCK_SIZE, total;
  if (!ra_size_add(size, sizeof(struct ra_arena_block), &total)) return NULL;
  struct ra_arena_block *block = malloc(total);
  if (!block) return NULL;
  block->used = 0;
  block->size = size;
  if (need > BLOCK_SIZE && arena->head) {  // a large one goes behind, so that the open block stays in use
    block->next = arena->head->next;
    arena->head->next = block;
  } else {
    block->next = arena->head;
    arena->head = block;
  }
  return block;
}

void *ra_arena_alloc(ra_arena *arena, size_t size) {
  size_t need;
  if (!ra_size_add(size, 15, &need)) return NULL;
  need &= ~(size_t)15;
  if (arena->limit && (need > arena->limit || arena->used > arena->limit - need)) return NULL;
  struct ra_arena_block *block = arena->head;
  if (!block || block->size - block->used < need) block = add_block(arena, need);
  if (!block) return NULL;
  void *ptr = block->data + block->used;
  block->used += need;
  arena->used += need;
  return ptr;
}

void *ra_arena_calloc(ra_arena *arena, size_t count, size_t size) {
  size_t total;
  if (!ra_size_mul(count, size, &total)) return NULL;
  void *ptr = ra_arena_alloc(arena, total);
  if (ptr) memset(ptr, 0, total);
  return ptr;
}

char *ra_arena_strndup(ra_arena *arena, const char *text, size_t n) {
  size_t size;
  if (!ra_size_add(n, 1, &size)) return NULL;
  char *copy = ra_arena_alloc(arena, size);
  if (!copy) return NULL;
  memcpy(copy, text, n);
  copy[n] = 0;
  return copy;
}

char *ra_arena_strdup(ra_arena *arena, const char *text) {
  return ra_arena_strndup(arena, text, strlen(text));
}

char *ra_arena_printf(ra_arena *arena, const char *fmt, ...) {
  va_list ap, again;
  va_start(ap, fmt);
  va_copy(again, ap);
  int n = vsnprintf(NULL, 0, fmt, ap);
  va_end(ap);
  char *text = n < 0 ? NULL : ra_arena_alloc(arena, (size_t)n + 1);
  if (text) vsnprintf(text, (size_t)n + 1, fmt, again);
  va_end(again);
  return text;
}
