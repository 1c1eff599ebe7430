/*
 * cgroup.h - limits, by control groups of version 1, 2 or both.
 *
 * Only a container with limits gets groups: minibox-PID in each hierarchy
 * that has a controller it needs (hierarchy.h says where).  On version 2 the
 * container stands in minibox-PID/box, so that the limits stay out of its
 * reach even where it owns what it sees.
 *
 * A limit that cannot be set is an error.  The owner of a group holds a lock
 * on its directory, flock(2): what nobody holds is left from a minibox
 * that was killed, and the next one removes it.
 *
 * cgroups(7); Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst
 */
#ifndef CGROUP_H
#define CGROUP_H

#include "config.h"
#include "hierarchy.h"

#include <sys/types.h>

enum { MOST_GROUPS = 2 }; /* one a controller */

struct group {
    struct hierarchy hierarchy;
    unsigned controllers; /* a bit for each, see cgroup.c */
    char path[PATH_MAX];
    int lock;
};

struct cgroup {
    int count;
    struct group group[MOST_GROUPS];
    int enter; /* directory of version 2 to start a child in, or -1 */
};

/* Makes the groups that CONFIG needs, and sets their limits. */
int cgroup_create(struct cgroup *cgroup, const struct config *config,
                  struct error *error);

/* Puts PID in them; ENTERED says that it is already in the one of version 2. */
int cgroup_place(const struct cgroup *cgroup, pid_t pid, bool entered,
                 struct error *error);

/* How many processes died for want of memory. */
unsigned long cgroup_oom_kills(const struct cgroup *cgroup);

/* Removes the groups.  Their processes must have been told to end: waits
 * for that, at most a second. */
int cgroup_remove(struct cgroup *cgroup, struct error *error);

#endif
