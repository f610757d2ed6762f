// cmd_catalog.c - `rastrum catalog`, `colormap` and `plugin`: workflows of plugins that answer {"text":…,"json":…,"code":n}.
#include <errno.h>
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

// text: what a file that a word names holds; NULL: none was read.
static int run(const ra_cli *cli, const char *workflow, const ra_str *text) {
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
  ra_str_addf(&args, "],\"json\":%s", ra_config_bool(cli->config, "json") ? "true" : "false");
  if (text) {
    ra_str_add(&args, ",\"text\":");
    ra_str_add_json_bytes(&args, text->ptr ? text->ptr : "", text->len);
  }
  ra_str_add_char(&args, '}');
  int rc = ra_host_run(&host, workflow, args.ptr, NULL, NULL, &result, &err);
  int code = rc < 0 ? (ra_cli_fail(&err), rc == RA_E_INVALID ? RA_EXIT_USAGE : RA_EXIT_FAILED)
                    : print_result(cli, result.ptr);
  ra_str_deinit(&args);
  ra_str_deinit(&result);
  ra_host_deinit(&host);
  return code;
}

int ra_cmd_catalog(const ra_cli *cli) { return run(cli, "catalog", NULL); }

static int read_text(const char *path, ra_str *out) {
  enum { MOST = 1 << 20 };
  char piece[4096];
  FILE *file = fopen(path, "rb");
  for (size_t n; file && out->len <= MOST && (n = fread(piece, 1, sizeof piece, file)) > 0;) {
    ra_str_add_bytes(out, piece, n);
  }
  bool good = file && !ferror(file);
  if (!good) fprintf(stderr, "rastrum: %s: cannot be read: %s\n", path, strerror(errno));
  if (good && out->len > MOST)
    fprintf(stderr, "rastrum: %s: over 1 MiB, which no colour ramp is\n", path);
  if (file) fclose(file);
  return good && out->len <= MOST ? RA_OK : RA_E_IO;
}

// `preview` takes a ramp's name too: a file is what there is, or what looks like one.
static bool names_file(char *const *words) {
  return strcmp(words[0], "preview") != 0 || strchr(words[1], '.') || strchr(words[1], '/');
}

int ra_cmd_colormap(const ra_cli *cli) {
  if (cli->word_count < 2 || !names_file(cli->words)) return run(cli, "colormap", NULL);
  ra_str text;
  ra_str_init(&text);
  int code = read_text(cli->words[1], &text) < 0 ? RA_EXIT_FAILED : run(cli, "colormap", &text);
  ra_str_deinit(&text);
  return code;
}

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
  int code = rc < 0                                                      ? ra_cli_fail(&err)
             : ra_cli_print(json.ptr, json.len) && ra_cli_print("\n", 1) ? RA_EXIT_DONE
                                                                         : RA_EXIT_FAILED;
  ra_str_deinit(&json);
  ra_host_deinit(&host);
  return code;
}
