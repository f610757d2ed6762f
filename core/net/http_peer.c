// http_peer.c - who asks: the socket's other end, or what a trusted proxy says in X-Forwarded-For and -Proto.
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "net/address.h"
#include "net/http_internal.h"

void ra__http_peer_name(const uv_stream_t *stream, char *out, size_t size) {
  snprintf(out, size, "unix");
  if (stream->type != UV_TCP) return;
  struct sockaddr_storage name;
  int len = sizeof name;
  snprintf(out, size, "unknown");
  if (uv_tcp_getpeername((const uv_tcp_t *)stream, (struct sockaddr *)&name, &len) < 0) return;
  if (name.ss_family == AF_INET) {
    uv_ip4_name((const struct sockaddr_in *)&name, out, size);
  } else if (name.ss_family == AF_INET6) {
    char text[INET6_ADDRSTRLEN];
    uv_ip6_name((const struct sockaddr_in6 *)&name, text, sizeof text);
    snprintf(out, size, "%s",
             strncasecmp(text, "::ffff:", 7) == 0 && strchr(text, '.') ? text + 7 : text);
  }
}

bool ra__http_peer_trusted(const ra_http_server *server, const char *peer) {
  const char *const *list = server->config.trusted_proxies;
  if (!list) return false;
  ra_address a;
  bool is_address = ra_address_parse(peer, &a);
  for (; *list; list++) {
    if (is_address ? ra_address_in(*list, &a) : strcmp(*list, peer) == 0) return true;
  }
  return false;
}

// One element of X-Forwarded-For: "1.2.3.4", "1.2.3.4:567", "2001:db8::1", "[2001:db8::1]:567".
static bool take_element(const char *start, const char *end, char *out, size_t size) {
  while (start < end && (*start == ' ' || *start == '\t')) start++;
  while (end > start && (end[-1] == ' ' || end[-1] == '\t')) end--;
  size_t len = (size_t)(end - start);
  if (!len || len >= size) return false;
  memcpy(out, start, len);
  out[len] = 0;
  if (*out == '[') {
    char *close = strchr(out, ']');
    if (!close) return false;
    memmove(out, out + 1, (size_t)(close - out) - 1);
    out[close - out - 1] = 0;
  } else if (strchr(out, '.') && strchr(out, ':') == strrchr(out, ':')) {
    out[strcspn(out, ":")] = 0;
  }
  ra_address a;
  return ra_address_parse(out, &a);
}

// From the right: each element was added by the hop before; the first that is no proxy of ours is the client.
static void follow_forwarded(ra__http_conn *conn, const char *list) {
  const char *end = list + strlen(list);
  for (;;) {
    const char *start = end;
    while (start > list && start[-1] != ',') start--;
    char element[64];
    if (!take_element(start, end, element, sizeof element)) return;
    memcpy(conn->exchange.peer, element, strlen(element) + 1);
    if (start == list || !ra__http_peer_trusted(conn->server, element)) return;
    end = start - 1;
  }
}

void ra__http_peer_resolve(ra__http_conn *conn) {
  ra_http_request *request = &conn->parser.request;
  memcpy(conn->exchange.peer, conn->address, sizeof conn->address);
  request->peer = conn->exchange.peer;
  request->secure = false;
  if (!conn->trusted) return;
  const char *forwarded = ra__http_header(request, "x-forwarded-for");
  const char *scheme = ra__http_header(request, "x-forwarded-proto");
  if (forwarded) follow_forwarded(conn, forwarded);
  if (scheme) {
    const char *last = strrchr(scheme, ',');  // the nearest proxy's word
    last = last ? last + 1 + strspn(last + 1, " ") : scheme;
    request->secure = strcasecmp(last, "https") == 0;
  }
}
