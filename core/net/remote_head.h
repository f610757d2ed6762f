// remote_head.h - the head of an answer to a request for bytes, as far as they depend on it. Outside bytes: whatever is no
// number or does not fit is as good as absent. No IO.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RA__REMOTE_TAG = 200 };

typedef struct ra__remote_head {
  bool has_range;  // Content-Range: bytes first-last/total
  uint64_t first, last, total;
  bool has_length;  // Content-Length
  uint64_t length;
  bool encoded;                   // Content-Encoding other than identity
  char etag[RA__REMOTE_TAG];      // "" where there is none, or one that is too long
  char modified[RA__REMOTE_TAG];  // Last-Modified
} ra__remote_head;

// One line of the head, without its end. A status line begins anew (a redirect's answer came before).
void ra__remote_head_line(ra__remote_head *head, const char *line, size_t size);
