// cmd_request.c - `rastrum tile`, `timeseries`, `openapi`: the server's own requests without a server.
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "app/cli.h"
#include "app/host.h"

// Percent-encodes everything but unreserved characters (RFC 3986 §2.3) and those in `keep`.
static void add_encoded(ra_str *out, const char *text, size_t size, const char *keep) {
  static const char unreserved[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  for (size_t i = 0; i < size; i++) {
    char c = text[i];
    if (c && (strchr(unreserved, c) || strchr(keep, c))) {
      ra_str_add_char(out, c);
    } else {
      ra_str_addf(out, "%%%02X", (unsigned char)c);
    }
  }
}

// NAME=VALUE words to a query string; false with a message for any other word.
static bool add_query(const ra_cli *cli, int first, char separator, ra_str *out) {
  for (int i = first; i < cli->word_count; i++) {
    const char *word = cli->words[i], *equals = strchr(word, '=');
    if (!equals || equals == word) {
      fprintf(stderr, "rastrum: '%s' is not NAME=VALUE\n", word);
      return false;
    }
    ra_str_add_char(out, separator);
    add_encoded(out, word, (size_t)(equals - word), "");
    ra_str_add_char(out, '=');
    add_encoded(out, equals + 1, strlen(equals + 1), ",:");
    separator = '&';
  }
  return true;
}

static int write_body(const ra_cli *cli, const ra_buf *body) {
  const char *path = ra_config_text(cli->config, "output");
  const void *data = body ? ra_buf_data(body) : (const void *)"";
  size_t size = body ? ra_buf_size(body) : 0;
  if (!path) return ra_cli_print(data, size) ? RA_EXIT_DONE : RA_EXIT_FAILED;
  FILE *file = fopen(path, "wb");
  bool good = file && fwrite(data, 1, size, file) == size;
  if (file && fclose(file) != 0) good = false;
  if (!good) fprintf(stderr, "rastrum: %s: cannot be written: %s\n", path, strerror(errno));
  return good ? RA_EXIT_DONE : RA_EXIT_FAILED;
}

// A problem document's sentence.
static int refuse(int status, const ra_buf *body) {
  json_t *problem =
      body ? json_loadb((const char *)ra_buf_data(body), ra_buf_size(body), 0, NULL) : NULL;
  const char *detail = json_string_value(json_object_get(problem, "detail"));
  const char *title = json_string_value(json_object_get(problem, "title"));
  fprintf(stderr, "rastrum: %s (%d)\n",
          detail  ? detail
          : title ? title
                  : "the request failed",
          status);
  json_decref(problem);
  return RA_EXIT_FAILED;
}

static int get(const ra_cli *cli, const char *target) {
  ra_host host;
  ra_err err = {0};
  if (ra_host_init(&host, cli->config, "cli", false, &err) < 0) return ra_cli_fail(&err);
  ra_buf *body;
  int status = ra_host_get(&host, target, &body, &err);
  int code = status == 0                     ? ra_cli_fail(&err)
             : status >= 200 && status < 300 ? write_body(cli, body)
                                             : refuse(status, body);
  ra_buf_unref(body);
  ra_host_deinit(&host);
  return code;
}

int ra_cmd_tile(const ra_cli *cli) {
  ra_str target;
  ra_str_init(&target);
  ra_str_add(&target, "/tiles/");
  add_encoded(&target, cli->words[0], strlen(cli->words[0]), "");
  for (int i = 1; i < 4; i++) {
    ra_str_add_char(&target, '/');
    add_encoded(&target, cli->words[i], strlen(cli->words[i]), "@");
  }
  if (!strchr(cli->words[3], '.')) ra_str_add(&target, ".png");
  int code = add_query(cli, 4, '?', &target) ? get(cli, target.ptr) : RA_EXIT_USAGE;
  ra_str_deinit(&target);
  return code;
}

int ra_cmd_timeseries(const ra_cli *cli) {
  static const char *const names[] = {"collection", "lon", "lat"};
  ra_str target;
  ra_str_init(&target);
  ra_str_add(&target, "/api/timeseries");
  for (int i = 0; i < 3; i++) {
    ra_str_addf(&target, "%c%s=", i ? '&' : '?', names[i]);
    add_encoded(&target, cli->words[i], strlen(cli->words[i]), ",");
  }
  int code = add_query(cli, 3, '&', &target) ? get(cli, target.ptr) : RA_EXIT_USAGE;
  ra_str_deinit(&target);
  return code;
}

int ra_cmd_openapi(const ra_cli *cli) { return get(cli, "/openapi.json"); }
