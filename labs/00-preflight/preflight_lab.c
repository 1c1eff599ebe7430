/*
 * preflight_lab - a probe for one more feature: an uptime of one's own.
 *
 * You learn: to find out by doing, without a trace, and to read the
 * layer that refuses from the errno.
 *
 * Build:  cc -Wall -Wextra -o preflight_lab preflight_lab.c
 * Run:    unshare -Ur ./preflight_lab              (or as root)
 *         unshare -Ur ./preflight_lab -- COMMAND   go on as COMMAND
 *
 * You should see, on stdout (with a COMMAND on stderr):
 *         uts   yes
 *         ipc   yes
 *         time  yes
 * or, for example, "time  no   count". Exit status: 0 when all work, 1
 * when one does not; with a COMMAND, the command's.
 *
 * See time_namespaces(7), unshare(2), waitpid(2), clock_gettime(2).
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LAB_FAILED = 125, CANNOT_EXECUTE = 126, NOT_FOUND = 127 };

/* Waits for a probe's child. The child says with its exit status what
 * it found: 0, or the errno of what failed. */
static int result_of(pid_t pid)
{
    int status;

    if (waitpid(pid, &status, 0) == -1)
        err(LAB_FAILED, "waitpid, for a probe");
    return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

/* A probe returns 0 when its feature works, or the errno of what
 * failed. The child takes the namespace with it when it ends. */
static int probe_uts(void)
{
    pid_t pid = fork();

    if (pid == -1)
        err(LAB_FAILED, "fork, for a probe");
    if (pid == 0)
        _exit(unshare(CLONE_NEWUTS) == -1 ? errno : 0);
    return result_of(pid);
}

static int probe_ipc(void)
{
    pid_t pid = fork();

    if (pid == -1)
        err(LAB_FAILED, "fork, for a probe");
    if (pid == 0)
        _exit(unshare(CLONE_NEWIPC) == -1 ? errno : 0);
    return result_of(pid);
}


/* Can a process have an uptime that is 100,000 seconds more? */
static int probe_time(void)
{
    /* TODO: find out by doing, in a child, as probe_uts() does. Make a
     * time namespace; shift its boot clock by 100,000 seconds; see,
     * from a process inside, that it is shifted. */
    return ENOSYS;
}

/*
 * Which layer answered with this errno?
 *
 *     kernel     the kernel has no time namespaces
 *     count      there may be no more of them
 *     proc       /proc is not there, or read-only
 *     filter     a seccomp filter said EPERM before the kernel looked
 *     privilege  the kernel itself said EPERM
 *     unknown    none of these
 */
static const char *layer_of(int error)
{
    /* TODO: name the layer. Only EPERM takes thought: what does the
     * kernel answer to a call that makes no sense? */
    (void)error;
    return "unknown";
}

static const struct {
    const char *name;
    int (*probe)(void);
} features[] = {
    {"uts",  probe_uts },
    {"ipc",  probe_ipc },
    {"time", probe_time},
};

/* Tries all features, and prints a line for each. Did all work? */
static bool try_all(FILE *out)
{
    bool all = true;

    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]);
         i++) {
        int error = features[i].probe();
        if (error)
            fprintf(out, "%-5s no   %s\n", features[i].name,
                    layer_of(error));
        else
            fprintf(out, "%-5s yes\n", features[i].name);
        all = all && !error;
    }
    if (fflush(out) == EOF)
        err(LAB_FAILED, "write");
    return all;
}

int main(int argc, char *argv[])
{
    char **command = argv + 1;

    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        puts("usage: preflight_lab [[--] COMMAND [ARG...]]");
        return fflush(stdout) == EOF ? LAB_FAILED : 0;
    }
    if (*command && strcmp(*command, "--") == 0)
        command++;
    else if (*command && **command == '-')
        errx(LAB_FAILED,
             "usage: preflight_lab [[--] COMMAND [ARG...]]");
    bool all = try_all(*command ? stderr : stdout);
    if (!*command)
        return all ? 0 : 1;
    execvp(*command, command);
    int status = errno == ENOENT ? NOT_FOUND : CANNOT_EXECUTE;
    err(status, "%s", *command);
}
