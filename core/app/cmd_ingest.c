// cmd_ingest.c - `rastrum ingest`, `compact` and `inspect`: the workflow plugin does the work; here its arguments are
// gathered; progress.c shows its events.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/cli.h"
#include "app/confine.h"
#include "app/host.h"
#include "app/priority.h"
#include "app/progress.h"
#include "base/crash.h"
#include "ingest/checksums.h"
#include "source/access.h"

// {"sources":[…],"options":{…}}: what the workflows `ingest` and `inspect` take.
static void arguments(const ra_cli *cli, ra_str *out) {
  static const char *const texts[] = {"collection", "dataset",      "variables",
                                      "datetime",   "cog_compress", "store",
                                      "scratch",    "root",         NULL};
  static const char *const bytes[] = {"memory", NULL};
  static const char *const ints[] = {"jobs", "zarr_format", NULL};
  static const char *const bools[] = {"dry_run", "json", "in_place", "copy", "virtual", NULL};
  ra_str_add(out, "{\"sources\":[");
  for (int i = 0; i < cli->word_count; i++) {
    if (i) ra_str_add_char(out, ',');
    ra_str_add_json(out, cli->words[i]);
  }
  ra_str_add(out, "],\"options\":{\"terminal\":");
  ra_str_add(out, isatty(STDERR_FILENO) ? "true" : "false");
  for (int i = 0; texts[i]; i++) {
    const char *text = ra_config_text(cli->config, texts[i]);
    if (!text) continue;
    ra_str_addf(out, ",\"%s\":", texts[i]);
    ra_str_add_json(out, text);
  }
  for (int i = 0; bytes[i]; i++) {
    ra_str_addf(out, ",\"%s\":%llu", bytes[i],
                (unsigned long long)ra_config_bytes(cli->config, bytes[i]));
  }
  for (int i = 0; ints[i]; i++) {
    ra_str_addf(out, ",\"%s\":%lld", ints[i], (long long)ra_config_int(cli->config, ints[i]));
  }
  for (int i = 0; bools[i]; i++) {
    ra_str_addf(out, ",\"%s\":%s", bools[i],
                ra_config_bool(cli->config, bools[i]) ? "true" : "false");
  }
  ra_str_add(out, "}}");
}

// What sources may reach: servers, and the roots of references.
static int open_access(const ra_cli *cli, ra_source_access *access, ra_err *err) {
  *access = (ra_source_access){.scratch = ra_config_text(cli->config, "scratch"),
                               .most = ra_config_bytes(cli->config, "source_size"),
                               .roots = ra_config_list(cli->config, "source_roots")};
  int rc = ra_remote_new(ra_config_list(cli->config, "fetch_allow"),
                         ra_config_ms(cli->config, "source_timeout"), &access->remote, err);
  if (rc >= 0) ra_source_set_access(access);
  return rc;
}

static void close_access(ra_source_access *access) {
  ra_source_set_access(NULL);
  ra_remote_free(access->remote);
}

static int run(const ra_cli *cli, const char *workflow, bool dry) {
  ra_host host;
  ra_source_access access;
  ra_err err = {0};
  ra_crash_install();
  if (cli->word_count) ra_confine_sources(cli, !dry);
  ra_priority_lower((int)ra_config_int(cli->config, "priority"));
  if (open_access(cli, &access, &err) < 0) return ra_cli_fail(&err);
  if (ra_host_init(&host, cli->config, "ingest", !dry, &err) < 0) {
    close_access(&access);
    return ra_cli_fail(&err);
  }
  ra_str args;
  ra_str_init(&args);
  arguments(cli, &args);
  ra_progress shown = {.json = ra_config_bool(cli->config, "json")};
  int rc = ra_host_run(&host, workflow, args.ptr, ra_progress_event, &shown, NULL, &err);
  ra_progress_end(&shown);
  int code = rc < 0 || shown.failed ? RA_EXIT_FAILED : RA_EXIT_DONE;
  if (rc < 0 && !shown.failed) ra_cli_fail(&err);
  ra_str_deinit(&args);
  ra_host_deinit(&host);
  close_access(&access);
  return code;
}

