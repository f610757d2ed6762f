// outward.c - see outward.h
#include "net/outward.h"

#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "net/address.h"

enum { URL_MOST = 8192 };

// ---- the URL

static bool one_line(const char *text) {
  for (; *text; text++) {
    if ((unsigned char)*text < 0x20 || *text == 0x7f) return false;
  }
  return true;
}

int ra__outward_check(const char *url, ra_err *err) {
  bool web = strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
  if (!web || strlen(url) > URL_MOST || !one_line(url))
    return ra_fail(err, RA_E_INVALID, "url", "a URL that begins with http:// or https:// is wanted");
  return RA_OK;
}

// ---- the address

static bool may_connect(const ra__outward *outward, const ra_address *address) {
  if (!ra_address_special(address)) return true;
  for (const char *const *one = outward->allowed; one && *one; one++) {
    if (ra_address_in(*one, address)) return true;
  }
  return false;
}

static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *to) {
  (void)purpose;
  ra__outward *outward = ctx;
  ra_address address;
  if (ra_address_of(&to->addr, &address) && may_connect(outward, &address))
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
  outward->refused = true;
  return CURL_SOCKET_BAD;
}

// Also of a connection that another request opened.
// NOLINTNEXTLINE(readability-non-const-parameter): libcurl's callback type
static int before_request(void *ctx, char *ip, char *local_ip, int port, int local_port) {
  (void)local_ip;
  (void)port;
  (void)local_port;
  ra__outward *outward = ctx;
  ra_address address;
  if (ra_address_parse(ip, &address) && may_connect(outward, &address)) return CURL_PREREQFUNC_OK;
  outward->refused = true;
  return CURL_PREREQFUNC_ABORT;
}

CURLcode ra__outward_set(CURL *easy, const char *url, unsigned redirects, ra__outward *outward) {
  bool safe = strncasecmp(url, "https://", 8) == 0;
  CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, url);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  if (!code)
    code = curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, safe ? "https" : "http,https");
  if (!code)
    code = curl_easy_setopt(easy, CURLOPT_PROXY, "");  // its address would be checked instead
  if (!code) code = curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, redirects ? 1L : 0L);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)redirects);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, outward);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, before_request);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_PREREQDATA, outward);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  return code;
}

int ra__outward_refused(const char *shown, ra_err *err) {
  return ra_fail(
      err, RA_E_DENIED, shown,
      "its address is loopback, private or otherwise special; fetch_allow names what may "
      "be asked all the same");
}
