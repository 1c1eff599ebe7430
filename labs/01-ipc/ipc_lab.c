/*
 * ipc_lab - run a command with its own IPC and UTS namespaces.
 *
 * You write  the three functions that have a TODO: the birth of the
 *            child, what the child does first, and what the parent says
 *            at the end.  labs/01-ipc/README.md tells the task.
 * Build      cc -Wall -Wextra -o ipc_lab ipc_lab.c
 * Run        ./ipc_lab --hostname ship -- uname -n
 *            as root, or as root of a user namespace: unshare -Ur bash
 * Read       clone(2), uts_namespaces(7), sethostname(2), waitpid(2)
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Returns twice, as fork(2) does: the child's PID in the parent, 0 in
 * the child, or -1 with errno set.  The child has a new IPC and a new
 * UTS namespace, and shares every other one with the parent.
 */
static pid_t fork_into_box(void)
{
    /* TODO: fork(2) shares all namespaces; use clone(2) instead. */
    return fork();
}

/*
 * What the child does.  If HOSTNAME is not NULL, it becomes the name of
 * the inside, and of the inside only.  Then COMMAND runs: this function
 * returns only if something failed, after one line on stderr, with the
 * exit status: 125 for the name, 127 if the command was not found, 126
 * if it cannot be executed for another reason.
 */
static int be_inside(const char *hostname, char *command[])
{
    /* TODO: set the name; tell apart how exec can fail. */
    (void)hostname;
    execvp(command[0], command);
    return 1;
}

/*
 * What the parent does: waits until the child PID has ended, and gives
 * the exit status to hand on: the command's own, or 128+N if signal N
 * ended it.  If it cannot wait: one line on stderr, and 125.
 */
static int exit_status(pid_t pid)
{
    /* TODO: wait for the child, and take its status apart. */
    (void)pid;
    return 0;
}

/* ---- From here on, all is written for you. ----------------------- */

static const char usage[] =
    "usage: ipc_lab [--hostname NAME] [--] COMMAND [ARG...]";

/* Returns the command; fills *HOSTNAME if the option is there. */
static char **parse(int argc, char *argv[], const char **hostname)
{
    static const struct option options[] = {
        {"help",     no_argument,       NULL, 'h'},
        {"hostname", required_argument, NULL, 'n'},
        {NULL,       0,                 NULL, 0  },
    };
    int option;

    /* "+": what follows the command's name is the command's. */
    while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1)
        if (option == 'h')
            exit(puts(usage) < 0 ? 125 : 0);
        else if (option == 'n')
            *hostname = optarg;
        else
            exit(125); /* getopt has said what is wrong */
    if (!argv[optind])
        errx(125, "no command: %s", usage);
    return argv + optind;
}

int main(int argc, char *argv[])
{
    const char *hostname = NULL;
    char **command = parse(argc, argv, &hostname);

    /* If the caller ignores SIGCHLD, so do we, and miss the status. */
    signal(SIGCHLD, SIG_DFL);
    pid_t pid = fork_into_box();
    if (pid == -1 && errno == EPERM)
        errx(125, "clone: %m (new namespaces need CAP_SYS_ADMIN: run as"
                  " root, or under \"unshare -Ur\")");
    if (pid == -1)
        err(125, "clone: the box's namespaces");
    if (pid == 0)
        _exit(be_inside(hostname, command));
    /* As system(3): Ctrl-C is for the command, and we outlive it. */
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    return exit_status(pid);
}
