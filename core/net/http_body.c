// http_body.c - the bytes of an answer on their way out. A buffer goes to libuv as it is, after an attempt to
// write without waiting. A file is read in pieces in the lane, the next one when the last is written, so that a
// slow reader holds one piece. Text is packed in the lane first. The two `run` functions are on pool threads.
#include <errno.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/http_internal.h"

#define PIECE 65536u  // a slow reader makes the server hold no more of a file
#define GZIP_LEVEL 6

void ra__http_reply_clear(ra__http_reply *reply) {
  ra_buf_unref(reply->body);
  ra_buf_unref(reply->packed);
  if (reply->file.fd >= 0) close(reply->file.fd);
  free(reply->piece);
  reply->body = reply->packed = NULL;
  reply->piece = NULL;
  reply->file = (ra_http_file){.fd = -1};
  reply->queued = 0;
  if (reply->head.cap > 16384) ra_str_deinit(&reply->head);
}

// Everything handed to libuv is written, or the connection broke.
static void after_write(ra__http_conn *conn, int status);

static void on_write(uv_write_t *write, int status) { after_write(write->data, status); }

static void skip_written(uv_buf_t *bufs, unsigned *count, size_t written) {
  unsigned kept = 0;
  for (unsigned i = 0; i < *count; i++) {
    size_t skip = written < bufs[i].len ? written : bufs[i].len;
    written -= skip;
    if (skip == bufs[i].len) continue;
    bufs[kept++] = (uv_buf_t){.base = bufs[i].base + skip, .len = bufs[i].len - skip};
  }
  *count = kept;
}

static size_t total_of(const uv_buf_t *bufs, unsigned count) {
  size_t total = 0;
  for (unsigned i = 0; i < count; i++) total += bufs[i].len;
  return total;
}

static void write_bufs(ra__http_conn *conn, uv_buf_t *bufs, unsigned count) {
  ra__http_reply *reply = &conn->reply;
  reply->started = true;
  conn->deadline = uv_now(conn->server->loop) + conn->server->config.write_timeout_ms;
  int rc = uv_try_write(&conn->uv.stream, bufs, count);
  if (rc < 0 && rc != UV_EAGAIN) {
    ra__http_conn_close(conn);
    return;
  }
  if (rc > 0) {
    reply->sent += (uint64_t)rc;
    skip_written(bufs, &count, (size_t)rc);
  }
  if (!count) {
    after_write(conn, 0);
    return;
  }
  reply->queued = total_of(bufs, count);
  reply->last_queue = reply->queued;
  conn->write.data = conn;
  if (uv_write(&conn->write, &conn->uv.stream, bufs, count, on_write) < 0)
    ra__http_conn_close(conn);
}

static uv_buf_t buf_of(const void *data, size_t size) {
  return (uv_buf_t){.base = (char *)(uintptr_t)data, .len = size};
}

// The head, and what there is of the body.
static void send_head(ra__http_conn *conn) {
  ra__http_reply *reply = &conn->reply;
  const ra_buf *body = reply->packed ? reply->packed : reply->body;
  uint64_t length = body                  ? ra_buf_size(body)
                    : reply->file.fd >= 0 ? reply->piece_len + reply->file.size
                                          : 0;
  ra__http_head_end(conn, length, reply->packed != NULL);
  if (reply->head.failed) {
    ra_str_deinit(&reply->head);
    ra__http_conn_close(conn);
    return;
  }
  uv_buf_t bufs[2] = {buf_of(reply->head.ptr + conn->early, reply->head.len - conn->early)};
  unsigned count = 1;
  if (!reply->bodiless && body && ra_buf_size(body)) {
    bufs[count++] = buf_of(ra_buf_data(body), ra_buf_size(body));
  } else if (!reply->bodiless && reply->piece_len) {
    bufs[count++] = buf_of(reply->piece, reply->piece_len);
  }
  write_bufs(conn, bufs, count);
}

