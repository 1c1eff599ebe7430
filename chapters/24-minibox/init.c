/*
 * init.c - PID 1 inside.  See init.h.
 */
#include "init.h"

#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
    int number;
    bool to_group;
} passed_on[] = {
    {SIGINT,   true },
    {SIGQUIT,  true },
    {SIGTSTP,  true },
    {SIGCONT,  true },
    {SIGWINCH, true },
    {SIGTERM,  false},
    {SIGHUP,   false},
    {SIGUSR1,  false},
    {SIGUSR2,  false},
};
enum { SIGNALS = sizeof(passed_on) / sizeof(passed_on[0]) };

void init_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGCHLD);
    for (int i = 0; i < SIGNALS; i++)
        sigaddset(signals, passed_on[i].number);
}

int init_prepare(int keep, struct error *error)
{
    /* A descriptor of a host's directory would be a way out. */
    if ((keep > 3 && close_range(3, (unsigned)keep - 1, 0) == -1) ||
        close_range((unsigned)keep + 1, UINT_MAX, 0) == -1)
        return fail_call(error, NULL, "close_range");
    /* Out of the caller's session its terminal takes no input from us,
     * TIOCSTI of ioctl_tty(2). */
    if (setsid() == -1)
        return fail_call(error, NULL, "setsid");
    /* Also keeps /proc/1/exe, which is minibox itself, from being opened
     * inside: ptrace(2) on access modes. */
    if (prctl(PR_SET_DUMPABLE, 0) == -1)
        return fail_call(error, NULL, "prctl(PR_SET_DUMPABLE)");
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
        return fail_call(error, NULL, "prctl(PR_SET_PDEATHSIG)");
    return 0;
}

static int set_environment(const struct config *config, struct error *error)
{
    const char *term = getenv("TERM");
    char kept[128] = "";

    if (term)
        snprintf(kept, sizeof(kept), "%s", term);
    if (clearenv() != 0 || (term && setenv("TERM", kept, 1) == -1) ||
        setenv("PATH",
               "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
               1) == -1 ||
        setenv("HOME", "/root", 1) == -1 ||
        setenv("HOSTNAME", config->hostname, 1) == -1 ||
        setenv("container", "minibox", 1) == -1)
        return fail_call(error, NULL, "setenv");
    return 0;
}

int init_exec(const struct config *config, const sigset_t *mask,
              struct error *error)
{
    const char *name = config->command[0];

    if (set_environment(config, error) == -1)
        return -1;
    /* A job of its own, so that it can be stopped and passed signals. */
    if (setpgid(0, 0) == -1)
        return fail_call(error, NULL, "setpgid");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
        return fail_call(error, NULL, "prctl(PR_SET_NO_NEW_PRIVS)");
    if (sigprocmask(SIG_SETMASK, mask, NULL) == -1)
        return fail_call(error, NULL, "sigprocmask");
    execvp(name, config->command);
    bool there = strchr(name, '/') && access(name, F_OK) == 0;
    fail_call(error,
              errno == ENOENT && there
                  ? "it is there, but what it is to be started by is not: its "
                    "interpreter or dynamic linker"
                  : NULL,
              "%s", name);
    error->status = errno == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_EXEC;
    return -1;
}

static void pass_on(int number, pid_t command)
{
    for (int i = 0; i < SIGNALS; i++)
        if (passed_on[i].number == number)
            /* The command may just have ended: nobody to tell then. */
            (void)kill(passed_on[i].to_group ? -command : command, number);
}

/* Reaps all that has ended.  Returns the command's status when it is among
 * them, else -1. */
static int reap(pid_t command)
{
    int status, result = -1;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == command)
            result = WIFSIGNALED(status) ? 128 + WTERMSIG(status)
                                         : WEXITSTATUS(status);
    return result;
}

int init_run(pid_t command)
{
    sigset_t signals;
    int status = -1, number;

    init_signals(&signals);
    while (status == -1) {
        /* One SIGCHLD may stand for many children. */
        number = sigwaitinfo(&signals, NULL);
        if (number == SIGCHLD)
            status = reap(command);
        else if (number > 0)
            pass_on(number, command);
    }
    return status;
}
