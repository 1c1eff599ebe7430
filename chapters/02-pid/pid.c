/*
 * pid - run a command as number 1 of a PID namespace of its own.
 *
 * You learn  that a process has a number in each PID namespace from the
 *            first to its own, and what is special about number 1.
 * Build      cc -Wall -Wextra -o pid pid.c
 * Run        ./pid                    the demo
 *            ./pid -- ps -ef          a command inside
 *            as root, or as root of a user namespace: unshare -Ur bash
 * You see    a staircase of numbers, three namespaces deep; a number 1
 *            that nothing inside can kill, and whose end ends all.
 * Read       pid_namespaces(7), clone(2), kill(2), proc(5), prctl(2)
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Passes VALUE on, or says why CALL failed and ends the process. */
static int checked(long value, const char *call)
{
    const char *help = "";

    if (value != -1)
        return (int)value;
    if (errno == ENOSPC && strcmp(call, "clone(CLONE_NEWPID)") == 0)
        help = " (32 levels at most; see user.max_pid_namespaces)";
    if (errno == EPERM)
        help = " (a new PID namespace needs CAP_SYS_ADMIN: run as "
               "root, or under \"unshare -Ur\")";
    if (errno == EPERM && strcmp(call, "mount a new /proc") == 0)
        help = " (the old one is partly covered, as in containers)";
    warnx("%s: %m%s", call, help);
    _exit(125);
}

/* fork(2) with namespaces.  The child dies with its parent. */
static pid_t clone_child(long namespaces)
{
    int ready[2];
    char byte = 0;

    checked(pipe2(ready, O_CLOEXEC), "pipe2");
    long pid = syscall(SYS_clone, namespaces | SIGCHLD, 0, 0, 0, 0);
    checked(pid, "clone(CLONE_NEWPID)");
    close(ready[pid != 0]); /* the child writes, the parent reads */
    if (pid == 0) {
        /* SIGKILL when the parent ends.  Had it ended before, nobody
         * reads here.  (getppid() cannot tell: it is 0 anyway.) */
        checked(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
        checked(write(ready[1], &byte, 1), "write: I am ready");
    } else {
        checked(read(ready[0], &byte, 1), "read: is it ready?");
    }
    close(ready[pid == 0]);
    return (pid_t)pid;
}

/* Waits for PID and says what a shell would: 128+N after a signal. */
static int exit_status(pid_t pid)
{
    int status;

    checked(waitpid(pid, &status, 0), "waitpid");
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
                               : WEXITSTATUS(status);
}

/* Whoever reads /proc/self/status finds itself; the line NSpid has a
 * column for each level that this /proc knows, the innermost last. */
static void print_numbers(const char *where)
{
    char line[256] = "";
    FILE *status = fopen("/proc/self/status", "re");

    checked(status ? 0 : -1, "open /proc/self/status");
    while (fgets(line, 256, status) && strncmp(line, "NSpid:", 6) != 0)
        continue;
    fclose(status);
    for (char *tab = line; (tab = strchr(tab, '\t'));)
        *tab = ' ';
    printf("%s | getppid() %d, getpid() %d | %s", where, getppid(),
           getpid(), line);
}

/* A namespace in a namespace in a namespace. */
static void show_levels(void)
{
    static char where[] = "level 0  "; /* each process has its own */

    print_numbers(where);
    if (where[6]++ == '3')
        return;
    pid_t child = clone_child(CLONE_NEWPID);
    if (child == 0) {
        show_levels();
        _exit(0);
    }
    exit_status(child);
}

/* What a /proc shows was decided when it was mounted. */
static void mount_own_proc(void)
{
    /* Where / is shared, the new mount would appear outside too. */
    checked(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL),
            "mount / as private");
    checked(mount("proc", "/proc", "proc", MS_NOSUID, NULL),
            "mount a new /proc");
}

static void show_number_one(void)
{
    pid_t child = clone_child(CLONE_NEWPID | CLONE_NEWNS);

    if (child == 0) {
        print_numbers("old /proc");
        mount_own_proc();
        print_numbers("new /proc");
        /* Number 1 gets only what it handles, and SIGKILL it cannot. */
        if (kill(1, SIGTERM) == 0 && kill(1, SIGKILL) == 0)
            printf("inside    | SIGTERM, SIGKILL to 1: still here\n");
        _exit(0);
    }
    exit_status(child);
}

/* The end of number 1 is the end of its namespace. */
static void show_end(void)
{
    /* Not for the caller: its next child will be number 1. */
    checked(unshare(CLONE_NEWPID), "unshare(CLONE_NEWPID)");
    pid_t first = clone_child(0), second = first ? clone_child(0) : 0;
    while (second == 0)
        pause();
    printf("outside   | %d is 1 inside, %d is 2\n", first, second);
    kill(first, SIGKILL);
    /* Number 1 is not gone until all others are waited for. */
    int two = exit_status(second), one = exit_status(first);
    printf("outside   | I killed %d: status %d\n", first, one);
    printf("outside   | I let %d live: status %d\n", second, two);
    if (fork() == -1)
        printf("outside   | fork(): %m\n");
}

/* The command is number 1 itself, with all that this means. */
static int run(char *command[])
{
    pid_t pid = clone_child(CLONE_NEWPID | CLONE_NEWNS);

    if (pid > 0)
        return exit_status(pid);
    mount_own_proc();
    /* An open directory of the old /proc would be a window. */
    checked(close_range(3, ~0U, 0), "close_range");
    execvp(command[0], command);
    int status = errno == ENOENT ? 127 : 126;
    warn("exec %s", command[0]);
    _exit(status);
}

/* The command in the command line; none stands for the demo. */
static char **parse(char *argv[])
{
    if (!argv[1] || argv[1][0] != '-')
        return argv + 1;
    if (strcmp(argv[1], "--") == 0)
        return argv + 2;
    if (strcmp(argv[1], "--help") != 0)
        errx(125, "unknown option %s (try --help)", argv[1]);
    checked(puts("usage: pid [--] [COMMAND [ARG...]]"), "write");
    exit(0);
}

int main(int argc, char *argv[])
{
    int fd = 0;
    /* Were 0, 1 or 2 closed, a pipe of ours would get that number. */
    while (fd <= 2)
        fd = checked(open("/dev/null", O_RDWR), "open /dev/null");
    close(fd);
    setvbuf(stdout, NULL, _IOLBF, 0); /* clone copies no half line */
    char **command = argc ? parse(argv) : argv;
    if (*command)
        return run(command);
    show_levels();
    show_number_one();
    show_end();
    return checked(ferror(stdout) ? -1 : 0, "write");
}
