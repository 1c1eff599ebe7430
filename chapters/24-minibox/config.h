/*
 * config.h - what one container is to be.
 *
 * Filled once, by the options of a verb; const from then on.  Each setter
 * takes the text that the user wrote.  It returns 0, or -1 and an error that
 * names the option.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "err.h"

#include <stdint.h>

struct config {
    const char *rootfs;   /* a directory */
    char *const *command; /* argv, NULL at its end */
    const char *hostname;
    uint64_t memory; /* bytes; 0: no limit */
    uint64_t pids;   /* tasks; 0: no limit */
};

int config_set_memory(struct config *config, const char *text,
                      struct error *error);
int config_set_pids(struct config *config, const char *text,
                    struct error *error);
int config_set_hostname(struct config *config, const char *text,
                        struct error *error);

#endif
