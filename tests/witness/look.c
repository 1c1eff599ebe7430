/*
 * look.c - read what the kernel says of a process, and judge it.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const namespace_types[] = {
    "cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts", NULL,
};

/* ---- to fail with a sentence ------------------------------------------- */

void fail_claim(const char *claim, const char *expected, const char *seen,
                const char *source)
{
    fprintf(stderr,
            "%s\n  expected:         %s\n  the kernel says:  %s\n"
            "  read from:        %s\n",
            claim, expected, seen, source);
    fail();
    abort();
}

void fail_text(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    fail();
    abort();
}

void fail_errno(const char *format, ...)
{
    int error = errno;
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, ": %s\n", strerror(error));
    fail();
    abort();
}

void skip_unless(bool cond, const char *key, const char *reason,
                 const char *remedy)
{
    if (cond)
        return;
    note("skip", key, reason, remedy);
    skip();
}

/* ---- observations -------------------------------------------------------- */

void observe_equal(const char *claim, const char *expected, const char *seen,
                   const char *source)
{
    if (strcmp(expected, seen) != 0)
        fail_claim(claim, expected, seen, source);
    note("saw", claim, seen, source);
}

void observe_differs(const char *claim, const char *unwanted, const char *seen,
                     const char *source)
{
    if (strcmp(unwanted, seen) == 0)
        fail_claim(claim, text("anything but %s", unwanted), seen, source);
    note("saw", claim, seen, source);
}

void observe_contains(const char *claim, const char *part, const char *seen,
                      const char *source)
{
    if (!strstr(seen, part))
        fail_claim(claim, text("something with \"%s\"", part), seen, source);
    note("saw", claim, seen, source);
}

void observe_lacks(const char *claim, const char *part, const char *seen,
                   const char *source)
{
    if (strstr(seen, part))
        fail_claim(claim, text("nothing with \"%s\"", part), seen, source);
    note("saw", claim, text("no \"%s\"", part), source);
}

void observe_true(const char *claim, bool seen, const char *source)
{
    if (!seen)
        fail_claim(claim, "yes", "no", source);
    note("saw", claim, "yes", source);
}

/* ---- /proc ------------------------------------------------------------- */

const char *namespace_of(pid_t pid, const char *type)
{
    char target[64];
    const char *path = text("/proc/%d/ns/%s", (int)pid, type);
    ssize_t length = readlink(path, target, sizeof(target) - 1);

    if (length == -1)
        fail_errno("readlink %s", path);
    target[length] = '\0';
    return text("%s", target);
}

const char *status_field(pid_t pid, const char *name)
{
    const char *status = file_text("/proc/%d/status", (int)pid);
    const char *wanted = text("\n%s:", name);
    const char *line = strstr(status, wanted);

    if (!line)
        fail_text("/proc/%d/status has no field %s", (int)pid, name);
    line += strlen(wanted);
    return squeeze(text("%.*s", (int)strcspn(line, "\n"), line));
}

static const char *ns_path(const struct probe *probe, const char *type)
{
    return text("/proc/%d/ns/%s", (int)probe_pid(probe), type);
}

void assert_own_namespace(const struct probe *probe, const char *type)
{
    observe_differs(text("the box has its own %s namespace", type),
                    namespace_of(getpid(), type),
                    namespace_of(probe_pid(probe), type), ns_path(probe, type));
}

void assert_shared_namespace(const struct probe *probe, const char *type)
{
    observe_equal(text("the box shares the outside's %s namespace", type),
                  namespace_of(getpid(), type),
                  namespace_of(probe_pid(probe), type), ns_path(probe, type));
}

void assert_only_own_namespaces(const struct probe *probe, const char *types)
{
    const char *padded = text(" %s ", types);

    for (const char *const *type = namespace_types; *type; type++)
        if (strstr(padded, text(" %s ", *type)))
            assert_own_namespace(probe, *type);
        else if (file_exists("/proc/self/ns/%s", *type))
            assert_shared_namespace(probe, *type);
}

void assert_status_field(const struct probe *probe, const char *name,
                         const char *expected)
{
    observe_equal(text("the field %s of the box", name), expected,
                  status_field(probe_pid(probe), name),
                  text("/proc/%d/status", (int)probe_pid(probe)));
}

void assert_proc_file(const struct probe *probe, const char *file,
                      const char *expected)
{
    int pid = (int)probe_pid(probe);

    observe_equal(text("the box's %s", file), expected,
                  file_words("/proc/%d/%s", pid, file),
                  text("/proc/%d/%s", pid, file));
}

void assert_answer(struct probe *probe, const char *expected,
                   const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *request = vtext(format, args);
    va_end(args);

    observe_equal(text("the probe is asked to %s", request), expected,
                  ask(probe, "%s", request),
                  text("the system call of process %d", (int)probe_pid(probe)));
}

/* ---- runs -------------------------------------------------------------- */

void assert_status(const struct outcome *outcome, int expected)
{
    if (outcome->status != expected && *outcome->err)
        fprintf(stderr, "the box wrote: %s\n", squeeze(outcome->err));
    observe_equal("the exit status", text("%d", expected),
                  text("%d", outcome->status), "waitpid(2)");
}

void assert_one_line(const struct outcome *outcome, const char *part)
{
    const char *newline = strchr(outcome->err, '\n');

    if (!newline || newline[1] != '\0')
        fail_claim("one line on stderr", text("a line with \"%s\"", part),
                   outcome->err, "the box's stderr");
    observe_contains("one line on stderr", part, squeeze(outcome->err),
                     "the box's stderr");
}

/* ---- to wait ------------------------------------------------------------ */

int64_t now_ns(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_MONOTONIC, &now) == -1)
        return 0;
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t left_ns(void)
{
    return test_until_ns - now_ns();
}

struct pause pause_begin(void)
{
    return (struct pause){.until_ns = test_until_ns};
}

void pause_next(struct pause *pause, const char *what)
{
    if (now_ns() > pause->until_ns)
        fail_text("waited %u s in vain: %s", suite_bound, what);
    struct timespec millisecond = {.tv_nsec = 1000000};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &millisecond, NULL);
}

unsigned witness_bound(void)
{
    return suite_bound;
}
