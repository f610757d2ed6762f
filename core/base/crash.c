// crash.c - see crash.h
#include "base/crash.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SUBJECT = 256, STACK = 64 << 10 };

static char sentence[SUBJECT + 128];
static atomic_size_t sentence_size;

static bool has_handlers(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return false;
#else
  return true;
#endif
}

static void on_crash(int number) {
  (void)number;
  ssize_t n = write(STDERR_FILENO, sentence, atomic_load(&sentence_size));
  (void)n;
  _exit(1);
}

static void give_stack(void) {
  static _Thread_local char stack[STACK];
  static _Thread_local bool given;
  if (given) return;
  given = true;
  const stack_t own = {.ss_sp = stack, .ss_size = sizeof stack};
  sigaltstack(&own, NULL);
}

static void write_sentence(const char *name) {
  int n =
      snprintf(sentence, sizeof sentence,
               "rastrum: %.*s: crashes the library that reads it: the file is damaged, or made to "
               "do harm\n",
               SUBJECT, name);
  atomic_store(&sentence_size, n > 0 && (size_t)n < sizeof sentence ? (size_t)n : 0);
}

void ra_crash_install(void) {
  static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
  if (!has_handlers()) return;
  struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK};
  sigemptyset(&action.sa_mask);
  write_sentence("the source");
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    sigaction(numbers[i], &action, NULL);
}

void ra_crash_subject(const char *name) {
  if (!has_handlers()) return;
  char shown[SUBJECT];
  size_t n = 0;
  for (; name[n] && n < sizeof shown - 1; n++)
    shown[n] = (unsigned char)name[n] < 0x20 || name[n] == 0x7f ? '?' : name[n];
  shown[n] = 0;
  give_stack();
  write_sentence(shown);
}
