// http_half.c - a client that ends its sending side while its answer is due. Has it only finished sending, or is it
// gone? TCP says the same of both, until something is sent: a closed socket answers with a reset. So the bytes that
// every answer begins with go out early, and a second descriptor of the socket waits for that reset. It also waits for
// the end of a client that has sent so much ahead that nothing more is read of it.
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/http_internal.h"

struct ra__http_half {
  uv_poll_t poll;
  int fd;
  ra__http_conn *conn;  // referenced
};

static void on_closed(uv_handle_t *handle) {
  ra__http_half *half = handle->data;
  ra__http_conn_unref(half->conn);
  free(half);
}

void ra__http_half_stop(ra__http_conn *conn) {
  ra__http_half *half = conn->half;
  if (!half) return;
  conn->half = NULL;
  uv_close((uv_handle_t *)&half->poll, on_closed);
  close(half->fd);
}

static void provoke(ra__http_conn *conn) {
  static char text[] = RA__HTTP_EARLY;
  uv_buf_t buf = uv_buf_init(text, sizeof text - 1);
  int sent = uv_try_write(&conn->uv.stream, &buf, 1);
  if (sent > 0) conn->early = (unsigned)sent;
  if (sent < 0 && sent != UV_EAGAIN) ra__http_conn_close(conn);
}

// Nothing that is read or written is waited for: this is an error, the end of both directions, or the awaited end of one.
static void on_event(uv_poll_t *poll, int status, int events) {
  ra__http_half *half = poll->data;
  if (status == 0 && events & UV_DISCONNECT && uv_poll_start(poll, UV_PRIORITIZED, on_event) == 0) {
    provoke(half->conn);
  } else {
    ra__http_conn_close(half->conn);
  }
}

static int wait_for(ra__http_conn *conn, int events) {
  uv_os_fd_t fd;
  if (uv_fileno(&conn->uv.handle, &fd) != 0) return -1;
  ra__http_half *half = calloc(1, sizeof *half);
  if (!half) return -1;
  half->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);  // epoll knows each descriptor once
  if (half->fd < 0 || uv_poll_init(conn->server->loop, &half->poll, half->fd) != 0) {
    if (half->fd >= 0) close(half->fd);
    free(half);
    return -1;
  }
  half->poll.data = half;
  half->conn = conn;
  ra__http_conn_ref(conn);
  conn->half = half;
  return uv_poll_start(&half->poll, events, on_event);
}

void ra__http_half_probe(ra__http_conn *conn) {
  if (conn->half) return;
  provoke(conn);
  if (conn->state == RA__CONN_PENDING && wait_for(conn, UV_PRIORITIZED) != 0)
    ra__http_conn_close(conn);
}

// Without memory or descriptors for it the client's end shows when its answer is written.
void ra__http_half_watch(ra__http_conn *conn) {
  if (!conn->half && wait_for(conn, UV_DISCONNECT) != 0) ra__http_half_stop(conn);
}
