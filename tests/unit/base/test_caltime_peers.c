// Every calendar's dates against cftime: random instants are written with the dates we give them, and
// check_caltime.py compares. Needs PEERS_PYTHON, a Python that has cftime; skipped (77) without it.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/caltime.h"

int main(void) {
  const char *python = getenv("PEERS_PYTHON");
  if (!python || !*python) {
    printf("skipped: PEERS_PYTHON names no Python with cftime\n");
    return 77;
  }
  char command[4096];
  snprintf(command, sizeof command, "'%s' '%s'", python, CHECK_SCRIPT);
  FILE *judge = popen(command, "w");
  if (!judge) return 1;
  unsigned seed = (unsigned)time(NULL);
  printf("seed %u\n", seed);
  fflush(stdout);
  for (int calendar = 0; calendar <= RA_CALENDAR_JULIAN; calendar++) {
    for (int i = 0; i < 3000; i++) {
      int64_t span = i % 2 ? 300000000000000 : 80000000000000;
      int64_t ms = ((int64_t)rand_r(&seed) << 31 | rand_r(&seed)) % span - span / 5;
      char text[40];
      ra_time_format(calendar, ms, text);
      fprintf(judge, "%s %lld %s\n", ra_calendar_name(calendar), (long long)ms, text);
    }
  }
  return pclose(judge) == 0 ? 0 : 1;
}
