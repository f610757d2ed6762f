// child.h - processes of ours that must not outlive the one that started them: workers, and ingests of a watched folder.
// The kernel kills such a child when its parent is gone, however that went.
#pragma once
#include <uv.h>

// uv_spawn of this same program; options->file and env need not be set. `what` (NULL: nothing) is the value that the
// child finds in RASTRUM_WORKER. Call it on the thread that lives as long as the process.
int ra_child_spawn(uv_loop_t *loop, uv_process_t *process, const uv_process_options_t *options,
                   const char *what);
// The first thing that the program does: when it is such a child, it dies with its parent from now on.
void ra_child_begin(void);
