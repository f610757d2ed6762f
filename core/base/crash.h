// crash.h - what is said when a library crashes on a damaged file. HDF5, netcdf-c and GDAL parse what anybody wrote, and
// bytes can be found on which they fault. The process that reads files can only end then; it ends as after any other
// refusal, with one sentence that names the file, and exit status 1. What it had begun to write is left as by a kill.
// Sanitizers have handlers of their own, which stay.
#pragma once

// Installs the handlers. Once, before other threads start; in processes that read files only.
void ra_crash_install(void);
// The file that is read from now on, by its name. Any thread; also gives the calling thread the stack on which a
// handler can run when the thread's own is used up.
void ra_crash_subject(const char *name);
