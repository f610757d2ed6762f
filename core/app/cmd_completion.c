// cmd_completion.c - `rastrum completion`: what a shell needs to complete commands, their words, options and files, from the
// tables of commands and options.
#include <stdio.h>
#include <string.h>

#include "app/cli.h"

typedef enum what { NOTHING, FILES, FOLDERS } what;

static what takes(const char *value) {
  if (!value) return NOTHING;
  if (strcmp(value, "DIR") == 0) return FOLDERS;
  return strstr(value, "FILE") || strstr(value, "SOURCE") || strcmp(value, "URL") == 0 ? FILES
                                                                                       : NOTHING;
}

static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

// The words of its own that a command takes: those in small letters among its arguments.
static void add_words(ra_str *out, const ra_command *command) {
  const char *p = command->arguments;
  while (*p) {
    size_t n = strcspn(p, "| ");
    if (is_lower(*p)) {
      ra_str_add_bytes(out, p, n);
      ra_str_add_char(out, ' ');
    }
    p += n + (p[n] != 0);
  }
}

static bool is_on(const ra_option *option) {
  return option->type == RA_OPTION_BOOL && strcmp(option->fallback, "true") == 0;
}

// Its name as it is typed: what is on by itself can be turned off.
static void add_name(ra_str *out, const ra_option *option) {
  if (is_on(option)) ra_str_add(out, "no-");
  for (const char *p = option->name; *p; p++) ra_str_add_char(out, *p == '_' ? '-' : *p);
}

// A text between single quotes; `more` are characters that want a backslash before them.
static void add_quoted(ra_str *out, const char *text, const char *more) {
  for (; *text; text++) {
    if (*text == '\'') {
      ra_str_add(out, "'\\''");
      continue;
    }
    if (strchr(more, *text)) ra_str_add_char(out, '\\');
    ra_str_add_char(out, *text);
  }
}

static void add_bash_values(ra_str *out, what kind, const char *action) {
  const char *before = "";
  for (size_t i = 0; i < RA_OPTION_COUNT; i++) {
    if (!RA_OPTIONS[i].value || takes(RA_OPTIONS[i].value) != kind) continue;
    ra_str_addf(out, "%s--", before);
    add_name(out, &RA_OPTIONS[i]);
    before = "|";
  }
  ra_str_addf(out, ") %s; return ;;\n", action);
}

static void add_bash_command(ra_str *out, const ra_command *command) {
  ra_str_addf(out, "    %s) words='", command->name);
  add_words(out, command);
  for (size_t i = 0; i < RA_OPTION_COUNT; i++) {
    if (!(RA_OPTIONS[i].commands & command->bit)) continue;
    ra_str_add(out, "--");
    add_name(out, &RA_OPTIONS[i]);
    ra_str_add_char(out, ' ');
  }
  ra_str_addf(out, "--help'%s ;;\n", takes(command->arguments) == FILES ? " files=1" : "");
}

// bash makes a word of its own of `=`, so an option's value may stand two words behind it.
static void add_bash(ra_str *out) {
  ra_str_add(out,
             "# Completion of rastrum for bash, as `rastrum completion bash` prints it.\n"
             "_rastrum() {\n"
             "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words='' "
             "files=''\n"
             "  [ \"$word\" != = ] || word=''\n"
             "  [ \"$before\" != = ] || before=${COMP_WORDS[COMP_CWORD-2]}\n"
             "  COMPREPLY=()\n"
             "  case $before in\n    -o|");
  add_bash_values(out, FILES,
                  "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$word\")");
  ra_str_add(out, "    ");
  add_bash_values(out, FOLDERS,
                  "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$word\")");
  ra_str_add(out, "    ");
  add_bash_values(out, NOTHING, ":");
  ra_str_add(out, "  esac\n  case $COMP_CWORD:${COMP_WORDS[1]} in\n    1:*) words='");
  for (size_t i = 0; i < RA_COMMAND_COUNT; i++) ra_str_addf(out, "%s ", RA_COMMANDS[i].name);
  ra_str_add(out,
             "--help --version' ;;\n  esac\n  [ -n \"$words\" ] || case ${COMP_WORDS[1]} in\n");
  for (size_t i = 0; i < RA_COMMAND_COUNT; i++) add_bash_command(out, &RA_COMMANDS[i]);
  ra_str_add(out,
             "  esac\n"
             "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
             "  [ -z \"$files\" ] || [[ $word = -* ]] || {\n"
             "    compopt -o filenames\n"
             "    mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- \"$word\")\n"
             "  }\n"
             "}\n"
             "complete -F _rastrum rastrum\n");
}

static const char *zsh_action(what kind) {
  return kind == FILES ? "_files" : kind == FOLDERS ? "_files -/" : "";
}

