// fetch.h - HTTP requests of ours to others: libcurl's multi interface on the loop, so that waiting holds no thread. Loop
// thread only. http and https; no proxy, no cookies, no credentials from files. The address is checked before it is
// connected to, and again before a connection is used: what is special (loopback, private, link-local …) is refused unless
// the configuration allows it. What comes back is outside bytes: its size is capped.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/str.h"

typedef struct ra_fetcher ra_fetcher;
typedef struct ra_fetch ra_fetch;

typedef struct ra_fetch_request {
  const char *method, *url;
  const char *const *headers;  // "Name: value", NULL-terminated; may be NULL
  const void *body;            // copied; NULL: none
  size_t size;
  uint64_t timeout_ms;  // for all of it
  size_t most;          // bytes of the answer's body; more is RA_E_TOOBIG
  unsigned redirects;   // how many to follow, each checked as the first
} ra_fetch_request;

typedef struct ra_fetch_answer {
  int status;
  ra_str headers;  // lines "name: value\n" of the last answer, names in lower case
  ra_str body;
} ra_fetch_answer;

// allowed: networks and addresses that may be asked though they are special; NULL-terminated, must outlive the fetcher;
// may be NULL.
int ra_fetcher_new(uv_loop_t *loop, const char *const *allowed, ra_fetcher **out, ra_err *err);
// None of its requests may be running. Its handles close in the next turns of the loop. NULL is fine.
void ra_fetcher_free(ra_fetcher *fetcher);
// Starts one; RA_E_INVALID for a URL, method or header that is none. `done` is called once, later and never from within
// this call: the answer's texts are the callee's to move or leave.
int ra_fetch_start(ra_fetcher *fetcher, const ra_fetch_request *request,
                   void (*done)(void *ctx, int rc, ra_fetch_answer *answer, const ra_err *err),
                   void *ctx, ra_fetch **out, ra_err *err);
// Ends it now; `done` does not come.
void ra_fetch_cancel(ra_fetch *fetch);
// The versions of the libraries that fetch, as `rastrum doctor` tells them. Any thread.
void ra_fetch_versions(ra_str *out);
