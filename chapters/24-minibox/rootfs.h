/*
 * rootfs.h - the container's tree of files.
 *
 * The root filesystem is an ordinary directory.  Nothing is made in it but
 * the empty directories /proc, /dev and /sys where they are missing.  It is
 * mounted without set-user-ID programs and without devices, whatever
 * stands in it.  /proc shows the container's processes; /sys is read-only,
 * and absent where the kernel does not allow it; /dev is in memory.
 *
 * mount_namespaces(7), pivot_root(2), proc(5), sysfs(5), tmpfs(5)
 */
#ifndef ROOTFS_H
#define ROOTFS_H

#include "err.h"

/* In the parent: makes PATH the working directory, and the places for
 * mounts in it.  clone(2) with CLONE_NEWNS gives the child the same
 * directory in its own mounts: so it needs no right to walk to it. */
int rootfs_prepare(const char *path, struct error *error);

/* In the child, in its own namespaces, as their root: makes the working
 * directory the root.  Nothing of the host's tree is left. */
int rootfs_enter(struct error *error);

#endif
