// reload.h - a worker's part of a reload: on the supervisor's word a second VM is built on a pool thread and tested on the
// loop, then takes the place of host->script or is dropped. Replaced VMs finish what they have begun. What is said
// between the two is in reloader.h. Loop thread only.
#pragma once
#include "app/cli.h"
#include "app/host.h"
#include "app/worker.h"

typedef struct ra_reload ra_reload;

// All but `out` must outlive it. host->script is whichever VM serves; it changes under way.
int ra_reload_new(ra_host *host, const ra_cli *cli, const ra_worker *worker, ra_control *control,
                  ra_reload **out, ra_err *err);
// Asks the supervisor for a reload. `done` is called once with what came of it: JSON with "ok" and "error".
int ra_reload_ask(ra_reload *reload, void (*done)(void *ctx, const char *note), void *ctx,
                  ra_err *err);
// Nobody waits for that `done` any more: it is not called.
void ra_reload_forget(ra_reload *reload, void *ctx);
// The server ends: no more reloads; what the replaced VMs still run is dropped after grace_ms. May be called again.
void ra_reload_drain(ra_reload *reload, uint64_t grace_ms);
// Runs the loop until no replaced VM and no build is left, then frees it. NULL is fine.
void ra_reload_free(ra_reload *reload);
