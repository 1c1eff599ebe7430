/*
 * ipc - run a command in an IPC namespace of its own.
 *
 * You learn  how clone(2) gives a child one new namespace and lets it
 *            inherit all the others; what an IPC namespace holds; when
 *            it dies, and what dies with it.
 * Build      cc -Wall -Wextra -o ipc ipc.c
 * Run        ./ipc                    the demo
 *            ./ipc -- ipcs -q         a command inside
 *            as root, or as root of a user namespace: unshare -Ur bash
 * You see    p2 does not find the queues that p1 made; the same key and
 *            name give it others; in the table only the line "ipc"
 *            differs; a descriptor keeps p2's queues when p2 is gone.
 * Read       clone(2), ipc_namespaces(7), sysvipc(7), mq_overview(7)
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* System V finds a queue by a number, POSIX by a name. */
enum { KEY = 42 };
static const char NAME[] = "/letter";

struct letter {
    long type; /* msgsnd(2) wants it first, and above zero */
    char text[8];
};

/* Who speaks in the demo, and where it stands. */
static const char *who = "p1 outside";

/* Passes VALUE on; when it says that CALL failed, ends the process. */
static int checked(int value, const char *call)
{
    if (value == -1) {
        warn("%s", call);
        _exit(125);
    }
    return value;
}

/*
 * fork(2) with one bit more: the child has a new, empty IPC namespace.
 * glibc's clone() wants a function and a stack for the child; the bare
 * system call, given no stack, returns twice, as fork does.
 */
static pid_t fork_into_new_ipc(void)
{
    /* Without SIGCHLD, waitpid(2) would not see the child. */
    long flags = CLONE_NEWIPC | SIGCHLD;
    pid_t pid = (pid_t)syscall(SYS_clone, flags, 0, 0, 0, 0);

    if (pid == -1 && errno == EPERM)
        errx(125, "clone(CLONE_NEWIPC): %s (a new IPC namespace needs "
             "CAP_SYS_ADMIN: run as root, or under \"unshare -Ur\")",
             strerror(errno));
    return checked(pid, "clone(CLONE_NEWIPC): a new IPC namespace");
}

static int exit_status_of(pid_t pid)
{
    int status;

    checked(waitpid(pid, &status, 0), "waitpid");
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
                               : WEXITSTATUS(status);
}

/* Makes a queue of each kind, with a letter in it. */
static mqd_t make_queues(struct letter letter)
{
    struct mq_attr size = {.mq_maxmsg = 1, .mq_msgsize = 8};
    int flags = O_CREAT | O_EXCL | O_RDWR; /* close-on-exec: always */
    int id = msgget(KEY, IPC_CREAT | IPC_EXCL | 0600);
    mqd_t queue = mq_open(NAME, flags, 0600, &size);

    checked(id, "msgget: a System V queue");
    checked(queue, "mq_open: a POSIX queue");
    checked(msgsnd(id, &letter, 8, 0), "msgsnd: a letter");
    checked(mq_send(queue, letter.text, 8, 0), "mq_send: a letter");
    printf("%s | makes both queues\n", who);
    return queue;
}

/* Looks for both queues from here, and opens the letter in each. */
static void look_for_queues(void)
{
    struct letter letter;
    int found = msgget(KEY, 0);
    mqd_t queue = mq_open(NAME, O_RDONLY | O_NONBLOCK);

    if (found != -1)
        found = (int)msgrcv(found, &letter, 8, 0, IPC_NOWAIT);
    printf("%s | queue %d: %s\n", who, KEY,
           found == -1 ? strerror(errno) : letter.text);
    if (queue != -1)
        found = (int)mq_receive(queue, letter.text, 8, NULL);
    printf("%s | queue %s: %s\n", who, NAME,
           queue == -1 || found == -1 ? strerror(errno) : letter.text);
    if (queue != -1)
        mq_close(queue);
}
