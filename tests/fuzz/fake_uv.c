// fake_uv.c - see fake_uv.h
#include "fake_uv.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { HANDLES = 64, WORKS = 64, INPUT = 1 << 20 };

typedef struct fake_socket {
  bool used, accepted, closed, reading, ended, ended_told, broken;
  uv_stream_t *handle;
  uv_alloc_cb alloc;
  uv_read_cb read;
  char *input;
  size_t from, to, window;
  uv_write_t *write;
  uv_write_cb written;
  uv_buf_t bufs[4];
  unsigned buf_count;
  uv_shutdown_t *shutdown;
  uv_shutdown_cb shut;
} fake_socket;

typedef struct closing {
  uv_handle_t *handle;
  uv_close_cb done;
} closing;

static fake_socket sockets[FAKE_SOCKETS];
static closing closings[HANDLES];
static unsigned closing_count;
static uv_timer_t *timers[HANDLES];
static uv_idle_t *idles[HANDLES];
static uv_poll_t *polls[HANDLES];
static int wanted[FAKE_SOCKETS];  // events, by the socket that is polled
static struct {
  uv_work_t *work;
  uv_work_cb run;
  uv_after_work_cb done;
} works[WORKS];
static unsigned work_count;
static uint64_t now;
static uv_stream_t *listener;
static uv_connection_cb connected;
static int waiting;  // the socket to be accepted
static fake_output *output;
static void *output_ctx;
static int spares[FAKE_SOCKETS];  // descriptors for what asks the kernel about one

static void must(bool truth) {
  if (!truth) abort();
}

// Lists of handles, by address; NULL is a free place.
static void put(void **list, void *item) {
  for (unsigned i = 0; i < HANDLES; i++) {
    if (list[i] == item) return;
  }
  unsigned i = 0;
  while (i < HANDLES && list[i]) i++;
  must(i < HANDLES);
  list[i] = item;
}

static void drop(void **list, const void *item) {
  for (unsigned i = 0; i < HANDLES; i++) {
    if (list[i] == item) list[i] = NULL;
  }
}

#define PUT(list, item) put((void **)(list), item)
#define DROP(list, item) drop((void **)(list), item)

static fake_socket *socket_of(const void *handle) {
  for (unsigned i = 0; i < FAKE_SOCKETS; i++) {
    if (sockets[i].handle == handle && !sockets[i].closed) return &sockets[i];
  }
  return NULL;
}

// ---- the test's side

