// supervisor.h - the parent of the serving processes. It owns the listening sockets (so that a dead worker loses
// nothing queued), starts the workers, replaces one that dies with a growing pause, and passes SIGTERM on.
//
// It is one libuv loop; only the watched folder has a thread beside it. What there is one of beside it (reload, the watched folder) lives on
// the same loop: its own uv_signal, uv_fs_event, uv_timer and uv_process handles, started by its call in
// ra_supervisor_run and closed in what it gave to ra_supervisor_on_end; and talks to the workers by the calls below.
// Whatever it starts with ra_child_spawn is reaped by libuv and dies with it. All of it on the supervisor's one thread.
#pragma once
#include "app/cli.h"
#include "app/control.h"

typedef struct ra_supervisor ra_supervisor;

// Runs until told to end; returns the process's exit code. Workers are started with the same command line.
int ra_supervisor_run(const ra_cli *cli);

uv_loop_t *ra_supervisor_loop(ra_supervisor *supervisor);
const ra_config *ra_supervisor_config(const ra_supervisor *supervisor);
// The end has begun (SIGTERM, SIGINT): start nothing new.
bool ra_supervisor_ending(const ra_supervisor *supervisor);

typedef enum ra_worker_state {
  RA_WORKER_NONE,  // dead; another is started after a pause
  RA_WORKER_STARTING,  // reads its plugins; sees the files as they are now; gets messages once it is ready
  RA_WORKER_READY  // answers requests and messages
} ra_worker_state;

// Workers are numbered 0 … count-1; a replaced one keeps the number.
unsigned ra_supervisor_worker_count(const ra_supervisor *supervisor);
ra_worker_state ra_supervisor_worker_state(const ra_supervisor *supervisor, unsigned worker);
// Told of every change of a worker's state. At most 4 listeners.
void ra_supervisor_on_worker(ra_supervisor *supervisor,
                             void (*fn)(void *ctx, unsigned worker, ra_worker_state state),
                             void *ctx);
// Who gets the messages of this name from any worker. At most 32 names; `name` must outlive the supervisor.
void ra_supervisor_on(ra_supervisor *supervisor, const char *name,
                      void (*fn)(void *ctx, unsigned worker, const ra_control_message *message),
                      void *ctx);
// As ra_control_send; RA_E_IO when the worker is not READY.
int ra_supervisor_send(ra_supervisor *supervisor, unsigned worker, const char *name, uint32_t id,
                       const void *bytes, size_t size, ra_err *err);
// To every READY worker; how many got it (as far as sending tells).
unsigned ra_supervisor_send_all(ra_supervisor *supervisor, const char *name, uint32_t id,
                                const void *bytes, size_t size);
// Plugins that the watchdog has switched off are on again in all workers: call it when new ones are in place.
void ra_supervisor_unblock_plugins(ra_supervisor *supervisor);
// For the service manager (`systemctl status`): a reload has begun; it is over, and why it failed (NULL: it did not).
void ra_supervisor_tell_reloading(ra_supervisor *supervisor);
void ra_supervisor_tell_serving(ra_supervisor *supervisor, const char *failure);
// Called once, when the end begins: tell what you run to end. At most 4 of them.
void ra_supervisor_on_ending(ra_supervisor *supervisor, void (*fn)(void *ctx), void *ctx);
// Called once, after the last worker has ended: close your handles. At most 4 of them.
void ra_supervisor_on_end(ra_supervisor *supervisor, void (*fn)(void *ctx), void *ctx);
