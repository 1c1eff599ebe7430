/*
 * hierarchy.h - where a control group for a controller can be made.
 *
 * A controller ("memory", "pids") is in one hierarchy: in one of version 1,
 * or in that of version 2; on a hybrid machine some are here and some
 * there.  A new group goes below
 *
 *     version 1   the caller's own group
 *     version 2   the nearest group, from the caller's own upwards, that
 *                 the caller may change and that hands the controllers on.
 *                 If there is none: the caller's own, once the caller, when
 *                 it is alone there, has stepped aside into a leaf (only
 *                 groups without processes hand controllers on).
 *
 * cgroups(7), proc(5) on /proc/PID/cgroup and mountinfo
 */
#ifndef HIERARCHY_H
#define HIERARCHY_H

#include "err.h"

#include <limits.h>
#include <stdbool.h>

struct hierarchy {
    int version;           /* 1 or 2 */
    char parent[PATH_MAX]; /* the directory for new groups */
    char leaf[PATH_MAX];   /* where the caller stepped aside, or "" */
    char wanted[64];       /* such as "+memory +pids" */
};

/* In which version is CONTROLLER, and where is the caller in it? */
int hierarchy_find(struct hierarchy *hierarchy, const char *controller,
                   struct error *error);

/* Version 2: one more controller is wanted. */
void hierarchy_also(struct hierarchy *hierarchy, const char *controller);

/* Version 2: finds the parent that hands on all that is wanted, and steps
 * aside when that is what it needs. */
int hierarchy_enable(struct hierarchy *hierarchy, struct error *error);

/* Undoes the step aside. */
int hierarchy_restore(struct hierarchy *hierarchy, struct error *error);

/* Files of a group: DIRECTORY/NAME. */
int group_write(const char *directory, const char *name, const char *text);
/* Reads at most SIZE-1 bytes; returns how many, or -1. */
long group_read(const char *directory, const char *name, char *text,
                unsigned long size);

#endif
