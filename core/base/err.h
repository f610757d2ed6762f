// err.h - how a failure travels. A function that can fail returns RA_OK or a negative code and fills one
// ra_err where the cause is known; callers pass it on untouched. The struct is a plain value: nothing to free.
#pragma once
#include <stdbool.h>

enum {
  RA_OK = 0,
  RA_E_NOMEM = -1,        // out of memory, or over a memory limit                     HTTP 503
  RA_E_INVALID = -2,      // the caller's (client's) mistake                           HTTP 400
  RA_E_NOTFOUND = -3,     // no such thing                                             HTTP 404
  RA_E_TOOBIG = -4,       // over a stated limit; the message says a cheaper way       HTTP 413
  RA_E_BUSY = -5,         // queue full or shutting down: try again                    HTTP 503
  RA_E_CANCELLED = -6,    // nobody waits for the answer any more                      (499)
  RA_E_IO = -7,           // the operating system or a store failed                    HTTP 500
  RA_E_CORRUPT = -8,      // stored bytes are not what their format says               HTTP 500
  RA_E_UNSUPPORTED = -9,  // understood, but not something that we do                  HTTP 415/400
  RA_E_CONFLICT = -10,    // a conditional write lost                                  HTTP 409
  RA_E_TIMEOUT = -11,     // took too long                                             HTTP 503
  RA_E_DENIED = -12,      // not allowed                                               HTTP 403
  RA_E_INTERNAL = -13,    // a defect of ours                                          HTTP 500
  RA_E_GONE = -14,        // the whole version was removed meanwhile: look anew        HTTP 503
  RA_E_UPSTREAM = -15,    // a server that we ask failed, or gave what it should not   HTTP 502
  RA_E_UPSTREAM_TIMEOUT = -16,  // … or did not answer in time                         HTTP 504
};

typedef struct ra_err {
  int code;           // one of the above
  bool retry;         // the same call may succeed later
  char where[160];    // the file, variable, parameter or object concerned; may be empty
  char message[512];  // what is wrong and what would be right; one sentence, no full stop
} ra_err;

// Fills *err (which may be NULL) and returns code, so that `return ra_fail(err, RA_E_IO, path, "…")` works.
int ra_fail(ra_err *err, int code, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

// RA_E_IO or a nearer code from an errno value, with its text appended to the message.
int ra_fail_errno(ra_err *err, int errnum, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

// Puts "prefix: " before the message, where a caller knows the context better. Returns err->code.
int ra_err_prefix(ra_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// "invalid", "not_found", …: the stable word of a code for JSON and Lua.
const char *ra_err_name(int code);
// The code of such a word; RA_E_INTERNAL for an unknown one.
int ra_err_code(const char *name);
