// notify.c - see notify.h
#include "app/notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

struct ra_notify {
  int fd;
  struct sockaddr_un to;
  socklen_t length;
  uv_timer_t beat;
};

// A path, or "@name" in the abstract space, where the first byte is zero.
static bool set_address(ra_notify *notify, const char *address) {
  size_t n = strlen(address);
  if ((address[0] != '/' && address[0] != '@') || n < 2 || n >= sizeof notify->to.sun_path)
    return false;
  notify->to.sun_family = AF_UNIX;
  memcpy(notify->to.sun_path, address, n);
  if (address[0] == '@') notify->to.sun_path[0] = 0;
  notify->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
  return true;
}

// How often a sign of life is wanted, in milliseconds; 0: never.
static uint64_t beat_ms(void) {
  const char *interval = getenv("WATCHDOG_USEC"), *whose = getenv("WATCHDOG_PID");
  if (!interval || (whose && strtoll(whose, NULL, 10) != getpid())) return 0;
  unsigned long long us = strtoull(interval, NULL, 10);
  return us ? us / 2000 + 1 : 0;
}

static void on_beat(uv_timer_t *timer) { ra_notify_send(timer->data, "WATCHDOG=1"); }

static ra_notify *open_address(uv_loop_t *loop, const char *address) {
  ra_notify *notify = calloc(1, sizeof *notify);
  if (!notify) return NULL;
  notify->fd = set_address(notify, address) ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
  if (notify->fd < 0) {
    ra_log(RA_LOG_WARN, "NOTIFY_SOCKET is '%s', which cannot be used; nobody is told", address);
    free(notify);
    return NULL;
  }
  uv_timer_init(loop, &notify->beat);
  notify->beat.data = notify;
  uint64_t ms = beat_ms();
  if (ms) uv_timer_start(&notify->beat, on_beat, ms, ms);
  return notify;
}

ra_notify *ra_notify_new(uv_loop_t *loop) {
  const char *address = getenv("NOTIFY_SOCKET");
  ra_notify *notify = address && *address ? open_address(loop, address) : NULL;
  unsetenv("NOTIFY_SOCKET");
  unsetenv("WATCHDOG_USEC");
  unsetenv("WATCHDOG_PID");
  return notify;
}

void ra_notify_send(ra_notify *notify, const char *fmt, ...) {
  char text[1024];
  if (!notify) return;
  va_list args;
  va_start(args, fmt);
  int n = vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  if (n <= 0) return;
  size_t size = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
  sendto(notify->fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&notify->to,
         notify->length);
}

static void on_closed(uv_handle_t *handle) { free(handle->data); }

void ra_notify_free(ra_notify *notify) {
  if (!notify) return;
  close(notify->fd);
  uv_close((uv_handle_t *)&notify->beat, on_closed);
}
