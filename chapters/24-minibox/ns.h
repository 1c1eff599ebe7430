/*
 * ns.h - the container's namespaces: made in one call, then given names.
 *
 * ns_clone() makes a child in namespaces of all kinds of the table in ns.c.
 * The cgroup namespace is the exception: it shows the group in which its
 * maker stands as the root, so the child makes it (ns_cgroup) after it has
 * been put in its group.
 *
 * namespaces(7), clone(2), pid_namespaces(7), cgroup_namespaces(7)
 */
#ifndef NS_H
#define NS_H

#include "err.h"

#include <stdbool.h>
#include <sys/types.h>

struct ns_child {
    pid_t pid;
    int pidfd;    /* never another process, even when the PID is used again */
    bool grouped; /* already in the group that was asked for */
};

/* Returns 1 in the child, 0 in the parent, -1 on failure.  GROUP is a
 * directory of cgroup version 2 to start in, or -1. */
int ns_clone(struct ns_child *child, int group, struct error *error);

/* In the child: a cgroup namespace that begins at its group. */
int ns_cgroup(struct error *error);

/* In the child: a host name; a loopback interface that is up. */
int ns_hostname(const char *name, struct error *error);
int ns_loopback(struct error *error);

#endif
