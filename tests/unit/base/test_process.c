// Who a process is: itself, its child, its child's end, a pid that was used again, other machines.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/process.h"

static void a_process_knows_itself(void **state) {
  (void)state;
  char id[RA_PROCESS_ID];
  ra_process_id(id);
  assert_true(strchr(id, '@') && strchr(id, '/'));
  assert_int_equal(ra_process_look(id), RA_PROCESS_ALIVE);
}

static void a_child_lives_and_dies(void **state) {
  (void)state;
  char id[RA_PROCESS_ID] = "";
  int line[2];
  assert_int_equal(pipe(line), 0);
  pid_t child = fork();
  if (child == 0) {
    ra_process_id(id);
    if (write(line[1], id, sizeof id) != sizeof id) _exit(1);
    pause();
    _exit(0);
  }
  assert_int_equal(read(line[0], id, sizeof id), sizeof id);
  assert_int_equal(ra_process_look(id), RA_PROCESS_ALIVE);
  kill(child, SIGKILL);
  siginfo_t info;
  assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
  assert_int_equal(ra_process_look(id), RA_PROCESS_DEAD);  // not collected yet
  assert_int_equal(waitpid(child, NULL, 0), child);
  assert_int_equal(ra_process_look(id), RA_PROCESS_DEAD);
}

static void a_pid_that_is_used_again_is_another_process(void **state) {
  (void)state;
  char id[RA_PROCESS_ID];
  ra_process_id(id);
  char *last = id + strlen(id) - 1;
  *last = *last == '1' ? '2' : '1';
  assert_int_equal(ra_process_look(id), RA_PROCESS_DEAD);
}

static void others_are_unknown(void **state) {
  (void)state;
  static const char *const texts[] = {"",          "1",
                                      "1@",        "1@elsewhere/12345678.4026531836.5",
                                      "no id",     "99999999999999999999@a/b.c.1",
                                      "-1@a/b.1.1"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    assert_int_equal(ra_process_look(texts[i]), RA_PROCESS_UNKNOWN);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_process_knows_itself),
                                     cmocka_unit_test(a_child_lives_and_dies),
                                     cmocka_unit_test(a_pid_that_is_used_again_is_another_process),
                                     cmocka_unit_test(others_are_unknown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
