/*
 * config.c - from text to numbers, with every way in which it can go wrong.
 */
#include "config.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

/* One task is minibox's init, one the command. */
enum { LEAST_PIDS = 2 };

/* Digits, then at most one letter of UNITS, each 1024 times the one before.
 * strtoull(3) would take "-1" and " 1" as well. */
static int parse_number(const char *text, const char *units, uint64_t *value)
{
    uint64_t number = 0;
    const char *c = text;

    for (; isdigit((unsigned char)*c); c++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*c - '0'), &number))
            return -1;
    if (c == text)
        return -1;
    if (*c) {
        const char *unit = strchr(units, toupper((unsigned char)*c));
        if (!unit || c[1])
            return -1;
        for (; unit >= units; unit--)
            if (__builtin_mul_overflow(number, 1024, &number))
                return -1;
    }
    /* The kernel counts bytes in a signed number. */
    if (number > INT64_MAX)
        return -1;
    *value = number;
    return 0;
}

int config_set_memory(struct config *config, const char *text,
                      struct error *error)
{
    if (parse_number(text, "KMGT", &config->memory) == -1 ||
        config->memory == 0)
        return fail(error,
                    "--memory %s: not a size such as 64M (bytes, or K, M, G)",
                    text);
    return 0;
}

int config_set_pids(struct config *config, const char *text,
                    struct error *error)
{
    if (parse_number(text, "", &config->pids) == -1 ||
        config->pids < LEAST_PIDS || config->pids > INT_MAX)
        return fail(error,
                    "--pids %s: not a number from %d on (minibox's init and "
                    "the command are two)",
                    text, LEAST_PIDS);
    return 0;
}

int config_set_hostname(struct config *config, const char *text,
                        struct error *error)
{
    size_t length = strlen(text);

    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-._", *c))
            return fail(error,
                        "--hostname %s: only letters, digits, '-', '.' and "
                        "'_' may stand in a host name",
                        text);
    /* __NEW_UTS_LEN of the kernel, sethostname(2). */
    if (length == 0 || length > HOST_NAME_MAX)
        return fail(error, "--hostname %s: must have 1 to %d characters", text,
                    HOST_NAME_MAX);
    config->hostname = text;
    return 0;
}
