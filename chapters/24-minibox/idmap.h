/*
 * idmap.h - who is root inside.
 *
 * Never the host's root.  What is chosen:
 *
 *     root           0..65535 inside is root's range of /etc/subuid and
 *                    /etc/subgid outside, or 100000..165535 without one.
 *                    What the host's root owns in the root filesystem
 *                    belongs to nobody (65534) inside: to be read, not
 *                    written.  What root inside makes belongs to 100000.
 *     a user         0 inside is the user; 1..65535 is the user's range in
 *                    /etc/subuid when newuidmap(1) can give it.
 *     neither works  0 inside is the caller, and no other ID exists: so for
 *                    a user without a range, and for root of a user
 *                    namespace that has too few IDs itself.
 *
 * UIDs and GIDs are decided one by one, by the same rule.
 *
 * user_namespaces(7), subuid(5), newuidmap(1), credentials(7)
 */
#ifndef IDMAP_H
#define IDMAP_H

#include "err.h"

#include <sys/types.h>

/* In the parent: writes the maps of PID's new user namespace. */
int idmap_write(pid_t pid, struct error *error);

/* In the child, once the maps stand: becomes root inside. */
int idmap_become_root(struct error *error);

#endif
