// main.c - the one binary; everything else is a subcommand (cli.c).
#include <signal.h>

#include "app/child.h"
#include "app/cli.h"

int main(int argc, char **argv) {
  ra_child_begin();
  signal(SIGPIPE, SIG_IGN);
  return ra_cli_main(argc, argv);
}
