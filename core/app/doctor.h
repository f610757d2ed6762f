// doctor.h - the findings of `rastrum doctor`: what was looked at, how it is, and how to mend what is not well.
#pragma once
#include "app/config.h"

typedef enum ra_health { RA_HEALTH_OK, RA_HEALTH_WARN, RA_HEALTH_FAIL } ra_health;

typedef struct ra_finding {
  const char *check;  // "store", "catalog", …
  ra_health health;
  ra_str found;      // one sentence
  const char *mend;  // NULL where all is well
} ra_finding;

enum { RA_FINDINGS_MOST = 32 };

typedef struct ra_doctor {
  const ra_config *config;
  ra_finding findings[RA_FINDINGS_MOST];
  unsigned count;
} ra_doctor;

// Notes a finding; what is over RA_FINDINGS_MOST is dropped. check and mend: literals.
void ra_doctor_find(ra_doctor *doctor, ra_health health, const char *check, const char *mend,
                    const char *fmt, ...) __attribute__((format(printf, 5, 6)));

// The machine: libraries, open files, memory, the clock, the port.
void ra_doctor_machine(ra_doctor *doctor);
// The folders: store, scratch and the one that is watched: whether they are there, what may be done in them, the room left.
void ra_doctor_folders(ra_doctor *doctor);
// What the program loads: catalog, plugins, ramps.
void ra_doctor_contents(ra_doctor *doctor);
// The path of a "file:" URL or plain path.
const char *ra_doctor_path(const char *url);
