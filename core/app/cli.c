// cli.c - see cli.h
#include "app/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/worker.h"
#include "base/log.h"
#include "script/script.h"

extern char **environ;

const ra_command RA_COMMANDS[] = {
    {"serve", RA_CMD_SERVE, "", "answer tiles, series and STAC over HTTP", 0, 0, ra_cmd_serve},
    {"ingest", RA_CMD_INGEST, "SOURCE…",
     "turn NetCDF, Zarr and GeoTIFF files into COG, Zarr and STAC", 1, -1, ra_cmd_ingest},
    {"inspect", RA_CMD_INSPECT, "SOURCE", "what is in a file, and what ingest will do with it", 1,
     1, ra_cmd_inspect},
    {"compact", RA_CMD_COMPACT, "COLLECTION", "join the stores of a collection's datasets", 1, 1,
     ra_cmd_compact},
    {"catalog", RA_CMD_CATALOG, "list|show|remove|gc …", "look at the catalog and tidy it", 1, -1,
     ra_cmd_catalog},
    {"tile", RA_CMD_TILE, "COLLECTION Z X Y [NAME=VALUE]…", "a map tile, without a server", 4, -1,
     ra_cmd_tile},
    {"timeseries", RA_CMD_SERIES, "COLLECTION LON LAT [NAME=VALUE]…",
     "a time series, without a server", 3, -1, ra_cmd_timeseries},
    {"colormap", RA_CMD_COLORMAP, "list|check FILE|preview NAME|FILE", "the colour ramps", 1, 2,
     ra_cmd_colormap},
    {"plugin", RA_CMD_PLUGIN, "list", "the plugins that load, and those that don't and why", 1, 1,
     ra_cmd_plugin},
    {"config", RA_CMD_CONFIG, "", "the effective settings and where each came from", 0, 0,
     ra_cmd_config},
    {"doctor", RA_CMD_CONFIG, "", "is everything there that it needs, and how to mend what is not",
     0, 0, ra_cmd_doctor},
    {"openapi", RA_CMD_OPENAPI, "", "the OpenAPI document of all routes", 0, 0, ra_cmd_openapi},
    {"version", RA_CMD_VERSION, "", "versions of the program and its libraries", 0, 0, ra_cmd_version},
    {"man", RA_CMD_PRINT, "", "the manual page, for man(1)", 0, 0, ra_cmd_manual},
    {"completion", RA_CMD_PRINT, "bash|zsh|fish",
     "what a shell needs to complete words and options", 1, 1, ra_cmd_completion},
};
const size_t RA_COMMAND_COUNT = sizeof RA_COMMANDS / sizeof *RA_COMMANDS;

int ra_cli_fail(const ra_err *err) {
  if (err->where[0]) {
    fprintf(stderr, "rastrum: %s: %s\n", err->where, err->message);
  } else {
    fprintf(stderr, "rastrum: %s\n", err->message);
  }
  return RA_EXIT_FAILED;
}

bool ra_cli_print(const char *text, size_t size) {
  if (fwrite(text, 1, size, stdout) == size && fflush(stdout) == 0) return true;
  fprintf(stderr, "rastrum: cannot write to standard output: %s\n", strerror(errno));
  return false;
}

static void print_usage(FILE *to) {
  fputs("usage: rastrum COMMAND …\n\n", to);
  for (size_t i = 0; i < RA_COMMAND_COUNT; i++)
    fprintf(to, "  %-11s %s\n", RA_COMMANDS[i].name, RA_COMMANDS[i].help);
  fputs("\n`rastrum COMMAND --help` says more.\n", to);
}

static void print_help(const ra_command *command) {
  printf("usage: rastrum %s [OPTION]… %s\n%s\n\n", command->name, command->arguments, command->help);
  for (size_t i = 0; i < RA_OPTION_COUNT; i++) {
    const ra_option *option = &RA_OPTIONS[i];
    if (!(option->commands & command->bit)) continue;
    char name[64];
    int n = snprintf(name, sizeof name, "--%s", option->name);
    for (int k = 2; k < n; k++) name[k] = name[k] == '_' ? '-' : name[k];
    if (option->value) snprintf(name + n, sizeof name - (size_t)n, " %s", option->value);
    printf("  %-28s %s", name, option->help);
    if (option->fallback && option->type != RA_OPTION_BOOL) printf(" [%s]", option->fallback);
    putchar('\n');
  }
}

