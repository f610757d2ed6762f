// pulse.c - see pulse.h. The texts are read only of a worker that has stopped writing; a torn one could at worst name
// nobody.
#include "base/pulse.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static void copy(char *to, size_t size, const char *from) {
  size_t n = from ? strnlen(from, size - 1) : 0;
  if (n) memcpy(to, from, n);
  to[n] = 0;
}

static _Thread_local ra_pulse *own;  // other threads that run Lua beat nobody's pulse
static const ra_blocks *blocks_seen;

void ra_pulse_share(ra_pulse *pulse, const ra_blocks *blocks) {
  own = pulse;
  blocks_seen = blocks;
}

static void beat(void) {
  atomic_store_explicit(&own->beat_ns, ra_clock_ns(), memory_order_release);
}

void ra_pulse_set_state(ra_pulse_state state) {
  if (!own) return;
  atomic_store(&own->slice, 0);
  beat();
  atomic_store(&own->state, state);
}

void ra_pulse_turn(void) {
  if (own) beat();
}

void ra_pulse_name(const char *plugin) {
  if (own) copy(own->plugin, sizeof own->plugin, plugin);
}

void ra_pulse_begin(const char *plugin, const char *request) {
  if (!own) return;
  copy(own->plugin, sizeof own->plugin, plugin);
  copy(own->request, sizeof own->request, request);
  atomic_store_explicit(&own->slice, 1, memory_order_release);
  beat();
}

void ra_pulse_end(void) {
  if (own) atomic_store_explicit(&own->slice, 0, memory_order_release);
}

bool ra_pulse_blocked(const char *plugin, char *reason, size_t size) {
  if (!blocks_seen || !ra_blocks_have(blocks_seen, plugin)) return false;
  snprintf(
      reason, size,
      "plugin '%s' is switched off until the plugins are reloaded: three times in ten minutes it "
      "held a worker for %llu ms, and the worker had to be killed",
      plugin, (unsigned long long)blocks_seen->stuck_ms);
  return true;
}

bool ra_blocks_have(const ra_blocks *blocks, const char *plugin) {
  uint32_t count = atomic_load_explicit(&blocks->count, memory_order_acquire);
  for (uint32_t i = 0; i < count && i < RA_BLOCKS_MOST; i++) {
    if (strncmp(blocks->names[i], plugin, RA_PULSE_NAME_SIZE - 1) == 0) return true;
  }
  return false;
}

bool ra_blocks_add(ra_blocks *blocks, const char *plugin) {
  uint32_t count = atomic_load(&blocks->count);
  if (ra_blocks_have(blocks, plugin)) return true;
  if (count == RA_BLOCKS_MOST) return false;
  copy(blocks->names[count], RA_PULSE_NAME_SIZE, plugin);
  atomic_store_explicit(&blocks->count, count + 1, memory_order_release);
  return true;
}

void ra_blocks_clear(ra_blocks *blocks) { atomic_store(&blocks->count, 0); }
