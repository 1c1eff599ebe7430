/*
 * options.h - a verb's options: one table row each.
 *
 * The same rows parse the command line and print the help, so that neither
 * knows an option that the other does not.  "--name VALUE" and
 * "--name=VALUE" mean the same.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "config.h"

struct option_row {
    const char *name, *argument, *help;
    int (*set)(struct config *config, const char *text, struct error *error);
};

/* Reads options up to the first other word.  Returns that word's index, 0
 * when --help was among them, or -1.  The last row of the table is empty. */
int options_parse(const struct option_row rows[], int argc, char *argv[],
                  struct config *config, struct error *error);

/* Prints a line for each option on stdout. */
void options_print(const struct option_row rows[]);

#endif
