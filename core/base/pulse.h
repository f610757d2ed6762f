// pulse.h - what a worker tells its supervisor without a message: that its loop turns, and which plugin and request it is
// busy with; and what the supervisor tells all workers likewise: the plugins that are switched off. Plain values in
// memory that both map; a worker writes its own pulse on its loop thread, the supervisor alone writes the blocks.
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RA_PULSE_NAME_SIZE = 80, RA_PULSE_ID_SIZE = 64, RA_BLOCKS_MOST = 64 };

typedef enum ra_pulse_state {
  RA_PULSE_STARTING,  // from before it runs until its plugins are read
  RA_PULSE_RUNNING,   // the loop turns
  RA_PULSE_ENDING     // takes itself apart
} ra_pulse_state;

typedef struct ra_pulse {
  _Atomic uint32_t state;    // ra_pulse_state
  _Atomic uint32_t slice;    // 1 while a plugin's code runs
  _Atomic uint64_t beat_ns;  // ra_clock_ns of the last slice or turn of the loop
  char plugin[RA_PULSE_NAME_SIZE];
  char request[RA_PULSE_ID_SIZE];
} ra_pulse;

typedef struct ra_blocks {
  _Atomic uint32_t count;
  uint64_t stuck_ms;  // after how long a worker counts as stuck; set once, for messages
  char names[RA_BLOCKS_MOST][RA_PULSE_NAME_SIZE];
} ra_blocks;

// The supervisor. ra_blocks_add: false when there is no room.
bool ra_blocks_add(ra_blocks *blocks, const char *plugin);
void ra_blocks_clear(ra_blocks *blocks);
bool ra_blocks_have(const ra_blocks *blocks, const char *plugin);

// ---- this process's own. Without ra_pulse_share nobody watches and nothing is blocked.

// On the loop thread; on any other thread the calls up to ra_pulse_end do nothing.
void ra_pulse_share(ra_pulse *pulse, const ra_blocks *blocks);
void ra_pulse_set_state(ra_pulse_state state);
void ra_pulse_turn(void);  // once a turn of the loop
// Around a slice. Both texts are cut to what fits; NULL is "".
void ra_pulse_begin(const char *plugin, const char *request);
void ra_pulse_name(const char *plugin);  // the slice turns out to be this plugin's
void ra_pulse_end(void);
// Whether a plugin is switched off; why (for the answer) goes to `reason`. Costs one load while nothing is.
bool ra_pulse_blocked(const char *plugin, char *reason, size_t size);
