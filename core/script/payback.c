// payback.c - paying back. One call in C that no hook can stop (a text of megabytes, a long match, the end of a scope with
// thousands of handles) holds the loop for as long as it takes. A plugin whose step outlasted its slice payback for as long as
// it did so: its tasks wait in the late queue while others have the loop. Time in which the machine ran something else is
// nobody's fault, so it is CPU time that counts; reading that is a system call, and done only for a while after a step that
// looked long. Loop thread only.
#include "base/clock.h"
#include "script/host.h"

enum {
  LONG_NS = 2 * RA__SLICE_NS,
  WATCHED = 1000  // steps after a long one
};

void ra__step_begin(ra_script *script) {
  script->step_ns = ra_clock_ns();
  if (script->watching) script->step_cpu_ns = ra_clock_thread_ns();
}

void ra__step_end(ra_script *script, ra__plugin *plugin) {
  uint64_t now = ra_clock_ns();
  bool watching = script->watching > 0;
  if (watching) script->watching--;
  if (now - script->step_ns < LONG_NS) return;
  uint64_t used = watching ? ra_clock_thread_ns() - script->step_cpu_ns : 0;
  if (watching && used < LONG_NS) return;
  script->watching = WATCHED;
  if (!watching || plugin == script->nobody) return;
  plugin->paid_ns += used - RA__SLICE_NS;
  plugin->pay_until_ns = now + used - RA__SLICE_NS;
}

uint64_t ra__payback_ms(const ra_script *script) {
  uint64_t now = ra_clock_ns(), first = UINT64_MAX;
  for (const ra_task *task = script->late.head; task; task = task->queue_next) {
    if (!ra__paying(task->owner, now)) return 0;
    if (task->owner->pay_until_ns < first) first = task->owner->pay_until_ns;
  }
  return (first - now + 999999) / 1000000;
}
