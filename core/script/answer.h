// answer.h - from a handler's Lua table, or a failure, to a response. Inside core/script.
#pragma once
#include "net/http.h"
#include "script/host.h"

enum { RA__HEADERS_MOST = 32 };

typedef struct ra__answer {
  int status;
  const char *type;  // NULL: none
  ra_http_header headers[RA__HEADERS_MOST];
  size_t header_count;
  ra_buf *body;       // owned
  ra_http_file file;  // owned descriptor, -1: none
  bool compress;
} ra__answer;

// Reads the table at the top of script->L. Its texts are borrowed from that table, which has to stay on the stack (its
// headers may be replaced by their texts). On failure nothing is owned.
int ra__answer_read(ra_task *task, ra__answer *out, ra_err *err);
// application/problem+json for a failure.
void ra__answer_problem(const ra_err *err, const char *plugin, ra__answer *out);
void ra__answer_deinit(ra__answer *answer);
// The one table of codes and HTTP statuses.
int ra__status_of(int code);