int ra_cmd_ingest(const ra_cli *cli) {
  return run(cli, ra_config_text(cli->config, "workflow"), ra_config_bool(cli->config, "dry_run"));
}

int ra_cmd_compact(const ra_cli *cli) { return run(cli, "compact", false); }

// The workflow's result: {"json":{…},"text":"…","verdict":"ingest"|"refuse","reason":"…"}.
static int print_inspection(const ra_cli *cli, const char *result) {
  json_t *root = json_loads(result, 0, NULL);
  json_t *report = json_object_get(root, "json");
  const char *text = json_string_value(json_object_get(root, "text"));
  const char *verdict = json_string_value(json_object_get(report, "verdict"));
  bool refused = !verdict || strcmp(verdict, "ingest") != 0;
  if (ra_config_bool(cli->config, "json")) {
    char *dump = json_dumps(report, JSON_COMPACT | JSON_PRESERVE_ORDER);
    if (dump) printf("%s\n", dump);
    free(dump);
  } else if (text) {
    printf("%s\n", text);
  }
  const char *reason = json_string_value(json_object_get(root, "reason"));
  if (refused) fprintf(stderr, "rastrum: %s: %s\n", cli->words[0], reason ? reason : "refused");
  json_decref(root);
  return refused ? RA_EXIT_FAILED : RA_EXIT_DONE;
}

static void print_array(const json_t *array) {
  const char *path = json_string_value(json_object_get(array, "path"));
  const char *digest = json_string_value(json_object_get(array, "sha256"));
  const char *type = json_string_value(json_object_get(array, "dtype"));
  const char *skipped = json_string_value(json_object_get(array, "skipped"));
  char *shape = json_dumps(json_object_get(array, "shape"), JSON_COMPACT);
  if (!path || !*path) path = "/";
  if (digest) printf("%s  %s%s  %s\n", digest, type ? type : "", shape ? shape : "", path);
  if (skipped) printf("%-64s  %s: %s\n", "-", path, skipped);
  free(shape);
}

// What our readers decode, without the host.
static int checksums(const ra_cli *cli) {
  ra_str text;
  ra_err err = {0};
  ra_str_init(&text);
  size_t memory = ra_config_bytes(cli->config, "memory");
  int rc = ra_checksums(cli->words[0], ra_config_text(cli->config, "dump"), memory / 4, &text, &err);
  if (rc == RA_OK && ra_config_bool(cli->config, "json")) {
    printf("%s\n", text.ptr);
  } else if (rc == RA_OK) {
    json_t *root = json_loads(text.ptr, 0, NULL);
    size_t i;
    const json_t *array;
    json_array_foreach(json_object_get(root, "arrays"), i, array) print_array(array);
    json_decref(root);
  }
  ra_str_deinit(&text);
  return rc < 0 ? ra_cli_fail(&err) : RA_EXIT_DONE;
}

static int inspect(const ra_cli *cli) {
  ra_host host;
  ra_err err = {0};
  ra_crash_install();
  ra_confine_sources(cli, false);
  if (ra_config_bool(cli->config, "checksums")) return checksums(cli);
  if (ra_host_init(&host, cli->config, "ingest", false, &err) < 0) return ra_cli_fail(&err);
  ra_str args, result;
  ra_str_init(&args);
  ra_str_init(&result);
  arguments(cli, &args);
  int rc = ra_host_run(&host, "inspect", args.ptr, NULL, NULL, &result, &err);
  int code = rc < 0 ? ra_cli_fail(&err) : print_inspection(cli, result.ptr);
  ra_str_deinit(&args);
  ra_str_deinit(&result);
  ra_host_deinit(&host);
  return code;
}

int ra_cmd_inspect(const ra_cli *cli) {
  ra_source_access access;
  ra_err err = {0};
  if (open_access(cli, &access, &err) < 0) return ra_cli_fail(&err);
  int code = inspect(cli);
  close_access(&access);
  return code;
}