static void pack(void *ctx) {
  ra__http_reply *reply = &((ra__http_conn *)ctx)->reply;
  struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(GZIP_LEVEL);
  if (!compressor) return;
  size_t size = ra_buf_size(reply->body);
  ra_buf *packed = NULL;
  // Only a result that is smaller is of use, so no more room is given.
  if (ra_buf_new(size - 1, &packed, NULL) == RA_OK) {
    size_t n = libdeflate_gzip_compress(compressor, ra_buf_data(reply->body), size,
                                        ra_buf_bytes(packed), size - 1);
    ra_buf_truncate(packed, n);
    if (n) {
      reply->packed = packed;
    } else {
      ra_buf_unref(packed);
    }
  }
  libdeflate_free_compressor(compressor);
}

static void after_pack(void *ctx, int rc) {
  (void)rc;
  ra__http_conn *conn = ctx;
  if (conn->state == RA__CONN_WRITING) send_head(conn);
  ra__http_conn_unref(conn);
}

static int submit(ra__http_conn *conn, void (*run)(void *), void (*done)(void *, int), size_t bytes,
                  ra_err *err) {
  ra_job job = {.run = run, .done = done, .ctx = conn, .bytes = bytes};
  int rc = ra_lane_submit(conn->server->config.lane, &job, err);
  if (rc == RA_OK) ra__http_conn_ref(conn);
  return rc;
}

static void read_piece(void *ctx) {
  ra__http_reply *reply = &((ra__http_conn *)ctx)->reply;
  size_t want = reply->file.size < PIECE ? (size_t)reply->file.size : PIECE, got = 0;
  while (got < want) {
    ssize_t n =
        pread(reply->file.fd, reply->piece + got, want - got, (off_t)(reply->file.offset + got));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    got += (size_t)n;
  }
  reply->file_failed = got < want;
  reply->piece_len = got;
}

static void send_piece(ra__http_conn *conn) {
  uv_buf_t buf = buf_of(conn->reply.piece, conn->reply.piece_len);
  write_bufs(conn, &buf, 1);
}

static void after_piece(void *ctx, int rc) {
  ra__http_conn *conn = ctx;
  ra__http_reply *reply = &conn->reply;
  bool failed = rc < 0 || reply->file_failed;
  if (conn->state != RA__CONN_WRITING) {
    // closed meanwhile
  } else if (failed && reply->started) {
    ra__http_conn_close(conn);  // short of its Content-Length: the client sees that
  } else if (failed) {
    ra__http_reply_clear(reply);
    ra__http_answer_problem(conn, 500, "the stored object could not be read");
  } else {
    reply->file.offset += reply->piece_len;
    reply->file.size -= reply->piece_len;
    if (reply->started) {
      send_piece(conn);
    } else {
      send_head(conn);
    }
  }
  ra__http_conn_unref(conn);
}

static void next_piece(ra__http_conn *conn) {
  ra__http_reply *reply = &conn->reply;
  size_t size = reply->file.size < PIECE ? (size_t)reply->file.size : PIECE;
  if (!reply->piece) reply->piece = malloc(size);
  ra_err err;
  int rc = reply->piece ? submit(conn, read_piece, after_piece, size, &err) : RA_E_NOMEM;
  if (rc == RA_OK) {
    reply->stalled = false;
    conn->deadline = 0;
  } else if (reply->started) {
    reply->stalled = true;
  } else {
    ra__http_reply_clear(reply);
    ra__http_answer_problem(conn, 503, "the server is busy; try again later");
  }
}

void ra__http_body_retry(ra__http_conn *conn) { next_piece(conn); }

static void after_write(ra__http_conn *conn, int status) {
  ra__http_reply *reply = &conn->reply;
  if (conn->state != RA__CONN_WRITING) return;
  reply->sent += reply->queued;
  reply->queued = 0;
  reply->piece_len = 0;
  if (status < 0) {
    ra__http_conn_close(conn);
  } else if (reply->file.fd >= 0 && reply->file.size && !reply->bodiless) {
    next_piece(conn);
  } else {
    ra__http_conn_answered(conn);
  }
}

void ra__http_body_start(ra__http_conn *conn, bool compress) {
  ra__http_reply *reply = &conn->reply;
  reply->piece_len = 0;
  if (compress && submit(conn, pack, after_pack, ra_buf_size(reply->body), NULL) == RA_OK) return;
  if (reply->file.fd >= 0 && reply->file.size && !reply->bodiless) {
    next_piece(conn);
  } else {
    send_head(conn);
  }
}
