// remote.c - see remote.h. libcurl's easy interface; handles, and with them connections, wait in a list for the next read.
#include "net/remote.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/lane.h"
#include "net/outward.h"
#include "net/remote_head.h"

#define SILENT_NS ((uint64_t)1000 * 1000 * 1000)
enum {
  SILENT = 16,
  IDLE = 16,
  REDIRECTS = 5,
  STALLS = 6,
  HOUR_MS = 3600 * 1000,
  HEAD_MOST = 64 << 10
};
_Static_assert((int)RA_REMOTE_TAG == (int)RA__REMOTE_TAG, "a tag is kept whole");

typedef struct silent {
  char server[200];  // scheme, host and port, or their beginning
  uint64_t until;    // clock, ns
} silent;

struct ra_remote {
  const char *const *allowed;
  uint64_t stall_ms;
  pthread_mutex_t lock;
  CURL *idle[IDLE];
  unsigned idle_count;
  silent silent[SILENT];  // servers that did not answer in time, of late
  unsigned next_silent;
};

typedef struct transfer {
  ra_remote *remote;
  const char *url;
  CURL *easy;
  ra__outward outward;
  ra__remote_head head;
  size_t head_bytes;
  ra_cancel *cancel;
  const ra_remote_state *state;  // what it has to be; NULL: anything
  bool ranged;
  uint64_t offset, size;  // wanted; not ranged: the most
  uint64_t got;
  // One of these takes the bytes.
  uint8_t *dst;
  int fd;
  ra_str *text;
  int failed;  // errno of a write
  int rc;      // of what an answer's head said
  ra_err *err;
  char message[CURL_ERROR_SIZE];
} transfer;

// ---- what may be asked

static bool has_credentials(const char *url) {
  const char *host = strstr(url, "://") + 3;
  return memchr(host, '@', strcspn(host, "/?#")) != NULL;
}

int ra_remote_check_url(const char *url, ra_err *err) {
  int rc = ra__outward_check(url, err);
  if (rc < 0 || !has_credentials(url)) return rc;
  return ra_fail(err, RA_E_INVALID, "url", "a user and password in a URL are sent to nobody");
}

// ---- what is said of it

static int say(const transfer *t, int code, const char *what) {
  ra_str shown;
  ra_str_init(&shown);
  ra_str_add_url(&shown, t->url);
  int rc = ra_fail(t->err, code, shown.ptr ? shown.ptr : "", "%s", what);
  ra_str_deinit(&shown);
  return rc;
}

static int say_refused(const transfer *t) {
  ra_str shown;
  char *last = NULL;
  ra_str_init(&shown);
  curl_easy_getinfo(t->easy, CURLINFO_EFFECTIVE_URL, &last);  // where a redirect led
  ra_str_add_url(&shown, last ? last : t->url);
  int rc = ra__outward_refused(shown.ptr ? shown.ptr : "", t->err);
  ra_str_deinit(&shown);
  return rc;
}

static int say_late(const transfer *t) {
  return say(t, RA_E_UPSTREAM_TIMEOUT, "the server did not answer in time");
}

static int changed(const transfer *t) {
  return say(t, RA_E_CONFLICT, "was changed or removed since it was ingested; ingest it again");
}

static int judge_status(const transfer *t, long status) {
  if (status == 404 || status == 410)
    return t->state ? changed(t) : say(t, RA_E_NOTFOUND, "the server has no such file");
  if (t->state && (status == 412 || status == 416)) return changed(t);
  if (status == 401 || status == 403)
    return say(t, t->state ? RA_E_UPSTREAM : RA_E_DENIED, "the server does not give it to us");
  char text[80];
  snprintf(text, sizeof text, "the server answered %ld", status);
  return say(t, RA_E_UPSTREAM, text);
}

static int judge_range(const transfer *t, long status) {
  const ra__remote_head *head = &t->head;
  bool all = status == 200 && t->offset == 0 && head->has_length && head->length == t->size;
  if (status == 200 && !all)
    return say(t, RA_E_UNSUPPORTED,
               "the server gives whole files only, no byte ranges; ingest it without --virtual");
  if (status == 206 && !head->has_range)
    return say(t, RA_E_UPSTREAM, "the server does not say which bytes it gives");
  uint64_t total = all ? head->length : head->total;
  if (t->state && total != t->state->size) return changed(t);
  if (!all && (head->first != t->offset || head->last - head->first != t->size - 1))
    return say(t, RA_E_UPSTREAM, "the server gives other bytes than were asked for");
  return RA_OK;
}

static const char *tag_of(const ra__remote_head *head) {
  return head->etag[0] ? head->etag : head->modified;
}

