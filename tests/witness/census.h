/*
 * census.h - what there is on this machine that a box could leave behind.
 *
 * A census is a text of one line a thing, sorted:
 *
 *     process   every descendant of the caller (the caller must be a
 *               PR_SET_CHILD_SUBREAPER or PID 1, so none gets away)
 *     mount     /proc/self/mountinfo; pinned namespaces are here as nsfs
 *     cgroup    in every hierarchy the groups at the top and those under
 *               our own, but for those that systemd makes for itself
 *               (.slice, .scope, .service ...)
 *     link      network interfaces
 *     fd        the caller's own descriptors
 *     file      what stands in the temporary directories that the caller
 *               has for itself
 *
 * A namespace lives by a member process, a descriptor, a mount or a child
 * namespace (namespaces(7)): with these unchanged none is left.  System V
 * objects and queues end with the IPC namespace that each test has.
 */
#ifndef WITNESS_CENSUS_H
#define WITNESS_CENSUS_H

#include <stdbool.h>

/* Returns the census as a malloc'd text.  TEMPORARY: count /tmp and
 * /dev/shm too, because nobody else writes there. */
char *census_take(bool temporary);

/* Writes the lines that differ to a malloc'd text: "+ " for what is new,
 * "- " for what is gone; NULL when both are equal. */
char *census_difference(const char *before, const char *after);

#endif
