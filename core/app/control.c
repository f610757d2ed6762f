// control.c - see control.h. The pair is SOCK_SEQPACKET, so that a message is one packet and needs no framing of ours:
// name (28 bytes, filled with NULs), id, bytes.
#include "app/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

enum { READS_A_TURN = 16 };

typedef struct head {
  char name[RA_CONTROL_NAME_MAX + 1];
  uint32_t id;
} head;

typedef struct packet {
  struct packet *next;
  size_t size;
  char bytes[];
} packet;

typedef struct handler {
  const char *name;
  ra_control_fn *fn;
  void *ctx;
} handler;

struct ra_control {
  uv_poll_t poll;
  int fd;
  bool gone, freed;
  handler handlers[RA_CONTROL_HANDLERS_MAX];
  unsigned handler_count;
  handler other;
  void (*closed)(void *ctx);
  void *closed_ctx;
  packet *first, **last;
  unsigned waiting;
  char buffer[sizeof(head) + RA_CONTROL_BYTES_MAX + 1];
};

int ra_control_pair(int fds[2], ra_err *err) {
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0) return RA_OK;
  return ra_fail_errno(err, errno, "", "no socket pair for a worker");
}

static void on_ready(uv_poll_t *poll, int status, int events);

static void watch(ra_control *control) {
  uv_poll_start(&control->poll, control->first ? UV_READABLE | UV_WRITABLE : UV_READABLE, on_ready);
}

int ra_control_new(uv_loop_t *loop, int fd, ra_control **out, ra_err *err) {
  ra_control *control = calloc(1, sizeof *control);
  if (!control || uv_poll_init(loop, &control->poll, fd) != 0) {
    free(control);
    close(fd);
    return ra_fail(err, RA_E_NOMEM, "", "no control channel to a worker");
  }
  control->fd = fd;
  control->poll.data = control;
  control->last = &control->first;
  uv_unref((uv_handle_t *)&control->poll);
  watch(control);
  *out = control;
  return RA_OK;
}

static void drop_first(ra_control *control) {
  packet *next = control->first->next;
  free(control->first);
  control->first = next;
  control->waiting--;
  if (!next) control->last = &control->first;
}

static void on_closed(uv_handle_t *handle) {
  ra_control *control = handle->data;
  close(control->fd);
  while (control->first) drop_first(control);
  free(control);
}

void ra_control_free(ra_control *control) {
  if (!control || control->freed) return;
  control->freed = true;
  uv_close((uv_handle_t *)&control->poll, on_closed);
}

// ---- receiving

static handler *find(ra_control *control, const char *name) {
  for (unsigned i = 0; i < control->handler_count; i++) {
    if (strcmp(control->handlers[i].name, name) == 0) return &control->handlers[i];
  }
  return NULL;
}

int ra_control_on(ra_control *control, const char *name, ra_control_fn *fn, void *ctx, ra_err *err) {
  handler *slot = find(control, name);
  if (!slot) {
    if (control->handler_count == RA_CONTROL_HANDLERS_MAX)
      return ra_fail(err, RA_E_INTERNAL, name, "more than %d handlers", RA_CONTROL_HANDLERS_MAX);
    slot = &control->handlers[control->handler_count++];
  }
  *slot = (handler){name, fn, ctx};
  return RA_OK;
}

void ra_control_on_other(ra_control *control, ra_control_fn *fn, void *ctx) {
  control->other = (handler){.fn = fn, .ctx = ctx};
}

void ra_control_on_closed(ra_control *control, void (*closed)(void *ctx), void *ctx) {
  control->closed = closed;
  control->closed_ctx = ctx;
}

static void gone(ra_control *control) {
  if (control->gone) return;
  control->gone = true;
  uv_poll_stop(&control->poll);
  if (control->closed) control->closed(control->closed_ctx);
}

static void deliver(ra_control *control, size_t size) {
  head h;
  if (size < sizeof h || size >= sizeof control->buffer) {
    ra_log(RA_LOG_ERROR, "a control message of %zu bytes was dropped", size);
    return;
  }
  memcpy(&h, control->buffer, sizeof h);
  h.name[RA_CONTROL_NAME_MAX] = 0;
  control->buffer[size] = 0;
  const ra_control_message message = {h.name, h.id, control->buffer + sizeof h, size - sizeof h};
  const handler *to = find(control, h.name);
  if (!to || !to->fn) to = &control->other;
  if (to->fn) {
    to->fn(to->ctx, &message);
  } else {
    ra_log(RA_LOG_WARN, "a control message '%s' has no handler", h.name);
  }
}

static void receive(ra_control *control) {
  for (int i = 0; i < READS_A_TURN && !control->freed && !control->gone; i++) {
    ssize_t n = recv(control->fd, control->buffer, sizeof control->buffer, MSG_DONTWAIT | MSG_TRUNC);
    if (n > 0) {
      deliver(control, (size_t)n);
    } else if (n < 0 && errno == EAGAIN) {
      return;
    } else if (n == 0 || (errno != EINTR && errno != ECONNRESET)) {
      gone(control);  // a reset is told once and before what had arrived by then
    }
  }
}

// ---- sending

// 1: sent, 0: not now, -1: the other side is gone.
static int put(const ra_control *control, const void *bytes, size_t size) {
  for (;;) {
    if (send(control->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return 1;
    if (errno != EINTR) return errno == EAGAIN || errno == ENOBUFS ? 0 : -1;
  }
}

// What cannot be sent because the other side is gone is dropped; receive() finds that out for itself.
static void flush(ra_control *control) {
  while (control->first && put(control, control->first->bytes, control->first->size) != 0)
    drop_first(control);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
  ra_control *control = poll->data;
  if (events & UV_WRITABLE) flush(control);
  if (status < 0 || events & UV_READABLE) receive(control);
  if (!control->freed && !control->gone) watch(control);
}

static packet *make_packet(const char *name, uint32_t id, const void *bytes, size_t size) {
  packet *p = calloc(1, sizeof *p + sizeof(head) + size);
  if (!p) return NULL;
  head h = {.id = id};
  memcpy(h.name, name, strlen(name));
  memcpy(p->bytes, &h, sizeof h);
  if (size) memcpy(p->bytes + sizeof h, bytes, size);
  p->size = sizeof h + size;
  return p;
}

int ra_control_send(ra_control *control, const char *name, uint32_t id, const void *bytes,
                    size_t size, ra_err *err) {
  if (!*name || strlen(name) > RA_CONTROL_NAME_MAX || size > RA_CONTROL_BYTES_MAX)
    return ra_fail(err, RA_E_TOOBIG, name,
                   "a control message has a name of 1 to %d bytes and at most %d more",
                   RA_CONTROL_NAME_MAX, RA_CONTROL_BYTES_MAX);
  if (control->gone || control->freed)
    return ra_fail(err, RA_E_IO, name, "the other side of the control channel is gone");
  if (control->waiting == RA_CONTROL_WAITING_MAX)
    return ra_fail(err, RA_E_BUSY, name,
                   "%d control messages wait already; the other side does not read",
                   RA_CONTROL_WAITING_MAX);
  packet *p = make_packet(name, id, bytes, size);
  if (!p) return ra_fail(err, RA_E_NOMEM, name, "no memory for a control message");
  int sent = control->first ? 0 : put(control, p->bytes, p->size);
  if (sent != 0) {
    free(p);
    return sent > 0 ? RA_OK
                    : ra_fail(err, RA_E_IO, name, "the other side of the control channel is gone");
  }
  *control->last = p;
  control->last = &p->next;
  control->waiting++;
  watch(control);
  return RA_OK;
}
