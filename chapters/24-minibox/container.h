/*
 * container.h - one container, from its beginning to its end.
 */
#ifndef CONTAINER_H
#define CONTAINER_H

#include "config.h"

/*
 * Runs config->command in a container, and returns when nothing of it is
 * left.  *status is the command's exit status, or 128+N.  Returns -1 when
 * the container failed; but the text of ERROR may also say what befell a
 * command that did run.
 */
int container_run(const struct config *config, int *status,
                  struct error *error);

#endif
