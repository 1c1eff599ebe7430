/*
 * err.c - an error as a value.  See err.h.
 */
#include "err.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int fail(struct error *error, const char *format, ...)
{
    va_list args;

    error->status = STATUS_FAILED;
    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    /* A name may hold a line feed, or worse: what a terminal obeys. */
    for (char *c = error->text; *c; c++)
        if (iscntrl((unsigned char)*c))
            *c = '?';
    return -1;
}

int fail_call(struct error *error, const char *remedy, const char *format, ...)
{
    int number = errno;
    char what[256];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    fail(error, "%s: %s%s%s%s", what, strerror(number), remedy ? " (" : "",
         remedy ? remedy : "", remedy ? ")" : "");
    errno = number;
    return -1;
}

void close_descriptor(const int *fd)
{
    /* Nothing that we write through such a descriptor is written late. */
    if (*fd != -1)
        close(*fd);
}
