// http_trailer.c - what stands after the last chunk: header fields that nobody asked for. They are checked byte by
// byte as strictly as a head (llhttp takes a bare LF, folded lines and fields without a name there) and dropped.
#include "net/http_field.h"
#include "net/http_parse.h"

static int step(ra__http_parser *p, unsigned char c) {
  switch (p->trailer) {
    case RA__TRAILER_LINE:
      if (c != '\r' && !ra__http_is_token_char(c)) return -1;
      p->trailer = c == '\r' ? RA__TRAILER_END : RA__TRAILER_NAME;
      return 0;
    case RA__TRAILER_NAME:
      if (c == ':') p->trailer = RA__TRAILER_VALUE;
      return c == ':' || ra__http_is_token_char(c) ? 0 : -1;
    case RA__TRAILER_VALUE:
      if (c == '\r') p->trailer = RA__TRAILER_CR;
      return c == '\r' || c == '\t' || (c >= 0x20 && c != 0x7f) ? 0 : -1;
    case RA__TRAILER_CR: p->trailer = RA__TRAILER_LINE; return c == '\n' ? 0 : -1;
    case RA__TRAILER_END: p->phase = RA__HTTP_DONE; return c == '\n' ? 0 : -1;
    default: return -1;
  }
}

size_t ra__http_feed_trailer(ra__http_parser *parser, const char *data, size_t size) {
  size_t used = 0;
  while (used < size && parser->phase == RA__HTTP_BODY) {
    if (step(parser, (unsigned char)data[used++]) < 0) {
      ra__http_refuse(parser, 400, "the lines after the last chunk are not header fields");
    } else if (++parser->trailer_len > parser->limits.headers) {
      ra__http_refuse(parser, 431,
                      "the lines after the last chunk take more than the allowed %zu bytes",
                      parser->limits.headers);
    }
  }
  return used;
}
