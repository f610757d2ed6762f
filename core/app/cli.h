// cli.h - the command line: subcommands, their options and help. Exit codes: 0 done, 1 failed, 2 used wrongly.
#pragma once
#include "app/config.h"
#include "script/bundle.h"

enum { RA_EXIT_DONE = 0, RA_EXIT_FAILED = 1, RA_EXIT_USAGE = 2 };

typedef struct ra_cli {
  ra_config *config;
  char **argv;   // the whole command line, for starting workers
  char **words;  // positional arguments after the subcommand
  int word_count;
  ra_bundle *bundle;  // what a worker was handed; NULL in any other process
} ra_cli;

typedef struct ra_command {
  const char *name;
  unsigned bit;           // RA_CMD_*
  const char *arguments;  // "SOURCE…"
  const char *help;       // one line
  int least, most;        // positional arguments; most -1: any number
  int (*run)(const ra_cli *cli);
} ra_command;

extern const ra_command RA_COMMANDS[];
extern const size_t RA_COMMAND_COUNT;

// Parses and runs; the process's exit code.
int ra_cli_main(int argc, char **argv);

// The subcommands (one file each).
int ra_cmd_serve(const ra_cli *cli);
int ra_cmd_ingest(const ra_cli *cli);
int ra_cmd_inspect(const ra_cli *cli);
int ra_cmd_compact(const ra_cli *cli);
int ra_cmd_catalog(const ra_cli *cli);
int ra_cmd_tile(const ra_cli *cli);
int ra_cmd_timeseries(const ra_cli *cli);
int ra_cmd_doctor(const ra_cli *cli);
int ra_cmd_config(const ra_cli *cli);
int ra_cmd_openapi(const ra_cli *cli);
int ra_cmd_colormap(const ra_cli *cli);
int ra_cmd_plugin(const ra_cli *cli);
int ra_cmd_version(const ra_cli *cli);
int ra_cmd_manual(const ra_cli *cli);
int ra_cmd_completion(const ra_cli *cli);

// The settings anew: of the same command line and environment and of the configuration file as it is now, or (a worker's)
// as the bundle has it. Any thread; *out is the caller's.
int ra_cli_reconfigure(const ra_cli *cli, ra_bundle *bundle, ra_config **out, ra_err *err);

// "rastrum: WHERE: MESSAGE" on standard error; returns RA_EXIT_FAILED.
int ra_cli_fail(const ra_err *err);
// Writes a whole text to standard output; false (with a message) when that fails.
bool ra_cli_print(const char *text, size_t size);
