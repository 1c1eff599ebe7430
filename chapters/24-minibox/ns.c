/*
 * ns.c - the container's namespaces.  See ns.h.
 */
#include "ns.h"

#include <errno.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel makes the user namespace first, whatever the order here: all
 * others then belong to it, and its root rules them. */
static const struct {
    const char *name; /* in /proc/self/ns */
    uint64_t flag;
} namespaces[] = {
    {"user", CLONE_NEWUSER},
    {"mnt",  CLONE_NEWNS  },
    {"pid",  CLONE_NEWPID },
    {"uts",  CLONE_NEWUTS },
    {"ipc",  CLONE_NEWIPC },
    {"net",  CLONE_NEWNET },
};
enum { KINDS = sizeof(namespaces) / sizeof(namespaces[0]) };

/* The first number in a file of /proc/sys, or -1. */
static long setting(const char *path)
{
    long value = -1;
    FILE *file = fopen(path, "re");

    if (file) {
        if (fscanf(file, "%ld", &value) != 1)
            value = -1;
        fclose(file);
    }
    return value;
}

/* Several layers can forbid namespaces: name the one that did. */
static const char *remedy(int number)
{
    char path[64];

    switch (number) {
    case EPERM:
        if (setting("/proc/sys/kernel/unprivileged_userns_clone") == 0)
            return "user namespaces are off for ordinary users: as root, "
                   "sysctl kernel.unprivileged_userns_clone=1";
        return "user namespaces are blocked here: by the seccomp profile of "
               "an outer container, a chroot, or AppArmor";
    case ENOSPC:
    case EUSERS:
        return "a limit on namespaces is reached: see /proc/sys/user and, "
               "as root, sysctl user.max_user_namespaces=10000";
    case EINVAL:
        for (int i = 0; i < KINDS; i++) {
            snprintf(path, sizeof(path), "/proc/self/ns/%s",
                     namespaces[i].name);
            if (access(path, F_OK) == -1)
                return "this kernel lacks a kind of namespace: compare "
                       "/proc/self/ns with namespaces(7)";
        }
        return NULL;
    case EAGAIN:
        return "a limit on processes is reached: see ulimit -u, and pids.max "
               "of the control group";
    default:
        return NULL;
    }
}

/* clone3(2) alone can start the child inside a group. */
static long clone3_child(struct ns_child *child, uint64_t flags, int group)
{
    struct clone_args args = {
        .flags = flags | CLONE_PIDFD | (group == -1 ? 0 : CLONE_INTO_CGROUP),
        .pidfd = (uintptr_t)&child->pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = group == -1 ? 0 : (uint64_t)group,
    };

    return syscall(SYS_clone3, &args, sizeof(args));
}

/* For kernels and seccomp profiles that do not know clone3(2).  Without
 * CLONE_VM the child goes on, on its copy of our stack, as after fork(2). */
static long clone_child(struct ns_child *child, uint64_t flags)
{
    return syscall(SYS_clone, flags | CLONE_PIDFD | SIGCHLD, NULL,
                   &child->pidfd, NULL, NULL);
}

int ns_clone(struct ns_child *child, int group, struct error *error)
{
    uint64_t flags = 0;

    for (int i = 0; i < KINDS; i++)
        flags |= namespaces[i].flag;
    child->pidfd = -1;
    long pid = clone3_child(child, flags, group);
    child->grouped = pid != -1 && group != -1;
    if (pid == -1 && (errno == ENOSYS || errno == EPERM))
        pid = clone_child(child, flags);
    if (pid == -1)
        return fail_call(error, remedy(errno), "clone of new namespaces");
    child->pid = (pid_t)pid;
    return pid == 0;
}

int ns_cgroup(struct error *error)
{
    /* A kernel without it has no cgroup namespace to hide anything by. */
    if (unshare(CLONE_NEWCGROUP) == -1 && errno != EINVAL)
        return fail_call(error, NULL, "unshare(CLONE_NEWCGROUP)");
    return 0;
}

int ns_hostname(const char *name, struct error *error)
{
    if (sethostname(name, strlen(name)) == -1)
        return fail_call(error, NULL, "sethostname(%s)", name);
    return 0;
}

int ns_loopback(struct error *error)
{
    /* A new network namespace has one interface, "lo", and it is down. */
    struct ifreq link = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd == -1)
        return fail_call(error, NULL, "socket, to bring up lo");
    if (ioctl(fd, SIOCSIFFLAGS, &link) == -1)
        return fail_call(error, NULL, "ioctl(SIOCSIFFLAGS), to bring up lo");
    return 0;
}
