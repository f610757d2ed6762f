// arena.h - a job's working memory: many small allocations, freed together. One thread at a time.
#pragma once
#include <stddef.h>

typedef struct ra_arena {
  struct ra_arena_block *head;
  size_t used;   // bytes handed out
  size_t limit;  // 0: none
} ra_arena;

void ra_arena_init(ra_arena *arena, size_t limit);
void ra_arena_deinit(ra_arena *arena);
// 16-byte aligned; NULL when memory or the limit is exhausted. Not zeroed.
void *ra_arena_alloc(ra_arena *arena, size_t size);
// count * size bytes of zeros, with the product checked.
void *ra_arena_calloc(ra_arena *arena, size_t count, size_t size);
char *ra_arena_strdup(ra_arena *arena, const char *text);
char *ra_arena_strndup(ra_arena *arena, const char *text, size_t n);
char *ra_arena_printf(ra_arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
