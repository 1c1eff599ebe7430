/*
 * text.c - strings that live until the test ends, and files as strings.
 *
 * A test is a process of its own: its memory is returned by exit, so nothing
 * here is freed.
 */
#include "internal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FILE = 1 << 20 };

const char *vtext(const char *format, va_list args)
{
    char *string;

    if (vasprintf(&string, format, args) == -1)
        fail_text("out of memory");
    return string;
}

const char *text(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *string = vtext(format, args);
    va_end(args);
    return string;
}

const char *squeeze(const char *string)
{
    char *copy = strdup(string), *to = copy;

    if (!copy)
        fail_text("out of memory");
    for (const char *from = string; *from; from++)
        if (!isspace((unsigned char)*from))
            *to++ = *from;
        else if (to > copy && to[-1] != ' ')
            *to++ = ' ';
    while (to > copy && to[-1] == ' ')
        to--;
    *to = '\0';
    return copy;
}

/* Reads up to MAX_FILE bytes; -1 with errno when the kernel refuses. */
static const char *slurp(int fd)
{
    char *buffer = malloc(MAX_FILE + 1);
    size_t used = 0;

    if (!buffer)
        fail_text("out of memory");
    while (used < MAX_FILE) {
        ssize_t got = read(fd, buffer + used, MAX_FILE - used);
        if (got == -1 && errno == EINTR)
            continue;
        if (got == -1)
            return NULL;
        if (got == 0)
            break;
        used += (size_t)got;
    }
    buffer[used] = '\0';
    return realloc(buffer, used + 1);
}

const char *fd_text(int fd)
{
    if (lseek(fd, 0, SEEK_SET) == -1 && errno != ESPIPE)
        fail_errno("lseek");
    const char *string = slurp(fd);
    if (!string)
        fail_errno("read");
    return string;
}

static const char *path_text(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd == -1)
        fail_errno("open %s", path);
    const char *string = slurp(fd);
    if (!string)
        fail_errno("read %s", path);
    close(fd);
    return string;
}

const char *file_text(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *path = vtext(format, args);
    va_end(args);
    return path_text(path);
}

const char *file_words(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *path = vtext(format, args);
    va_end(args);
    return squeeze(path_text(path));
}

bool file_exists(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *path = vtext(format, args);
    va_end(args);
    return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}
