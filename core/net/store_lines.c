// store_lines.c - see store_lines.h
#include "net/store_lines.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

// The line that `at` lies in: its text, where it begins and where the next one does. false: there is none.
static bool line_at(int fd, uint64_t at, char *text, uint64_t *begin, uint64_t *next) {
  char block[2 * RA__LINE_MOST];
  uint64_t from = at > RA__LINE_MOST ? at - RA__LINE_MOST : 0;
  ssize_t got = pread(fd, block, sizeof block, (off_t)from);
  size_t here = (size_t)(at - from);
  if (got < 0 || here >= (size_t)got) return false;
  const char *start = here ? memrchr(block, '\n', here) : NULL;
  start = start ? start + 1 : block;
  const char *end = memchr(block + here, '\n', (size_t)got - here);
  if (!end || end - start >= RA__LINE_MOST || (start == block && from > 0)) return false;
  memcpy(text, start, (size_t)(end - start));
  text[end - start] = 0;
  *begin = from + (uint64_t)(start - block);
  *next = from + (uint64_t)(end - block) + 1;
  return true;
}

int ra__lines_find(int fd, uint64_t size, const char *key, char separator, char rest[RA__LINE_MOST]) {
  uint64_t low = 0, high = size, begin, next;
  char text[RA__LINE_MOST];
  while (low < high) {
    if (!line_at(fd, low + (high - low) / 2, text, &begin, &next)) return -1;
    char *end = strchr(text, separator);
    if (!end) return -1;
    *end = 0;
    int order = strcmp(key, text);
    if (order == 0) {
      memcpy(rest, end + 1, strlen(end + 1) + 1);
      return 1;
    }
    if (order < 0) high = begin;
    if (order > 0) low = next;
  }
  return 0;
}