static const ra_command *find_command(const char *name) {
  for (size_t i = 0; i < RA_COMMAND_COUNT; i++) {
    if (strcmp(RA_COMMANDS[i].name, name) == 0) return &RA_COMMANDS[i];
  }
  return NULL;
}

static int usage_error(const ra_command *command, const char *fmt, const char *a, const char *b) {
  fputs("rastrum: ", stderr);
  fprintf(stderr, fmt, a, b);
  fprintf(stderr, "; see rastrum %s --help\n", command ? command->name : "");
  return RA_EXIT_USAGE;
}

static int unknown_option(const ra_command *command, const char *name) {
  bool negated = strncmp(name, "no-", 3) == 0;
  const char *near = ra_option_nearest(negated ? name + 3 : name, command->bit);
  if (near && negated && ra_option_find(near)->type != RA_OPTION_BOOL) near = NULL;
  if (!near) return usage_error(command, "unknown option --%s%s", name, "");
  char text[64];
  snprintf(text, sizeof text, "%s%s", negated ? "no-" : "", near);
  for (char *p = text; *p; p++) *p = *p == '_' ? '-' : *p;
  return usage_error(command, "unknown option --%s; did you mean --%s", name, text);
}

// One option at argv[i]; returns how many words it took, or a negative exit code.
static int take_option(const ra_command *command, char **argv, int i, const char *origin,
                       ra_config *config) {
  char name[64];
  const char *word = strcmp(argv[i], "-o") == 0 ? "--output" : argv[i];
  const char *equals = strchr(word, '=');
  snprintf(name, sizeof name, "%.*s", equals ? (int)(equals - word - 2) : (int)strlen(word + 2),
           word + 2);
  const ra_option *option = ra_option_find(name);
  bool negated = !option && strncmp(name, "no-", 3) == 0;
  if (negated) option = ra_option_find(name + 3);
  if (!option || !(option->commands & command->bit) || (negated && option->type != RA_OPTION_BOOL)) {
    return -unknown_option(command, name);
  }
  const char *value = equals ? equals + 1 : NULL;
  int taken = 1;
  if (option->type == RA_OPTION_BOOL && !value) {
    value = negated ? "false" : "true";
  } else if (!value) {
    value = argv[i + 1];
    taken = 2;
    if (!value) return -usage_error(command, "--%s needs a value%s", name, "");
  }
  ra_err err = {0};
  if (ra_config_set(config, option->name, value, origin, &err) < 0) {
    return -usage_error(command, "--%s%s", err.message, "");
  }
  return taken;
}

// The table of the configuration file: of a worker's bundle, else of the file itself.
static int load_file(ra_config *config, const ra_bundle *bundle, ra_err *err) {
  const char *path = ra_config_text(config, "config");
  const ra_bundle_entry *entry = bundle ? ra_bundle_find(bundle, "rastrum.lua") : NULL;
  if (entry) return ra_config_file(config, path, entry->text, entry->size, err);
  if (bundle || (access(path, F_OK) != 0 && !ra_config_is_set(config, "config"))) return RA_OK;
  ra_str json;
  ra_str_init(&json);
  int rc = ra_script_load_table(path, &json, err);
  if (rc == RA_OK) rc = ra_config_file(config, path, json.ptr ? json.ptr : "", json.len, err);
  ra_str_deinit(&json);
  return rc;
}

// Flags are parsed twice: first to find --config, then again over the file and the environment. Another origin makes the
// lists begin anew.
static int take_words(const ra_command *command, const char *origin, ra_cli *cli) {
  char **argv = cli->argv;
  bool words_only = false;
  cli->word_count = 0;
  for (int i = 2; argv[i];) {
    if (!words_only && strcmp(argv[i], "--") == 0) {
      words_only = true;
      i++;
    } else if (!words_only && (strncmp(argv[i], "--", 2) == 0 || strcmp(argv[i], "-o") == 0)) {
      int taken = take_option(command, argv, i, origin, cli->config);
      if (taken < 0) return -taken;
      i += taken;
    } else {
      cli->words[cli->word_count++] = argv[i++];
    }
  }
  if (cli->word_count < command->least || (command->most >= 0 && cli->word_count > command->most)) {
    return usage_error(command, "%s takes %s", command->name,
                       command->arguments[0] ? command->arguments : "no arguments");
  }
  return 0;
}

// The rest of the environment comes after the file that this names.
static int name_file(ra_config *config, ra_err *err) {
  const char *file = getenv("RASTRUM_CONFIG");
  if (!file || ra_config_is_set(config, "config")) return RA_OK;
  return ra_config_set(config, "config", file, "environment RASTRUM_CONFIG", err);
}

