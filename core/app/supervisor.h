// supervisor.h - the parent of the serving processes. It owns the listening sockets (so that a dead worker loses
// nothing queued), starts the workers, replaces one that dies with a growing pause, and passes SIGTERM on.
#pragma once
#include "app/config.h"

// Runs until told to end; returns the process's exit code. argv is what a worker is started with again.
int ra_supervisor_run(const ra_config *config, char **argv);

// In a worker: the listening descriptor that the supervisor handed in (-1: this process is no worker), and
// whether this is the first start (its ready line is for people).
int ra_supervisor_listen_fd(void);
// The admin port's descriptor, or -1.
int ra_supervisor_admin_fd(void);
bool ra_supervisor_first_start(void);
