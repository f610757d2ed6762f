// http_target.c - what llhttp leaves to the server: the method, the target's form, Host, codings of the body,
// Expect, repeated headers. Every refusal says what was wrong.
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "net/http_field.h"
#include "net/http_parse.h"

static int check_method(ra__http_parser *p) {
  llhttp_method_t method = llhttp_get_method(&p->llhttp);
  p->request.method = llhttp_method_name(method);
  switch (method) {
    case HTTP_GET:
    case HTTP_HEAD:
    case HTTP_POST:
    case HTTP_PUT:
    case HTTP_PATCH:
    case HTTP_DELETE:
    case HTTP_OPTIONS:
    case HTTP_TRACE: return 0;  // no route takes it: the handler's 405 says what is allowed
    default:
      return ra__http_refuse(p, 405, "the method %s is not one that this server knows",
                             p->request.method);
  }
}

static int check_version(ra__http_parser *p) {
  int major = llhttp_get_http_major(&p->llhttp), minor = llhttp_get_http_minor(&p->llhttp);
  if (major != 1 || minor > 1)
    return ra__http_refuse(p, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
  p->http10 = minor == 0;
  return 0;
}

// "http://host/path" -> "/path", with the authority in *host (RFC 9112, 3.2.2).
static char *strip_authority(char *url, char **host) {
  size_t scheme = strncasecmp(url, "http://", 7) == 0    ? 7
                  : strncasecmp(url, "https://", 8) == 0 ? 8
                                                         : 0;
  if (!scheme) return url;
  char *authority = url + scheme;
  size_t len = strcspn(authority, "/?");
  if (authority[len] == '?' || !len) return url;  // "http://host?query" has no path: refused below
  if (!authority[len]) {
    *host = authority;
    return (char *)(uintptr_t) "/";
  }
  // The authority moves over the scheme, so that both texts have room for their end.
  memmove(url, authority, len);
  url[len] = 0;
  *host = url;
  return authority + len;
}

static int split_target(ra__http_parser *p, char **host) {
  if (p->url_len > p->limits.uri) {
    return ra__http_refuse(p, 414, "the target is longer than the allowed %zu bytes", p->limits.uri);
  }
  char *url = p->url_len ? p->url : NULL;
  if (!url) return ra__http_refuse(p, 400, "the request has no target");
  for (const char *c = url; *c; c++) {
    if (*c <= 0x20 || *c >= 0x7f || *c == '#') {
      return ra__http_refuse(p, 400, "the target has a byte (0x%02x) that must be percent-encoded",
                             (unsigned char)*c);
    }
  }
  if (strcmp(url, "*") == 0 && strcmp(p->request.method, "OPTIONS") == 0) {
    p->request.path = "*";
    return 0;
  }
  url = strip_authority(url, host);
  if (*url != '/') return ra__http_refuse(p, 400, "the target must be a path that begins with '/'");
  char *query = strchr(url, '?');
  if (query) {
    *query = 0;
    p->request.query = query + 1;
  }
  p->request.path = url;
  return 0;
}

static bool repeats_matter(const char *name) {
  return strcmp(name, "host") == 0 || strcmp(name, "content-length") == 0 ||
         strcmp(name, "authorization") == 0 || strcmp(name, "content-type") == 0;
}

// All values of headers[at]'s name, in one text that takes what they take. The later ones are left without a name.
static int join(ra__http_parser *p, size_t at) {
  ra_http_header *first = &p->headers[at];
  const char *glue = strcmp(first->name, "cookie") == 0 ? "; " : ", ";
  size_t size = strlen(first->value) + 1;
  for (size_t i = at + 1; i < p->request.header_count; i++) {
    const ra_http_header *h = &p->headers[i];
    if (h->name && strcmp(h->name, first->name) == 0) size += strlen(h->value) + 2;
  }
  char *text = ra_arena_alloc(&p->joined, size), *end = text;
  if (!text) return ra__http_refuse(p, 503, "there is no memory for the request; try again later");
  end = stpcpy(end, first->value);
  for (size_t i = at + 1; i < p->request.header_count; i++) {
    ra_http_header *h = &p->headers[i];
    if (!h->name || strcmp(h->name, first->name) != 0) continue;
    end = stpcpy(stpcpy(end, glue), h->value);
    h->name = NULL;
  }
  first->value = text;
  return 0;
}

static bool comes_again(const ra__http_parser *p, size_t at) {
  for (size_t i = at + 1; i < p->request.header_count; i++) {
    const char *name = p->headers[i].name;
    if (name && strcmp(name, p->headers[at].name) == 0) return true;
  }
  return false;
}

// Joins headers of the same name into the first one.
static int join_repeated(ra__http_parser *p) {
  size_t kept = 0;
  int rc = 0;
  for (size_t i = 0; i < p->request.header_count && rc == 0; i++) {
    const char *name = p->headers[i].name;
    if (!name) continue;
    bool again = comes_again(p, i);
    if (again && repeats_matter(name)) {
      rc = ra__http_refuse(p, 400, "the header field %.40s comes twice; it may come once", name);
    } else if (again) {
      rc = join(p, i);
    }
    p->headers[kept++] = p->headers[i];
  }
  p->request.header_count = kept;
  return rc;
}

// name, name:port, [address] or [address]:port; what a link may be made of.
static bool host_valid(const char *host) {
  static const char digits[] = "0123456789";
  static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_~%";
  bool address = *host == '[';
  size_t len = address ? strspn(host + 1, "0123456789abcdefABCDEF:.") : strspn(host, name);
  if (!len) return false;
  host += len + (address ? 1 : 0);
  if (address && *host++ != ']') return false;
  return *host == ':' ? host[1 + strspn(host + 1, digits)] == 0 : *host == 0;
}

static int check_host(ra__http_parser *p, const char *authority) {
  size_t at = 0;
  while (at < p->request.header_count && strcmp(p->headers[at].name, "host") != 0) at++;
  bool present = at < p->request.header_count;
  if (!present && !p->http10)
    return ra__http_refuse(p, 400, "the request has no Host header field");
  if (present && authority) p->headers[at].value = authority;
  if (present && !host_valid(p->headers[at].value)) {
    return ra__http_refuse(p, 400, "the Host header field is not a host name with an optional port");
  }
  return 0;
}

static int check_codings(ra__http_parser *p) {
  const char *coding = ra__http_header(&p->request, "transfer-encoding");
  if (coding && p->http10) {
    return ra__http_refuse(p, 400, "Transfer-Encoding has no meaning in HTTP/1.0");
  }
  if (coding && ra__http_header(&p->request, "content-length")) {
    return ra__http_refuse(p, 400, "Content-Length and Transfer-Encoding exclude each other");
  }
  if (coding && strcasecmp(coding, "chunked") != 0) {
    return ra__http_refuse(p, 501, "the only transfer coding understood is chunked");
  }
  const char *content = ra__http_header(&p->request, "content-encoding");
  if (content && *content && strcasecmp(content, "identity") != 0) {
    return ra__http_refuse(p, 415, "the body must come without Content-Encoding");
  }
  if (p->llhttp.content_length > p->limits.body && !coding &&
      ra__http_header(&p->request, "content-length")) {
    return ra__http_refuse(p, 413, "the body is larger than the allowed %zu bytes", p->limits.body);
  }
  return 0;
}

static int check_expect(ra__http_parser *p) {
  const char *expect = ra__http_header(&p->request, "expect");
  if (!expect || p->http10) return 0;
  if (strcasecmp(expect, "100-continue") != 0) {
    return ra__http_refuse(p, 417, "the only expectation understood is 100-continue");
  }
  p->expects_continue = true;
  return 0;
}

int ra__http_check_head(ra__http_parser *parser) {
  char *host = NULL;
  if (check_version(parser) < 0 || check_method(parser) < 0 || split_target(parser, &host) < 0)
    return -1;
  if (join_repeated(parser) < 0 || check_host(parser, host) < 0) return -1;
  return check_codings(parser) < 0 || check_expect(parser) < 0 ? -1 : 0;
}
