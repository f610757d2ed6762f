// cmd_config.c - `rastrum config` and `rastrum version`.
#include <sqlite3.h>
#include <stdio.h>
#include <uv.h>

#include "app/cli.h"

int ra_cmd_config(const ra_cli *cli) {
  ra_str text;
  ra_str_init(&text);
  ra_config_print(cli->config, ra_config_bool(cli->config, "json"), &text);
  bool good = text.ptr && ra_cli_print(text.ptr, text.len);
  ra_str_deinit(&text);
  return good ? RA_EXIT_DONE : RA_EXIT_FAILED;
}

int ra_cmd_version(const ra_cli *cli) {
  const char *form = ra_config_bool(cli->config, "json")
                         ? "{\"rastrum\":\"%s\",\"libuv\":\"%s\",\"sqlite\":\"%s\"}\n"
                         : "rastrum %s\nlibuv %s\nsqlite %s\n";
  printf(form, RA_VERSION, uv_version_string(), sqlite3_libversion());
  return RA_EXIT_DONE;
}
