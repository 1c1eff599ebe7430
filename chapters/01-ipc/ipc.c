/*
 * ipc - run a command in an IPC namespace of its own.
 *
 * You learn  how clone(2) gives a child one new namespace and lets it
 *            inherit the others; what an IPC namespace holds; how long.
 * Build      cc -Wall -Wextra -o ipc ipc.c
 * Run        ./ipc                the demo
 *            ./ipc -- ipcs -q     a command inside
 *            as root, or as root of a user namespace: unshare -Ur bash
 * You see    p2 finds neither of p1's queues, and makes others by the
 *            same key and name; of all namespaces only ipc differs; a
 *            descriptor reaches through; p2 ends, its queues do not.
 * Read       clone(2), ipc_namespaces(7), sysvipc(7), mq_overview(7)
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* System V finds a queue by a number, POSIX by a name. */
enum { KEY = 42 };
static const char NAME[] = "/letter";

/* Who speaks in the demo, and where it stands. */
static const char *who = "p1 outside";

/* Passes VALUE on; when it says that CALL failed, ends the process. */
static int checked(long value, const char *call)
{
    if (value == -1) {
        warn("%s", call);
        _exit(125);
    }
    return (int)value;
}

/* fork(2) with one bit more: the child has a new, empty IPC namespace.
 * glibc's clone() wants a function and a stack for the child; the bare
 * system call, given no stack, returns twice, as fork does. */
static pid_t fork_into_new_ipc(void)
{
    /* Without SIGCHLD, waitpid(2) would not see the child. */
    long pid = syscall(SYS_clone, CLONE_NEWIPC | SIGCHLD, 0, 0, 0, 0);

    if (pid == -1 && errno == EPERM)
        errx(125,
             "clone(CLONE_NEWIPC): %m (a new IPC namespace needs"
             " CAP_SYS_ADMIN: run as root, or under \"unshare -Ur\")");
    return checked(pid, "clone(CLONE_NEWIPC): a new IPC namespace");
}

/* Waits for PID and says what a shell would: 128+N after a signal. */
static int exit_status(pid_t pid)
{
    int status;

    checked(waitpid(pid, &status, 0), "waitpid");
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
                               : WEXITSTATUS(status);
}

/* Makes a queue of each kind.  EXCL: fails if there is one already. */
static mqd_t make_queues(void)
{
    struct mq_attr size = {.mq_maxmsg = 1, .mq_msgsize = 32};
    int flags = O_CREAT | O_EXCL | O_RDWR;

    checked(msgget(KEY, IPC_CREAT | IPC_EXCL | 0600), "msgget");
    /* A queue's descriptor is close-on-exec without our asking. */
    mqd_t queue = checked(mq_open(NAME, flags, 0600, &size), "mq_open");
    printf("%s | makes queue %d and queue %s\n", who, KEY, NAME);
    return queue;
}

/* The kernel looks both up in the namespace of the one who asks. */
static void look_for_queues(void)
{
    const char *found = msgget(KEY, 0) == -1 ? strerror(errno) : "here";
    printf("%s | queue %d: %s\n", who, KEY, found);
    mqd_t queue = mq_open(NAME, O_RDONLY);
    found = queue == -1 ? strerror(errno) : "here";
    printf("%s | queue %s: %s\n", who, NAME, found);
    if (queue != -1)
        mq_close(queue);
}

/* A link in /proc/PID/ns names a namespace: same text, same one. */
static void compare_namespaces(pid_t p1, pid_t p2)
{
    static const char *const type[] = {"cgroup", "ipc",  "mnt",  "net",
                                       "pid",    "time", "user", "uts"};

    for (size_t i = 0; i < sizeof(type) / sizeof(type[0]); i++) {
        char path[32], one[32] = "", two[32] = "";
        snprintf(path, sizeof(path), "/proc/%d/ns/%s", p1, type[i]);
        checked(readlink(path, one, sizeof(one) - 1), path);
        snprintf(path, sizeof(path), "/proc/%d/ns/%s", p2, type[i]);
        checked(readlink(path, two, sizeof(two) - 1), path);
        printf("%s | %-20s %s\n", who, one,
               strcmp(one, two) == 0 ? "the same" : two);
    }
}

/* HELD is p1's queue: open descriptors are inherited as by fork. */
static int p2(mqd_t held)
{
    who = "p2 inside ";
    look_for_queues();
    make_queues();
    compare_namespaces(getppid(), getpid());
    /* A namespace hides names.  What is open needs no name. */
    checked(mq_send(held, "hello from p2", 14, 0), "mq_send");
    printf("%s | sends a letter by the descriptor p1 had open\n", who);
    return 0;
}

/* What is outside for p2; in truth a box of its own: see main. */
static int p1(void)
{
    char path[32], letter[32];
    int gate[2];

    mqd_t queue = make_queues();
    checked(pipe2(gate, O_CLOEXEC), "pipe2");
    pid_t pid = fork_into_new_ipc();
    if (pid == 0) {
        /* Wait for the end of file: p1 is ready, or it is dead. */
        close(gate[1]);
        _exit(read(gate[0], path, 1) == 0 ? p2(queue) : 125);
    }
    /* An open file keeps a namespace when its processes are gone. */
    snprintf(path, sizeof(path), "/proc/%d/ns/ipc", pid);
    int theirs = checked(open(path, O_RDONLY | O_CLOEXEC), path);
    close(gate[1]);
    if (exit_status(pid) != 0)
        return 125; /* p2 has said why */
    checked(mq_receive(queue, letter, 32, NULL), "mq_receive");
    printf("%s | p2 has exited; its letter: \"%s\"\n", who, letter);
    checked(setns(theirs, CLONE_NEWIPC), "setns: what p2 has left");
    who = "p1 inside ";
    look_for_queues();
    return checked(ferror(stdout) ? -1 : 0, "stdout");
}

static int run(char *command[])
{
    execvp(command[0], command);
    int status = errno == ENOENT ? 127 : 126;
    warn("exec %s", command[0]);
    return status;
}

/* Were 0, 1 or 2 closed, our pipe would get that number. */
static void fill_standard_descriptors(void)
{
    int fd = 0;

    while (fd <= 2)
        fd = checked(open("/dev/null", O_RDWR), "open /dev/null");
    close(fd);
}

int main(int argc, char *argv[])
{
    struct option help[2] = {[0].name = "help", [0].val = 'h'};

    fill_standard_descriptors();
    /* Line by line: in order, and no copy of a full buffer by clone. */
    setvbuf(stdout, NULL, _IOLBF, 0);

    /* "+": what follows the command's name is the command's. */
    int option = getopt_long(argc, argv, "+", help, NULL);
    if (option == 'h') {
        checked(puts("usage: ipc [--] [COMMAND [ARG...]]"), "stdout");
        return 0;
    }
    if (option != -1)
        return 125; /* getopt has said what is wrong */

    /* If the caller ignores SIGCHLD, so do we, and miss the status. */
    signal(SIGCHLD, SIG_DFL);
    /* The demo, too: so its queues never touch the real outside. */
    pid_t pid = fork_into_new_ipc();
    if (pid == 0)
        _exit(argv[optind] ? run(argv + optind) : p1());
    /* As system(3): Ctrl-C is for the command, and we outlive it. */
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    return exit_status(pid);
}