static void add_zsh_option(ra_str *out, const ra_option *option) {
  ra_str_addf(out, " \\\n        '%s--", option->type == RA_OPTION_LIST ? "*" : "");
  add_name(out, option);
  ra_str_add(out, option->value ? "=[" : "[");
  if (is_on(option)) ra_str_add(out, "turn off: ");
  add_quoted(out, option->help, "[]:\\");
  ra_str_add_char(out, ']');
  if (option->value) {
    ra_str_add_char(out, ':');
    add_quoted(out, option->value, ":\\");
    ra_str_addf(out, ":%s", zsh_action(takes(option->value)));
  }
  ra_str_add_char(out, '\'');
}

static void add_zsh_command(ra_str *out, const ra_command *command) {
  ra_str_addf(out, "    %s)\n      _arguments -S '--help[say what it takes]'", command->name);
  for (size_t i = 0; i < RA_OPTION_COUNT; i++) {
    if (RA_OPTIONS[i].commands & command->bit) add_zsh_option(out, &RA_OPTIONS[i]);
  }
  ra_str words;
  ra_str_init(&words);
  add_words(&words, command);
  if (words.len) ra_str_addf(out, " \\\n        '1:word:(%s)'", words.ptr);
  if (command->arguments[0])
    ra_str_addf(out, " \\\n        '*:argument:%s'", zsh_action(takes(command->arguments)));
  if (words.failed) out->failed = true;
  ra_str_deinit(&words);
  ra_str_add(out, " ;;\n");
}

static void add_zsh(ra_str *out) {
  ra_str_add(out,
             "#compdef rastrum\n"
             "# Completion of rastrum for zsh, as `rastrum completion zsh` prints it.\n"
             "_rastrum() {\n"
             "  local -a commands=(\n");
  for (size_t i = 0; i < RA_COMMAND_COUNT; i++) {
    ra_str_addf(out, "    '%s:", RA_COMMANDS[i].name);
    add_quoted(out, RA_COMMANDS[i].help, ":\\");
    ra_str_add(out, "'\n");
  }
  ra_str_add(out,
             "  )\n"
             "  if (( CURRENT == 2 )); then\n"
             "    _describe command commands\n"
             "    return\n"
             "  fi\n"
             "  shift words\n"
             "  (( CURRENT-- ))\n"
             "  case $words[1] in\n");
  for (size_t i = 0; i < RA_COMMAND_COUNT; i++) add_zsh_command(out, &RA_COMMANDS[i]);
  ra_str_add(out,
             "  esac\n"
             "}\n"
             "if [[ $funcstack[1] = _rastrum ]]; then _rastrum \"$@\"; else compdef _rastrum "
             "rastrum; fi\n");
}

static void add_fish_command(ra_str *out, const ra_command *command) {
  ra_str_addf(out, "complete -c rastrum -n __fish_use_subcommand -a %s -d '", command->name);
  add_quoted(out, command->help, "");
  ra_str_addf(out, "'\nset -l in '__fish_seen_subcommand_from %s'\n", command->name);
  ra_str_addf(out, "complete -c rastrum -n $in %s -a '",
              takes(command->arguments) == FILES ? "-F" : "-f");
  add_words(out, command);
  ra_str_add(out, "'\n");
  for (size_t i = 0; i < RA_OPTION_COUNT; i++) {
    const ra_option *option = &RA_OPTIONS[i];
    if (!(option->commands & command->bit)) continue;
    ra_str_add(out, "complete -c rastrum -n $in -l ");
    add_name(out, option);
    what kind = takes(option->value);
    ra_str_add(out, !option->value    ? ""
                    : kind == FILES   ? " -r -F"
                    : kind == FOLDERS ? " -x -a '(__fish_complete_directories)'"
                                      : " -x");
    ra_str_addf(out, " -d '%s", is_on(option) ? "turn off: " : "");
    add_quoted(out, option->help, "");
    ra_str_add(out, "'\n");
  }
}

static void add_fish(ra_str *out) {
  ra_str_add(out,
             "# Completion of rastrum for fish, as `rastrum completion fish` prints it.\n"
             "complete -c rastrum -n __fish_use_subcommand -f\n"
             "complete -c rastrum -l help -d 'say what it takes'\n");
  for (size_t i = 0; i < RA_COMMAND_COUNT; i++) add_fish_command(out, &RA_COMMANDS[i]);
}

int ra_cmd_completion(const ra_cli *cli) {
  static const struct {
    const char *name;
    void (*add)(ra_str *out);
  } shells[] = {{"bash", add_bash}, {"zsh", add_zsh}, {"fish", add_fish}};
  for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) {
    if (strcmp(shells[i].name, cli->words[0]) != 0) continue;
    ra_str out;
    ra_str_init(&out);
    shells[i].add(&out);
    bool good = !out.failed && ra_cli_print(out.ptr, out.len);
    ra_str_deinit(&out);
    return good ? RA_EXIT_DONE : RA_EXIT_FAILED;
  }
  fprintf(stderr, "rastrum: completion is for bash, zsh and fish, not for '%s'\n", cli->words[0]);
  return RA_EXIT_USAGE;
}