void fake_reset(fake_output *out, void *ctx) {
  for (unsigned i = 0; i < FAKE_SOCKETS; i++) free(sockets[i].input);
  memset(sockets, 0, sizeof sockets);
  memset(timers, 0, sizeof timers);
  memset(idles, 0, sizeof idles);
  memset(polls, 0, sizeof polls);
  closing_count = work_count = 0;
  now = 0;
  listener = NULL;
  waiting = -1;
  output = out;
  output_ctx = ctx;
  for (unsigned i = 0; i < FAKE_SOCKETS && !spares[i]; i++)
    spares[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

bool fake_open(unsigned i) { return sockets[i].accepted && !sockets[i].closed; }

const uv_handle_t *fake_handle(unsigned i) { return (const uv_handle_t *)sockets[i].handle; }

int fake_connect(size_t window) {
  int i = 0;
  while (i < FAKE_SOCKETS && sockets[i].used) i++;
  if (i == FAKE_SOCKETS || !listener) return -1;
  sockets[i] = (fake_socket){.used = true, .window = window, .input = malloc(INPUT)};
  must(sockets[i].input != NULL);
  waiting = i;
  connected(listener, 0);
  waiting = -1;
  return i;
}

static bool readable(const fake_socket *s) { return s->accepted && !s->closed && s->reading; }

static void deliver(fake_socket *s) {
  while (readable(s) && s->from < s->to && !s->broken) {
    uv_buf_t buf = {0};
    s->alloc((uv_handle_t *)s->handle, 65536, &buf);
    must(buf.len > 0);
    size_t n = s->to - s->from < buf.len ? s->to - s->from : buf.len;
    memcpy(buf.base, s->input + s->from, n);
    s->from += n;
    s->read(s->handle, (ssize_t)n, &buf);
  }
  uv_buf_t none = {0};
  if (readable(s) && s->broken) {
    s->reading = false;
    s->read(s->handle, UV_ECONNRESET, &none);
  } else if (readable(s) && s->ended && !s->ended_told && s->from == s->to) {
    s->ended_told = true;
    s->reading = false;
    s->read(s->handle, UV_EOF, &none);
  }
}

void fake_send(unsigned i, const void *data, size_t size) {
  fake_socket *s = &sockets[i];
  if (!s->used || s->closed || s->ended || s->broken) return;
  if (s->from == s->to) s->from = s->to = 0;
  if (size > INPUT - s->to) return;
  memcpy(s->input + s->to, data, size);
  s->to += size;
  deliver(s);
}

// To those who wait for something else of a socket than its bytes.
static void tell_polls(unsigned i, int status, int events) {
  for (unsigned k = 0; k < HANDLES && fake_open(i); k++) {
    if (!polls[k] || polls[k]->u.fd != (int)i) continue;
    if (status == 0 && !(wanted[i] & events)) continue;
    polls[k]->poll_cb(polls[k], status, events);
  }
}

void fake_end(unsigned i) {
  bool before = sockets[i].ended;
  sockets[i].ended = true;
  deliver(&sockets[i]);
  if (!before) tell_polls(i, 0, UV_DISCONNECT);
}

void fake_break(unsigned i) {
  sockets[i].broken = true;
  deliver(&sockets[i]);
  tell_polls(i, UV_EBADF, 0);
}

static void take(const fake_socket *s, const uv_buf_t *buf, size_t n) {
  output(output_ctx, (unsigned)(s - sockets), buf->base, n);
}

// Writes of a queued request what fits; its callback when all is out.
static void flush(fake_socket *s) {
  if (!s->write || s->closed) return;
  while (s->buf_count && (s->window || !s->bufs[0].len) && !s->broken) {
    size_t n = s->bufs[0].len < s->window ? s->bufs[0].len : s->window;
    take(s, &s->bufs[0], n);
    s->window -= n;
    s->bufs[0].base += n;
    s->bufs[0].len -= n;
    if (!s->bufs[0].len) memmove(s->bufs, s->bufs + 1, --s->buf_count * sizeof *s->bufs);
  }
  if (s->buf_count && !s->broken) return;
  uv_write_t *write = s->write;
  s->write = NULL;
  s->written(write, s->broken ? UV_EPIPE : 0);
}

static void finish_shutdown(fake_socket *s) {
  if (!s->shutdown || s->write || s->closed) return;
  uv_shutdown_t *request = s->shutdown;
  s->shutdown = NULL;
  s->shut(request, s->broken ? UV_ENOTCONN : 0);
}

void fake_read(unsigned i, size_t size) {
  sockets[i].window += size;
  flush(&sockets[i]);
  finish_shutdown(&sockets[i]);
}

void fake_pass(uint64_t ms) {
  uint64_t until = now + ms;
  for (unsigned rounds = 0; rounds < 10000; rounds++) {
    uv_timer_t *first = NULL;
    for (unsigned i = 0; i < HANDLES; i++) {
      if (timers[i] && timers[i]->timeout <= until && (!first || timers[i]->timeout < first->timeout))
        first = timers[i];
    }
    if (!first) break;
    if (first->timeout > now) now = first->timeout;
    if (first->repeat) {
      first->timeout = now + first->repeat;
    } else {
      DROP(timers, first);
    }
    first->timer_cb(first);
  }
  now = until;
}

void fake_work(void) {
  if (!work_count) return;
  uv_work_t *work = works[0].work;
  uv_after_work_cb done = works[0].done;
  works[0].run(work);
  memmove(works, works + 1, --work_count * sizeof *works);
  done(work, 0);
}

// What is under way when its handle is closed ends before the handle does.
static void cancel_requests(const uv_handle_t *handle) {
  fake_socket *s = NULL;
  for (unsigned i = 0; i < FAKE_SOCKETS; i++) {
    if (sockets[i].closed && (uv_handle_t *)sockets[i].handle == handle) s = &sockets[i];
  }
  if (!s) return;
  s->handle = NULL;

  if (s->write) {
    uv_write_t *write = s->write;
    s->write = NULL;
    s->written(write, UV_ECANCELED);
  }
  if (s->shutdown) {
    uv_shutdown_t *request = s->shutdown;
    s->shutdown = NULL;
    s->shut(request, UV_ECANCELED);
  }
}

void fake_turn(void) {
  for (unsigned i = 0; i < HANDLES; i++) {
    if (idles[i]) idles[i]->idle_cb(idles[i]);
  }
  for (unsigned i = 0; i < FAKE_SOCKETS; i++) {
    flush(&sockets[i]);
    finish_shutdown(&sockets[i]);
    if (sockets[i].used) deliver(&sockets[i]);
  }
  while (closing_count) {
    closing first = closings[0];
    memmove(closings, closings + 1, --closing_count * sizeof *closings);
    cancel_requests(first.handle);
    if (first.done) first.done(first.handle);
  }
}

bool fake_quiet(void) {
  bool idle = false;
  for (unsigned i = 0; i < HANDLES; i++) idle |= idles[i] != NULL;
  return !idle && !work_count && !closing_count;
}

// ---- libuv's side

uint64_t uv_now(const uv_loop_t *loop) {
  (void)loop;
  return now;
}

void uv_ref(uv_handle_t *handle) { (void)handle; }
void uv_unref(uv_handle_t *handle) { (void)handle; }

int uv_timer_init(uv_loop_t *loop, uv_timer_t *timer) {
  (void)loop;
  timer->type = UV_TIMER;
  return 0;
}

int uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat) {
  timer->timer_cb = cb;
  timer->timeout = now + timeout;
  timer->repeat = repeat;
  PUT(timers, timer);
  return 0;
}

int uv_timer_stop(uv_timer_t *timer) {
  DROP(timers, timer);
  return 0;
}

int uv_idle_init(uv_loop_t *loop, uv_idle_t *idle) {
  (void)loop;
  idle->type = UV_IDLE;
  return 0;
}

int uv_idle_start(uv_idle_t *idle, uv_idle_cb cb) {
  idle->idle_cb = cb;
  PUT(idles, idle);
  return 0;
}

int uv_idle_stop(uv_idle_t *idle) {
  DROP(idles, idle);
  return 0;
}

int uv_queue_work(uv_loop_t *loop, uv_work_t *work, uv_work_cb run, uv_after_work_cb done) {
  (void)loop;
  must(work_count < WORKS);
  works[work_count].work = work;
  works[work_count].run = run;
  works[work_count++].done = done;
  return 0;
}

int uv_tcp_init(uv_loop_t *loop, uv_tcp_t *tcp) {
  (void)loop;
  tcp->type = UV_TCP;
  return 0;
}

int uv_tcp_open(uv_tcp_t *tcp, uv_os_sock_t fd) {
  (void)tcp;
  (void)fd;
  return 0;
}

int uv_tcp_nodelay(uv_tcp_t *tcp, int on) {
  (void)tcp;
  (void)on;
  return 0;
}

int uv_tcp_getpeername(const uv_tcp_t *tcp, struct sockaddr *name, int *size) {
  (void)tcp;
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  must((size_t)*size >= sizeof in);
  memcpy(name, &in, sizeof in);
  *size = sizeof in;
  return 0;
}

int uv_listen(uv_stream_t *stream, int backlog, uv_connection_cb cb) {
  (void)backlog;
  listener = stream;
  connected = cb;
  return 0;
}

int uv_accept(uv_stream_t *server, uv_stream_t *client) {
  (void)server;
  if (waiting < 0) return UV_EAGAIN;
  sockets[waiting].handle = client;
  sockets[waiting].accepted = true;
  return 0;
}

int uv_fileno(const uv_handle_t *handle, uv_os_fd_t *fd) {
  const fake_socket *s = socket_of(handle);
  if (!s) return UV_EBADF;
  *fd = spares[s - sockets];
  return 0;
}

int uv_read_start(uv_stream_t *stream, uv_alloc_cb alloc, uv_read_cb read) {
  fake_socket *s = socket_of(stream);
  if (!s) return UV_EINVAL;
  s->reading = true;
  s->ended_told = false;  // the end is told again to whom asks again
  s->alloc = alloc;
  s->read = read;
  return 0;
}

int uv_read_stop(uv_stream_t *stream) {
  fake_socket *s = socket_of(stream);
  if (s) s->reading = false;
  return 0;
}

int uv_try_write(uv_stream_t *stream, const uv_buf_t bufs[], unsigned count) {
  fake_socket *s = socket_of(stream);
  if (!s || s->broken) return UV_EPIPE;
  if (s->write) return UV_EAGAIN;
  size_t total = 0;
  for (unsigned i = 0; i < count; i++) {
    size_t n = bufs[i].len < s->window ? bufs[i].len : s->window;
    take(s, &bufs[i], n);
    s->window -= n;
    total += n;
    if (n < bufs[i].len) break;
  }
  return total ? (int)total : UV_EAGAIN;
}

int uv_write(uv_write_t *request, uv_stream_t *stream, const uv_buf_t bufs[], unsigned count,
             uv_write_cb cb) {
  fake_socket *s = socket_of(stream);
  must(s && !s->write && count <= 4);  // one at a time is what the server promises
  s->write = request;
  s->written = cb;
  memcpy(s->bufs, bufs, count * sizeof *bufs);
  s->buf_count = count;
  return 0;
}

size_t uv_stream_get_write_queue_size(const uv_stream_t *stream) {
  const fake_socket *s = socket_of(stream);
  size_t size = 0;
  for (unsigned i = 0; s && s->write && i < s->buf_count; i++) size += s->bufs[i].len;
  return size;
}

int uv_shutdown(uv_shutdown_t *request, uv_stream_t *stream, uv_shutdown_cb cb) {
  fake_socket *s = socket_of(stream);
  if (!s || s->broken) return UV_ENOTCONN;
  s->shutdown = request;
  s->shut = cb;
  return 0;
}

int uv_poll_init(uv_loop_t *loop, uv_poll_t *poll, int fd) {
  (void)loop;
  struct stat given, own;
  must(fstat(fd, &given) == 0);
  poll->type = UV_POLL;
  for (int i = 0; i < FAKE_SOCKETS; i++) {  // a copy of which socket's descriptor?
    if (fstat(spares[i], &own) == 0 && own.st_ino == given.st_ino) poll->u.fd = i;
  }
  return 0;
}

int uv_poll_start(uv_poll_t *poll, int events, uv_poll_cb cb) {
  wanted[poll->u.fd] = events;
  poll->poll_cb = cb;
  PUT(polls, poll);
  return 0;
}

void uv_close(uv_handle_t *handle, uv_close_cb cb) {
  DROP(timers, handle);
  DROP(idles, handle);
  DROP(polls, handle);
  if ((uv_handle_t *)listener == handle) listener = NULL;
  must(closing_count < HANDLES);
  closings[closing_count++] = (closing){handle, cb};
  fake_socket *s = socket_of(handle);
  if (s) s->closed = true;
}
