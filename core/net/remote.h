// remote.h - files of HTTP servers, read by byte ranges: blocking, any thread but the loop's, many at once; connections are
// kept. Addresses are checked (outward.h). A file is known by its size and its ETag, or else its Last-Modified: bytes of
// another one are never given. What comes back is outside bytes: its size, its range and the time it takes are checked.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/str.h"

typedef struct ra_remote ra_remote;

enum { RA_REMOTE_TAG = 200 };

typedef struct ra_remote_state {
  uint64_t size;
  char tag[RA_REMOTE_TAG];  // ETag, else Last-Modified; "": the server gives neither
} ra_remote_state;

// allowed: as ra_fetcher_new. stall_ms: without a byte that long a read is given up (RA_E_UPSTREAM_TIMEOUT); a range may take
// six times as long in all.
int ra_remote_new(const char *const *allowed, uint64_t stall_ms, ra_remote **out, ra_err *err);
void ra_remote_free(ra_remote *remote);  // no read may run; NULL is fine

// Whether a text is a URL that may be asked: http or https, without user and password.
int ra_remote_check_url(const char *url, ra_err *err);
// What is there now, by asking for its first byte. RA_E_NOTFOUND; RA_E_UNSUPPORTED where the server gives no ranges.
int ra_remote_look(ra_remote *remote, const char *url, ra_cancel *cancel, ra_remote_state *out,
                   ra_err *err);
// Exactly these bytes of the file of that state; RA_E_CONFLICT when it is another one now, or gone.
int ra_remote_read(ra_remote *remote, const char *url, const ra_remote_state *state,
                   uint64_t offset, size_t size, uint8_t *dst, ra_cancel *cancel, ra_err *err);
// All of it into a descriptor, at most `most` bytes, in at most an hour. *out is what came.
int ra_remote_download(ra_remote *remote, const char *url, uint64_t most, int fd, ra_cancel *cancel,
                       ra_remote_state *out, ra_err *err);
// The same of a text.
int ra_remote_text(ra_remote *remote, const char *url, size_t most, ra_cancel *cancel, ra_str *text,
                   ra_remote_state *out, ra_err *err);
