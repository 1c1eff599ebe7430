/*
 * cmd.h - the verbs of minibox, one file each.
 *
 * A verb gets its own name as argv[0].  It returns minibox's exit status;
 * when it leaves a text in ERROR, main() prints that.
 */
#ifndef CMD_H
#define CMD_H

#include "err.h"

int cmd_run(int argc, char *argv[], struct error *error);

#endif
