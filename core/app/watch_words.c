// watch_words.c - see watch_words.h
#include "app/watch_words.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/watch_child.h"

static bool add(char **words, const char *name, const char *value) {
  size_t n = 0;
  while (words[n]) n++;
  if (n == RA_WATCH_ARGS) return false;
  ra_str word;
  ra_str_init(&word);
  ra_str_add(&word, name);
  if (value) ra_str_addf(&word, "=%s", value);
  words[n] = word.failed ? NULL : word.ptr;
  return !word.failed;
}

static bool add_option(char **words, const char *option, const char *value) {
  char name[64] = "--";
  strncat(name, option, sizeof name - 3);
  for (char *p = name; *p; p++) *p = *p == '_' ? '-' : *p;
  return add(words, name, value);
}

static bool add_number(char **words, const char *option, unsigned long long value) {
  char text[32];
  snprintf(text, sizeof text, "%llu", value);
  return add_option(words, option, text);
}

// What was said on the command line. The rest an ingest reads where this server did.
static bool add_flags(const ra_cli *cli, char **words) {
  static const char *const own[] = {"memory", "log_format", NULL};
  bool ok = true;
  for (size_t i = 0; i < RA_OPTION_COUNT; i++) {
    const ra_option *option = &RA_OPTIONS[i];
    bool set_here = false;
    for (int k = 0; own[k]; k++) set_here = set_here || !strcmp(own[k], option->name);
    if (set_here || !(option->commands & RA_CMD_INGEST)) continue;
    if (!ra_config_is_flag(cli->config, option->name)) continue;
    const char *const *value = ra_config_list(cli->config, option->name);
    for (; *value; value++) ok = ok && add_option(words, option->name, *value);
  }
  return ok;
}

static bool add_shares(const ra_cli *cli, char **words, unsigned jobs) {
  const ra_config *config = cli->config;
  const char *format = ra_config_text(config, "log_format");
  bool terminal = !strcmp(format, "auto") && isatty(STDERR_FILENO);
  return add_option(words, "log_format", terminal ? "plain" : format) &&
         add_number(words, "memory", ra_config_bytes(config, "memory") / jobs) &&
         add_number(words, "priority", (unsigned long long)ra_config_int(config, "watch_priority"));
}

char **ra_watch_words(const ra_cli *cli, const char *root, unsigned jobs) {
  char **words = calloc(RA_WATCH_ARGS + 1, sizeof *words);
  bool ok = words && add(words, cli->argv[0], NULL) && add(words, "ingest", NULL) &&
            add(words, "--json", NULL) && add_flags(cli, words) && add_shares(cli, words, jobs) &&
            add(words, "--root", root) && add(words, "--", NULL);
  if (ok) return words;
  ra_watch_words_free(words);
  return NULL;
}

void ra_watch_words_free(char **words) {
  for (size_t i = 0; words && words[i]; i++) free(words[i]);
  free(words);
}
