// progress.c - see progress.h
#include "app/progress.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

enum { BAR = 20, COLUMNS = 80, PLAIN_EVERY_MS = 10000 };

static bool on_terminal(void) { return isatty(STDERR_FILENO); }

// Names in a text come from outside: their control characters must not reach a terminal.
static void add_shown(ra_str *out, const char *text, size_t most) {
  for (size_t n = 0; *text && n < most; text++) {
    bool control = ((unsigned char)*text < 0x20 && *text != '\n') || *text == 0x7f;
    bool begins = ((unsigned char)*text & 0xc0) != 0x80;  // a character of UTF-8
    n += begins;
    if (n == most && begins && text[1]) {
      ra_str_add(out, "…");
    } else {
      ra_str_add_char(out, control ? '?' : *text);
    }
  }
}

static void say(const char *before, const char *text, size_t most) {
  ra_str line;
  ra_str_init(&line);
  ra_str_add(&line, before);
  add_shown(&line, text, most);
  if (!line.failed) fwrite(line.ptr, 1, line.len, stderr);
  ra_str_deinit(&line);
}

static size_t columns(void) {
  struct winsize size = {0};
  bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col;
  return known ? size.ws_col : COLUMNS;
}

void ra_progress_end(ra_progress *p) {
  if (p->bar) fputs("\r\033[K", stderr);
  p->bar = false;
}

static void show_bar(ra_progress *p, double done, const char *text) {
  char before[64], bar[BAR + 1];
  for (int i = 0; i < BAR; i++) bar[i] = i < (int)(done * BAR) ? '#' : '.';
  bar[BAR] = 0;
  size_t width = columns();
  bool wide = width > BAR + 30;
  if (wide) {
    snprintf(before, sizeof before, "\r\033[K[%s] %3d %%  ", bar, (int)(done * 100));
  } else {
    snprintf(before, sizeof before, "\r\033[K%3d %%  ", (int)(done * 100));
  }
  size_t used = wide ? BAR + 10 : 7;
  say(before, text, width > used + 1 ? width - used - 1 : 1);
  fflush(stderr);
  p->bar = true;
}

// In a log, a line now and then.
static void show_plain(ra_progress *p, double done, const char *text) {
  uint64_t now = ra_clock_ns() / 1000000;
  if (p->json) return;
  if (!p->shown_ms) p->shown_ms = now;
  if (now - p->shown_ms < PLAIN_EVERY_MS) return;
  p->shown_ms = now;
  char before[16];
  snprintf(before, sizeof before, "%d %%  ", (int)(done * 100));
  say(before, text, SIZE_MAX);
  fputc('\n', stderr);
}

static void show_progress(ra_progress *p, const json_t *event, const char *text) {
  double done = json_number_value(json_object_get(event, "fraction"));
  done = done >= 0 && done <= 1 ? done : 1;
  if (on_terminal()) {
    show_bar(p, done, text ? text : "");
  } else {
    show_plain(p, done, text ? text : "");
  }
}

static void show_error(const json_t *event) {
  const char *where = json_string_value(json_object_get(event, "where"));
  const char *message = json_string_value(json_object_get(event, "message"));
  say("rastrum: ", where ? where : "", SIZE_MAX);
  say(where && *where ? ": " : "", message ? message : "failed", SIZE_MAX);
  fputc('\n', stderr);
}

// "progress" and "note" are for people alone; the rest is the contract of --json.
void ra_progress_event(void *ctx, const char *json) {
  ra_progress *p = ctx;
  json_t *event = json_loads(json, 0, NULL);
  const char *kind = json_string_value(json_object_get(event, "event"));
  const char *text = json_string_value(json_object_get(event, "text"));
  if (!kind) kind = "";
  if (strcmp(kind, "progress") == 0) {
    show_progress(p, event, text);
    json_decref(event);
    return;
  }
  ra_progress_end(p);
  if (strcmp(kind, "error") == 0) {
    p->failed = true;
    show_error(event);
  } else if (text && !p->json) {
    say("", text, SIZE_MAX);
    fputc('\n', stderr);
  }
  if (p->json && strcmp(kind, "note") != 0) {
    printf("%s\n", json);
    fflush(stdout);
  }
  json_decref(event);
}
