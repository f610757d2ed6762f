// fetch.c - see fetch.h. curl says which sockets and what timeout it waits for; uv_poll and uv_timer wait.
#include "net/fetch.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/outward.h"

enum { HEADERS_MOST = 64 << 10 };

typedef struct waiting {  // a socket that curl waits for
  uv_poll_t poll;
  ra_fetcher *fetcher;
  curl_socket_t socket;
} waiting;

struct ra_fetcher {
  uv_loop_t *loop;
  const char *const *allowed;
  CURLM *multi;
  uv_timer_t timer;
};

struct ra_fetch {
  ra_fetcher *fetcher;
  CURL *easy;
  struct curl_slist *headers;
  size_t most;
  ra_fetch_answer answer;
  void (*done)(void *ctx, int rc, ra_fetch_answer *answer, const ra_err *err);
  void *ctx;
  ra__outward outward;
  bool too_big;
  char message[CURL_ERROR_SIZE];
};

// ---- what comes back

static size_t take_body(char *bytes, size_t size, size_t n, void *ctx) {
  ra_fetch *fetch = ctx;
  if (size * n > fetch->most - fetch->answer.body.len) {
    fetch->too_big = true;
    return 0;
  }
  ra_str_add_bytes(&fetch->answer.body, bytes, size * n);
  return fetch->answer.body.failed ? 0 : size * n;
}

static size_t take_header(char *bytes, size_t size, size_t n, void *ctx) {
  ra_fetch *fetch = ctx;
  ra_str *out = &fetch->answer.headers;
  size_t len = size * n;
  if (len >= 5 && strncasecmp(bytes, "HTTP/", 5) == 0)
    out->len = 0;  // of a redirect, or "100 Continue"
  const char *colon = memchr(bytes, ':', len);
  if (!colon) return len;
  if (len > HEADERS_MOST - out->len) {
    fetch->too_big = true;
    return 0;
  }
  for (const char *p = bytes; p < colon; p++)
    ra_str_add_char(out, (char)tolower((unsigned char)*p));
  size_t tail = len;
  while (tail && (bytes[tail - 1] == '\n' || bytes[tail - 1] == '\r')) tail--;
  ra_str_add_bytes(out, colon, (size_t)(bytes + tail - colon));
  ra_str_add_char(out, '\n');
  return len;
}

// ---- ends

static void free_fetch(ra_fetch *fetch) {
  if (fetch->easy) {
    curl_multi_remove_handle(fetch->fetcher->multi, fetch->easy);
    curl_easy_cleanup(fetch->easy);
  }
  curl_slist_free_all(fetch->headers);
  ra_str_deinit(&fetch->answer.headers);
  ra_str_deinit(&fetch->answer.body);
  free(fetch);
}

static int judge(const ra_fetch *fetch, CURLcode code, const char *shown, ra_err *err) {
  const char *detail = fetch->message[0] ? fetch->message : curl_easy_strerror(code);
  if (fetch->outward.refused) return ra__outward_refused(shown, err);
  if (fetch->too_big)
    return ra_fail(err, RA_E_TOOBIG, shown, "the answer is larger than the %zu bytes allowed",
                   fetch->most);
  if (fetch->answer.body.failed || fetch->answer.headers.failed)
    return ra_fail(err, RA_E_NOMEM, shown, "no memory for the answer");
  if (code == CURLE_OK) return RA_OK;
  if (code == CURLE_OPERATION_TIMEDOUT) return ra_fail(err, RA_E_TIMEOUT, shown, "%s", detail);
  return ra_fail(err, RA_E_IO, shown, "%s", detail);
}

static int verdict(const ra_fetch *fetch, CURLcode code, ra_err *err) {
  char *url = NULL;
  curl_easy_getinfo(fetch->easy, CURLINFO_EFFECTIVE_URL, &url);
  ra_str text;
  ra_str_init(&text);
  ra_str_add_url(&text, url ? url : "");
  int rc = judge(fetch, code, text.ptr ? text.ptr : "", err);
  ra_str_deinit(&text);
  return rc;
}

static void take_finished(ra_fetcher *f) {
  CURLMsg *message;
  for (int left; (message = curl_multi_info_read(f->multi, &left));) {
    if (message->msg != CURLMSG_DONE) continue;
    ra_fetch *fetch = NULL;
    ra_err err = {0};
    long status = 0;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &fetch);
    curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
    fetch->answer.status = (int)status;
    int rc = verdict(fetch, message->data.result, &err);
    fetch->done(fetch->ctx, rc, &fetch->answer, &err);
    free_fetch(fetch);
  }
}

// ---- the loop

static void on_timer(uv_timer_t *timer) {
  ra_fetcher *f = timer->data;
  int running;
  curl_multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &running);
  take_finished(f);
}

// Always from a turn of the loop: curl asks for 0 ms within ra_fetch_start.
static int set_timer(CURLM *multi, long ms, void *ctx) {
  (void)multi;
  ra_fetcher *f = ctx;
  if (ms < 0) {
    uv_timer_stop(&f->timer);
  } else {
    uv_timer_start(&f->timer, on_timer, ms ? (uint64_t)ms : 1, 0);
  }
  return 0;
}

static void on_socket(uv_poll_t *poll, int status, int events) {
  waiting *w = poll->data;
  ra_fetcher *f = w->fetcher;
  int flags = status < 0 ? CURL_CSELECT_ERR : 0, running;
  if (events & UV_READABLE) flags |= CURL_CSELECT_IN;
  if (events & UV_WRITABLE) flags |= CURL_CSELECT_OUT;
  curl_multi_socket_action(f->multi, w->socket, flags, &running);
  take_finished(f);
}

