// reloader.h - the supervisor's part of a reload: reads the configuration file, the library, plugins and ramps into a
// bundle, has every worker build and test a VM of it, and then has all of them swap, or none. SIGHUP, a worker's
// "reload" (POST /reload on the admin port) or, with --dev, a changed file begins it.
//
//   supervisor                  worker
//   "prepare" id                builds a second VM of the bundle in the spare file
//                    id reason  "prepared": no reason is yes
//   "commit" id note            swaps
//   "abort" id note             drops it; also when another worker said no
//   "note" note                 what /plugins tells, for a worker that took no part
//                    id         "reload": somebody asked for one
//   "reloaded" id note          and this came of it
//
// The bundle that serves and the next one are in two files in memory that all workers have. A worker that starts reads
// the one that serves, so one that is replaced after a failed reload comes back as it was. Supervisor's thread only.
#pragma once
#include "app/cli.h"
#include "app/supervisor.h"

typedef struct ra_reloader ra_reloader;

// Reads the bundle for the first time. Before the workers start; cli must outlive it. It frees itself at the end
// (ra_supervisor_on_end).
int ra_reloader_new(ra_supervisor *supervisor, const ra_cli *cli, ra_reloader **out, ra_err *err);
// For a new worker: the file of the bundle that serves, then the spare one.
void ra_reloader_fds(const ra_reloader *reloader, int fds[2]);
