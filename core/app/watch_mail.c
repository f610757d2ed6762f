// watch_mail.c - see watch_mail.h
#include "app/watch_mail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uv.h>

typedef struct letter {
  struct letter *next;
  ra_watch_offer offer;
} letter;

struct ra_watch_mail {
  uv_mutex_t lock;
  int fd;
  bool ended;
  letter *offers, **last_offer;
  ra_watch_result *results, **last_result;
};

int ra_watch_mail_new(ra_watch_mail **out, ra_err *err) {
  ra_watch_mail *m = calloc(1, sizeof *m);
  if (!m) return ra_fail(err, RA_E_NOMEM, "", "no memory to watch a folder");
  m->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (m->fd < 0 || uv_mutex_init(&m->lock) != 0) {
    int code = errno;
    if (m->fd >= 0) close(m->fd);
    free(m);
    return ra_fail_errno(err, code, "", "no descriptor to watch a folder with");
  }
  m->last_offer = &m->offers;
  m->last_result = &m->results;
  *out = m;
  return RA_OK;
}

void ra_watch_mail_free(ra_watch_mail *m) {
  if (!m) return;
  ra_watch_offer offer;
  while (ra_watch_mail_take_offer(m, &offer)) free(offer.path);
  for (ra_watch_result *r = m->results, *next; r; r = next) {
    next = r->next;
    ra_watch_result_free(r);
  }
  uv_mutex_destroy(&m->lock);
  close(m->fd);
  free(m);
}

int ra_watch_mail_fd(const ra_watch_mail *m) { return m->fd; }

static void wake(ra_watch_mail *m) {
  uint64_t one = 1;
  ssize_t n = write(m->fd, &one, sizeof one);
  (void)n;  // it cannot fail but by being awake already
}

void ra_watch_mail_offer(ra_watch_mail *m, const char *path, const ra_watch_stamp *stamp, bool back) {
  letter *l = calloc(1, sizeof *l);
  if (l) l->offer = (ra_watch_offer){.path = strdup(path), .stamp = *stamp, .back = back};
  if (!l || !l->offer.path) {
    free(l);
    return;
  }
  uv_mutex_lock(&m->lock);
  *m->last_offer = l;
  m->last_offer = &l->next;
  uv_mutex_unlock(&m->lock);
}

bool ra_watch_mail_take_offer(ra_watch_mail *m, ra_watch_offer *out) {
  uv_mutex_lock(&m->lock);
  letter *l = m->offers;
  if (l) m->offers = l->next;
  if (!m->offers) m->last_offer = &m->offers;
  uv_mutex_unlock(&m->lock);
  if (!l) return false;
  *out = l->offer;
  free(l);
  return true;
}

void ra_watch_mail_result(ra_watch_mail *m, const ra_watch_offer *offer, ra_watch_outcome outcome,
                          const char *sentence) {
  size_t n = strlen(offer->path) + 1;
  ra_watch_result *r = calloc(1, sizeof *r + n);
  if (!r) return;
  memcpy(r->path, offer->path, n);
  r->stamp = offer->stamp;
  r->outcome = outcome;
  r->sentence = sentence ? strdup(sentence) : NULL;
  uv_mutex_lock(&m->lock);
  *m->last_result = r;
  m->last_result = &r->next;
  uv_mutex_unlock(&m->lock);
  wake(m);
}

ra_watch_result *ra_watch_mail_take_results(ra_watch_mail *m) {
  uint64_t count;
  ssize_t n = read(m->fd, &count, sizeof count);
  (void)n;
  uv_mutex_lock(&m->lock);
  ra_watch_result *list = m->results;
  m->results = NULL;
  m->last_result = &m->results;
  uv_mutex_unlock(&m->lock);
  return list;
}

void ra_watch_result_free(ra_watch_result *result) {
  free(result->sentence);
  free(result);
}

void ra_watch_mail_end(ra_watch_mail *m) {
  uv_mutex_lock(&m->lock);
  m->ended = true;
  uv_mutex_unlock(&m->lock);
  wake(m);
}

bool ra_watch_mail_ended(ra_watch_mail *m) {
  uv_mutex_lock(&m->lock);
  bool ended = m->ended;
  uv_mutex_unlock(&m->lock);
  return ended;
}