// An exit code other than 0 when the flags are wrong, which has been said; rc when the file or the environment is.
static int read_settings(const ra_command *command, ra_cli *cli, int *rc, ra_err *err) {
  *rc = ra_config_new(command->bit, &cli->config, err);
  if (*rc < 0) return 0;
  int code = take_words(command, "first flag", cli);
  if (code || command->bit & (RA_CMD_VERSION | RA_CMD_PRINT)) return code;
  *rc = name_file(cli->config, err);
  if (*rc == RA_OK) *rc = load_file(cli->config, cli->bundle, err);
  if (*rc == RA_OK) *rc = ra_config_environment(cli->config, environ, err);
  return *rc < 0 ? 0 : take_words(command, "flag", cli);
}

static int configure(const ra_command *command, ra_cli *cli) {
  ra_err err = {0};
  int rc = ra_worker_bundle(&cli->bundle, &err);
  int code = rc < 0 ? 0 : read_settings(command, cli, &rc, &err);
  if (rc == RA_OK) return code;
  ra_cli_fail(&err);
  return RA_EXIT_USAGE;
}

int ra_cli_reconfigure(const ra_cli *cli, ra_bundle *bundle, ra_config **out, ra_err *err) {
  size_t n = 0;
  while (cli->argv[n]) n++;
  ra_cli again = {.argv = cli->argv, .words = calloc(n + 1, sizeof(char *)), .bundle = bundle};
  if (!again.words) return ra_fail(err, RA_E_NOMEM, "", "no memory for the configuration");
  int rc;
  if (read_settings(find_command(cli->argv[1]), &again, &rc, err) != 0)
    rc = ra_fail(err, RA_E_INVALID, "", "the command line is wrong");
  free(again.words);
  if (rc < 0) {
    ra_config_free(again.config);
  } else {
    *out = again.config;
  }
  return rc;
}

static int set_up_log(const ra_config *config) {
  static const char *const levels[] = {"debug", "info", "warn", "error"};
  static const char *const formats[] = {"auto", "json", "plain"};
  int level = -1, format = -1;
  for (int i = 0; i < 4; i++)
    level = strcmp(ra_config_text(config, "log_level"), levels[i]) ? level : i;
  for (int i = 0; i < 3; i++)
    format = strcmp(ra_config_text(config, "log_format"), formats[i]) ? format : i;
  if (level < 0 || format < 0) {
    fprintf(
        stderr,
        "rastrum: log_level takes debug, info, warn or error; log_format auto, json or plain\n");
    return RA_EXIT_USAGE;
  }
  ra_log_setup((ra_log_level)level, (ra_log_format)format);
  return 0;
}

static int unknown_command(const char *name) {
  const char *near = NULL;
  unsigned least = (unsigned)strlen(name) / 2 + 1;
  for (size_t i = 0; i < RA_COMMAND_COUNT; i++) {
    unsigned d = ra_option_distance(name, RA_COMMANDS[i].name);
    if (d < least) {
      least = d;
      near = RA_COMMANDS[i].name;
    }
  }
  fprintf(stderr, "rastrum: unknown command '%s'; %s%s%s\n", name,
          near ? "did you mean '" : "see rastrum --help", near ? near : "", near ? "'?" : "");
  return RA_EXIT_USAGE;
}

static bool wants_help(char **argv) {
  for (int i = 2; argv[i] && strcmp(argv[i], "--") != 0; i++) {
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
  }
  return false;
}

int ra_cli_main(int argc, char **argv) {
  if (argc < 2) {
    print_usage(stderr);
    return RA_EXIT_USAGE;
  }
  if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
    print_usage(stdout);
    return RA_EXIT_DONE;
  }
  const ra_command *command = find_command(strcmp(argv[1], "--version") ? argv[1] : "version");
  if (!command) {
    return unknown_command(argv[1]);
  }
  if (wants_help(argv)) {
    print_help(command);
    return RA_EXIT_DONE;
  }
  ra_cli cli = {.argv = argv, .words = calloc((size_t)argc + 1, sizeof(char *))};
  if (!cli.words) return RA_EXIT_FAILED;
  int code = configure(command, &cli);
  if (code == 0) code = set_up_log(cli.config);
  if (code == 0) code = command->run(&cli);
  ra_config_free(cli.config);
  ra_bundle_unref(cli.bundle);
  free(cli.words);
  return code;
}
