// Settings: where they come from, which wins, what is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "app/config.h"

static ra_config *make(void) {
  ra_config *config;
  ra_err err;
  assert_int_equal(ra_config_new(RA_CMD_SERVE, &config, &err), RA_OK);
  return config;
}

static void later_origins_win(void **state) {
  (void)state;
  ra_config *config = make();
  ra_err err;
  const char file[] =
      "{\"listen\":\"127.0.0.1:1\",\"drain_delay\":\"250ms\",\"block_cache\":1024,\"data\":false}";
  char *environment[] = {"RASTRUM_LISTEN=127.0.0.1:2", "HOME=/", "RASTRUM_SHARED=/x", NULL};
  assert_int_equal(ra_config_file(config, "rastrum.lua", file, sizeof file - 1, &err), RA_OK);
  assert_int_equal(ra_config_environment(config, environment, &err), RA_OK);
  assert_string_equal(ra_config_text(config, "listen"), "127.0.0.1:2");
  assert_int_equal(ra_config_ms(config, "drain-delay"), 250);
  assert_int_equal(ra_config_bytes(config, "block_cache"), 1024);
  assert_false(ra_config_bool(config, "data"));
  ra_str text;
  ra_str_init(&text);
  ra_config_print(config, true, &text);
  assert_non_null(strstr(text.ptr, "environment RASTRUM_LISTEN"));
  assert_non_null(strstr(text.ptr, "\"origin\": \"rastrum.lua\""));
  ra_str_deinit(&text);
  ra_config_free(config);
}

static void lists_begin_anew_with_each_origin(void **state) {
  (void)state;
  ra_config *config = make();
  ra_err err;
  ra_config_set(config, "plugins", "a", "flag", &err);
  ra_config_set(config, "plugins", "b", "flag", &err);
  assert_string_equal(ra_config_list(config, "plugins")[0], "a");
  assert_string_equal(ra_config_list(config, "plugins")[1], "b");
  assert_null(ra_config_list(config, "plugins")[2]);
  ra_config_set(config, "plugins", "c,d", "environment", &err);
  assert_string_equal(ra_config_list(config, "plugins")[0], "c");
  assert_string_equal(ra_config_list(config, "plugins")[1], "d");
  ra_config_free(config);
}

static void mistakes_name_the_setting_and_what_is_right(void **state) {
  (void)state;
  ra_config *config = make();
  ra_err err;
  assert_int_equal(ra_config_set(config, "drain_dealy", "1s", "rastrum.lua", &err), RA_E_INVALID);
  assert_non_null(strstr(err.message, "drain_dealy"));
  assert_non_null(strstr(err.message, "drain_delay"));
  assert_int_equal(ra_config_set(config, "drain_delay", "soon", "flag", &err), RA_E_INVALID);
  assert_non_null(strstr(err.message, "soon"));
  assert_int_equal(ra_config_set(config, "block_cache", "-5", "flag", &err), RA_E_INVALID);
  assert_int_equal(ra_config_set(config, "workers", "two", "flag", &err), RA_E_INVALID);
  char *environment[] = {"RASTRUM_LISTN=x", NULL};
  assert_int_equal(ra_config_environment(config, environment, &err), RA_E_INVALID);
  assert_int_equal(ra_config_file(config, "rastrum.lua", "{\"listen\":{\"a\":1}}", 18, &err),
                   RA_E_INVALID);
  ra_config_free(config);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(later_origins_win),
      cmocka_unit_test(lists_begin_anew_with_each_origin),
      cmocka_unit_test(mistakes_name_the_setting_and_what_is_right),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
