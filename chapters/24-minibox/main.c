/*
 * minibox - a small complete container, after LXC.
 *
 * You learn how the parts of this course make one container: every module
 * here is named after the chapter that it grew from.  Begin with
 * container.c: it tells the whole story on one page.
 *
 * Build:  make build            (needs Linux 5.12 or later to run)
 * Run:    build/minibox run build/rootfs -- /bin/sh
 * See:    a shell that is root and PID 1's only child in a small world
 *
 * This file has the table of the verbs, and is the only place that prints
 * an error.  namespaces(7), user_namespaces(7), cgroups(7), pivot_root(2)
 */
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int cmd_help(int argc, char *argv[], struct error *error);

static const struct verb {
    const char *name, *summary;
    int (*run)(int argc, char *argv[], struct error *error);
} verbs[] = {
    {"run",  "run a command in a container of its own", cmd_run },
    {"help", "explain a verb",                          cmd_help},
};

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static int no_such_verb(const char *name, struct error *error)
{
    fail(error, "%s: no such verb (see: minibox --help)", name);
    return error->status;
}

static int cmd_help(int argc, char *argv[], struct error *error)
{
    if (argc > 1) {
        const struct verb *verb = find_verb(argv[1]);
        if (!verb || verb->run == cmd_help)
            return no_such_verb(argv[1], error);
        return verb->run(2, (char *[]){argv[1], "--help", NULL}, error);
    }
    puts("Usage: minibox VERB [OPTION...] [ARG...]\n"
         "\n"
         "Makes small Linux containers.\n");
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        printf("  %-8s %s\n", verbs[i].name, verbs[i].summary);
    puts("\nminibox help VERB says more.");
    return 0;
}

/* A file that we open must never become somebody's stdin, stdout or stderr
 * because the caller closed these. */
static int have_standard_descriptors(struct error *error)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) != -1)
            continue;
        int opened = open("/dev/null", O_RDWR);
        if (opened != fd)
            return fail_call(error, NULL, "open(/dev/null) as descriptor %d",
                             fd);
    }
    return 0;
}

static int dispatch(int argc, char *argv[], struct error *error)
{
    if (have_standard_descriptors(error) == -1)
        return error->status;
    if (argc < 2) {
        fail(error, "a verb is missing (see: minibox --help)");
        return error->status;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return cmd_help(1, argv, error);
    const struct verb *verb = find_verb(argv[1]);
    return verb ? verb->run(argc - 1, argv + 1, error)
                : no_such_verb(argv[1], error);
}

int main(int argc, char *argv[])
{
    struct error error = {0};
    int status = dispatch(argc, argv, &error);

    /* Help that went to a full disk was not given. */
    if (fflush(stdout) == EOF && !error.text[0]) {
        fail_call(&error, NULL, "write to stdout");
        status = error.status;
    }
    if (error.text[0])
        fprintf(stderr, "minibox: %s\n", error.text);
    return status;
}