// Called once, before the first byte of a body is believed.
static int judge_head(transfer *t) {
  long status = 0;
  curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
  if (status != 200 && status != 206) return judge_status(t, status);
  if (t->head.encoded) return say(t, RA_E_UPSTREAM, "the server gives it compressed, unasked");
  if (t->state && strcmp(t->state->tag, tag_of(&t->head)) != 0) return changed(t);
  if (t->ranged) return judge_range(t, status);
  if (status != 200) return say(t, RA_E_UPSTREAM, "the server gives a part of it, unasked");
  if (t->head.has_length && t->head.length > t->size)
    return say(t, RA_E_TOOBIG, "is larger than what is fetched at once");
  return RA_OK;
}

// ---- what comes back

static size_t take_header(char *bytes, size_t size, size_t n, void *ctx) {
  transfer *t = ctx;
  size_t all = size * n, len = all;
  t->head_bytes += len;
  if (t->head_bytes > HEAD_MOST) return 0;
  while (len && (bytes[len - 1] == '\n' || bytes[len - 1] == '\r')) len--;
  ra__remote_head_line(&t->head, bytes, len);
  return all;
}

static bool write_all(transfer *t, const char *bytes, size_t size) {
  while (size) {
    ssize_t n = write(t->fd, bytes, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) t->failed = errno;
    if (n < 0) return false;
    bytes += n;
    size -= (size_t)n;
  }
  return true;
}

static size_t take_body(char *bytes, size_t size, size_t n, void *ctx) {
  transfer *t = ctx;
  size_t all = size * n;
  if (t->got == 0) t->rc = judge_head(t);
  if (t->rc < 0) return 0;
  if (all > t->size - t->got) {
    t->rc = say(t, t->ranged ? RA_E_UPSTREAM : RA_E_TOOBIG,
                t->ranged ? "the server gives more bytes than were asked for"
                          : "is larger than what is fetched at once");
    return 0;
  }
  if (t->dst) memcpy(t->dst + t->got, bytes, all);
  if (t->text) ra_str_add_bytes(t->text, bytes, all);
  t->got += all;
  return t->fd < 0 || write_all(t, bytes, all) ? all : 0;
}

static int tick(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
  (void)a, (void)b, (void)c, (void)d;
  return ra_cancel_is_set(((const transfer *)ctx)->cancel);
}

// ---- servers that are silent: whoever asks next, or has waited for the same, is told so at once

static void server_of(const char *url, char out[200]) {
  const char *host = strstr(url, "://") + 3;
  snprintf(out, 200, "%.*s", (int)((size_t)(host - url) + strcspn(host, "/?#")), url);
}

static bool is_silent(ra_remote *remote, const char *server) {
  bool found = false;
  uint64_t now = ra_clock_ns();
  pthread_mutex_lock(&remote->lock);
  for (unsigned i = 0; i < SILENT && !found; i++)
    found = strcmp(remote->silent[i].server, server) == 0 && remote->silent[i].until > now;
  pthread_mutex_unlock(&remote->lock);
  return found;
}

static void note_silent(ra_remote *remote, const char *server) {
  pthread_mutex_lock(&remote->lock);
  silent *slot = &remote->silent[remote->next_silent++ % SILENT];
  snprintf(slot->server, sizeof slot->server, "%s", server);
  slot->until = ra_clock_ns() + SILENT_NS;
  pthread_mutex_unlock(&remote->lock);
}

// ---- one transfer

static CURL *take_handle(ra_remote *remote) {
  pthread_mutex_lock(&remote->lock);
  CURL *easy = remote->idle_count ? remote->idle[--remote->idle_count] : NULL;
  pthread_mutex_unlock(&remote->lock);
  return easy ? easy : curl_easy_init();
}

static void give_handle(ra_remote *remote, CURL *easy) {
  curl_easy_reset(easy);
  pthread_mutex_lock(&remote->lock);
  bool kept = remote->idle_count < IDLE;
  if (kept) remote->idle[remote->idle_count++] = easy;
  pthread_mutex_unlock(&remote->lock);
  if (!kept) curl_easy_cleanup(easy);
}

static CURLcode set_limits(const transfer *t) {
  uint64_t stall = t->remote->stall_ms, all = t->ranged ? stall * STALLS : HOUR_MS;
  CURLcode code = curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)stall);
  if (!code) code = curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)all);
  if (!code) code = curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  if (!code) code = curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_TIME, (long)((stall + 999) / 1000));
  if (!code) code = curl_easy_setopt(t->easy, CURLOPT_NOPROGRESS, 0L);
  if (!code) code = curl_easy_setopt(t->easy, CURLOPT_XFERINFOFUNCTION, tick);
  if (!code) code = curl_easy_setopt(t->easy, CURLOPT_XFERINFODATA, t);
  return code;
}

static CURLcode set_up(transfer *t) {
  CURLcode code = ra__outward_set(t->easy, t->url, REDIRECTS, &t->outward);
  if (!code) code = set_limits(t);
  if (!code) code = curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, take_body);
  if (!code) code = curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
  if (!code) code = curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, take_header);
  if (!code) code = curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
  if (!code) code = curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->message);
  if (code || !t->ranged) return code;
  char range[64];
  snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)t->offset,
           (unsigned long long)(t->offset + t->size - 1));
  return curl_easy_setopt(t->easy, CURLOPT_RANGE, range);
}

