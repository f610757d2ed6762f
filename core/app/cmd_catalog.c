// cmd_catalog.c - `rastrum catalog`, `colormap` and `plugin`: workflows of plugins that answer {"text":…,"json":…,"code":n}.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/cli.h"
#include "app/host.h"

static int print_result(const ra_cli *cli, const char *result) {
  json_t *root = json_loads(result, JSON_DECODE_ANY, NULL);
  const char *text = json_string_value(json_object_get(root, "text"));
  json_t *value = json_object_get(root, "json");
  bool good = true;
  if (ra_config_bool(cli->config, "json") && value) {
    char *dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_PRESERVE_ORDER);
    good = dump && ra_cli_print(dump, strlen(dump)) && ra_cli_print("\n", 1);
    free(dump);
  } else if (text && *text) {
    good = ra_cli_print(text, strlen(text)) && ra_cli_print("\n", 1);
  }
  int code = (int)json_integer_value(json_object_get(root, "code"));
  json_decref(root);
  return good ? code : RA_EXIT_FAILED;
}

static int run(const ra_cli *cli, const char *workflow) {
  ra_host host;
  ra_err err = {0};
  if (ra_host_init(&host, cli->config, "cli", false, &err) < 0) return ra_cli_fail(&err);
  ra_str args, result;
  ra_str_init(&args);
  ra_str_init(&result);
  ra_str_add(&args, "{\"words\":[");
  for (int i = 0; i < cli->word_count; i++) {
    if (i) ra_str_add_char(&args, ',');
    ra_str_add_json(&args, cli->words[i]);
  }
  ra_str_addf(&args, "],\"json\":%s}", ra_config_bool(cli->config, "json") ? "true" : "false");
  int rc = ra_host_run(&host, workflow, args.ptr, NULL, NULL, &result, &err);
  int code = rc < 0 ? (ra_cli_fail(&err), rc == RA_E_INVALID ? RA_EXIT_USAGE : RA_EXIT_FAILED)
                    : print_result(cli, result.ptr);
  ra_str_deinit(&args);
  ra_str_deinit(&result);
  ra_host_deinit(&host);
  return code;
}

int ra_cmd_catalog(const ra_cli *cli) { return run(cli, "catalog"); }
int ra_cmd_colormap(const ra_cli *cli) { return run(cli, "colormap"); }

int ra_cmd_plugin(const ra_cli *cli) {
  ra_host host;
  ra_err err = {0};
  if (strcmp(cli->words[0], "list") != 0) {
    fprintf(stderr, "rastrum: plugin takes 'list', not '%s'\n", cli->words[0]);
    return RA_EXIT_USAGE;
  }
  if (ra_host_init(&host, cli->config, "cli", false, &err) < 0) return ra_cli_fail(&err);
  ra_str json;
  ra_str_init(&json);
  int rc = ra_script_plugins_json(host.script, &json, &err);
  int code = rc < 0 ? ra_cli_fail(&err)
                    : ra_cli_print(json.ptr, json.len) && ra_cli_print("\n", 1) ? RA_EXIT_DONE : RA_EXIT_FAILED;
  ra_str_deinit(&json);
  ra_host_deinit(&host);
  return code;
}
