// doctor_contents.c - see doctor.h
#include <jansson.h>
#include <string.h>

#include "app/doctor.h"
#include "app/host.h"

static void catalog(ra_doctor *doctor, ra_host *host) {
  ra_str result;
  ra_err err = {0};
  ra_str_init(&result);
  if (ra_host_run(host, "catalog", "{\"words\":[\"list\"],\"json\":true}", NULL, NULL, &result,
                  &err) < 0) {
    ra_doctor_find(doctor, RA_HEALTH_FAIL, "catalog",
                   "restore it from a backup, use a newer program, or name another with --catalog",
                   "%s%s%s", err.where, err.where[0] ? ": " : "", err.message);
  } else {
    json_t *root = json_loads(result.ptr ? result.ptr : "", 0, NULL);
    size_t n = json_array_size(json_object_get(root, "json"));
    ra_doctor_find(doctor, n ? RA_HEALTH_OK : RA_HEALTH_WARN, "catalog",
                   n ? NULL : "ingest a file: rastrum ingest FILE",
                   n ? "%zu collections" : "it holds %zu collections", n);
    json_decref(root);
  }
  ra_str_deinit(&result);
}

static void plugins(ra_doctor *doctor, ra_host *host) {
  ra_str text;
  ra_err err = {0};
  ra_str_init(&text);
  ra_script_plugins_json(host->script, &text, &err);
  json_t *root = json_loads(text.ptr ? text.ptr : "", 0, NULL), *each;
  json_t *refused = json_object_get(root, "refused");
  size_t i, n = json_array_size(json_object_get(root, "plugins"));
  json_array_foreach(refused, i, each) {
    const char *reason = json_string_value(json_object_get(each, "reason"));
    ra_doctor_find(doctor, RA_HEALTH_FAIL, "plugins",
                   "correct the plugin, or leave it out with --disable NAME", "%s is refused: %s",
                   json_string_value(json_object_get(each, "name")), reason ? reason : "");
  }
  if (json_array_size(refused) == 0)
    ra_doctor_find(doctor, RA_HEALTH_OK, "plugins", NULL, "%zu loaded, none refused", n);
  json_decref(root);
  ra_str_deinit(&text);
}

// Reads one ramp as a request would.
static bool ramp_is_good(ra_doctor *doctor, ra_host *host, const char *name) {
  ra_str target;
  ra_buf *body = NULL;
  ra_err err = {0};
  ra_str_init(&target);
  ra_str_addf(&target, "/colorMaps/%s", name);
  int status = target.ptr ? ra_host_get(host, target.ptr, &body, &err) : 0;
  if (status != 200) {
    json_t *problem =
        body ? json_loadb((const char *)ra_buf_data(body), ra_buf_size(body), 0, NULL) : NULL;
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    ra_doctor_find(doctor, RA_HEALTH_FAIL, "ramps",
                   "correct the file (rastrum colormap check FILE says what is wrong)", "%s: %s",
                   name, detail ? detail : err.message);
    json_decref(problem);
  }
  ra_buf_unref(body);
  ra_str_deinit(&target);
  return status == 200;
}

static void ramps(ra_doctor *doctor, ra_host *host) {
  ra_str result;
  ra_err err = {0};
  ra_str_init(&result);
  ra_host_run(host, "colormap", "{\"words\":[\"list\"],\"json\":true}", NULL, NULL, &result, &err);
  json_t *root = json_loads(result.ptr ? result.ptr : "", 0, NULL), *each;
  json_t *list = json_object_get(root, "json");
  size_t i, bad = 0;
  json_array_foreach(list, i, each) bad += !ramp_is_good(doctor, host, json_string_value(each));
  if (bad == 0)
    ra_doctor_find(doctor, RA_HEALTH_OK, "ramps", NULL, "%zu, all readable", json_array_size(list));
  json_decref(root);
  ra_str_deinit(&result);
}

static void tile_matrix_sets(ra_doctor *doctor, ra_host *host) {
  ra_buf *body = NULL;
  ra_err err = {0};
  int status = ra_host_get(host, "/tileMatrixSets", &body, &err);
  if (status != 200) {
    if (status != 404)  // else the plugin that has them is switched off, or refused, which is told above
      ra_doctor_find(doctor, RA_HEALTH_FAIL, "tile matrix sets", "look into the log",
                     "cannot be listed: status %d", status);
    ra_buf_unref(body);
    return;
  }
  json_t *root = json_loadb((const char *)ra_buf_data(body), ra_buf_size(body), 0, NULL), *each;
  json_t *refused = json_object_get(root, "refused");
  size_t i;
  json_array_foreach(refused, i, each) {
    const char *file = json_string_value(json_object_get(each, "file"));
    const char *message = json_string_value(json_object_get(each, "message"));
    ra_doctor_find(doctor, RA_HEALTH_FAIL, "tile matrix sets",
                   "correct the file; it is to be as OGC 17-083r4 has it", "%s: %s",
                   file ? file : "", message ? message : "");
  }
  if (json_array_size(refused) == 0)
    ra_doctor_find(doctor, RA_HEALTH_OK, "tile matrix sets", NULL, "%zu, all usable",
                   json_array_size(json_object_get(root, "tileMatrixSets")));
  json_decref(root);
  ra_buf_unref(body);
}

void ra_doctor_contents(ra_doctor *doctor) {
  ra_host host;
  ra_err err = {0};
  if (ra_host_init(&host, doctor->config, "cli", false, &err) < 0) {
    ra_doctor_find(doctor, RA_HEALTH_FAIL, "plugins", "correct the setting, or reinstall",
                   "the host does not start: %s%s%s", err.where, err.where[0] ? ": " : "",
                   err.message);
    return;
  }
  catalog(doctor, &host);
  plugins(doctor, &host);
  ramps(doctor, &host);
  tile_matrix_sets(doctor, &host);
  ra_host_deinit(&host);
}
