// fuzz_http.c - the HTTP parser as a connection drives it: one parser, request after request, cut into the pieces
// that the first byte of the input chooses. Checks what a handler relies on.
#include <stdlib.h>
#include <string.h>

#include "net/http.h"
#include "net/http_field.h"
#include "net/http_parse.h"

static void must(int truth) {
  if (!truth) abort();
}

static void check_done(const ra__http_parser *p) {
  const ra_http_request *r = &p->request;
  must(r->path[0] == '/' || strcmp(r->path, "*") == 0);
  must(!strchr(r->path, '?') && r->query && r->method[0] >= 'A' && r->method[0] <= 'Z');
  must(!r->body || (ra_buf_size(r->body) > 0 && ra_buf_size(r->body) <= p->limits.body));
  must(strlen(r->path) + strlen(r->query) <= p->limits.uri + 1);
  for (size_t i = 0; i < r->header_count; i++) {
    must(ra__http_is_token(r->headers[i].name) && ra__http_is_value(r->headers[i].value));
    for (const char *c = r->headers[i].name; *c; c++) must(*c < 'A' || *c > 'Z');
  }
  uint64_t first, last;
  const char *range = ra__http_header(r, "range");
  if (ra_http_parse_range(range, 1000, &first, &last) == RA_HTTP_RANGE_ONE)
    must(first <= last && last < 1000);
  ra_http_etag_matches(ra__http_header(r, "if-none-match"), "\"tag\"");
  ra__http_accepts_gzip(ra__http_header(r, "accept-encoding"));
}

static size_t parse_piece(ra__http_parser *p, const uint8_t *data, size_t size) {
  char *copy = malloc(size);  // its end is the end of what may be read
  must(copy != NULL);
  memcpy(copy, data, size);
  size_t used = ra__http_parse(p, copy, size);
  must(used <= size);
  must(used > 0 || p->phase == RA__HTTP_BAD);
  free(copy);
  return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!size) return 0;
  size_t step = data[0] ? data[0] : size;
  ra__http_limits limits = {.uri = 256, .headers = 1024, .body = 512};
  ra__http_parser p;
  ra__http_parser_init(&p, &limits);
  for (size_t at = 1; at < size && p.phase != RA__HTTP_BAD;) {
    size_t n = step < size - at ? step : size - at;
    at += parse_piece(&p, data + at, n);
    if (p.phase == RA__HTTP_DONE) {
      check_done(&p);
      ra__http_parser_reset(&p);
    }
  }
  if (p.phase == RA__HTTP_BAD)
    must(p.status >= 400 && p.status < 600 && p.problem[0] && !p.keep_alive);
  ra__http_parser_deinit(&p);
  must(ra_buf_live_count() == 0);
  return 0;
}