static int judge_end(transfer *t, CURLcode code) {
  if (t->outward.refused) return say_refused(t);
  if (ra_cancel_is_set(t->cancel)) return say(t, RA_E_CANCELLED, "cancelled");
  if (t->rc < 0) return t->rc;
  if (t->failed) return ra_fail_errno(t->err, t->failed, "", "what was fetched cannot be kept");
  const char *detail = t->message[0] ? t->message : curl_easy_strerror(code);
  if (code == CURLE_OPERATION_TIMEDOUT) return say_late(t);
  if (code) return say(t, RA_E_UPSTREAM, detail);
  if (t->got == 0) t->rc = judge_head(t);
  if (t->rc < 0) return t->rc;
  if (t->ranged ? t->got != t->size : t->head.has_length && t->got != t->head.length)
    return say(t, RA_E_UPSTREAM, "the answer was cut short");
  return RA_OK;
}

static int run(transfer *t) {
  ra_lane_assert_off_loop("reading from a server");
  int rc = ra_remote_check_url(t->url, t->err);
  if (rc < 0) return rc;
  char server[200];
  server_of(t->url, server);
  if (is_silent(t->remote, server)) return say_late(t);
  t->outward.allowed = t->remote->allowed;
  t->easy = take_handle(t->remote);
  if (!t->easy) return say(t, RA_E_NOMEM, "no memory for an HTTP request");
  CURLcode code = set_up(t);
  if (!code) code = curl_easy_perform(t->easy);
  rc = judge_end(t, code);
  if (rc == RA_E_UPSTREAM_TIMEOUT) note_silent(t->remote, server);
  give_handle(t->remote, t->easy);
  return rc;
}

static void note_state(const transfer *t, uint64_t size, ra_remote_state *out) {
  *out = (ra_remote_state){.size = size};
  snprintf(out->tag, sizeof out->tag, "%s", tag_of(&t->head));
}

// ---- public

int ra_remote_new(const char *const *allowed, uint64_t stall_ms, ra_remote **out, ra_err *err) {
  ra_remote *remote = calloc(1, sizeof *remote);
  if (!remote || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    free(remote);
    return ra_fail(err, RA_E_NOMEM, "", "no memory for HTTP requests");
  }
  remote->allowed = allowed;
  remote->stall_ms = stall_ms;
  pthread_mutex_init(&remote->lock, NULL);
  *out = remote;
  return RA_OK;
}

void ra_remote_free(ra_remote *remote) {
  if (!remote) return;
  for (unsigned i = 0; i < remote->idle_count; i++) curl_easy_cleanup(remote->idle[i]);
  pthread_mutex_destroy(&remote->lock);
  free(remote);
}

int ra_remote_look(ra_remote *remote, const char *url, ra_cancel *cancel, ra_remote_state *out,
                   ra_err *err) {
  uint8_t first;
  transfer t = {.remote = remote, .url = url, .cancel = cancel, .err = err, .fd = -1};
  t.ranged = true;
  t.size = 1;
  t.dst = &first;
  int rc = run(&t);
  if (rc >= 0) note_state(&t, t.head.has_range ? t.head.total : t.head.length, out);
  return rc;
}

int ra_remote_read(ra_remote *remote, const char *url, const ra_remote_state *state,
                   uint64_t offset, size_t size, uint8_t *dst, ra_cancel *cancel, ra_err *err) {
  transfer t = {.remote = remote, .url = url, .cancel = cancel, .err = err, .fd = -1};
  t.state = state;
  t.ranged = true;
  t.offset = offset;
  t.size = size;
  t.dst = dst;
  if (offset > state->size || size > state->size - offset)
    return say(&t, RA_E_CORRUPT, "ends before the bytes that were to be read");
  return size ? run(&t) : RA_OK;
}

int ra_remote_download(ra_remote *remote, const char *url, uint64_t most, int fd, ra_cancel *cancel,
                       ra_remote_state *out, ra_err *err) {
  transfer t = {.remote = remote, .url = url, .cancel = cancel, .err = err, .fd = fd, .size = most};
  int rc = run(&t);
  if (rc >= 0) note_state(&t, t.got, out);
  return rc;
}

int ra_remote_text(ra_remote *remote, const char *url, size_t most, ra_cancel *cancel, ra_str *text,
                   ra_remote_state *out, ra_err *err) {
  transfer t = {.remote = remote, .url = url, .cancel = cancel, .err = err, .fd = -1, .size = most};
  t.text = text;
  int rc = run(&t);
  if (rc >= 0 && text->failed) rc = say(&t, RA_E_NOMEM, "no memory for a text");
  if (rc >= 0) note_state(&t, t.got, out);
  return rc;
}
