// watch_child.c - see watch_child.h. Standard output is `ingest --json`; on standard error, lines that begin with
// "rastrum: " are sentences for people, which the events have too; anything else (the log) is handed on.
#include "app/watch_child.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/child.h"
#include "base/clock.h"

enum { LINE_MOST = 1 << 20 };

static uint64_t now_ms(void) { return ra_clock_ns() / 1000000; }

static ra_watch_offer *find(ra_watch_child *c, const char *source) {
  size_t n = strlen(c->root);
  if (!source || strncmp(source, c->root, n) != 0 || source[n] != '/') return NULL;
  for (unsigned i = 0; i < c->count; i++) {
    if (c->offers[i].path && strcmp(c->offers[i].path, source + n + 1) == 0) return &c->offers[i];
  }
  return NULL;
}

static void on_event_line(ra_watch_child *c, const char *line) {
  json_t *json = json_loads(line, 0, NULL);
  const char *event = json_string_value(json_object_get(json, "event"));
  ra_watch_offer *offer = find(c, json_string_value(json_object_get(json, "source")));
  if (event && offer) {
    if (strcmp(event, "step") == 0) {
      if (c->current != offer) c->since_ms = now_ms();
      c->current = offer;
    } else if (!strcmp(event, "published") || !strcmp(event, "unchanged") ||
               !strcmp(event, "error")) {
      c->left--;
      c->current = NULL;
      c->events->file(c, offer, event, json);
      free(offer->path);
      offer->path = NULL;
    }
  }
  json_decref(json);
}

static void on_said_line(ra_watch_child *c, const char *line) {
  static const char ours[] = "rastrum: ";
  if (strncmp(line, ours, sizeof ours - 1) == 0) {
    snprintf(c->sentence, sizeof c->sentence, "%s", line + sizeof ours - 1);
  } else if (*line) {
    fprintf(stderr, "%s\n", line);
  }
}

static void take_lines(ra_watch_child *c, ra_watch_line *from,
                       void (*fn)(ra_watch_child *c, const char *line)) {
  char *at = from->text.ptr, *end;
  if (!at) return;
  while ((end = memchr(at, '\n', (size_t)(from->text.ptr + from->text.len - at)))) {
    *end = 0;
    fn(c, at);
    at = end + 1;
  }
  size_t left = (size_t)(from->text.ptr + from->text.len - at);
  if (left > LINE_MOST) left = 0;
  memmove(from->text.ptr, at, left);
  from->text.len = left;
  from->text.ptr[left] = 0;
}

// Once the process has gone and both pipes are read to their ends, everything has been heard.
static void on_closed(uv_handle_t *handle) {
  ra_watch_child *c = handle->data;
  if (--c->open) return;
  ra_str_deinit(&c->out.text);
  ra_str_deinit(&c->err.text);
  c->events->ended(c, c->status, c->signal_number);
}

static void on_room(uv_handle_t *handle, size_t wanted, uv_buf_t *buf) {
  (void)handle;
  static char bytes[64 << 10];
  (void)wanted;
  *buf = uv_buf_init(bytes, sizeof bytes);
}

static void on_bytes(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
  ra_watch_child *c = stream->data;
  bool events = stream == (uv_stream_t *)&c->out.pipe;
  ra_watch_line *line = events ? &c->out : &c->err;
  if (n > 0) ra_str_add_bytes(&line->text, buf->base, (size_t)n);
  take_lines(c, line, events ? on_event_line : on_said_line);
  if (n >= 0) return;
  if (!events && line->text.len) on_said_line(c, line->text.ptr);
  uv_close((uv_handle_t *)stream, on_closed);
}

static void on_exit_(uv_process_t *process, int64_t status, int signal_number) {
  ra_watch_child *c = process->data;
  c->status = status;
  c->signal_number = signal_number;
  uv_close((uv_handle_t *)process, on_closed);
}

static int spawn(uv_loop_t *loop, ra_watch_child *c, char **argv) {
  uv_stdio_container_t fds[3] = {
      {.flags = UV_IGNORE},
      {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&c->out.pipe},
      {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&c->err.pipe}};
  const uv_process_options_t options = {
      .args = argv, .exit_cb = on_exit_, .stdio = fds, .stdio_count = 3};
  return ra_child_spawn(loop, &c->process, &options, NULL);
}

static void add_files(const ra_watch_child *c, char **argv, int at) {
  for (unsigned i = 0; i < c->count; i++) {
    ra_str path;
    ra_str_init(&path);
    ra_str_addf(&path, "%s/%s", c->root, c->offers[i].path);
    argv[at + (int)i] = path.failed ? NULL : path.ptr;
    if (path.failed) ra_str_deinit(&path);
  }
}

void ra_watch_child_start(uv_loop_t *loop, ra_watch_child *c, char *const *argv) {
  char *all[RA_WATCH_ARGS + RA_WATCH_BATCH + 1] = {0};
  int n = 0;
  for (; argv[n] && n < RA_WATCH_ARGS; n++) all[n] = argv[n];
  add_files(c, all, n);
  ra_str_init(&c->out.text);
  ra_str_init(&c->err.text);
  uv_pipe_init(loop, &c->out.pipe, 0);
  uv_pipe_init(loop, &c->err.pipe, 0);
  c->out.pipe.data = c->err.pipe.data = c->process.data = c;
  c->left = c->count;
  int rc = spawn(loop, c, all);
  for (unsigned i = 0; i < c->count; i++) free(all[n + (int)i]);
  c->open = 3;
  c->since_ms = now_ms();
  if (rc == 0) {
    uv_read_start((uv_stream_t *)&c->out.pipe, on_room, on_bytes);
    uv_read_start((uv_stream_t *)&c->err.pipe, on_room, on_bytes);
    return;
  }
  c->status = 1;
  snprintf(c->sentence, sizeof c->sentence, "an ingest process cannot be started: %s",
           uv_strerror(rc));
  uv_close((uv_handle_t *)&c->out.pipe, on_closed);
  uv_close((uv_handle_t *)&c->err.pipe, on_closed);
  uv_close((uv_handle_t *)&c->process, on_closed);
}

void ra_watch_child_kill(ra_watch_child *c, int signal_number) {
  if (c->open && uv_is_active((uv_handle_t *)&c->process))
    uv_process_kill(&c->process, signal_number);
}
