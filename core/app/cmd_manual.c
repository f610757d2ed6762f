// cmd_manual.c - `rastrum man`: the manual page, in man(7)'s macros, from the tables of commands and options.
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/cli.h"

static const char ELLIPSIS[] = "…";

// A text for roff: what it would take for its own stands for itself. Not for whole lines that begin with a dot.
static void add_text(ra_str *out, const char *text) {
  while (*text) {
    if (strncmp(text, ELLIPSIS, sizeof ELLIPSIS - 1) == 0) {
      ra_str_add(out, "...");
      text += sizeof ELLIPSIS - 1;
      continue;
    }
    switch (*text) {
      case '\\': ra_str_add(out, "\\e"); break;
      case '-': ra_str_add(out, "\\-"); break;
      case '\'': ra_str_add(out, "\\(aq"); break;
      case '`': ra_str_add(out, "\\(ga"); break;
      case '^': ra_str_add(out, "\\(ha"); break;
      case '~': ra_str_add(out, "\\(ti"); break;
      default: ra_str_add_char(out, *text);
    }
    text++;
  }
}

// The day that SOURCE_DATE_EPOCH names, so that the same sources make the same page; else today.
static void add_head(ra_str *out) {
  const char *epoch = getenv("SOURCE_DATE_EPOCH");
  time_t at = epoch ? (time_t)strtoll(epoch, NULL, 10) : time(NULL);
  struct tm day = {0};
  char text[16] = "";
  gmtime_r(&at, &day);
  strftime(text, sizeof text, "%Y-%m-%d", &day);
  ra_str_addf(out, ".TH RASTRUM 1 %s \"rastrum %s\" \"User Commands\"\n", text, RA_VERSION);
  ra_str_add(
      out,
      ".SH NAME\n"
      "rastrum \\- map tiles, time series and a STAC catalog from NetCDF, Zarr and GeoTIFF\n"
      ".SH SYNOPSIS\n"
      ".B rastrum\n"
      ".I COMMAND\n"
      "[\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]...\n"
      ".SH DESCRIPTION\n"
      ".B rastrum ingest\n"
      "writes each variable of a file as Cloud-Optimised GeoTIFF, for maps, and as Zarr, for "
      "series.\n"
      ".B rastrum serve\n"
      "answers map tiles, time series, a STAC catalog and a page over HTTP; what it answers is\n"
      "described at /docs of the running server.\n"
      ".B rastrum doctor\n"
      "looks at all that the program needs and says how to mend what is wrong.\n");
}

static void add_commands(ra_str *out) {
  ra_str_add(out, ".SH COMMANDS\n");
  for (size_t i = 0; i < RA_COMMAND_COUNT; i++) {
    const ra_command *command = &RA_COMMANDS[i];
    ra_str_addf(out, ".TP\n\\fB%s\\fR", command->name);
    if (command->arguments[0]) {
      ra_str_add(out, " \\fI");
      add_text(out, command->arguments);
      ra_str_add(out, "\\fR");
    }
    ra_str_add_char(out, '\n');
    add_text(out, command->help);
    ra_str_add(out, ".\n");
  }
}

static void add_option_name(ra_str *out, const ra_option *option) {
  ra_str_add(out, ".TP\n\\fB\\-\\-");
  for (const char *p = option->name; *p; p++) ra_str_add(out, *p == '_' ? "\\-" : (char[]){*p, 0});
  ra_str_add(out, "\\fR");
  if (option->value) {
    ra_str_add(out, " \\fI");
    add_text(out, option->value);
    ra_str_add(out, "\\fR");
  }
  ra_str_add_char(out, '\n');
}

// "Of serve, config." where it is not an option of all that read a configuration.
static void add_option_commands(ra_str *out, const ra_option *option) {
  if ((option->commands & RA_CMD_HOST) == RA_CMD_HOST) return;
  ra_str_add(out, " Of");
  const char *before = " ";
  for (size_t i = 0; i < RA_COMMAND_COUNT; i++) {
    if (!(RA_COMMANDS[i].bit & option->commands)) continue;
    ra_str_addf(out, "%s\\fB%s\\fR", before, RA_COMMANDS[i].name);
    before = ", ";
  }
  ra_str_add_char(out, '.');
}

static void add_options(ra_str *out) {
  ra_str_add(out,
             ".SH OPTIONS\n"
             "They stand anywhere behind the command, as\n"
             ".BI \\-\\-name \" value\"\n"
             "or\n"
             ".BI \\-\\-name= value\\fR;\n"
             "a switch is turned off by\n"
             ".BI \\-\\-no\\- name\\fR.\n"
             "Sizes take K, M, G or T; times ms, s, m or h.\n");
  for (size_t i = 0; i < RA_OPTION_COUNT; i++) {
    const ra_option *option = &RA_OPTIONS[i];
    add_option_name(out, option);
    add_text(out, option->help);
    ra_str_add_char(out, '.');
    if (option->fallback &&
        (option->type != RA_OPTION_BOOL || strcmp(option->fallback, "true") == 0)) {
      ra_str_add(out, " Default: ");
      add_text(out, option->type == RA_OPTION_BOOL ? "on" : option->fallback);
      ra_str_add_char(out, '.');
    }
    add_option_commands(out, option);
    if (option->flag_only) ra_str_add(out, " Only on the command line.");
    ra_str_add_char(out, '\n');
  }
}

static void add_rest(ra_str *out) {
  ra_str_add(
      out,
      ".SH ENVIRONMENT\n"
      ".TP\n"
      "\\fBRASTRUM_\\fINAME\\fR\n"
      "The option of that name, in capitals and with underscores. A flag counts more, the\n"
      "configuration file less.\n"
      ".SH FILES\n"
      ".TP\n"
      ".I rastrum.lua\n"
      "The configuration: a Lua file that returns a table, with the options as keys, underscores\n"
      "in place of their dashes.\n"
      ".TP\n"
      ".I rastrum\\-data\n"
      "The store, with its catalog, where\n"
      ".B \\-\\-store\n"
      "does not name another.\n"
      ".SH EXIT STATUS\n"
      "0 when it is done, 1 when it failed, 2 when it was used wrongly.\n"
      ".SH EXAMPLES\n"
      ".EX\n"
      "rastrum inspect coads_climatology.cdf\n"
      "rastrum ingest coads_climatology.cdf \\-\\-collection coads\n"
      "rastrum tile coads 0 0 0 variable=SST colormap_name=thermal \\-o sst.png\n"
      "rastrum timeseries coads \\-30 10 variable=SST f=csv\n"
      "rastrum doctor\n"
      "rastrum serve \\-\\-listen 127.0.0.1:8080\n"
      ".EE\n"
      ".SH SEE ALSO\n"
      "The program's README and those of its folders describe plugins, colour ramps and\n"
      "deployment, and list the likeliest refusals with what mends them.\n");
}

int ra_cmd_manual(const ra_cli *cli) {
  (void)cli;
  ra_str out;
  ra_str_init(&out);
  add_head(&out);
  add_commands(&out);
  add_options(&out);
  add_rest(&out);
  bool good = !out.failed && ra_cli_print(out.ptr, out.len);
  ra_str_deinit(&out);
  return good ? RA_EXIT_DONE : RA_EXIT_FAILED;
}
