// cmd_doctor.c - `rastrum doctor`: looks at everything that the program needs, and says what is wrong and how to mend it.
#include <stdarg.h>
#include <stdio.h>

#include "app/cli.h"
#include "app/doctor.h"
#include "base/log.h"

static const char *const HEALTH[] = {"ok", "warn", "fail"};

void ra_doctor_find(ra_doctor *doctor, ra_health health, const char *check, const char *mend,
                    const char *fmt, ...) {
  if (doctor->count == RA_FINDINGS_MOST) return;
  ra_finding *finding = &doctor->findings[doctor->count++];
  *finding = (ra_finding){.check = check, .health = health, .mend = mend};
  ra_str_init(&finding->found);
  char text[1024];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  ra_str_add(&finding->found, text);
}

static ra_health worst(const ra_doctor *doctor) {
  ra_health health = RA_HEALTH_OK;
  for (unsigned i = 0; i < doctor->count; i++) {
    if (doctor->findings[i].health > health) health = doctor->findings[i].health;
  }
  return health;
}

static void add_json(const ra_doctor *doctor, ra_str *out) {
  ra_str_addf(out, "{\"status\": \"%s\", \"checks\": [", HEALTH[worst(doctor)]);
  for (unsigned i = 0; i < doctor->count; i++) {
    const ra_finding *f = &doctor->findings[i];
    ra_str_addf(out, "%s\n  {\"check\": \"%s\", \"status\": \"%s\", \"found\": ", i ? "," : "",
                f->check, HEALTH[f->health]);
    ra_str_add_json(out, f->found.ptr ? f->found.ptr : "");
    ra_str_add(out, ", \"mend\": ");
    if (f->mend) {
      ra_str_add_json(out, f->mend);
    } else {
      ra_str_add(out, "null");
    }
    ra_str_add_char(out, '}');
  }
  ra_str_add(out, "\n]}\n");
}

static void add_text(const ra_doctor *doctor, ra_str *out) {
  for (unsigned i = 0; i < doctor->count; i++) {
    const ra_finding *f = &doctor->findings[i];
    ra_str_addf(out, "%-4s  %-9s  %s\n", HEALTH[f->health], f->check,
                f->found.ptr ? f->found.ptr : "");
    if (f->mend) ra_str_addf(out, "%-4s  %-9s  to mend: %s\n", "", "", f->mend);
  }
}

int ra_cmd_doctor(const ra_cli *cli) {
  ra_doctor doctor = {.config = cli->config};
  ra_log_setup(RA_LOG_ERROR, RA_LOG_AUTO);
  ra_doctor_machine(&doctor);
  ra_doctor_folders(&doctor);
  ra_doctor_contents(&doctor);
  ra_str out;
  ra_str_init(&out);
  if (ra_config_bool(cli->config, "json")) {
    add_json(&doctor, &out);
  } else {
    add_text(&doctor, &out);
  }
  bool good = out.ptr && ra_cli_print(out.ptr, out.len);
  int code = good && worst(&doctor) != RA_HEALTH_FAIL ? RA_EXIT_DONE : RA_EXIT_FAILED;
  for (unsigned i = 0; i < doctor.count; i++) ra_str_deinit(&doctor.findings[i].found);
  ra_str_deinit(&out);
  return code;
}
