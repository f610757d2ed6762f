// process.h - who a process is, so that another one can tell whether it still lives: for leases in a shared catalog.
#pragma once

typedef enum ra_process_state {
  RA_PROCESS_ALIVE,
  RA_PROCESS_DEAD,
  RA_PROCESS_UNKNOWN,  // of another machine, boot or container: only its silence tells
} ra_process_state;

enum { RA_PROCESS_ID = 160 };

// "<pid>@<host>/<boot>.<pid namespace>.<start>" of this process. Any thread.
void ra_process_id(char id[RA_PROCESS_ID]);
// What became of the process of such a text; anything else is RA_PROCESS_UNKNOWN. Any thread.
ra_process_state ra_process_look(const char *id);
