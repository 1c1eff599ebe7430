/*
 * options.c - parse options and print their help from one table.
 */
#include "options.h"

#include <stdio.h>
#include <string.h>

/* Finds the row of "name" or "name=value"; *value is NULL without "=". */
static const struct option_row *find(const struct option_row *row,
                                     const char *word, const char **value)
{
    size_t length = strcspn(word, "=");

    *value = word[length] ? word + length + 1 : NULL;
    for (; row->name; row++)
        if (strlen(row->name) == length &&
            strncmp(row->name, word, length) == 0)
            return row;
    return NULL;
}

int options_parse(const struct option_row rows[], int argc, char *argv[],
                  struct config *config, struct error *error)
{
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i++) {
        const char *value;
        if (strcmp(argv[i], "--") == 0)
            return i + 1;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return 0;
        const struct option_row *row =
            argv[i][1] == '-' ? find(rows, argv[i] + 2, &value) : NULL;
        if (!row)
            return fail(error, "%s: no such option (see: minibox help %s)",
                        argv[i], argv[0]);
        if (!value && ++i == argc)
            return fail(error, "--%s: %s is missing (see: minibox help %s)",
                        row->name, row->argument, argv[0]);
        if (row->set(config, value ? value : argv[i], error) == -1)
            return -1;
    }
    return i;
}

void options_print(const struct option_row rows[])
{
    for (const struct option_row *row = rows; row->name; row++) {
        int width = printf("  --%s %s", row->name, row->argument);
        printf("%*s%s\n", width < 20 ? 20 - width : 1, "", row->help);
    }
    printf("  %-18s%s\n", "--help", "print this");
}