static void on_poll_closed(uv_handle_t *handle) { free(handle->data); }

static int set_socket(CURL *easy, curl_socket_t socket_, int what, void *ctx, void *mine) {
  (void)easy;
  ra_fetcher *f = ctx;
  waiting *w = mine;
  if (what == CURL_POLL_REMOVE) {
    if (!w) return 0;
    uv_poll_stop(&w->poll);
    uv_close((uv_handle_t *)&w->poll, on_poll_closed);
    curl_multi_assign(f->multi, socket_, NULL);
    return 0;
  }
  if (!w) {
    w = calloc(1, sizeof *w);
    if (!w || uv_poll_init(f->loop, &w->poll, socket_) != 0) {
      free(w);
      return -1;
    }
    w->poll.data = w;
    w->fetcher = f;
    w->socket = socket_;
    curl_multi_assign(f->multi, socket_, w);
  }
  int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
  return uv_poll_start(&w->poll, events, on_socket) == 0 ? 0 : -1;
}

// ---- the fetcher

int ra_fetcher_new(uv_loop_t *loop, const char *const *allowed, ra_fetcher **out, ra_err *err) {
  ra_fetcher *f = calloc(1, sizeof *f);
  if (f && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) f->multi = curl_multi_init();
  if (!f || !f->multi) {
    free(f);
    return ra_fail(err, RA_E_NOMEM, "", "no memory for HTTP requests");
  }
  f->loop = loop;
  f->allowed = allowed;
  uv_timer_init(loop, &f->timer);
  f->timer.data = f;
  curl_multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
  curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
  curl_multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, set_timer);
  curl_multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
  *out = f;
  return RA_OK;
}

static void on_fetcher_closed(uv_handle_t *handle) { free(handle->data); }

void ra_fetcher_free(ra_fetcher *f) {
  if (!f) return;
  curl_multi_cleanup(f->multi);
  uv_close((uv_handle_t *)&f->timer, on_fetcher_closed);
}

// ---- one request

static bool word(const char *text, size_t most) {
  size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
  return n && n <= most && !text[n];
}

static bool one_line(const char *text) {
  for (; *text; text++) {
    if ((unsigned char)*text < 0x20 || *text == 0x7f) return false;
  }
  return true;
}

static int check(const ra_fetch_request *r, ra_err *err) {
  int rc = ra__outward_check(r->url, err);
  if (rc < 0) return rc;
  if (!word(r->method, 16))
    return ra_fail(err, RA_E_INVALID, "method", "GET, POST or the like is wanted");
  for (const char *const *h = r->headers; h && *h; h++) {
    if (!strchr(*h, ':') || !one_line(*h))
      return ra_fail(err, RA_E_INVALID, "headers", "a header's name and value are one line");
  }
  return RA_OK;
}

static CURLcode set_content(ra_fetch *fetch, const ra_fetch_request *r) {
  CURL *easy = fetch->easy;
  CURLcode code = CURLE_OK;
  if (r->body) {
    code = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->size);
    if (!code) code = curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, r->body);
  } else if (strcmp(r->method, "HEAD") == 0) {
    code = curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  }
  if (!code) code = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
  if (!code && fetch->headers) code = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fetch->headers);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_HEADERDATA, fetch);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, fetch->message);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch);
  return code;
}

static bool copy_headers(ra_fetch *fetch, const char *const *headers) {
  for (; headers && *headers; headers++) {
    struct curl_slist *longer = curl_slist_append(fetch->headers, *headers);
    if (!longer) return false;
    fetch->headers = longer;
  }
  return true;
}

int ra_fetch_start(ra_fetcher *f, const ra_fetch_request *r,
                   void (*done)(void *ctx, int rc, ra_fetch_answer *answer, const ra_err *err),
                   void *ctx, ra_fetch **out, ra_err *err) {
  int rc = check(r, err);
  if (rc < 0) return rc;
  ra_fetch *fetch = calloc(1, sizeof *fetch);
  if (!fetch) return ra_fail(err, RA_E_NOMEM, "", "no memory for an HTTP request");
  *fetch = (ra_fetch){
      .fetcher = f, .most = r->most, .done = done, .ctx = ctx, .outward.allowed = f->allowed};
  fetch->easy = curl_easy_init();
  CURLcode code = fetch->easy && copy_headers(fetch, r->headers)
                      ? ra__outward_set(fetch->easy, r->url, r->redirects, &fetch->outward)
                      : CURLE_OUT_OF_MEMORY;
  if (!code) code = set_content(fetch, r);
  if (!code && curl_multi_add_handle(f->multi, fetch->easy) != CURLM_OK) code = CURLE_FAILED_INIT;
  if (code) {
    free_fetch(fetch);
    return ra_fail(err, RA_E_INVALID, "url", "%s", curl_easy_strerror(code));
  }
  *out = fetch;
  return RA_OK;
}

void ra_fetch_cancel(ra_fetch *fetch) { free_fetch(fetch); }

void ra_fetch_versions(ra_str *out) {
  const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);
  const char *tls = v->ssl_version ? v->ssl_version : "no TLS/";
  size_t n = strcspn(tls, "/");
  ra_str_addf(out, "libcurl %s, %.*s %s", v->version, (int)n, tls, tls + n + (tls[n] != 0));
}
