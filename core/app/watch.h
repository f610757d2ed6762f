// watch.h - `serve --watch DIR`: files that are put into a folder, or into one below it, are ingested by `rastrum ingest`
// in processes of their own; when many wait, by one for a few small files. At most `watch_jobs` of them run at once, the
// oldest file first, each with its share of `memory` and below the server in priority. They are started once a worker
// answers, and end with the supervisor.
//
//   watch_tree    what is complete and new          (a thread of its own)
//   watch         which of it is next               (the supervisor's loop)
//   watch_child   one process at work
//
// What is left at the end is found again at the next start. The supervisor's thread.
#pragma once
#include "app/supervisor.h"

// Starts watching when the settings say so; it frees itself at the end (ra_supervisor_on_end).
int ra_watch_start(ra_supervisor *supervisor, const ra_cli *cli, ra_err *err);
