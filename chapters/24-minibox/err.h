/*
 * err.h - an error as a value.
 *
 * A function that can fail takes a struct error last, fills it and returns
 * -1.  It prints nothing: only main() does, one line, and exits with the
 * error's status.  The text is cut to fit; it never grows.
 *
 *     return fail_call(error, "run as root", "mkdir(%s)", path);
 *         mkdir(/sys/fs/cgroup/box): Permission denied (run as root)
 *
 * See env(1) for the meaning of the statuses.
 */
#ifndef ERR_H
#define ERR_H

enum {
    STATUS_FAILED = 125,      /* minibox itself failed, or was misused */
    STATUS_CANNOT_EXEC = 126, /* the command is there, but cannot be run */
    STATUS_NOT_FOUND = 127    /* the command is not there */
};

struct error {
    int status;
    char text[400];
};

/* Sets text and STATUS_FAILED; returns -1. */
int fail(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same for a failed system call: adds what errno means, and the REMEDY
 * where there is one (else NULL).  Keeps errno. */
int fail_call(struct error *error, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Closes the descriptor at the end of its variable's scope.  -1 is none. */
#define autoclose __attribute__((cleanup(close_descriptor)))
void close_descriptor(const int *fd);

#endif
