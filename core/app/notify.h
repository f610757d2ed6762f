// notify.h - tells the service manager that started us (systemd, Type=notify) how we are: datagrams to $NOTIFY_SOCKET, as
// sd_notify(3) says. Without that variable nothing is told and no call costs anything. Supervisor's thread only.
#pragma once
#include <uv.h>

typedef struct ra_notify ra_notify;

// Takes NOTIFY_SOCKET and WATCHDOG_USEC out of the environment, so that children do not speak for us; where the latter
// is meant for this process, the manager is told twice in that time that `loop` still turns. NULL: nobody wants to know.
ra_notify *ra_notify_new(uv_loop_t *loop);
// Closes the timer (the loop has to turn once more) and frees all.
void ra_notify_free(ra_notify *notify);

// One message of lines such as "READY=1\nSTATUS=%s". A manager that does not listen is nobody's fault here.
void ra_notify_send(ra_notify *notify, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
